"""What importing the package adds to the start of Python."""

import subprocess
import sys
import time
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite


def _started(statement: str) -> Callable[[int], float]:
    """Time whole runs of Python with that one statement, each in a process of its own."""

    def run(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - begin

    return run


SUITE = Suite(
    name="import",
    title="The import, above the start of bare Python",
    subjects=(
        Subject("bare Python", _started("pass")),
        Subject("mp_tqdm", _started("from mp_tqdm import mp_tqdm"), "mp-tqdm"),
        Subject("barflow", _started("from barflow import track"), "barflow"),
        Subject("progressbar2", _started("import progressbar"), "progressbar2"),
        Subject("alive-progress", _started("import alive_progress"), "alive-progress"),
        Subject("enlighten", _started("import enlighten"), "enlighten"),
        Subject(
            "progressBarDistributed",
            _started("import progressBarDistributed"),
            "progressbardistributed",
        ),
        Subject("rich", _started("import rich.progress"), "rich"),
        Subject("tqdm", _started("from tqdm import tqdm"), "tqdm"),
    ),
    baseline="bare Python",
    ours="mp_tqdm",
    unit="ms",
    scale=1e3,
    repetitions=3,
    quick_repetitions=1,
)
