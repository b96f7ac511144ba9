"""Ranks, their workers and their programs, as real processes, find where they belong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.launches import DEEPSPEED, HYDRA
from support.who import WHO, lines

Program = Callable[..., list[str]]


RANK = """
    import multiprocessing, subprocess

    def task(label):
        who(label)

    def pool(label, methods=("fork", "spawn", "forkserver")):
        for method in methods:
            with multiprocessing.get_context(method).Pool(1) as workers:
                workers.map(task, [f"{label}.{method}"])

    if __name__ == "__main__":
        label = sys.argv[1]
        if len(sys.argv) > 2:
            who(label, publish=True)
        pool(label)
        who(label)
        if "." not in label:
            subprocess.run([sys.executable, sys.argv[0], label + ".program", *sys.argv[2:]])
"""


@pytest.mark.parametrize("rule", ["torchelastic", "pmi", "deepspeed"])
@pytest.mark.parametrize("joined", ["before", "after"])
def test_ranks_their_workers_and_their_subprocesses(
    program: Program, tmp_path: Path, rule: str, joined: str
) -> None:
    environs = [programs.rank_variables(tmp_path, rank, 2) for rank in range(2)]
    if rule == "pmi":
        environs = [HYDRA | {"PMI_RANK": n, "MPI_LOCALRANKID": n} for n in ("0", "1")]
    elif rule == "deepspeed":
        environs = [DEEPSPEED | {"RANK": n, "LOCAL_RANK": n} for n in ("0", "1")]
    command = program(WHO + RANK)[1]
    source = """
    import json, os, subprocess, sys
    program, joined, *environs = sys.argv[1:]
    ranks = [
        subprocess.Popen(
            [sys.executable, program, str(rank), *([joined] if joined == "before" else [])],
            env=os.environ | json.loads(environ),
        )
        for rank, environ in enumerate(environs)
    ]
    sys.exit(sum(rank.wait() for rank in ranks))
    """
    found = lines(programs.run(program(source, command, joined, *map(json.dumps, environs))))
    jobs = {label: line["job"] for label, line in found.items()}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    methods = ("fork", "spawn", "forkserver")
    assert jobs["0"].startswith(f"{rule}:")
    for number, rank in enumerate("01"):
        assert jobs[rank] == jobs["0"]
        assert roles[rank] == ("rank", number)
        for method in methods:
            assert jobs[f"{rank}.{method}"] == jobs["0"], method
            assert roles[f"{rank}.{method}"] == ("worker", number), method
            assert jobs[f"{rank}.program.{method}"] == jobs[f"{rank}.program"], method
            assert roles[f"{rank}.program.{method}"] == ("worker", 0), method
        assert roles[f"{rank}.program"] == ("root", 0)
    assert len({jobs["0"], jobs["0.program"], jobs["1.program"]}) == 3


def test_a_child_that_sets_its_rank_is_one_and_its_workers_are_workers(program: Program) -> None:
    source = """
    import multiprocessing

    def work(rank, method):
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_PORT": "1"}
        worker = multiprocessing.get_context(method).Process(target=who, args=(f"{rank}.worker",))
        worker.start()
        worker.join()
        who(rank)

    if __name__ == "__main__":
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            ranks = [context.Process(target=work, args=(str(n), method)) for n in range(2)]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
        who("root")
    """
    found = lines(programs.run(program(WHO + source)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    assert roles == {
        "root": ("root", 0),
        "0": ("rank", 0),
        "1": ("rank", 1),
        "0.worker": ("worker", 0),
        "1.worker": ("worker", 1),
    }


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_spawned_ranks_without_variables_are_ranks_of_the_family(program: Program) -> None:
    pytest.importorskip("torch")
    source = """
    import torch.distributed, torch.multiprocessing

    def work(rank, store):
        torch.distributed.init_process_group(
            "gloo", rank=rank, world_size=2, init_method=f"file://{store}"
        )
        who(str(rank))
        torch.distributed.destroy_process_group()

    if __name__ == "__main__":
        torch.multiprocessing.spawn(work, args=(sys.argv[1],), nprocs=2)
        who("root")
    """
    command = program(WHO + source, str(Path(program("")[1]).with_name("store")))
    found = lines(programs.run(command, timeout=100))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    assert roles == {"root": ("root", 0), "0": ("rank", 0), "1": ("rank", 1)}
