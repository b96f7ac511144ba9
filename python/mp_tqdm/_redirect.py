"""Lets what others print on the terminal of a bar come out above it, in whole lines.

While a bar is open, `write` of `sys.stdout` and `sys.stderr` is replaced where they are terminals,
on the stream itself: whoever got hold of it earlier (a handler of `logging`) takes part, and
everything else of it (`isatty`, `fileno`, `buffer`, its identity) is as before. The replacement
erases the lines below the cursor in the same write as the text; see `rust/python/src/above.rs`.

A prompt and the echo of what is typed go past the streams, onto the line where the bars began. But
each shell flushes `sys.stdout` before it prompts, and so does `input` (not that of Python 3.13's
shell). There, `flush` draws the bars once more: the line is free, and they begin below it.

While a cell runs, IPython has a `write` of its own there, which keeps a copy of the text and hands
it on. It gets the text alone, and its place back.
"""

from __future__ import annotations

import atexit
import io
import os
import sys

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The bars that are open in this process and drawn on a terminal, by their ids; 0 is a worker that
# prints beside those of others.
_open: set[int] = set()
# The streams whose `write` is replaced now.
_streams: list[Any] = []


class AboveBars:
    """What stands in the place of a stream's `write`."""

    __slots__ = ("_device", "_is_utf8", "_stream", "_tee")

    def __init__(self, stream: Any, device: int) -> None:
        write = stream.__dict__.get("write")
        self._stream = stream
        self._device = device
        self._tee = write if _is_tee(write) else None
        self._is_utf8 = stream.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}

    def __call__(self, text: str, /) -> int:
        """Writes `text`; it comes out above the bars, if any stand on this terminal."""
        write = io.TextIOWrapper.write
        around = _core.around_text(self._device)
        if around is None or not isinstance(text, str):
            return write(self._stream, text) if self._tee is None else self._tee(text)
        before, behind, rest = around
        if rest:
            self._finish(rest)
        again = behind if self._is_utf8 and self._tee is None else None
        end = text.rfind("\n") + 1
        if end < len(text):
            # The rest of the last line is to come, with `print` at once. The stream holds back what
            # has no newline in it until then, or until a flush: nothing else gets in between. In
            # any case the next frame draws the bars.
            if end:
                self._write(before, text[:end])
            self._write(before, text[end:])
        elif again is not None:
            write(self._stream, before + text + again)
            if not _core.draws_on(self._device):
                # The last bar ended in between: what was drawn again belongs to nobody.
                write(self._stream, before)
                self._stream.flush()
        else:
            self._write(before, text)
        if again is None:
            _core.printed(self._device)
        return len(text)

    def _write(self, before: str, text: str) -> None:
        """Writes a text with what erases the lines: in one piece, as the stream holds that back."""
        write = io.TextIOWrapper.write
        if self._tee is None:
            write(self._stream, before + text)
        else:
            write(self._stream, before)
            self._tee(text)

    def flush(self) -> None:
        """Writes what the stream holds back, and draws the bars below it: a prompt may follow."""
        io.TextIOWrapper.flush(self._stream)
        _core.draw_again()

    def take_flush(self) -> None:
        """Stands in the place of the stream's `flush` too, unless somebody else does."""
        if self._stream.__dict__.setdefault("flush", self.flush) == self.flush:
            # The interpreter flushes once more when little of it is left.
            atexit.register(self._give_back_flush)

    def _give_back_flush(self) -> None:
        atexit.unregister(self._give_back_flush)
        if self._stream.__dict__.get("flush") == self.flush:
            del self._stream.flush

    def give_back(self) -> None:
        """Leaves the stream as it was."""
        self._give_back_flush()
        if self._tee is None:
            del self._stream.write
        else:
            self._stream.write = self._tee

    def _finish(self, rest: bytes) -> None:
        """Writes the rest of a frame of which a busy terminal took only the beginning."""
        try:
            self._stream.buffer.write(rest)
            self._stream.buffer.flush()
        except (OSError, ValueError):
            pass  # what comes of such a stream the text itself will tell


def begin(bar: Any, descriptor: tuple[int, bool] | None) -> None:
    """Takes note of a bar; where a terminal shows it, the streams are redirected from here on.

    Args:
        bar: The bar; neither its maker nor its class may have said no.
        descriptor: Where it is drawn, and whether that is a terminal.
    """
    if descriptor is not None and descriptor[1] and bar._is_redirected and bar.redirect:  # noqa: SLF001
        _begin(id(bar))


def begin_worker() -> None:
    """Redirects the streams of a process that may never open a bar, for as long as it lives."""
    _begin(0)


def _begin(key: int) -> None:
    if os.environ.get("MP_TQDM_REDIRECT", "1") == "0":
        return
    _open.add(key)
    for stream in (sys.stdout, sys.stderr):
        above = of(stream)
        if above is not None and not is_ours(stream):
            stream.write = above  # type: ignore[method-assign]
            _streams.append(stream)
            if stream is sys.stdout and hasattr(sys, "ps1"):
                above.take_flush()


def end(bar: Any) -> None:
    """Takes note of a bar's end; with the last one the streams are as they were."""
    _open.discard(id(bar))
    while _streams and not _open:
        stream = _streams.pop()
        # Somebody may have replaced it once more: then it is his to put back.
        if is_ours(stream):
            stream.write.give_back()


def is_ours(stream: Any) -> bool:
    """Whether `write` of this stream was replaced here, and by nobody since."""
    return type(getattr(stream, "__dict__", {}).get("write")) is AboveBars


def is_replaced(stream: Any) -> bool:
    """Whether a program put a `write` of its own into this stream: it wants to see the text."""
    write = stream.__dict__.get("write")
    # Behind a cell, IPython leaves the stream's own one there.
    is_own = getattr(write, "__self__", None) is stream
    return not (write is None or is_own or type(write) is AboveBars or _is_tee(write))


def _is_tee(write: Any) -> bool:
    """Whether this is what IPython puts into a stream while a cell runs."""
    return getattr(write, "__module__", None) == "IPython.core.interactiveshell"


def of(stream: Any) -> AboveBars | None:
    """What writes to `stream` above the bars, if that is a plain stream over a terminal."""
    if type(stream) is not io.TextIOWrapper:
        return None
    write = stream.__dict__.get("write")
    if type(write) is AboveBars:
        return write
    if is_replaced(stream):
        return None
    try:
        number = stream.fileno()
        if not os.isatty(number):
            return None
        return AboveBars(stream, os.fstat(number).st_rdev)
    except (AttributeError, OSError, ValueError):
        return None
