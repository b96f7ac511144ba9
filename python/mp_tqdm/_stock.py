"""Bars of tqdm itself on the same screen: room for text, and last lines that do not hit theirs."""

# The set of its bars and its lock are what tqdm's own modules use.

from __future__ import annotations

import sys

from mp_tqdm._together import Instances

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# As long as a last line is waited for.
_PATIENCE_S = 0.05


class _Nothing:
    """A context that does nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        pass


_NOTHING = _Nothing()


def _tqdm() -> Any:
    """Its class, where that is loaded and has bars open; `None` otherwise, or if it is patched."""
    cls = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    bars = getattr(cls, "_instances", None)
    return cls if bars and type(bars) is not Instances else None


def made_room(stream: Any) -> Any:
    """A context in which its bars are off the stream."""
    cls = _tqdm()
    return _NOTHING if cls is None else cls.external_write_mode(file=stream)


def pause() -> Any:
    """A context in which none of its bars draws: they do so in several writes."""
    cls = _tqdm()
    lock = None if cls is None else getattr(cls.get_lock(), "th_lock", None)
    return _NOTHING if lock is None else _Pause(lock)


class _Pause:
    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._has_lock = False

    def __enter__(self) -> None:
        self._has_lock = self._lock.acquire(timeout=_PATIENCE_S)

    def __exit__(self, *_error: object) -> None:
        if self._has_lock:
            self._lock.release()
