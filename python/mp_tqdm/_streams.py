"""Decides how a file is drawn on, and lets what others print there come out above the bars.

A file is drawn on by the renderer thread, or by Python code in the loop.

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

import codecs
import io
import os
import sys

from mp_tqdm import _core, _stack
from mp_tqdm._core import AboveBars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODES = ("off", "lines", "json", "tty")


def _variable(name: bytes) -> bytes | None:
    """An environment variable, in 0.1 us; `os.environ` takes 0.5 to 1.0, as it makes texts."""
    known = getattr(os.environ, "_data", None)
    if known is not None:
        return known.get(name)  # type: ignore[no-any-return]
    value = os.environ.get(os.fsdecode(name))  # a program put a dict in its place
    return value if value is None else os.fsencode(value)


def mode() -> str:
    """What `MP_TQDM_MODE` forces: one of `MODES`, or the empty string for "decide by the file"."""
    asked = _variable(b"MP_TQDM_MODE")
    if asked is None:
        return ""
    text = os.fsdecode(asked).strip().lower()
    return text if text in MODES else ""


# The last characters of the encodings that the renderer can write, by Python's names of them.
_LAST = {"utf-8": 0x10FFFF, "ascii": 0x7F, "iso8859-1": 0xFF}


def descriptor(file: "Any", forced: str | None = None) -> tuple[int, bool, int] | None:
    """The descriptor that the renderer may write to by itself, and what it can write there.

    Only for a text stream of the standard library over a real file, in UTF-8, ASCII or Latin-1,
    whose `write` nobody replaced: a descriptor alone proves nothing (a notebook's stream has one
    that leads elsewhere), and what a program put in the place of `write` wants to see the text.

    Args:
        file: Any object.
        forced: What `mode` returned; asked if not given.

    Returns:
        `(fd, is_terminal, last_character)`, or `None` where the text has to go through the object.
    """
    if type(file) is not io.TextIOWrapper or ("write" in file.__dict__ and is_replaced(file)):
        return None
    try:
        buffer = file.buffer
        raw = getattr(buffer, "raw", buffer)
        if type(raw) is not io.FileIO or "write" in getattr(buffer, "__dict__", ()):
            return None
        encoding = file.encoding
        last = _LAST.get(encoding) or _LAST.get(codecs.lookup(encoding).name)
        if last is None:
            return None
        number = file.fileno()
        # A dumb one (an Emacs shell) shows escapes as text: it gets the lines of a log.
        is_terminal = os.isatty(number) and _variable(b"TERM") != b"dumb"
    except (AttributeError, LookupError, OSError, ValueError) as error:
        _stack.pass_on(error)
        return None
    if forced is None:
        forced = mode()
    if forced:
        is_terminal = forced == "tty"
    return number, is_terminal, last


def is_lost(file: "Any") -> bool:
    """Whether a standard stream's descriptor was closed, and its number went to another file.

    What a program inherits stays open over an `exec`, and so does what `os.dup2` puts in its place;
    a file that Python opens does not (PEP 446). C code may open one that does.
    """
    buffer = getattr(file, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # Python's option -u leaves the raw file alone
    if type(raw) is not io.FileIO or raw.closefd:
        return False
    try:
        number = raw.fileno()
        return number in (0, 1, 2) and not os.get_inheritable(number)
    except (OSError, ValueError) as error:
        _stack.pass_on(error)
        return False  # closed: what is written there is an error, and no other file's content


def has_colours() -> bool:
    """Whether lines on a terminal may be coloured (https://no-color.org, https://force-color.org)."""
    return bool(os.environ.get("FORCE_COLOR")) or not os.environ.get("NO_COLOR")


def without_colours(text: str) -> str:
    """The text without its escape sequences for colours, bold and the like."""
    import re

    return re.sub(r"\x1b\[[0-9;:]*m", "", text)


def is_terminal(file: "Any") -> bool:
    """Whether `file` says that it is a terminal; an object that cannot say is taken for one.

    That is tqdm's rule for `disable=None`.
    """
    isatty = getattr(file, "isatty", None)
    if isatty is None:
        return True
    try:
        return bool(isatty())
    except ValueError as error:
        _stack.pass_on(error)
        return False


def supports_unicode(file: "Any") -> bool:
    """Whether block characters may be written to `file`: its encoding has them."""
    encoding = getattr(file, "encoding", None)
    if not encoding or _variable(b"MP_TQDM_ASCII") == b"1":
        return False
    if encoding == "utf-8":
        return True
    name = str(encoding).lower()
    if name.startswith("utf") or name == "u8":
        return True
    try:
        return bool("\u2588\u2589".encode(name))
    except (LookupError, UnicodeError):
        return False


def shown_by(file: "Any", text: str) -> str:
    """The text as `file` can show it: a `?` for each character beyond its encoding.

    The stream would write several in its place, and the line would not fit the terminal any more.
    """
    encoding = getattr(file, "encoding", None)
    if text.isascii() or not isinstance(encoding, str):
        return text
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text


def encoded(file: "Any") -> "Any":
    """A file that takes text where `file` takes bytes (`write_bytes=True`)."""
    return file if isinstance(file, io.TextIOWrapper) else EncodedFile(file)


class EncodedFile:
    """A file of bytes that takes text (`write_bytes=True`)."""

    def __init__(self, file: "Any") -> None:
        self._file = file
        self.encoding = getattr(file, "encoding", None) or "utf-8"

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._file, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._file == getattr(other, "_file", other))

    def __hash__(self) -> int:
        return hash(self._file)

    def write(self, text: str) -> "Any":
        """Writes the text as bytes."""
        return self._file.write(text.encode(self.encoding))


