"""Remembers the forks that made a process, from the import of the package on."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_FORKS = 64  # a bound, not an expectation

# Pid and depth of the processes whose memory this one has by forks, the nearest first.
makers: list[tuple[int, int]] = []
# Whether the nearest of them was in a process group of `torch.distributed`, as this memory says.
had_group = False
children: list[None] = []  # not empty once this process made one by a fork
_pid = os.getpid()


def is_known() -> bool:
    """Whether the forks up to here were noted: those by C code, or by `_Fork`, run no hooks."""
    return _pid == os.getpid()


def note_fork() -> None:
    """Called in the child: at once, or when it may have gone on already."""
    global _pid, had_group
    makers.insert(0, (_pid, depth()))
    del makers[_MOST_FORKS:]
    children.clear()
    _pid, had_group = os.getpid(), group_exists()


def _note_child() -> None:
    children[:] = [None]


os.register_at_fork(after_in_parent=_note_child, after_in_child=note_fork)


def packages() -> list[tuple[Any, Any]]:
    """The current and the parent process, as each loaded package of processes has them."""
    modules = (sys.modules.get(f"{name}.process") for name in ("multiprocessing", "multiprocess"))
    # One that lacks the last name of the module is being imported by another thread.
    loaded = (module for module in modules if module and hasattr(module, "_dangling"))
    return [(module.current_process(), module.parent_process()) for module in loaded]


def depth() -> int:
    """How many generations of `multiprocessing` are between the first process and this one."""
    return max((len(getattr(own, "_identity", ())) for own, _ in packages()), default=0)


def group_exists() -> bool:
    """Whether `torch.distributed` says that there is a default process group."""
    distributed = sys.modules.get("torch.distributed")
    try:
        return bool(distributed and distributed.is_available() and distributed.is_initialized())
    except AttributeError:  # another thread is importing it
        return False
