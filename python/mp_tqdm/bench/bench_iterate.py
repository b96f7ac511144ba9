"""One item of a `for` loop whose body is nothing."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

from mp_tqdm.bench import floor, wrapped
from mp_tqdm.bench.available import why_missing
from mp_tqdm.bench.subject import Subject, Suite, fresh

# Puts the bar around the items, whose number is the second argument.
Wrap = Callable[[Any, int], Any]


def _through(wrap: Wrap) -> Callable[[int], float]:
    """Time a loop over `wrap(items, total)`, its opening and closing left out."""
    loop = fresh(_loop)

    def run(count: int) -> float:
        stopwatch = None if why_missing(floor.PACKAGE) else floor.load().Stopwatch
        items = (stopwatch or _Stopwatch)(count)
        loop(wrap(iter(items), count))
        seconds: float = items.seconds
        return seconds

    return run


class _Stopwatch:
    """What `floor.Stopwatch` is, where there is no C compiler."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin = self._end = 0.0

    def __iter__(self) -> Iterator[None]:
        return chain(self._begins(), repeat(None, self._count), self._ends())

    @property
    def seconds(self) -> float:
        return self._end - self._begin

    def _begins(self) -> Iterator[None]:
        self._begin = time.perf_counter()
        yield from ()

    def _ends(self) -> Iterator[None]:
        self._end = time.perf_counter()
        yield from ()


def _loop(items: Iterable[None]) -> None:
    for _ in items:
        pass


def _enlighten(items: Any, total: int) -> Any:
    import enlighten

    return enlighten.get_manager().counter(total=total)(items)


SUITE = Suite(
    name="iterate",
    title="One item of a for loop, above the bare loop",
    subjects=(
        Subject("bare loop", _through(lambda items, _: items)),
        Subject(
            "floor: C iterator",
            _through(lambda items, _: floor.load().Iter(items)),
            floor.PACKAGE,
        ),
        Subject(
            "C iterator, locked add",
            _through(lambda items, _: floor.load().LockedIter(items)),
            floor.PACKAGE,
        ),
        Subject("Python generator", _through(lambda items, _: (item for item in items))),
        Subject("mp_tqdm", _through(wrapped.ours), "mp-tqdm"),
        Subject("barflow track", _through(wrapped.barflow), "barflow"),
        Subject("progressbar2[fast]", _through(wrapped.progressbar), "speedups"),
        Subject("progressbar2", _through(wrapped.plain_progressbar), "progressbar2"),
        Subject("rich track", _through(wrapped.rich), "rich"),
        Subject("tqdm", _through(wrapped.tqdm), "tqdm"),
        Subject("enlighten", _through(_enlighten), "enlighten"),
        Subject("alive-progress", _through(wrapped.alive), "alive-progress"),
    ),
    baseline="bare loop",
    floor="floor: C iterator",
    ours="mp_tqdm",
)
