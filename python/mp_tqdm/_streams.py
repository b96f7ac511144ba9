"""Decides how a file is drawn on: by the renderer thread, or by Python code in the loop."""

from __future__ import annotations

import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODES = ("off", "lines", "tty")


def mode() -> str:
    """What `MP_TQDM_MODE` forces: one of `MODES`, or the empty string for "decide by the file"."""
    asked = os.environ.get("MP_TQDM_MODE", "").strip().lower()
    return asked if asked in MODES else ""


def descriptor(file: Any) -> tuple[int, bool] | None:
    """The descriptor that the renderer may write to by itself, and whether it is a terminal.

    Only for a text stream of the standard library over a real file, in UTF-8, whose `write` nobody
    replaced: a descriptor alone proves nothing (a notebook's stream has one that leads elsewhere),
    and what a program put in the place of `write` wants to see the text.

    Returns:
        `(fd, is_terminal)`, or `None` where the text has to go through the object.
    """
    if type(file) is not io.TextIOWrapper or "write" in file.__dict__:
        return None
    try:
        raw = getattr(file.buffer, "raw", file.buffer)
        if type(raw) is not io.FileIO or "write" in getattr(file.buffer, "__dict__", ()):
            return None
        if file.encoding.lower().replace("-", "").replace("_", "") != "utf8":
            return None
        number = file.fileno()
        is_terminal = os.isatty(number)
    except (AttributeError, OSError, ValueError):
        return None
    forced = mode()
    if forced in ("lines", "tty"):
        is_terminal = forced == "tty"
    return number, is_terminal


def is_terminal(file: Any) -> bool:
    """Whether `file` says that it is a terminal; an object that cannot say is taken for one.

    That is tqdm's rule for `disable=None`.
    """
    isatty = getattr(file, "isatty", None)
    if isatty is None:
        return True
    try:
        return bool(isatty())
    except ValueError:
        return False


def supports_unicode(file: Any) -> bool:
    """Whether block characters can be written to `file`: its encoding is a UTF one."""
    encoding = getattr(file, "encoding", None)
    if not encoding:
        return False
    name = str(encoding).lower()
    return name.startswith("utf") or name == "u8"
