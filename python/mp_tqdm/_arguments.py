"""Looks at the arguments of a bar: usual ones pass here, all others are checked by `_errors`.

That module is imported where it is needed: usual arguments are those of nearly every program.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INFINITE = float("inf")


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
    if not (
        (total is None or type(total) is int)
        and type(initial) is int
        and type(mininterval) is float
        and mininterval >= 0
        and type(delay) is float
        and delay >= 0
        and type(smoothing) is float
        and type(unit_divisor) is int
        and ncols is nrows is None
        and (desc is None or type(desc) is str)
        and (bar_format is None or type(bar_format) is str)
        and not colour
    ):
        from mp_tqdm import _errors

        _errors.check(locals())


def total_of(total: Any, iterable: Any) -> Any:
    """The total: as given, else the length of `iterable`; `None` where that is not known."""
    if total is None and iterable is not None:
        try:
            return len(iterable)
        except (TypeError, AttributeError, ValueError, OverflowError, NotImplementedError) as error:
            from mp_tqdm import _raised

            _raised.pass_on(error)
            return None
    return None if total == _INFINITE else total
