"""64 workers that report 2,948,390 items one by one, beside workers that report nothing.

A round does a part of the items, so that many rounds fit into some minutes and each is near in
time to the silent one that it is compared with. What a process costs once, however many items it
does, is known from a second run in which each does one: it is counted once.
"""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.estimate import Sample, slow_down
from mp_tqdm.bench.subject import Subject, Suite

WORKERS = 64
ITEMS = 2_948_390


def _crew(method: str, part: int) -> Callable[[int], Sample]:
    """Runs a crew over one in `part` of the items; the times are those for all of them."""

    def run(items: int) -> Sample:
        share = max(2 * WORKERS, items // part)
        pairs = zip(_times(method, share), _times(method, WORKERS), strict=True)
        more = (items - WORKERS) / (share - WORKERS)
        return tuple(once + (time - once) * more for time, once in pairs)

    return run


def _ray(part: int) -> Callable[[int], Sample]:
    """As above; what Ray costs once is not in its time."""

    def run(items: int) -> Sample:
        share = max(WORKERS, items // part)
        return tuple(time * items / share for time in _times("ray", share))

    return run


def _times(method: str, items: int) -> list[float]:
    command = [sys.executable, "-m", "mp_tqdm.bench.crew", method, str(WORKERS), str(items)]
    printed = subprocess.check_output(command, text=True)
    return [float(time) for time in printed.splitlines()[-1].split()]  # Ray may warn before


SUITE = Suite(
    name="crew",
    title=f"{WORKERS} processes split {ITEMS:,} lines into tokens, and how much more with reports",
    subjects=(
        Subject("silent", _crew("silent", 5)),
        Subject("mp_tqdm report_progress()", _crew("mp_tqdm", 5), "mp-tqdm"),
        Subject("multiprocessing.Value, its lock", _crew("value", 5)),
        Subject("progressBarDistributed", _crew("distributed", 5), "progressbardistributed"),
        Subject("mqdm, a bar in each worker", _crew("mqdm", 5), "mqdm"),
        Subject("Manager().Queue, from 1 item in 100", _crew("manager", 100), "tqdm", rounds=10),
        Subject("Ray actor, awaited, from 1 item in 1,000", _ray(1_000), "ray", True, 3),
    ),
    baseline="silent",
    ours="mp_tqdm report_progress()",
    unit="s",
    scale=ITEMS,
    repetitions=ITEMS,
    rounds=30,
    quick_repetitions=ITEMS // 10,
    summary=slow_down,
)
