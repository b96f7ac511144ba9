"""The command `python -m mp_tqdm pipe`: copies stdin to stdout, and shows a bar of what passes.

The options are those of `python -m tqdm`. It copies in large portions and counts within them, so
that a pipe is not slower for it.
"""

from __future__ import annotations

import argparse
import codecs
import os
import sys

from mp_tqdm import _core
from mp_tqdm._bar import mp_tqdm
from mp_tqdm.contrib import DummyTqdmFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

# What the kernel's pipes hold. A larger piece of memory would be mapped anew for each portion.
_PORTION_BYTES = 64 * 1024
# What the kernel moves by itself, at most, from one count to the next.
_SPLICE_BYTES = 1024 * 1024


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "1", "false", "0"}:
        raise ValueError(text)
    return text.lower() in {"true", "1"}


def _switch_or(other: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        return _switch(text) if text.lower() in {"true", "false"} else other(text)

    convert.__name__ = "value"
    return convert


def _number_of(text: str | bytes) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _character(text: str) -> bytes:
    character = text.encode().decode("unicode_escape").encode("latin-1") if "\\" in text else text
    character = character.encode() if isinstance(character, str) else character
    if len(character) != 1:
        raise ValueError(text)
    return character


# As argparse names what a text is not.
_switch.__name__, _number_of.__name__, _character.__name__ = "switch", "number", "character"


# Those of the bar, with what makes a value of their text.
_BAR_OPTIONS: dict[str, Callable[[str], Any]] = {
    "desc": str,
    "total": _number_of,
    "leave": _switch,
    "ncols": int,
    "mininterval": float,
    "maxinterval": float,
    "miniters": _number_of,
    "ascii": _switch_or(str),
    "disable": _switch,
    "unit": str,
    "unit_scale": _switch_or(_number_of),
    "dynamic_ncols": _switch,
    "smoothing": float,
    "bar_format": str,
    "initial": _number_of,
    "position": int,
    "postfix": str,
    "unit_divisor": _number_of,
    "nrows": int,
    "colour": str,
    "delay": float,
}
_SWITCHES = {
    "bytes": "count bytes, and show them in steps of 1024",
    "tee": "print the input above the bar as well",
    "null": "discard the input",
    "update": "each line is a number to add",
    "update_to": "each line is the number reached so far",
}


def parser() -> argparse.ArgumentParser:
    """What reads the options; an underscore may be a hyphen, as in tqdm."""
    made = argparse.ArgumentParser(
        prog="python -m mp_tqdm pipe",
        description="Copies stdin to stdout and shows a bar of the lines that pass.",
        allow_abbrev=False,
    )

    def add(name: str, kind: Callable[[str], Any], help_text: str | None = None) -> None:
        names = [f"--{name.replace('_', '-')}"]
        names += [f"--{name}"] if "_" in name else []
        is_switch = kind is _switch or name in {"ascii", "unit_scale"}
        more: dict[str, Any] = {"nargs": "?", "const": True} if is_switch else {}
        made.add_argument(
            *names, type=kind, default=argparse.SUPPRESS, metavar="VALUE", help=help_text, **more
        )

    made.add_argument("-v", "--version", action="version", version=_core.__version__)
    for name, kind in _BAR_OPTIONS.items():
        add(name, kind, "as of a bar")
    for name, text in _SWITCHES.items():
        add(name, _switch, text)
    add("delim", _character, r"what ends an item, one character, as \0; default: a newline")
    add("buf_size", int, "accepted; the size of the portions is chosen here")
    add("log", str, "accepted")
    return made


def main(arguments: Sequence[str], file: Any = None) -> int:
    """Copies until the end of stdin.

    Args:
        arguments: The options.
        file: Where the bar goes; default `sys.stderr`.

    Returns:
        The exit code: 0, or 141 (as a shell says of SIGPIPE) if nobody reads stdout any more.
    """
    options, asked = _options(arguments)
    for name in ("buf_size", "log"):
        options.pop(name, None)
    delimiter = options.pop("delim", b"\n")
    if asked["bytes"]:
        options = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, **options}
    with mp_tqdm(file=file, **options) as bar:
        take = _counter(bar, asked, delimiter)
        above = _Above(sys.stderr if file is None else file) if asked["tee"] else None
        try:
            if asked["bytes"] and not asked["tee"] and not asked["null"]:
                _splice(bar.update)
            for portion in _portions():
                if not asked["null"]:
                    _put(portion)
                if above is not None:
                    above.write(portion)
                take(portion)
        except BrokenPipeError:
            return 141
        finally:
            take(b"")
    return 0


