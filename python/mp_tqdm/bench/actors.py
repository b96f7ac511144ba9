"""An actor of Ray that reports, in one of the ways that Ray has.

    python -m mp_tqdm.bench.actors METHOD COUNT

Prints the seconds that so many reports took in the actor, and fails if those to another actor do
not add up.
"""

from __future__ import annotations

import importlib
import sys
import time
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 60.0


class Counter:
    """The actor that reports are sent to."""

    def __init__(self) -> None:
        self._n = 0

    def add(self) -> None:
        """Count one."""
        self._n += 1

    def total(self) -> int:
        """How many were counted."""
        return self._n


class Reporter:
    """The actor that reports."""

    def timed(self, method: str, count: int, counter: Any) -> float:
        """Seconds of so many reports."""
        if method == "empty":
            return _timed_empty(count)
        if method == "tqdm_ray":
            bar = importlib.import_module("ray.experimental.tqdm_ray").tqdm(total=count)
            seconds = _timed(count, bar.update)
            bar.close()
            return seconds
        if method == "sent":
            return _timed(count, counter.add.remote)
        ray = importlib.import_module("ray")
        return _timed(count, lambda: ray.get(counter.add.remote()))


def _timed_empty(count: int) -> float:
    begin = time.perf_counter()
    for _ in repeat(None, count):
        pass
    return time.perf_counter() - begin


def _timed(count: int, report: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in repeat(None, count):
        report()
    return time.perf_counter() - begin


def _await(expected: int, total: Callable[[], int]) -> None:
    """Waits for reports that were sent before the question, and may arrive behind it."""
    give_up = time.monotonic() + _PATIENCE_S
    while (done := total()) < expected and time.monotonic() < give_up:
        time.sleep(0.01)
    if done != expected:
        sys.exit(f"{done} of {expected} reports arrived")


def run(method: str, count: int) -> float:
    """Start Ray, let the actor report, once before the clock runs, and end Ray."""
    ray: Any = importlib.import_module("ray")
    ray.init(num_cpus=2, include_dashboard=False)
    counter = ray.remote(Counter).remote()
    reporter = ray.remote(Reporter).remote()
    ray.get(reporter.timed.remote(method, 1, counter))
    seconds = float(ray.get(reporter.timed.remote(method, count, counter)))
    if method in {"sent", "awaited"}:
        _await(count + 1, lambda: int(ray.get(counter.total.remote())))
    ray.shutdown()
    return seconds


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2])))
