"""64 workers that report 2,948,390 items one by one, beside workers that report nothing."""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

WORKERS = 64
ITEMS = 2_948_390


def _crew(method: str, part: int = 1) -> Callable[[int], float]:
    """Runs a crew over one in `part` of the items; the seconds are those for all of them."""

    def run(items: int) -> float:
        share = max(WORKERS, items // part)
        command = [sys.executable, "-m", "mp_tqdm.bench.crew", method, str(WORKERS), str(share)]
        printed = subprocess.check_output(command, text=True)
        return float(printed.splitlines()[-1]) * items / share  # Ray may print warnings before

    return run


SUITE = Suite(
    name="crew",
    title=f"{WORKERS} processes split {ITEMS:,} lines into tokens and report each: wall time",
    subjects=(
        Subject("silent", _crew("silent")),
        Subject("mp_tqdm report_progress()", _crew("mp_tqdm"), "mp-tqdm"),
        Subject("multiprocessing.Value, its lock", _crew("value")),
        Subject("progressBarDistributed", _crew("distributed"), "progressbardistributed"),
        Subject("Manager().Queue, from 1 item in 20", _crew("manager", 20), "tqdm"),
        Subject("Ray actor, awaited, from 1 item in 100", _crew("ray", 100), "ray", is_slow=True),
    ),
    baseline=None,
    ours="mp_tqdm report_progress()",
    unit="s",
    scale=ITEMS,
    repetitions=ITEMS,
    rounds=10,
    quick_repetitions=ITEMS // 50,
)
