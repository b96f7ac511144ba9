"""Functions that users of `tqdm.contrib` know: `tenumerate`, `tzip`, `tmap`."""

from __future__ import annotations

import sys

from mp_tqdm._bar import mp_tqdm
from mp_tqdm.auto import tqdm as tqdm_auto

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

__all__ = ["DummyTqdmFile", "tenumerate", "tmap", "tzip"]


def tenumerate(
    iterable: Iterable[Any],
    start: int = 0,
    total: float | None = None,
    tqdm_class: Any = tqdm_auto,
    **kwargs: Any,
) -> Any:
    """`enumerate` with a bar; of a NumPy array `numpy.ndenumerate`.

    Args:
        iterable: As there.
        start: As there.
        total: How many there are; default its length.
        tqdm_class: The class of the bar.
        **kwargs: Those of the bar.
    """
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(iterable, numpy.ndarray):
        array: Any = iterable
        return tqdm_class(numpy.ndenumerate(array), total=total or array.size, **kwargs)
    return enumerate(tqdm_class(iterable, total=total, **kwargs), start)


def tzip(
    iter1: Iterable[Any], *iter2plus: Iterable[Any], tqdm_class: Any = tqdm_auto, **kwargs: Any
) -> Iterator[Any]:
    """`zip` with a bar.

    Args:
        iter1: Whose length is the total.
        *iter2plus: As there.
        tqdm_class: The class of the bar.
        **kwargs: Those of the bar.
    """
    yield from zip(tqdm_class(iter1, **kwargs), *iter2plus)  # noqa: B905 - as tqdm's


def tmap(function: Callable[..., Any], *sequences: Iterable[Any], **kwargs: Any) -> Iterator[Any]:
    """`map` with a bar.

    Args:
        function: As there.
        *sequences: As there; the first one's length is the total.
        **kwargs: Those of `tzip`.
    """
    for items in tzip(*sequences, **kwargs):
        yield function(*items)


class DummyTqdmFile:
    """A stream that prints whole lines above the bars: `sys.stdout = DummyTqdmFile(sys.stdout)`.

    Args:
        wrapped: The stream below; all else is its own.
    """

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped
        self._begun: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def write(self, x: Any, nolock: bool = False) -> None:
        """Keeps `x` until its line is whole, then prints that."""
        newline = b"\n" if isinstance(x, bytes) else "\n"
        head, end, rest = x.rpartition(newline)
        if not end:
            self._begun.append(x)
            return
        nothing = type(newline)()
        text: Any = nothing.join([*self._begun, head, end])
        self._begun = [rest] if rest else []
        self._print(text, nolock)

    def __del__(self) -> None:
        if self._begun:
            try:
                self._print(type(self._begun[0])().join(self._begun))
            except (OSError, ValueError):
                return

    def _print(self, text: Any, nolock: bool = False) -> None:
        mp_tqdm.write(text, end=type(text)(), file=self._wrapped, nolock=nolock)
