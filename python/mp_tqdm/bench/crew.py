"""A crew of processes that split lines into tokens, reporting each line in one of several ways.

    python -m mp_tqdm.bench.crew METHOD WORKERS ITEMS

Prints the seconds from the moment when all are ready to the end of the last one, and the processor
time of everybody from the start to the end. Fails if the reports do not add up to ITEMS.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from mp_tqdm.bench.clocks import processor_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    # What a worker calls for each item, and what gives the sum at the end.
    Counting: TypeAlias = tuple[Callable[..., object], Callable[[], float]]

# Some microseconds of work, as the first step of any tokeniser takes.
LINE = "It is a truth universally acknowledged that a progress bar must be in want of a loop. " * 2
tokens = re.compile(r"\w+|[^\w\s]").findall

_fork = multiprocessing.get_context("fork")


@contextlib.contextmanager
def _silent(items: int, _: int) -> Iterator[Counting]:
    yield None, lambda: items  # type: ignore[misc]


@contextlib.contextmanager
def _ours(items: int, _: int) -> Iterator[Counting]:
    from mp_tqdm import mp_tqdm, report_progress

    with mp_tqdm(total=items, desc="lines") as bar:
        yield report_progress, lambda: bar.n


@contextlib.contextmanager
def _value(_: int, __: int) -> Iterator[Counting]:
    value: Any = _fork.Value("q", 0)

    def add(n: int = 1) -> None:
        with value.get_lock():
            value.value += n

    yield add, lambda: value.value


@contextlib.contextmanager
def _manager_queue(items: int, _: int) -> Iterator[Counting]:
    """A thread of the parent takes the reports out of a managed queue, into a bar of tqdm."""
    import threading

    from tqdm import tqdm

    with _fork.Manager() as manager, tqdm(total=items, desc="lines") as bar:
        queue: Any = manager.Queue()

        def drain() -> None:
            while (n := queue.get()) is not None:
                bar.update(n)

        thread = threading.Thread(target=drain)
        thread.start()

        def total() -> float:
            queue.put(None)
            thread.join()
            return float(bar.n)

        def put(n: int = 1) -> None:
            queue.put(n)

        yield put, total


@contextlib.contextmanager
def _distributed(items: int, workers: int) -> Iterator[Counting]:
    """Each worker takes a number at its first report, which names its cell."""
    from progressBarDistributed import SharedMemoryProgressBar

    ticket: Any = _fork.Value("q", 0)
    mine: Any = None

    def add() -> None:
        nonlocal mine
        if mine is None:
            with ticket.get_lock():
                number, ticket.value = ticket.value, ticket.value + 1
            mine = SharedMemoryProgressBar.get_worker(number, bar.shm_name)
        mine.update(1)

    with SharedMemoryProgressBar(workers) as bar:
        for number, share in enumerate(shares(items, workers)):
            bar.set_total_steps(share, number)
        yield add, lambda: float(bar.get_cum_steps())


@contextlib.contextmanager
def _mqdm(_: int, __: int) -> Iterator[Counting]:
    """Each worker has a bar of its own, drawn by the parent, as in the library's own examples."""
    from multiprocessing import util

    from rich.console import Console

    mqdm: Any = importlib.import_module("mqdm")
    runtime = mqdm.Runtime(backend_options={"console": Console(stderr=True)})
    enter = mqdm.Initializer(pool_mode="process", runtime=runtime)
    mine: Any = None

    def add() -> None:
        nonlocal mine
        if mine is None:
            enter()
            bar = mqdm.mqdm(desc="lines", runtime=runtime)
            # What it holds back goes to the parent while its queue is still open.
            util.Finalize(None, bar.close, exitpriority=20)
            mine = bar.advance
        mine()

    yield add, lambda: sum(task["completed"] for task in runtime.pbar.dump_tasks().values())
    runtime.clear_pbar(force=True)


def work(items: int, report: Callable[[], object] | None) -> None:
    """Split so many lines, and report each."""
    line, split = LINE, tokens
    if report is None:
        for _ in range(items):
            split(line)
        return
    for _ in range(items):
        split(line)
        report()


def _worker(gate: int, opener: int, items: int, report: Callable[[], object] | None) -> None:
    os.close(opener)
    os.read(gate, 1)  # until the other end is closed
    work(items, report)


def shares(items: int, workers: int) -> list[int]:
    """What each worker does, as even as it goes."""
    return [items // workers + (number < items % workers) for number in range(workers)]


METHODS = {
    "silent": _silent,
    "mp_tqdm": _ours,
    "value": _value,
    "distributed": _distributed,
    "manager": _manager_queue,
    "mqdm": _mqdm,
}


def run_forked(method: str, workers: int, items: int) -> tuple[float, float]:
    """Wall and processor time."""
    processor = processor_s()
    with METHODS[method](items, workers) as (report, total):
        gate, opener = os.pipe()
        crew = [
            _fork.Process(target=_worker, args=(gate, opener, share, report))
            for share in shares(items, workers)
        ]
        for process in crew:
            process.start()
        begin = time.perf_counter()
        os.close(opener)
        for process in crew:
            process.join()
        done = total()
        seconds = time.perf_counter() - begin
    _check(method, done, items)
    return seconds, processor_s() - processor


def run_ray(workers: int, items: int) -> tuple[float]:
    """The seconds with an actor of Ray that each report is sent to and waited for.

    Ray's processes are nobody's children: their processor time is not known. The first report of
    each worker is not timed.
    """
    ray: Any = importlib.import_module("ray")
    ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False)

    class Progress:
        def __init__(self) -> None:
            self.n = 0

        def update(self, n: int) -> None:
            self.n += n

        def total(self) -> int:
            return self.n

    class Worker:
        def work(self, items: int, progress: Any) -> None:
            work(items, lambda: ray.get(progress.update.remote(1)))

    progress = ray.remote(Progress).remote()
    crew = [ray.remote(Worker).remote() for _ in range(workers)]
    ray.get([worker.work.remote(1, progress) for worker in crew])  # all are there
    begin = time.perf_counter()
    ray.get(
        [
            worker.work.remote(share, progress)
            for worker, share in zip(crew, shares(items, workers), strict=True)
        ]
    )
    seconds = time.perf_counter() - begin
    done = ray.get(progress.total.remote()) - workers
    ray.shutdown()
    _check("ray", done, items)
    return (seconds,)


def _check(method: str, done: float, items: int) -> None:
    if done != items:
        sys.exit(f"{method}: {done} of {items} reports arrived")


def main() -> None:
    """Run one crew."""
    method, workers, items = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(*(run_ray(workers, items) if method == "ray" else run_forked(method, workers, items)))


if __name__ == "__main__":
    main()
