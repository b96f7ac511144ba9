"""Gives pandas its `progress_apply` and kin."""

from __future__ import annotations

import sys

from mp_tqdm._errors import TqdmDeprecationWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def register(cls: Any, kwargs: dict[str, Any]) -> None:
    """Sets `progress_apply`, `progress_map` and so on where pandas has `apply`, `map` and so on.

    Args:
        cls: The class of the bars; each call makes one.
        kwargs: Those of each bar. `deprecated_t`: a bar for the first call.
    """
    from pandas import DataFrame, Series
    from pandas.core.groupby.generic import DataFrameGroupBy, SeriesGroupBy
    from pandas.core.groupby.groupby import GroupBy
    from pandas.core.window.expanding import Expanding
    from pandas.core.window.rolling import Rolling

    kwargs = dict(kwargs)
    ready_made = [kwargs.pop("deprecated_t", None)]

    def with_bar(name: str) -> Callable[..., Any]:
        def progress(data: Any, func: Any, *args: Any, **options: Any) -> Any:
            bar, ready_made[0] = ready_made[0], None
            if bar is None:
                bar = cls(**{"total": _total_of(data, name, options), **kwargs})
            if args:
                TqdmDeprecationWarning(
                    "Except func, normal arguments are intentionally not supported by "
                    "`(DataFrame|Series|GroupBy).progress_apply`. Use keyword arguments instead.",
                    fp_write=getattr(bar.fp, "write", sys.stderr.write),
                )

            func = _vectorised(func)

            def counted(*inner: Any, **more: Any) -> Any:
                # pandas may call once more than there is, to see which of its ways it can take.
                if not bar.total or bar.n < bar.total:
                    bar.update()
                return func(*inner, **more)

            try:
                return getattr(data, name)(counted, **options)
            finally:
                bar.close()

        progress.__name__ = f"progress_{name}"
        progress.__doc__ = f"As `{name}`, with a bar. Use keyword arguments behind `func`."
        return progress

    for kind, names in (
        (Series, ("apply", "map")),
        (SeriesGroupBy, ("apply", "map")),
        (DataFrame, ("apply", "applymap", "map")),
        (DataFrameGroupBy, ("apply", "map")),
        (GroupBy, ("apply", "aggregate", "transform")),
        (Rolling, ("apply",)),
        (Expanding, ("apply",)),
    ):
        for name in names:
            setattr(kind, f"progress_{name}", with_bar(name))


def _vectorised(func: Any) -> Any:
    """What pandas takes in place of a builtin (`sum`), which it would not know behind a wrapper."""
    try:
        from pandas.core.common import is_builtin_func  # before pandas 3
    except ImportError:
        return func
    try:
        return is_builtin_func(func)
    except TypeError:  # it cannot be hashed
        return func


def _total_of(data: Any, name: str, options: dict[str, Any]) -> Any:
    """How often a function will be called; `None` if pandas alone knows."""
    kind = type(data)  # a column may have any name
    if not hasattr(kind, "shape"):
        return data.ngroups if hasattr(kind, "ngroups") else None
    if name == "applymap" or data.ndim == 1:
        return data.size
    axis = {"index": 0, "columns": 1}.get(options.get("axis", 0), options.get("axis", 0))
    return data.size // data.shape[axis] if data.shape[axis] else 0
