"""The process group of a training: joined under each launcher, left after each end."""

import json
import subprocess
from collections.abc import Callable

import pytest

from support import programs
from support.launches import OPEN_MPI

pytest.importorskip("torch")

Program = Callable[..., list[str]]

# PyTorch takes many seconds to load on a busy machine.
WATCHDOG_S = 100.0

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(WATCHDOG_S + 10)]

ALONE = """
    import contextlib, os, re
    import pytest
    from mp_tqdm.torch import DDP, barrier, cleanup_ddp, get_rank, get_world_size, setup_ddp
    from mp_tqdm.torch import _states_of_gloo

    cleanup_ddp()  # before PyTorch is there
    barrier()
    import torch, torch.distributed as dist

    cleanup_ddp()  # nothing was set up
    barrier()

    rank, local_rank, world_size = ddp = setup_ddp()
    assert (rank, local_rank, world_size, ddp.device) == (0, 0, 1, torch.device("cpu"))
    assert (ddp.rank, ddp.local_rank, ddp.world_size) == (0, 0, 1)
    assert dist.get_backend() == "gloo"
    group = dist.group.WORLD
    again = setup_ddp("nccl")
    assert again == ddp and again.device == ddp.device
    assert dist.group.WORLD is group
    barrier()
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
    model(torch.ones(1, 1)).sum().backward()
    cleanup_ddp()
    assert not dist.is_initialized()
    # They outlive their group, and one at work when the interpreter ends would abort it.
    assert set(_states_of_gloo()) == {"S"}
    cleanup_ddp()

    error = KeyError("of the training")
    with pytest.raises(KeyError) as caught, setup_ddp(timeout_minutes=1) as ddp:
        assert dist.is_initialized() and isinstance(ddp, DDP)
        raise error
    assert caught.value is error
    assert not dist.is_initialized()
    with setup_ddp(rank=0, world_size=1):  # left before the end
        cleanup_ddp()
    # A failure to clean up is told, but not in place of what went wrong before it.
    destroy, dist.destroy_process_group = dist.destroy_process_group, lambda: 1 / 0
    with pytest.raises(ZeroDivisionError), setup_ddp():
        pass
    with pytest.raises(KeyError), setup_ddp():
        raise error
    dist.destroy_process_group = destroy
    cleanup_ddp()

    def refused(message, **arguments):
        with pytest.raises(ValueError, match=re.escape(message)):
            setup_ddp(**arguments)
        assert not dist.is_initialized()

    refused("pass both", rank=0)
    refused("pass both", world_size=2)
    refused("from 0 to 1, found 2", rank=2, world_size=2)
    refused("set MASTER_ADDR and MASTER_PORT", rank=0, world_size=2)
    # Ranks that cannot meet are told so, and do not each train alone.
    os.environ |= {"RANK": "1", "WORLD_SIZE": "4"}
    refused("RANK is 1 of WORLD_SIZE 4, but MASTER_PORT is not set")
    del os.environ["RANK"], os.environ["WORLD_SIZE"]
    told = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    assert not set(told) & set(os.environ)

    # Before a GPU, of which there is none here.
    chosen = []
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 4
    torch.cuda.set_device = chosen.append
    init, dist.init_process_group = dist.init_process_group, lambda *a, **k: chosen.append(a[0])
    file = "file:///nowhere"
    assert setup_ddp(rank=1, world_size=8, init_method=file).device == torch.device("cuda", 1)
    assert setup_ddp("gloo", rank=5, world_size=8, init_method=file).device.index == 1
    assert chosen == [torch.device("cuda", 1), "nccl", torch.device("cuda", 1), "gloo"]
    assert (get_rank(), get_world_size()) == (5, 8)  # which stay known
"""


def test_a_plain_script_is_a_world_of_one(program: Program) -> None:
    done = programs.run(program(ALONE), timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr


MPI = """
    import json
    import torch, torch.distributed as dist
    from mp_tqdm.torch import barrier, get_local_rank, get_rank, is_main_process, setup_ddp

    def summed(ddp):
        each = torch.tensor([10 ** ddp.rank])
        dist.all_reduce(each)
        return int(each)

    told = []
    for _ in range(2):  # a second time: what the first left must not be met
        with setup_ddp() as ddp:
            told.append([*ddp, get_rank(), get_local_rank(), is_main_process(), summed(ddp)])
            barrier()
    told.append([get_rank(), get_local_rank(), is_main_process()])
    print(json.dumps(told))
"""


def test_ranks_of_mpi_meet_without_an_address(program: Program) -> None:
    command = program(MPI)
    environs = [
        OPEN_MPI
        | {"PMIX_NAMESPACE": f"{command[-1]}", "PMIX_RANK": rank}
        | {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": rank}
        for rank in "01"
    ]
    ranks = [
        subprocess.Popen(
            command,
            env=programs.environment(OMP_NUM_THREADS="1", **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environ in environs
    ]
    try:
        outputs = [rank.communicate(timeout=WATCHDOG_S) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    for number, (stdout, stderr) in enumerate(outputs):
        assert ranks[number].returncode == 0, stderr
        main = number == 0
        set_up = [number, number, 2, number, number, main, 11]
        assert json.loads(stdout) == [set_up, set_up, [number, number, main]]
