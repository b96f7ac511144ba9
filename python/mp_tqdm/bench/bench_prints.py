"""What a printed line costs beside a live bar, and how many bytes are written for it.

Without the peers that hold a text back until their bar moves (progressbar2).
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from mp_tqdm.bench.subject import Subject, Suite, fresh

Print = Callable[[str], object]
Beside = Callable[[Callable[[Print], float]], float]

LINE = "a line of 50 characters, as programs print them..."


def _no_bar(measured: Callable[[Print], float]) -> float:
    return measured(print)


def _mp_tqdm(measured: Callable[[Print], float]) -> float:
    from mp_tqdm import mp_tqdm

    with mp_tqdm(total=100, desc="work"):
        return measured(print)


def _mp_tqdm_write(measured: Callable[[Print], float]) -> float:
    from mp_tqdm import mp_tqdm

    with mp_tqdm(total=100, desc="work"):
        return measured(mp_tqdm.write)


def _tqdm_write(measured: Callable[[Print], float]) -> float:
    from tqdm import tqdm

    with tqdm(total=100, desc="work"):
        return measured(tqdm.write)


def _rich(measured: Callable[[Print], float]) -> float:
    from rich.progress import Progress

    with Progress() as progress:
        progress.add_task("work", total=100)
        return measured(print)


def _alive_progress(measured: Callable[[Print], float]) -> float:
    from alive_progress import alive_bar

    with alive_bar(100, title="work"):
        return measured(print)


def _mqdm_print(measured: Callable[[Print], float]) -> float:
    mqdm: Any = importlib.import_module("mqdm")
    with mqdm.mqdm(total=100, desc="work"):
        return measured(mqdm.print)


def _time(put: Print, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        put(LINE)
    return time.perf_counter() - begin


def _written() -> int:
    # The kernel's count for this process; reading it writes nothing.
    with open("/proc/self/io") as file:
        return int(dict(line.split(": ") for line in file)["wchar"])


def _bytes(put: Print, count: int) -> float:
    before = _written()
    for _ in range(count):
        put(LINE)
    return float(_written() - before)


_SUBJECTS: dict[str, tuple[Beside, str | None]] = {
    "print, no bar": (_no_bar, None),
    "mp_tqdm: print": (_mp_tqdm, "mp-tqdm"),
    "mp_tqdm.write": (_mp_tqdm_write, "mp-tqdm"),
    "tqdm.write": (_tqdm_write, "tqdm"),
    "rich: print": (_rich, "rich"),
    "mqdm.print": (_mqdm_print, "mqdm"),
    "alive-progress: print": (_alive_progress, "alive-progress"),
}


def _measured(beside: Beside, measure: Callable[[Print, int], float]) -> Callable[[int], float]:
    def run(count: int) -> float:
        loop = fresh(measure)
        return beside(lambda put: loop(put, count))

    return run


def _suite(
    name: str, title: str, unit: str, scale: float, measure: Callable[[Print, int], float]
) -> Suite:
    return Suite(
        name=name,
        title=title,
        subjects=tuple(
            Subject(subject, _measured(beside, measure), package)
            for subject, (beside, package) in _SUBJECTS.items()
        ),
        baseline=None,
        ours="mp_tqdm: print",
        unit=unit,
        scale=scale,
        repetitions=2000,
        rounds=20,
        quick_repetitions=500,
    )


SUITES = (
    _suite("prints", "A printed line beside a live bar", "µs", 1e6, _time),
    _suite("print-bytes", f"Written for a printed line of {len(LINE)} bytes", "bytes", 1, _bytes),
)
