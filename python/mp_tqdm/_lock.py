"""The lock of tqdm's surface, around what Python code draws and writes. Counting takes none.

Only one process of a job draws, so drawing takes the half for threads alone: no process that is
killed while it holds the other half can stop a loop.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORK_PATIENCE_S = 0.5


class WriteLock:
    """A lock for threads (`th_lock`) and, for programs that ask, for processes (`mp_lock`).

    Args:
        mp_lock: A lock that other processes have as well; by default one is made at first use, or
            at once where `multiprocessing` is loaded: children by fork share what was made before.
    """

    def __init__(self, mp_lock: Any = None) -> None:
        self.th_lock: Any = RLock()
        self._mp_lock = mp_lock
        self._held_for_fork = False
        if "multiprocessing.context" in sys.modules:
            _ = self.mp_lock
        _made.append(ref(self, _made.remove))

    @property
    def mp_lock(self) -> Any:
        """The half for processes; the half for threads where semaphores are not to be had."""
        if self._mp_lock is None:
            try:
                import multiprocessing

                self._mp_lock = multiprocessing.RLock()
            except (ImportError, OSError):
                self._mp_lock = self.th_lock
        return self._mp_lock

    @property
    def locks(self) -> list[Any]:
        """Both halves."""
        return [self.mp_lock, self.th_lock]

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        """Takes both halves, as `threading.RLock.acquire` does."""
        if not self.mp_lock.acquire(*args, **kwargs):
            return False
        if self.th_lock.acquire(*args, **kwargs):
            return True
        self.mp_lock.release()
        return False

    def release(self) -> None:
        """Gives both halves back."""
        self.th_lock.release()
        self.mp_lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __reduce__(self) -> Any:
        """In another process: its own threads, and the same half for processes."""
        return WriteLock, (self.mp_lock,)


_made: list[ref[WriteLock]] = []


def _living() -> list[WriteLock]:
    return [lock for lock in [reference() for reference in _made] if lock is not None]


def for_drawing(lock: Any) -> Any:
    """What drawing takes of a lock: of the package's own the half for threads."""
    return lock.th_lock if type(lock) is WriteLock else lock


# A child has the forking thread alone: a lock that another thread held would stay held in it.


def _before_fork() -> None:
    for lock in _living():
        lock._held_for_fork = lock.th_lock.acquire(timeout=_FORK_PATIENCE_S)  # noqa: SLF001


def _after_fork_in_parent() -> None:
    for lock in _living():
        if lock._held_for_fork:  # noqa: SLF001
            lock._held_for_fork = False  # noqa: SLF001
            lock.th_lock.release()


def _after_fork_in_child() -> None:
    for lock in _living():
        if not lock._held_for_fork:  # noqa: SLF001
            lock.th_lock = RLock()
    _after_fork_in_parent()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
