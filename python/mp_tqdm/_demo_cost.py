"""Measures what a count costs on this machine, and what it costs with tqdm where that is there."""

from __future__ import annotations

import contextlib
import os
from itertools import chain, repeat
from time import perf_counter
from typing import NamedTuple

from mp_tqdm import mp_tqdm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TextIO

_COUNTS = 100_000  # one to ten milliseconds: long for the clock, short enough to be undisturbed
_ROUNDS = 9


class Costs(NamedTuple):
    """Nanoseconds above the bare loop.

    Attributes:
        update: Of one `bar.update(1)`.
        item: Of one item of `for item in bar`.
    """

    update: float
    item: float


def measure() -> dict[str, Costs]:
    """The costs of each kind of bar: "mp_tqdm", and "tqdm" with its version if it can be imported.

    The bars draw into `/dev/null`; opening and closing them is left out. All take turns, so that
    they meet the same machine, and the least disturbed of nine rounds counts.
    """
    kinds: dict[str, Any] = {"mp_tqdm": mp_tqdm}
    with contextlib.suppress(ImportError):
        import tqdm

        kinds[f"tqdm {tqdm.__version__}"] = tqdm.tqdm
    with open(os.devnull, "w", encoding="utf-8") as sink:
        updates = {name: _timed_updates(kind, sink) for name, kind in kinds.items()}
        items = {name: _timed_items(kind, sink) for name, kind in kinds.items()}
        update_ns = _least_above(_timed_nothing, updates)
        item_ns = _least_above(lambda: _stopwatch(lambda loop: loop), items)
    return {name: Costs(update_ns[name], item_ns[name]) for name in kinds}


def _least_above(
    bare: Callable[[], float], subjects: dict[str, Callable[[], float]]
) -> dict[str, float]:
    """Nanoseconds a count that each subject takes above the bare loop."""
    everyone = {"": bare, **subjects}
    least = dict.fromkeys(everyone, float("inf"))
    for _ in range(_ROUNDS):
        for name, run in everyone.items():
            least[name] = min(least[name], run() * 1e9 / _COUNTS)
    return {name: max(0.0, least[name] - least[""]) for name in subjects}


def _timed_nothing() -> float:
    begin = perf_counter()
    for _ in repeat(None, _COUNTS):
        pass
    return perf_counter() - begin


def _timed_updates(kind: Callable[..., Any], sink: TextIO) -> Callable[[], float]:
    def run() -> float:
        with kind(total=_COUNTS, file=sink) as bar:
            begin = perf_counter()
            for _ in repeat(None, _COUNTS):
                bar.update(1)
            return perf_counter() - begin

    return run


def _timed_items(kind: Callable[..., Any], sink: TextIO) -> Callable[[], float]:
    return lambda: _stopwatch(lambda items: kind(items, total=_COUNTS, file=sink))


def _stopwatch(wrap: Callable[[Iterable[None]], Iterable[None]]) -> float:
    """Seconds from the asking for the first item until all were handed out."""
    times: list[float] = []

    def note() -> Iterator[None]:
        times.append(perf_counter())
        yield from ()

    for _ in wrap(chain(note(), repeat(None, _COUNTS), note())):
        pass
    return times[1] - times[0]
