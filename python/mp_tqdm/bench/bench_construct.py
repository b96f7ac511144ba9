"""Opening and closing a bar, as a loop within a loop does for each of its rounds."""

import io
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

from mp_tqdm.bench.bench_update import empty_loop
from mp_tqdm.bench.subject import Subject, Suite, fresh


def _opened(package: str, **options: Any) -> Callable[[int], float]:
    """Opens and closes bars of a package's class `tqdm`."""

    def loop(count: int, bar: Callable[..., Any], options: dict[str, Any]) -> float:
        begin = time.perf_counter()
        for _ in repeat(None, count):
            bar(total=10, **options).close()
        return time.perf_counter() - begin

    own_loop = fresh(loop)

    def run(count: int) -> float:
        bar = getattr(__import__(package), "tqdm")  # noqa: B009 - both have it, and no type says so
        file = {"file": io.StringIO()} if options.get("file") == "memory" else {}
        return own_loop(count, bar, {**options, **file})

    return run


SUITE = Suite(
    name="construct",
    title="Opening a bar and closing it, above the empty loop",
    subjects=(
        Subject("empty loop", fresh(empty_loop)),
        Subject("mp_tqdm, leave=False", _opened("mp_tqdm", leave=False), "mp-tqdm"),
        Subject("tqdm, leave=False", _opened("tqdm", leave=False), "tqdm"),
        Subject("mp_tqdm in memory", _opened("mp_tqdm", file="memory"), "mp-tqdm"),
        Subject("tqdm in memory", _opened("tqdm", file="memory"), "tqdm"),
        Subject("mp_tqdm, disable=True", _opened("mp_tqdm", disable=True), "mp-tqdm"),
        Subject("tqdm, disable=True", _opened("tqdm", disable=True), "tqdm"),
    ),
    baseline="empty loop",
    ours="mp_tqdm, leave=False",
    unit="us",
    scale=1e6,
)
