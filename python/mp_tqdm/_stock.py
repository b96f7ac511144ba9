"""Bars of tqdm itself on the same screen: room for text, and last lines that do not hit theirs."""

# The set of its bars and its lock are what tqdm's own modules use.

from __future__ import annotations

import sys

from mp_tqdm import _stack
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
    """Its class, where that is loaded and has bars open; `None` otherwise."""
    cls = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    # Where it is patched there may be bars yet, of classes that were derived from it before.
    cls = getattr(sys.modules.get("mp_tqdm._patch"), "original", None) or cls
    bars = getattr(cls, "_instances", None)
    # A stand-in under tqdm's name has this package's own.
    return cls if bars and type(bars) is not Instances else None


def made_room(stream: Any) -> Any:
    """A context in which its bars are off the stream."""
    cls = _tqdm()
    return _NOTHING if cls is None else cls.external_write_mode(file=stream)


def pause(stream: Any) -> Any:
    """A context in which none of its bars draws, which they do in several writes.

    Args:
        stream: Where a line is about to come that stays: its bars are off it meanwhile. `None`: no
            such line comes.
    """
    cls = _tqdm()
    lock = None if cls is None else getattr(cls.get_lock(), "th_lock", None)
    return _NOTHING if lock is None else _Pause(cls, lock, stream)


class _Pause:
    def __init__(self, cls: Any, lock: Any, stream: Any) -> None:
        self._cls = cls
        self._lock = lock
        self._stream = stream
        self._has_lock = False
        self._room: Any = _NOTHING

    def __enter__(self) -> None:
        self._has_lock = self._lock.acquire(timeout=_PATIENCE_S)
        try:
            if self._has_lock and self._stream is not None:
                room = self._cls.external_write_mode(file=self._stream, nolock=True)
                with _stack.suppress(Exception):  # the stream may be closed or broken
                    room.__enter__()
                    self._room = room
        except BaseException:
            self._release()
            raise

    def __exit__(self, *_error: object) -> None:
        try:
            with _stack.suppress(Exception):
                self._room.__exit__(None, None, None)
        finally:
            self._release()

    def _release(self) -> None:
        if self._has_lock:
            self._has_lock = False
            self._lock.release()
