"""The names of what bad input raises, as tqdm's users catch it, and the checks that raise it.

What is wrong raises at construction, and says the fix.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
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


def is_awaited(error: BaseException) -> bool:
    """Whether the program waits for an exception: an end that somebody asked for, or a timeout.

    That is no `Exception`, or one that a signal handler raised. It may come at any moment.
    """
    if not isinstance(error, Exception):
        return True
    from signal import getsignal

    handlers: list[Any] = []
    for number in range(1, 65):
        try:
            handlers.append(getsignal(number))
        except ValueError:
            continue  # a number without a signal
    handlers = [getattr(handler, "func", handler) for handler in handlers]
    codes = [getattr(handler, "__code__", None) for handler in handlers]
    codes += [getattr(type(handler).__call__, "__code__", None) for handler in handlers if handler]
    return any(frame.f_code in codes for frame in _frames(error))


def pass_on(error: BaseException) -> None:
    """Raises an exception once more if the program waits for it."""
    if is_awaited(error):
        raise error


def is_own(error: BaseException) -> bool:
    """Whether an exception came up in this package, and in no code of the program below it."""
    names = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in _frames(error)]
    return not is_awaited(error) and all(name in _OWN for name in names)


_OWN = {"mp_tqdm", "_frozen_importlib", "_frozen_importlib_external"} | sys.stdlib_module_names


def _frames(error: BaseException) -> Iterator[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


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


def check(  # noqa: PLR0917 - the constructor's own
    total: Any,
    initial: Any,
    mininterval: Any,
    delay: Any,
    smoothing: Any,
    unit_divisor: Any,
    ncols: Any,
    nrows: Any,
    desc: Any,
    bar_format: Any,
    colour: Any,
) -> None:
    """Raises for the first argument of a bar that is of the wrong type or out of range."""
    number("total", total, optional=True)
    number("initial", initial)
    number("mininterval", mininterval, least=0)
    number("delay", delay, least=0)
    number("smoothing", smoothing)
    number("unit_divisor", unit_divisor)
    number("ncols", ncols, least=0, optional=True)
    number("nrows", nrows, least=0, optional=True)
    text("desc", desc)
    text("bar_format", bar_format)
    if colour:
        warn_of_colour(colour)


_COLOURS = ("BLACK", "RED", "GREEN", "YELLOW", "BLUE", "MAGENTA", "CYAN", "WHITE")


def number(name: str, value: Any, *, least: float | None = None, optional: bool = False) -> None:
    """Raises unless `value` is a number (at least `least`), or `None` where that is allowed."""
    if value is None and optional:
        return
    try:
        as_float = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        pass_on(error)
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
        import warnings

        from mp_tqdm import _said

        if not _said.is_first(f"colour {name}"):
            return
        warnings.warn(
            f"Unknown colour ({colour}); valid choices: [hex (#00ff00), {', '.join(_COLOURS)}]",
            TqdmWarning,
            stacklevel=5,
        )