# --- above the bars ------------------------------------------------------------------------------

# The bars that are open in this process and drawn on a terminal, by their ids; 0 is a process that
# prints beside those of others.
_open: set[int] = set()
# What stands in the place of `write` of the streams now.
_installed: "list[AboveBars]" = []


def redirect_for(bar: "Any", descriptor: tuple[int, bool, int] | None) -> None:
    """Takes note of a bar; where a terminal shows it, the streams are redirected from here on.

    Args:
        bar: The bar; neither its maker nor its class may have said no.
        descriptor: Where it is drawn, and whether that is a terminal.
    """
    if descriptor is not None and descriptor[1] and bar._is_redirected and bar.redirect:  # noqa: SLF001
        _redirect(id(bar))


def redirect_worker() -> None:
    """Redirects the streams of a process that may never open a bar, for as long as it lives."""
    _redirect(0)


def leave_worker() -> None:
    """Leaves the streams to this process: they are as before with the end of its last bar."""
    _open.discard(0)


def keep_redirected() -> None:
    """Redirects the streams from the first bar on to the end: other ranks print then, too."""
    _open.add(0)


def _redirect(key: int) -> None:
    if _variable(b"MP_TQDM_REDIRECT") == b"0":
        return
    _open.add(key)
    _replace()


def _replace() -> None:
    for stream in (sys.stdout, sys.stderr):
        writer = above(stream)
        # One that is there may have been put back, behind the end of its bar, by who replaced it.
        if writer is not None and writer not in _installed and writer.install():
            _installed.append(writer)


def restore_after(bar: "Any") -> None:
    """Takes note of a bar's end; with the last one the streams are as they were.

    Unless the terminal has not taken its last line so far, as its user stopped it: then the bar
    stands there still.
    """
    _open.discard(id(bar))
    if not _core.is_read():
        return
    is_last = not _open
    while _installed and not _open:
        _installed.pop().leave()
    if is_last and _open:
        # Another thread or a signal handler opened a bar meanwhile, and found them replaced.
        _replace()


def is_replaced(stream: "Any") -> bool:
    """Whether a program put a `write` of its own into this stream: it wants to see the text."""
    write = stream.__dict__.get("write")
    # Behind a cell, IPython leaves the stream's own one there.
    is_own = getattr(write, "__self__", None) is stream
    return not (write is None or is_own or type(write) is AboveBars or _is_tee(write))


def _is_tee(write: "Any") -> bool:
    """Whether this is what IPython puts into a stream while a cell runs."""
    return getattr(write, "__module__", None) == "IPython.core.interactiveshell"


def above(stream: "Any") -> "AboveBars | None":
    """What writes to `stream` above the bars, if that is a plain stream over a terminal."""
    if type(stream) is not io.TextIOWrapper:
        return None
    write = stream.__dict__.get("write")
    if type(write) is AboveBars:
        return write
    if write is not None and is_replaced(stream):
        return None
    try:
        return AboveBars.over(
            stream,
            tee=write if write is not None and _is_tee(write) else None,
            prompts=stream is sys.stdout and hasattr(sys, "ps1"),
        )
    except (AttributeError, OSError, ValueError) as error:
        _stack.pass_on(error)
        return None
