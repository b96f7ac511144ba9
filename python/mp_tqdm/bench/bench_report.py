"""One call of `report_progress()`, beside what people use to count across processes."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import repeat
from typing import Any

from mp_tqdm.bench import floor
from mp_tqdm.bench.bench_update import calls, empty_loop, timed
from mp_tqdm.bench.subject import Subject, Suite, fresh


def _bare_calls(count: int, function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in repeat(None, count):
        function()
    return time.perf_counter() - begin


def _locked_adds(count: int, value: Any) -> float:
    begin = time.perf_counter()
    for _ in repeat(None, count):
        with value.get_lock():
            value.value += 1
    return time.perf_counter() - begin


def _proxy_adds(count: int, value: Any) -> float:
    begin = time.perf_counter()
    for _ in repeat(None, count):
        value.value += 1
    return time.perf_counter() - begin


@contextmanager
def _report_progress(total: int) -> Iterator[Callable[..., None]]:
    from mp_tqdm import mp_tqdm, report_progress

    with mp_tqdm(total=total):
        yield report_progress


@contextmanager
def _distributed(total: int) -> Iterator[Callable[..., None]]:
    from progressBarDistributed import SharedMemoryProgressBar

    with SharedMemoryProgressBar(1) as bar:
        worker = bar.get_worker(0, bar.shm_name)
        worker.set_total_steps(total)
        yield worker.update
        worker.close()


@contextmanager
def _put(kind: str) -> Iterator[Callable[[object], None]]:
    """`put` of a queue that another process empties."""
    context = multiprocessing.get_context("spawn")
    queue = getattr(context, kind)()
    reader = context.Process(target=_empty, args=(queue,))
    reader.start()
    yield queue.put
    queue.put(None)
    reader.join()
    queue.close()


def _empty(queue: Any) -> None:
    while queue.get() is not None:
        pass


@contextmanager
def _managed_value() -> Iterator[Any]:
    with multiprocessing.get_context("spawn").Manager() as manager:
        yield manager.Value("q", 0)


SUITE = Suite(
    name="report",
    title="One report of progress to a job, above the empty loop",
    subjects=(
        Subject("empty loop", fresh(empty_loop)),
        Subject(
            "floor: C add()",
            timed(_bare_calls, lambda _: nullcontext(floor.load().add)),
            floor.PACKAGE,
        ),
        Subject("mp_tqdm report_progress()", timed(_bare_calls, _report_progress), "mp-tqdm"),
        Subject("mp_tqdm report_progress(1)", timed(calls, _report_progress), "mp-tqdm"),
        Subject(
            "progressBarDistributed update(1)", timed(calls, _distributed), "progressbardistributed"
        ),
        Subject(
            "multiprocessing.Value, its lock",
            timed(_locked_adds, lambda _: nullcontext(multiprocessing.Value("q", 0))),
        ),
        Subject("multiprocessing.Queue.put", timed(calls, lambda _: _put("Queue"))),
        Subject("SimpleQueue.put", timed(calls, lambda _: _put("SimpleQueue"))),
        Subject("Manager().Value += 1", timed(_proxy_adds, lambda _: _managed_value())),
    ),
    baseline="empty loop",
    floor="floor: C add()",
    ours="mp_tqdm report_progress()",
)
