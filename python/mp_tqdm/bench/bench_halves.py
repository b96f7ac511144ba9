"""What a report adds to a line of a crew in which half of the workers report and half do not.

Both halves are at work at once, on the same cores, and each worker has the clock of its own
processor time. So whatever else the machine does meets both, and a percent can be told from nothing
where whole crews, one after the other, differ by more. A worker's first report is not timed.
"""

from __future__ import annotations

import mmap
import statistics
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from mp_tqdm.bench import crew
from mp_tqdm.bench.at_once import at_once
from mp_tqdm.bench.estimate import beside
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = 64
LINES = 10_000


@contextmanager
def _nothing(items: int, _: int) -> Iterator[crew.Counting]:
    yield int, lambda: items


METHODS = {**crew.METHODS, "nothing": _nothing}


def run(method: str, lines: int) -> tuple[float, float]:
    """Processor time of so many lines, with reports and without: each the median of its half.

    Raises:
        RuntimeError: A worker failed, or reports were lost.
    """
    times = memoryview(mmap.mmap(-1, 8 * WORKERS)).cast("q")
    half = WORKERS // 2
    expected = half * (lines + 1)

    def work(number: int, report: Callable[[], object] | None, wait: Callable[[], object]) -> None:
        if report is not None:
            report()
        wait()
        begin = time.process_time_ns()
        crew.work(lines, report)
        times[number] = time.process_time_ns() - begin

    with METHODS[method](expected, half) as (report, total):
        at_once(
            [partial(work, number, None if number % 2 else report) for number in range(WORKERS)]
        )
        counted = total()
    if counted != expected:
        raise RuntimeError(f"{method}: {counted} of {expected} reports arrived")
    reporting, silent = times[::2].tolist(), times[1::2].tolist()
    return statistics.median(reporting) / 1e9, statistics.median(silent) / 1e9


SUITE = Suite(
    name="halves",
    title=f"A line of a crew of {WORKERS} with its report, and how much more than without",
    subjects=(
        Subject("a call that does nothing", partial(run, "nothing")),
        Subject("mp_tqdm report_progress()", partial(run, "mp_tqdm"), "mp-tqdm"),
        Subject("multiprocessing.Value, its lock", partial(run, "value")),
        Subject("progressBarDistributed", partial(run, "distributed"), "progressbardistributed"),
    ),
    baseline=None,
    ours="mp_tqdm report_progress()",
    unit="µs",
    scale=1e6,
    repetitions=LINES,
    rounds=30,
    quick_repetitions=LINES // 10,
    summary=beside,
)
