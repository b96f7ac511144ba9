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

import io
import os
import sys

from mp_tqdm import _core, _raised
from mp_tqdm._core import AboveBars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The bars that are open in this process and drawn on a terminal, by their ids; 0 is a process that
# prints beside those of others.
_open: set[int] = set()
# The streams whose `write` is replaced now.
_streams: list[Any] = []


def begin(bar: Any, descriptor: tuple[int, bool, int] | None) -> None:
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


def keep() -> None:
    """Redirects the streams from the first bar on to the end: other ranks print then, too."""
    _open.add(0)


def _begin(key: int) -> None:
    if os.environ.get("MP_TQDM_REDIRECT", "1") == "0":
        return
    _open.add(key)
    _replace()


def _replace() -> None:
    for stream in (sys.stdout, sys.stderr):
        above = of(stream)
        if above is not None and not is_ours(stream):
            stream.write = above  # type: ignore[method-assign]
            _streams.append(stream)
            # Unless somebody else stands there.
            if stream.__dict__.setdefault("flush", above.flush) == above.flush:
                above.hold()


def end(bar: Any) -> None:
    """Takes note of a bar's end; with the last one the streams are as they were.

    Unless the terminal has not taken its last line so far, as its user stopped it: then the bar
    stands there still.
    """
    _open.discard(id(bar))
    if not _core.is_read():
        return
    is_last = not _open
    while _streams and not _open:
        stream = _streams.pop()
        # Somebody may have replaced it once more: then it is his to put back.
        if is_ours(stream):
            _give_back(stream)
    if is_last and _open:
        # Another thread or a signal handler opened a bar meanwhile, and found them replaced.
        _replace()


def _give_back(stream: Any) -> None:
    """Leaves a stream as it was."""
    above = stream.write
    if stream.__dict__.get("flush") == above.flush:
        del stream.flush
    if above.tee is None:
        del stream.write
    else:
        stream.write = above.tee
    above.finish()


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
        return AboveBars(
            stream,
            os.fstat(number).st_rdev,
            tee=write if _is_tee(write) else None,
            prompts=stream is sys.stdout and hasattr(sys, "ps1"),
        )
    except (AttributeError, OSError, ValueError) as error:
        _raised.pass_on(error)
        return None
