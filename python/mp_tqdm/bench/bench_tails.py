"""How long one call takes among many processes on few cores: the middle, and the far end.

64 processes count at once. Each times every call by itself, beside the work of the crew, after a
first call that is not timed. The clock alone is a subject, too: it shows what the two readings of
it take, and that the longest of all calls are those in whose midst the process was taken off its
core. Nothing is taken off the figures.
"""

from __future__ import annotations

import importlib
import mmap
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from mp_tqdm.bench import bench_update, crew
from mp_tqdm.bench.at_once import at_once
from mp_tqdm.bench.estimate import tail, tails
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    # Opens, in each process, what is called with 1 there.
    Opening = Callable[[], AbstractContextManager[Callable[[int], object] | None]]
    # That, and what gives the sum of all calls in the end.
    Counting = tuple[Opening, Callable[[], float]]

PROCESSES = 64
CALLS = 1_600  # of each process: 102,400 in a round


def _times(durations: Any, update: Callable[[int], object] | None) -> None:
    """Work, and fill the view with the nanoseconds that each call took between."""
    clock, line, tokens = time.perf_counter_ns, crew.LINE, crew.tokens
    if update is None:
        for index in range(len(durations)):
            tokens(line)
            begin = clock()
            durations[index] = clock() - begin
        return
    for index in range(len(durations)):
        tokens(line)
        begin = clock()
        update(1)
        durations[index] = clock() - begin


@contextmanager
def _alone(calls: int) -> Iterator[Counting]:
    yield lambda: nullcontext(None), lambda: calls


@contextmanager
def _one_bar(calls: int) -> Iterator[Counting]:
    """All processes count in the bar that they inherit."""
    from mp_tqdm import mp_tqdm

    with mp_tqdm(total=calls, desc="calls") as bar:
        yield lambda: nullcontext(bar.update), lambda: bar.n


@contextmanager
def _rich(total: int) -> Iterator[Any]:
    from rich.progress import Progress

    with Progress() as progress:
        yield partial(progress.advance, progress.add_task("calls", total=total))


def _own_bars(
    module: str, opened: Callable[[int], AbstractContextManager[Any]]
) -> Callable[[int], AbstractContextManager[Counting]]:
    """A bar in each process, which counts what that does."""

    @contextmanager
    def counting(calls: int) -> Iterator[Counting]:
        importlib.import_module(module)  # once, not in each process
        yield partial(opened, calls // PROCESSES), lambda: calls

    return counting


def _counter(method: str) -> Callable[[int], AbstractContextManager[Counting]]:
    """What the crew reports to."""

    @contextmanager
    def opened(calls: int) -> Iterator[Counting]:
        with crew.METHODS[method](calls, PROCESSES) as (report, total):
            yield lambda: nullcontext(report), total

    return opened


METHODS: dict[str, Callable[[int], AbstractContextManager[Counting]]] = {
    "clock": _alone,
    "mp_tqdm": _one_bar,
    "tqdm": _own_bars("tqdm", bench_update.tqdm_update),
    "rich": _own_bars("rich.progress", _rich),
    "enlighten": _own_bars("enlighten", bench_update.enlighten_update),
    "alive-progress": _own_bars("alive_progress", bench_update.alive_call),
    "progressbar2": _own_bars("progressbar", bench_update.progressbar_increment),
    "value": _counter("value"),
    "manager": _counter("manager"),
}


def run(method: str, calls: int) -> tuple[float, ...]:
    """The tail of so many calls of each process, in seconds of all of its calls.

    Raises:
        RuntimeError: A process failed, or calls were not counted.
    """
    durations = memoryview(mmap.mmap(-1, 8 * PROCESSES * calls)).cast("q")
    expected = PROCESSES * (calls + 1)

    def count(opening: Opening, begin: int, wait: Callable[[], object]) -> None:
        with opening() as update:
            if update is not None:
                update(1)
            wait()
            _times(durations[begin : begin + calls], update)

    with METHODS[method](expected) as (opening, total):
        at_once([partial(count, opening, begin) for begin in range(0, len(durations), calls)])
        counted = total()
    if counted != expected:
        raise RuntimeError(f"{method}: {counted} of {expected} calls were counted")
    return tuple(nanoseconds / 1e9 * calls for nanoseconds in tail(durations.tolist()))


SUITE = Suite(
    name="tails",
    title=f"One update(1) in each of {PROCESSES} processes that count at once",
    subjects=(
        Subject("the clock alone", partial(run, "clock")),
        Subject("mp_tqdm bar.update(1), one bar", partial(run, "mp_tqdm"), "mp-tqdm"),
        Subject("tqdm bar.update(1), a bar each", partial(run, "tqdm"), "tqdm"),
        Subject("rich advance(task), a bar each", partial(run, "rich"), "rich"),
        Subject("enlighten update(1), a bar each", partial(run, "enlighten"), "enlighten", True),
        Subject(
            "alive-progress bar(1), a bar each",
            partial(run, "alive-progress"),
            "alive-progress",
            is_slow=True,
        ),
        Subject(
            "progressbar2 increment(1), a bar each",
            partial(run, "progressbar2"),
            "progressbar2",
            is_slow=True,
        ),
        Subject("multiprocessing.Value, its lock", partial(run, "value")),
        Subject("Manager().Queue.put(1)", partial(run, "manager"), "tqdm"),
    ),
    baseline=None,
    ours="mp_tqdm bar.update(1), one bar",
    unit="µs",
    scale=1e6,
    repetitions=CALLS,
    rounds=10,
    quick_repetitions=100,
    summary=tails,
)
