"""Says which rank of how many this process is, whoever started it, with or without PyTorch.

An initialised process group of `torch.distributed` says it first. Without one the launcher's
variables do: those of torchrun, Open MPI, MPICH and Intel MPI, Slurm, DeepSpeed, and plain
`RANK`/`WORLD_SIZE`/`MASTER_PORT`. Else a process is rank 0 of 1. A program that a rank starts by
`subprocess` inherits these variables and is none of the launcher's: it is rank 0 of 1, too.
"""

from __future__ import annotations

import functools
import os
import sys

from mp_tqdm import _env
from mp_tqdm._facts import has_inherited_group
from mp_tqdm._forks import launcher_fingerprint, names_a_rank
from mp_tqdm._identity import Place, at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from mp_tqdm._forks import Fingerprint

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = [
    "Standing",
    "found",
    "get_local_rank",
    "get_rank",
    "get_world_size",
    "group",
    "is_main_process",
    "main_process_only",
    "remember",
    "standing",
]


class Standing(Place):
    """Where this process stands, as far as can be seen without a process group.

    Attributes:
        number: Counts the ranks of all nodes from 0; `rank` those of this node.
        job: What all ranks of this launch, and nobody else, have in common.
        is_worker: Whether this is a process that a rank or a first process started.
        is_placed: Whether somebody said which rank this is: a launcher, `setup_ddp`, or
            `torch.multiprocessing.spawn`. If not, it is rank 0 of 1.
    """

    number: int
    job: str
    is_worker: bool
    is_placed: bool


def get_rank() -> int:
    """The rank of this process among those of all nodes; a worker has its rank's."""
    joined = group()
    return standing().number if joined is None else int(joined.get_rank())


def get_world_size() -> int:
    """How many ranks there are on all nodes; 1 in a program of its own."""
    joined = group()
    return standing().world if joined is None else int(joined.get_world_size())


def get_local_rank() -> int:
    """The rank of this process among those of its node.

    It is right where `LOCAL_RANK` is not: under `srun` and `mpirun`, which do not set it, and with
    torchrun's `--virtual-local-rank`, which sets it to 0 in all. In a process group that no
    launcher and no `torch.multiprocessing.spawn` made, all ranks are taken to be on one node.
    """
    here = standing()
    return here.rank if here.is_placed else get_rank()


def is_main_process() -> bool:
    """Whether this is rank 0 itself: true in one process of the job, on one of its nodes.

    The workers of rank 0 (of a DataLoader, of a pool) are not: each would do again what is to be
    done once.
    """
    joined = group(inherited=False)
    if joined is None:
        here = standing()
        return here.number == 0 and not here.is_worker
    return bool(joined.get_rank() == 0)


def main_process_only(
    function: Callable[P, T] | None = None, *, default: Any = None
) -> Any:  # a decorator, or what it made
    """Makes a function that runs in the main process and elsewhere returns `default` at once.

        @main_process_only
        def save(model): ...

        @main_process_only(default=0.0)
        def accuracy(model): ...

    A function with a collective operation in it must run on every rank: do not use this there.

    Args:
        function: What to run; asked at each call whether this is the main process.
        default: What the other processes get.

    Returns:
        The function, or without one a decorator.
    """
    if function is None:
        return functools.partial(main_process_only, default=default)
    if not callable(function):
        raise TypeError(
            f"main_process_only decorates a function, found {type(function).__name__}: write "
            "@main_process_only, or @main_process_only(default=value)"
        )

    @functools.wraps(function)
    def only(*args: P.args, **kwargs: P.kwargs) -> T | Any:
        return function(*args, **kwargs) if is_main_process() else default

    return only


def standing() -> Standing:
    """Where this process stands, by what was remembered, else by what started it."""
    return _remembered.get(os.getpid()) or found()


def found() -> Standing:
    """Where this process stands by what started it.

    Asking takes some reads of `/proc`, so the answer is kept while the variables are the same.
    """
    return _find(os.getpid(), launcher_fingerprint(os.environ))


def remember(rank: int, local_rank: int, world_size: int) -> None:
    """Makes `standing` say this for the life of the process, also without the process group."""
    here = found()
    values = here._asdict() | {"number": rank, "rank": local_rank, "world": world_size}
    if here.world != world_size:
        values["local_world"] = world_size
    _remembered.clear()
    _remembered[os.getpid()] = Standing(**values | {"is_worker": False, "is_placed": True})


_remembered: dict[int, Standing] = {}  # by pid: a forked process has that of its parent


@functools.lru_cache(maxsize=4)
def _find(_pid: int, _fingerprint: Fingerprint) -> Standing:
    facts = _env.read_facts()
    identity = _env.identify(facts)
    place, number = Place(**at(identity)), identity.node * identity.local_world + identity.rank
    if identity.role != "root" and names_a_rank(facts.environ):
        from mp_tqdm._launchers import find_launch

        launch = find_launch(facts)
        if launch is not None and (launch.node, launch.rank) == (place.node, place.rank):
            number = launch.number(facts)
    spawned = facts.spawn_index if place == Place() else None
    if spawned is not None:
        number, place = spawned, Place(rank=spawned, local_world=spawned + 1, world=spawned + 1)
    return Standing(
        **at(place),
        number=number,
        job=identity.job,
        is_worker=identity.role == "worker" and spawned is None,
        is_placed=place != Place() or spawned is not None,
    )


def group(*, inherited: bool = True) -> Any:
    """`torch.distributed`, if that is loaded and this process is in a process group, else None.

    Args:
        inherited: Whether that of the process it was forked from will do: it tells the rank.
    """
    distributed = sys.modules.get("torch.distributed")
    try:
        usable = distributed and distributed.is_available() and distributed.is_initialized()
    except AttributeError:  # another thread is importing it
        return None
    return distributed if usable and (inherited or not has_inherited_group()) else None
