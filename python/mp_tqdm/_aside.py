"""Takes the lines off a stream for as long as somebody else writes to it."""

from __future__ import annotations

import os
import sys

from mp_tqdm import _core, _lock, _redirect, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Aside:
    """Takes the lines that share a file with a stream away, for as long as it is entered.

    Args:
        cls: The class of the bars, whose lock is held meanwhile.
        stream: Where the text goes; `None`: nowhere, so nothing is to be done.
        nolock: Whether the lock is held already.
        above: Whether all of the text goes through `put`: then the renderer's lines can stay.
    """

    def __init__(self, cls: Any, stream: Any, *, nolock: bool, above: bool = False) -> None:
        self._cls = cls
        self._stream = stream
        self._above = above and _redirect.of(stream) is not None
        self._is_held = stream is not None and _streams.is_terminal(stream)
        self._lock: Any = None
        self._takes_lock = not nolock and stream is not None
        self._wiped: list[Any] = []
        self._stock: Any = None

    def __enter__(self) -> None:
        if self._takes_lock:
            self._lock = _lock.for_drawing(self._cls.get_lock())
            self._lock.acquire()
        for bar in self._cls._instances if self._stream is not None else ():  # noqa: SLF001
            if self._is_in_the_way(bar):
                bar.clear(nolock=True)
                self._wiped.append(bar)
        if "tqdm.std" in sys.modules and self._stream is not None:
            from mp_tqdm import _stock

            self._stock = _stock.made_room(self._stream)
            self._stock.__enter__()
        if self._is_held and not self._above:
            _core.hold()

    def __exit__(self, *_error: object) -> None:
        try:
            if self._is_held:
                self._give_back()
            for bar in self._wiped:
                bar.refresh(nolock=True)
        finally:
            if self._stock is not None:
                self._stock.__exit__(None, None, None)
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _is_in_the_way(self, bar: Any) -> bool:
        """Whether Python code draws the bar where the text goes: both standard streams are one."""
        if getattr(bar, "_painter", None) is None or not hasattr(bar, "start_t"):
            return False
        standard = (sys.stdout, sys.stderr)
        is_standard = any(self._stream is one for one in standard)
        return bool(
            bar.fp == self._stream or (is_standard and any(bar.fp is one for one in standard))
        )

    def _give_back(self) -> None:
        flush = getattr(self._stream, "flush", None)
        try:
            if flush is not None:
                flush()
        except RuntimeError:
            pass  # as in `put`, which has written past the buffer
        finally:
            if not self._above:
                _core.unhold()


def put(stream: Any, text: str) -> None:
    """Writes to a stream, above the lines that the job draws there.

    Also from a signal handler that came in the middle of a write to it: Python's buffered files
    refuse that with a RuntimeError, so it goes to the descriptor.
    """
    _join()
    above = _redirect.of(stream)
    try:
        (above or stream.write)(text)
    except RuntimeError:
        found = _streams.descriptor(stream)
        if found is None:
            raise
        os.write(found[0], text.encode(errors="backslashreplace"))


def _join() -> None:
    """Attaches a worker that counted nothing so far: its job knows what stands on the terminal."""
    process = sys.modules.get("multiprocessing.process")
    if _core.is_attached() or process is None or process.parent_process() is None:
        return
    from mp_tqdm import _job

    try:
        _job.attach()
    except RuntimeError:
        return  # there is no memory for counters: the text is written as it is
