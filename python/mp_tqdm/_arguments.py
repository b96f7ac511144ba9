"""Checks the arguments of a bar: what is wrong raises at construction, and says the fix."""

from __future__ import annotations

from mp_tqdm._errors import TqdmKeyError, TqdmTypeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REDUCTIONS = ("auto", "sum", "mean", "min", "max", "rank")


def refuse_unknown(names: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raises `TqdmKeyError` for keyword arguments that no bar has, naming the nearest one."""
    if not names:
        return
    import difflib

    hints = []
    for name in names:
        near = difflib.get_close_matches(name, known, n=1)
        hints.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
    raise TqdmKeyError("Unknown argument(s): " + ", ".join(hints))


def check(  # noqa: C901, PLR0917 - the constructor's own
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
) -> None:
    """Raises for the first argument of a bar that is of the wrong type or out of range."""
    # The usual values pass by their type alone: this runs for every bar.
    if total is not None and type(total) is not int:
        number("total", total, optional=True)
    if type(initial) is not int:
        number("initial", initial)
    for name, value in (("mininterval", mininterval), ("delay", delay)):
        if type(value) is not float or not value >= 0:
            number(name, value, least=0)
    for name, value in (("smoothing", smoothing), ("unit_divisor", unit_divisor)):
        if type(value) not in _NUMBERS:
            number(name, value)
    for name, value in (("ncols", ncols), ("nrows", nrows)):
        if value is not None:
            number(name, value, least=0)
    for name, value in (("desc", desc), ("bar_format", bar_format)):
        if value is not None and type(value) is not str:
            text(name, value)


_NUMBERS = (int, float)


def number(name: str, value: Any, *, least: float | None = None, optional: bool = False) -> None:
    """Raises unless `value` is a number (at least `least`), or `None` where that is allowed."""
    if value is None and optional:
        return
    try:
        as_float = float(value)
    except (TypeError, ValueError, OverflowError):
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


def length_of(iterable: Any) -> Any:
    """The length of `iterable` as a total, or `None` where it has none or its word is not good."""
    try:
        length = len(iterable)
    except (TypeError, AttributeError, ValueError, OverflowError, NotImplementedError):
        return None
    return length
