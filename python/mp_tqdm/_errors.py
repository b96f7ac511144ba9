"""The names of what bad input raises, as tqdm's users catch it, and the checks that raise it.

What is wrong raises at construction, and says the fix.
"""

from __future__ import annotations

import sys

from mp_tqdm import _stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REDUCTIONS = ("auto", "sum", "mean", "min", "max", "rank")


class TqdmTypeError(TypeError):
    """An argument or operand of the wrong type."""


class TqdmKeyError(KeyError):
    """An argument that no bar has."""


class TqdmWarning(Warning):
    """A warning about a bar that cannot be shown as asked; counting goes on.

    Args:
        msg: What happened, what still works, and what to do.
        fp_write: Writes the warning into a stream in place of Python's warning machinery, as
            tqdm does where a bar would be broken by it.
    """

    def __init__(self, msg: str, fp_write: object = None, *args: object) -> None:
        if callable(fp_write):
            fp_write(f"\n{type(self).__name__}: {str(msg).rstrip()}\n")
        else:
            super().__init__(msg, *args)


class TqdmExperimentalWarning(TqdmWarning, FutureWarning):
    """Of tqdm's surface; nothing here gives it."""


class TqdmDeprecationWarning(TqdmWarning, DeprecationWarning):
    """A use that tqdm no longer supports."""


class TqdmMonitorWarning(TqdmWarning, RuntimeWarning):
    """The thread that watches bars could not be started; counting goes on."""


class TqdmSynchronisationWarning(RuntimeWarning):
    """Of tqdm's surface; nothing here gives it."""


def refuse_unknown(names: dict[str, Any], known: tuple[str, ...], file: Any) -> None:
    """Raises `TqdmKeyError` for keyword arguments that no bar has, naming the nearest one."""
    if "nested" in names:
        raise TqdmDeprecationWarning(
            "`nested` is deprecated and automated.\nUse `position` instead for manual control.\n",
            fp_write=getattr(file or sys.stderr, "write", None),
        )
    import difflib

    hints = []
    for name in names:
        near = difflib.get_close_matches(name, known, n=1)
        hints.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
    raise TqdmKeyError("Unknown argument(s): " + ", ".join(hints))


# The least value of a bar's numbers, if there is one, and whether they may be None.
_NUMBERS: dict[str, tuple[float | None, bool]] = {
    "total": (None, True),
    "initial": (None, False),
    "mininterval": (0, False),
    "delay": (0, False),
    "smoothing": (None, False),
    "unit_divisor": (None, False),
    "ncols": (0, True),
    "nrows": (0, True),
}


def check(arguments: dict[str, Any]) -> None:
    """Raises for the first argument of a bar that is of the wrong type or out of range."""
    for name, (least, is_optional) in _NUMBERS.items():
        number(name, arguments[name], least=least, optional=is_optional)
    for name in ("desc", "bar_format"):
        text(name, arguments[name])
    if arguments["colour"]:
        warn_of_colour(arguments["colour"])


_COLOURS = ("BLACK", "RED", "GREEN", "YELLOW", "BLUE", "MAGENTA", "CYAN", "WHITE")


def number(name: str, value: Any, *, least: float | None = None, optional: bool = False) -> None:
    """Raises unless `value` is a number (at least `least`), or `None` where that is allowed."""
    if value is None and optional:
        return
    try:
        as_float = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        _stack.pass_on(error)
        as_float = None
    if as_float is None or isinstance(value, (str, bytes)):
        kinds = "a number or None" if optional else "a number"
        message = f"{name} should be {kinds}, found {type(value).__name__}: {value!r}"
        raise TqdmTypeError(message)
    if least is not None and (not as_float >= least):
        message = f"{name} should be at least {least:g}, found {value!r}"
        raise ValueError(message)


def text(name: str, value: Any) -> None:
    """Raises unless `value` is a text or `None`."""
    if value is not None and not isinstance(value, str):
        message = f"{name} should be a str or None, found {type(value).__name__}: {value!r}"
        raise TqdmTypeError(message)


def warn_of_colour(colour: Any) -> None:
    """Warns of a colour that is neither a known name nor `#rrggbb`; the line then has none."""
    name = str(colour)
    if name.upper() in _COLOURS:
        return
    digits = name.lstrip("#").lower()
    if len(name) != len("#rrggbb") or name[0] != "#" or digits.strip("0123456789abcdef"):
        warnings, said = map(_stack.module, ("warnings", "mp_tqdm._said"))
        if warnings is None or said is None or not said.is_first(f"colour {name}"):
            return
        warnings.warn(
            f"Unknown colour ({colour}); valid choices: [hex (#00ff00), {', '.join(_COLOURS)}]",
            TqdmWarning,
            stacklevel=5,
        )


def suggest(bar: Any, reduction: str) -> None:
    """Says that a line ended far from its total, and how it would have met it."""
    if reduction == "nothing":
        lost = _stack.module("mp_tqdm._lost")
        if lost is not None:
            lost.name_below(bar)
        return
    warnings = _stack.module("warnings")
    if warnings is None:
        return
    warnings.warn(
        f"the bar {bar.desc.rstrip(': ') or 'without desc'!r} ended far from its total "
        f"{bar.total}; combined with reduce={reduction!r} it would have met it. Pass that, or "
        "the total that this line counts towards.",
        TqdmWarning,
        stacklevel=3,
    )
