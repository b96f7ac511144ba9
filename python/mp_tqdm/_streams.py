"""Decides how a file is drawn on: by the renderer thread, or by Python code in the loop."""

from __future__ import annotations

import codecs
import io
import os

from mp_tqdm import _raised, _redirect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODES = ("off", "lines", "json", "tty")


def _is_set(variable: bytes) -> bool:
    """Whether there is such a variable; to find none, `os.environ` takes 0.5 us, and this 0.1."""
    return variable in getattr(os.environ, "_data", (variable,))


def mode() -> str:
    """What `MP_TQDM_MODE` forces: one of `MODES`, or the empty string for "decide by the file"."""
    if not _is_set(b"MP_TQDM_MODE"):
        return ""
    asked = os.environ.get("MP_TQDM_MODE", "").strip().lower()
    return asked if asked in MODES else ""


# The last characters of the encodings that the renderer can write, by Python's names of them.
_LAST = {"utf-8": 0x10FFFF, "ascii": 0x7F, "iso8859-1": 0xFF}


def descriptor(file: Any, forced: str | None = None) -> tuple[int, bool, int] | None:
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
    if type(file) is not io.TextIOWrapper:
        return None
    if _redirect.is_replaced(file):
        return None
    try:
        raw = getattr(file.buffer, "raw", file.buffer)
        if type(raw) is not io.FileIO or "write" in getattr(file.buffer, "__dict__", ()):
            return None
        encoding = file.encoding
        last = _LAST.get(encoding) or _LAST.get(codecs.lookup(encoding).name)
        if last is None:
            return None
        number = file.fileno()
        # A dumb one (an Emacs shell) shows escapes as text: it gets the lines of a log.
        is_terminal = os.isatty(number) and os.environ.get("TERM") != "dumb"
    except (AttributeError, LookupError, OSError, ValueError) as error:
        _raised.pass_on(error)
        return None
    if forced is None:
        forced = mode()
    if forced:
        is_terminal = forced == "tty"
    return number, is_terminal, last


def is_lost(file: Any) -> bool:
    """Whether a standard stream's descriptor was closed, and its number went to another file.

    What a program inherits stays open over an `exec`, and so does what `os.dup2` puts in its place;
    a file that Python opens does not (PEP 446). C code may open one that does.
    """
    raw = getattr(getattr(file, "buffer", None), "raw", None)
    if type(raw) is not io.FileIO or raw.closefd:
        return False
    try:
        number = raw.fileno()
        return number in (0, 1, 2) and not os.get_inheritable(number)
    except (OSError, ValueError) as error:
        _raised.pass_on(error)
        return False  # closed: what is written there is an error, and no other file's content


def has_colours() -> bool:
    """Whether lines on a terminal may be coloured (https://no-color.org, https://force-color.org)."""
    return bool(os.environ.get("FORCE_COLOR")) or not os.environ.get("NO_COLOR")


def without_colours(text: str) -> str:
    """The text without its escape sequences for colours, bold and the like."""
    import re

    return re.sub(r"\x1b\[[0-9;:]*m", "", text)


def is_terminal(file: Any) -> bool:
    """Whether `file` says that it is a terminal; an object that cannot say is taken for one.

    That is tqdm's rule for `disable=None`.
    """
    isatty = getattr(file, "isatty", None)
    if isatty is None:
        return True
    try:
        return bool(isatty())
    except ValueError as error:
        _raised.pass_on(error)
        return False


def supports_unicode(file: Any) -> bool:
    """Whether block characters may be written to `file`: its encoding has them."""
    encoding = getattr(file, "encoding", None)
    if not encoding or (_is_set(b"MP_TQDM_ASCII") and os.environ.get("MP_TQDM_ASCII") == "1"):
        return False
    name = str(encoding).lower()
    if name.startswith("utf") or name == "u8":
        return True
    try:
        return bool("\u2588\u2589".encode(name))
    except (LookupError, UnicodeError):
        return False


def shown_by(file: Any, text: str) -> str:
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


def encoded(file: Any) -> Any:
    """A file that takes text where `file` takes bytes (`write_bytes=True`)."""
    return file if isinstance(file, io.TextIOWrapper) else EncodedFile(file)


class EncodedFile:
    """A file of bytes that takes text (`write_bytes=True`)."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.encoding = getattr(file, "encoding", None) or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._file == getattr(other, "_file", other))

    def __hash__(self) -> int:
        return hash(self._file)

    def write(self, text: str) -> Any:
        """Writes the text as bytes."""
        return self._file.write(text.encode(self.encoding))
