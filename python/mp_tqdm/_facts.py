"""Reads from the real process the facts by which the rules decide."""

from __future__ import annotations

import os
import sys

from mp_tqdm import _proc
from mp_tqdm._identity import Facts, launcher_fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mp_tqdm._identity import Fingerprint, Published


def read_facts() -> Facts:
    """The facts of this process, by at most ten small reads of `/proc`, ancestors apart."""
    pid = os.getpid()
    if pid != _memory.pid:  # forked by C code, or by `_Fork`, which runs no hooks
        _memory.note_fork(exact=False)
    ppid, start, _ = _proc.status(pid)
    packages = _packages()
    generations = _memory.generations(_depth())
    # What was forked by its maker has the maker's keys, and must choose among them as that does.
    forked_by = {pid for pid, _ in _memory.forks}
    keys = [own.authkey for own, maker in packages if maker and maker.pid not in forked_by]
    keys += [own.authkey for own, _ in packages]
    authkeys = [bytes(key) for key in keys]
    makers = [maker.pid for _, maker in packages if maker]
    return Facts(
        environ=os.environ,
        pid=pid,
        start=start,
        ppid=ppid,
        uid=os.getuid(),
        namespace=_proc.namespace(),
        authkey=authkeys[0] if authkeys else None,
        other_authkeys=() if generations else tuple(authkeys[1:]),
        parents=tuple((maker, _proc.status(maker)[1]) for maker in makers),
        lineage=_memory.lineage(start),
        generations=generations,
        torch_group=None if _memory.had_group else _torch_group(),
        spawn_index=_spawn_index(packages),
        started_with=_started_with(pid) if generations else None,
        ancestors=_proc.reader(ppid),
        joined=_joined,
    )


def _joined(pid: int, start: int) -> Published | None:
    from mp_tqdm import _seen  # asked for by few

    return _seen.joined(pid, start)


class _Memory:
    """What a process knows of those whose memory it has by forks."""

    __slots__ = ("fingerprint", "forks", "had_group", "pid")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.forks: tuple[tuple[int, int], ...] = ()  # pid and depth of each, the nearest first
        self.fingerprint: Fingerprint | None = None  # at the last fork
        self.had_group = False  # at the last fork

    def note_fork(self, *, exact: bool = True) -> None:
        """Called in the child: at once, or (not `exact`) when it may have gone on already."""
        self.forks = ((self.pid, _depth()), *self.forks)[: _proc.DEEPEST_CHAIN]
        self.pid = os.getpid()
        self.fingerprint = launcher_fingerprint(os.environ) if exact else None
        self.had_group = _group_exists()

    def generations(self, depth: int) -> int:
        """The depth, and the forks that did not add to it, as those of `multiprocessing` do."""
        if not self.forks:
            return depth
        from itertools import pairwise  # 0.09 ms

        depths = (depth, *(at_fork for _, at_fork in self.forks))
        return depth + sum(after == before for after, before in pairwise(depths))

    def lineage(self, start: int) -> tuple[tuple[int, int], ...]:
        """`Facts.lineage`; a younger process has the pid of one that is dead."""
        known = [(pid, _proc.status(pid)[1]) for pid, _ in self.forks]
        return tuple(entry for entry in known if 0 < entry[1] <= start)


_memory = _Memory()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_memory.note_fork)


def _packages() -> list[tuple[Any, Any]]:
    """The current and the parent process, as each loaded package of processes has them."""
    modules = (sys.modules.get(f"{name}.process") for name in ("multiprocessing", "multiprocess"))
    # One that lacks the last name of the module is being imported by another thread.
    loaded = (module for module in modules if module and hasattr(module, "_dangling"))
    return [(module.current_process(), module.parent_process()) for module in loaded]


def _depth() -> int:
    """How many generations of `multiprocessing` are between the first process and this one."""
    return max((len(getattr(own, "_identity", ())) for own, _ in _packages()), default=0)


def _spawn_index(packages: list[tuple[Any, Any]]) -> int | None:
    """The first argument that `torch.multiprocessing.spawn` gives to this process's function."""
    for own, _ in packages:
        function = getattr(own, "_target", None)
        if getattr(function, "__module__", "") == "torch.multiprocessing.spawn":
            return next((n for n in getattr(own, "_args", ()) if isinstance(n, int)), None)
    return None


def has_inherited_group() -> bool:
    """Whether this process was forked from one that was in a process group of `torch.distributed`.

    Its memory says that it is in that group, too; it is not.
    """
    return _memory.had_group


def _group_exists() -> bool:
    distributed = sys.modules.get("torch.distributed")
    try:
        return bool(distributed and distributed.is_available() and distributed.is_initialized())
    except AttributeError:  # another thread is importing it
        return False


def _torch_group() -> tuple[int, int] | None:
    if not _group_exists():
        return None
    distributed = sys.modules["torch.distributed"]
    try:
        return distributed.get_rank(), distributed.get_world_size()
    except (AttributeError, RuntimeError, ValueError):  # destroyed meanwhile
        return None


def _started_with(pid: int) -> Fingerprint | None:
    """The launcher's variables at the start of this process, None if that is overwritten.

    `/proc` keeps the environment of the start, which `os.environ` does not change (but setproctitle
    writes over it).
    """
    if _memory.forks:
        return _memory.fingerprint
    environ = _proc.environment(pid)
    return None if environ is None else launcher_fingerprint(environ)
