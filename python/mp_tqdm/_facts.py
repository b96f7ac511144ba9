"""Reads from the real process the facts by which the rules decide."""

from __future__ import annotations

import os
import sys

from mp_tqdm import _forks, _proc, _stack
from mp_tqdm._forks import launcher_fingerprint
from mp_tqdm._identity import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mp_tqdm._forks import Fingerprint
    from mp_tqdm._identity import Published


def read_facts() -> Facts:
    """The facts of this process, by at most ten small reads of `/proc`, ancestors apart."""
    pid = os.getpid()
    if not _forks.is_known():
        _forks.note_fork(is_late=True)
    ppid, start, _ = _proc.status(pid)
    packages = _forks.packages()
    lineage = _lineage(start)
    generations = _generations(lineage)
    # What was forked by its maker has the maker's keys, and must choose among them as that does.
    forked_by = {pid for pid, _ in _forks.makers}
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
        lineage=lineage,
        generations=generations,
        torch_group=None if _forks.had_group else _torch_group(),
        spawn_index=_spawn_index(packages),
        started_with=_started_with(pid) if generations else None,
        ancestors=_proc.reader(ppid),
        joined=_joined,
    )


def _joined(pid: int, start: int) -> Published | None:
    from mp_tqdm import _seen  # asked for by few

    return _seen.joined(pid, start)


def _generations(lineage: tuple[tuple[int, int], ...]) -> int:
    """The depth, and the forks that did not add to it, as those of `multiprocessing` do.

    What goes on alone after a fork, as a daemon does, is a first process.
    """
    depth = _forks.depth()
    if not _forks.makers or not (depth or lineage):
        return depth
    from itertools import pairwise  # 0.09 ms

    depths = (depth, *(at_fork for _, at_fork in _forks.makers))
    return depth + sum(after == before for after, before in pairwise(depths))


def _lineage(start: int) -> tuple[tuple[int, int], ...]:
    """`Facts.lineage`; a younger process has the pid of one that is dead."""
    if not start:  # no `/proc`: a maker that lives is the parent still
        makers = _forks.makers if _forks.makers[:1] and _forks.makers[0][0] == os.getppid() else []
        return tuple((pid, 0) for pid, _ in makers)
    known = [(pid, _proc.status(pid)[1]) for pid, _ in _forks.makers]
    return tuple(entry for entry in known if 0 < entry[1] <= start)


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
    return _forks.had_group


def _torch_group() -> tuple[int, int] | None:
    if not _forks.group_exists():
        return None
    distributed = sys.modules["torch.distributed"]
    try:
        return distributed.get_rank(), distributed.get_world_size()
    except (AttributeError, RuntimeError, ValueError) as error:  # destroyed meanwhile
        _stack.pass_on(error)
        return None


def _started_with(pid: int) -> Fingerprint | None:
    """The launcher's variables at the start of this process, None if that is overwritten.

    `/proc` keeps the environment of the start, which `os.environ` does not change (but setproctitle
    writes over it).
    """
    if _forks.makers:
        return _forks.at_fork
    environ = _proc.environment(pid)
    return None if environ is None else launcher_fingerprint(environ)
