"""Processes that do nothing but report, in one of the ways of a crew.

    python -m mp_tqdm.bench.reporters METHOD PROCESSES COUNT

Prints the seconds of processor time that the reports of one process took, the median of all, and
fails if they do not add up. What another process does with a report is not in it.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from itertools import repeat
from typing import TYPE_CHECKING

from mp_tqdm.bench.crew import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable


def _timed_empty(count: int) -> int:
    begin = time.process_time_ns()
    for _ in repeat(None, count):
        pass
    return time.process_time_ns() - begin


def _timed(count: int, report: Callable[[], object]) -> int:
    begin = time.process_time_ns()
    for _ in repeat(None, count):
        report()
    return time.process_time_ns() - begin


def run(method: str, processes: int, count: int) -> float:
    """Each process times its own loop with its own clock, and takes off the loop without a call."""
    total = processes * (count + 1)
    with METHODS[method](total, processes) as (report, reported):
        gate, opener = os.pipe()
        results, sink = os.pipe()
        for _ in range(processes):
            if os.fork() == 0:
                os.close(opener)
                report()  # the first one is dearer
                os.read(gate, 1)  # until the other end is closed
                os.write(sink, struct.pack("q", _timed(count, report) - _timed_empty(count)))
                os._exit(0)
        os.close(opener)
        for _ in range(processes):
            os.wait()
        costs = sorted(struct.unpack(f"{processes}q", os.read(results, 8 * processes)))
        done = reported()
    if done != total:
        sys.exit(f"{method}: {done} of {total} reports arrived")
    return float(costs[processes // 2] / 1e9)


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
