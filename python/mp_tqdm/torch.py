"""The frame of a PyTorch training: process group, device, ranks, and text above the bars.

    from mp_tqdm import mp_tqdm
    from mp_tqdm.torch import mp_print, setup_ddp

    with setup_ddp() as ddp:
        model = DistributedDataParallel(Net().to(ddp.device))
        for epoch in mp_tqdm(range(10), desc="epochs"):
            ...
            mp_print(f"loss {loss:.3f}")

The same program runs under torchrun, `torch.multiprocessing.spawn`, `accelerate launch`, DeepSpeed,
`srun`, `mpirun`, and as a plain `python script.py`. Only `setup_ddp` needs PyTorch.
"""

from __future__ import annotations

import io
import itertools
import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mp_tqdm import _stack, mp_tqdm
from mp_tqdm.ranks import (
    found,
    get_local_rank,
    get_rank,
    get_world_size,
    group,
    is_main_process,
    main_process_only,
    remember,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import torch
    from typing_extensions import Self

    from mp_tqdm.ranks import Standing

__all__ = [
    "DDP",
    "barrier",
    "cleanup_ddp",
    "get_local_rank",
    "get_rank",
    "get_world_size",
    "is_main_process",
    "main_process_only",
    "mp_print",
    "setup_ddp",
]

# Where ranks of one node meet that no launcher gave a port: below those that Linux hands out.
_FIRST_PORT, _PORTS = 10_000, 22_000
# How long gloo's threads are waited for, which something may keep busy that is not ours.
_GLOO_LIMIT_S = 2.0
_setups = itertools.count()  # ranks that set up again meet elsewhere: the last port may be in use


class _Ranks(NamedTuple):
    rank: int
    local_rank: int
    world_size: int


class DDP(_Ranks):
    """What `setup_ddp` set up: `rank, local_rank, world_size = setup_ddp()`, or by name.

    As a context manager it ends in `cleanup_ddp`, also after an exception.

    Attributes:
        rank: Among all ranks.
        local_rank: Among those of this node.
        world_size: How many ranks there are.
        device: Where this rank's model and batches go: its GPU, or the CPU.
    """

    device: torch.device

    def __enter__(self) -> Self:
        """The setup itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the process group."""
        try:
            cleanup_ddp()
        except Exception as raised:
            if error is None or _stack.is_awaited(raised):
                raise  # else what went wrong first is what the user has to see


def setup_ddp(
    backend: str | None = None,
    init_method: str | None = None,
    timeout_minutes: float | None = None,
    *,
    rank: int | None = None,
    world_size: int | None = None,
) -> DDP:
    """Joins the process group of this launch and chooses this rank's GPU.

    Call it before the first bar. A second call joins nothing and returns the same. In a program
    without a launcher, also one that a rank started by `subprocess`, it makes a world of one, for
    which nothing has to be set.

    Args:
        backend: As for `init_process_group`; `None`: `nccl` where there is CUDA, else `gloo`.
        init_method: Where the ranks meet, as a URL. `None`: by `MASTER_ADDR` and `MASTER_PORT`;
            without them, on one node, at a port that follows from the name of the launch.
        timeout_minutes: After which a collective operation fails; `None`: PyTorch's default.
        rank: Number of this rank; `None`: as the launcher has it. For ranks that a program starts
            itself, as by `torch.multiprocessing.spawn`; then with `world_size`.
        world_size: How many ranks there are; with `rank`.

    Returns:
        Rank, local rank and world size, with the device.

    Raises:
        ValueError: `rank` without `world_size` or not below it; or a launch whose ranks do not know
            where to meet.
        ImportError: PyTorch is missing.
    """
    import torch
    import torch.distributed

    here = found()
    if (rank is None) != (world_size is None):
        raise ValueError("rank and world_size go together: pass both, or neither")
    if group() is not None:
        rank, world_size = get_rank(), get_world_size()
        local_rank = get_local_rank()
    elif rank is None or world_size is None:
        _refuse_half_a_launch(here.is_placed)
        rank, local_rank, world_size = here.number, here.rank, here.world
    else:
        local_rank = here.rank if here.is_placed else rank
    if not 0 <= rank < world_size:
        raise ValueError(f"rank should be from 0 to {world_size - 1}, found {rank}")
    device = torch.device("cpu")
    if torch.cuda.is_available():
        # Launchers that show each rank its own GPU alone leave one to choose from.
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
        torch.cuda.set_device(device)
    if group() is None:
        options: dict[str, Any] = _meeting(init_method, world_size, here)
        if timeout_minutes is not None:
            options["timeout"] = timedelta(minutes=timeout_minutes)
        torch.distributed.init_process_group(
            backend or ("nccl" if device.type == "cuda" else "gloo"),
            rank=rank,
            world_size=world_size,
            **options,
        )
    remember(rank, local_rank, world_size)
    setup = DDP(rank, local_rank, world_size)
    setup.device = device
    return setup


def cleanup_ddp() -> None:
    """Leaves the process group, if this process is in one; harmless the second time.

    Ranks and world size stay known. Where operations are under way PyTorch may wait for them.
    """
    joined = group(inherited=False)
    if joined is not None:
        joined.destroy_process_group()
        _await_gloo()


def barrier() -> None:
    """Waits until all ranks are here; at once where there is no process group."""
    joined = group(inherited=False)
    if joined is None:
        return
    if joined.get_backend() == "nccl":  # which else warns that it has to guess the device
        import torch

        joined.barrier(device_ids=[torch.cuda.current_device()])
    else:
        joined.barrier()


def mp_print(
    *args: object,
    all_ranks: bool = False,
    sep: str | None = None,
    end: str | None = None,
    file: Any = None,
    flush: bool = False,  # noqa: ARG001 - it always is
) -> None:
    """Prints above the bars, as one whole text; in the main process alone.

    Args:
        args: What to print.
        all_ranks: Print in every process, each line with its rank before it.
        sep: As of `print`.
        end: As of `print`; with `all_ranks` the text ends in a newline in any case.
        file: Where to; default `sys.stdout`.
        flush: Accepted; the text is out when this returns.
    """
    if not all_ranks and not is_main_process():
        return
    buffer = io.StringIO()
    print(*args, sep=sep, end=end, file=buffer)
    text = buffer.getvalue()
    if all_ranks:
        label = f"[rank {get_rank()}] "
        text = "".join(f"{label}{line}\n" for line in text.splitlines() or [""])
    stream = sys.stdout if file is None else file
    if stream is None:  # a program without a standard output
        return
    # One write: whole lines, whoever else writes there.
    with mp_tqdm.external_write_mode(file=stream):
        stream.write(text)
        stream.flush()


def _refuse_half_a_launch(is_placed: bool) -> None:
    """Raises where ranks were meant that would each make a world of its own."""
    environ = os.environ
    meant = "RANK" in environ and environ.get("WORLD_SIZE", "1") != "1"
    if meant and not is_placed and "MASTER_PORT" not in environ:
        raise ValueError(
            f"RANK is {environ['RANK']} of WORLD_SIZE {environ['WORLD_SIZE']}, but MASTER_PORT is "
            "not set, so the ranks do not know where to meet: set MASTER_ADDR and MASTER_PORT, or "
            "start the program by torchrun"
        )


def _meeting(init_method: str | None, world_size: int, here: Standing) -> dict[str, Any]:
    """Where the ranks meet, as arguments of `init_process_group`."""
    if init_method is not None:
        return {"init_method": init_method}
    if world_size == 1:
        import torch.distributed

        return {"store": torch.distributed.HashStore()}  # type: ignore[attr-defined]
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if address and port:
        return {"init_method": "env://"}
    is_alone = not here.is_placed and not here.is_worker  # nothing ties it to the other ranks
    if here.nodes > 1 or is_alone:
        raise ValueError(
            f"the {world_size} ranks do not know where to meet: set MASTER_ADDR and MASTER_PORT, "
            "or pass init_method="
        )
    if not port:
        from hashlib import blake2b

        name = f"{here.job}:{next(_setups)}".encode()
        hashed = int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
        port = str(_FIRST_PORT + hashed % _PORTS)
    return {"init_method": f"tcp://{address or '127.0.0.1'}:{port}"}


def _await_gloo() -> None:
    """Waits until gloo's threads sleep, a millisecond as a rule.

    They outlive their group. One that has not let go of the last collective's tensors when the
    interpreter ends, because it got no processor, aborts the process: "terminate called without an
    active exception" (seen with PyTorch 2.15).
    """
    until = time.monotonic() + _GLOO_LIMIT_S
    is_asleep = was_asleep = False
    while not (is_asleep and was_asleep) and time.monotonic() < until:
        time.sleep(0.0005)  # a thread that waits for the GIL gets it
        was_asleep, is_asleep = is_asleep, all(state == "S" for state in _states_of_gloo())


def _states_of_gloo() -> Iterator[str]:
    """The kernel's letter for the state of each thread that runs gloo's collectives."""
    with _stack.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with _stack.suppress(OSError), open(f"/proc/self/task/{thread}/stat", "rb") as file:
                name, _, rest = file.read().partition(b"(")[2].rpartition(b")")
                if name.startswith(b"pt_gloo"):
                    yield rest.split()[0].decode()