def _options(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, bool]]:
    """Those that were given, and which of the switches are on."""
    try:
        options = vars(parser().parse_args(arguments))
        asked = {name: options.pop(name, False) for name in _SWITCHES}
        if sum(asked[name] for name in ("bytes", "update", "update_to")) > 1:
            parser().error("only one of --bytes, --update and --update-to can be given")
    except SystemExit as end:
        if end.code:
            # The bar is missing, not the data: what reads from here gets all of it.
            for portion in _portions():
                _put(portion)
        raise
    return options, asked


def _counter(bar: Any, asked: dict[str, bool], delimiter: bytes) -> Callable[[bytes], None]:
    """What counts a portion; an empty one is the end."""
    if asked["bytes"]:
        return lambda portion: bar.update(len(portion))
    if asked["update"] or asked["update_to"]:
        return _Numbers(bar, delimiter, is_sum=asked["update"]).take
    return _Items(bar, delimiter).take


class _Above:
    """Prints whole lines above the bar."""

    def __init__(self, file: Any) -> None:
        self._file = DummyTqdmFile(file)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, portion: bytes) -> None:
        """Prints what is whole of a portion."""
        self._file.write(self._decoder.decode(portion))


class _Items:
    """Counts what ends with a delimiter, and at the end what has none."""

    def __init__(self, bar: Any, delimiter: bytes) -> None:
        self._bar = bar
        self._delimiter = delimiter
        self._is_begun = False

    def take(self, portion: bytes) -> None:
        """Counts the items of a portion."""
        if portion:
            self._bar.update(portion.count(self._delimiter))
            self._is_begun = not portion.endswith(self._delimiter)
        elif self._is_begun:
            self._bar.update()


class _Numbers:
    """Takes each item as a number to add, or to be reached."""

    def __init__(self, bar: Any, delimiter: bytes, *, is_sum: bool) -> None:
        self._bar = bar
        self._delimiter = delimiter
        self._is_sum = is_sum
        self._begun = b""
        self._has_warned = False

    def take(self, portion: bytes) -> None:
        """Takes the numbers of a portion."""
        *items, self._begun = (self._begun + portion).split(self._delimiter)
        if not portion and self._begun:
            items, self._begun = [self._begun], b""
        numbers = [self._number(item) for item in items if item.strip()]
        if self._is_sum:
            self._bar.update(sum(numbers))
        elif numbers:
            self._bar.update(numbers[-1] - self._bar.n)

    def _number(self, text: bytes) -> float:
        try:
            return _number_of(text)
        except ValueError:
            if not self._has_warned:
                self._has_warned = True
                self._bar.write(f"{text.decode(errors='replace')!r} is no number", sys.stderr)
            return 0 if self._is_sum else float(self._bar.n)


def _portions() -> Iterator[bytes]:
    while portion := os.read(0, _PORTION_BYTES):
        yield portion


def _splice(count: Callable[[int], Any]) -> None:
    """Has the kernel move the bytes without a copy, as far as it can: stdin has to be a pipe."""
    try:
        while moved := os.splice(0, 1, _SPLICE_BYTES):
            count(moved)
    except BrokenPipeError:
        raise
    except (AttributeError, OSError):
        return  # what is left is read


def _put(portion: bytes) -> None:
    left = memoryview(portion)
    while left:
        left = left[os.write(1, left) :]
