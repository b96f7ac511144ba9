"""What a bar writes from its start to its end, on a terminal and in a log."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

from mp_tqdm.bench.subject import Subject, Suite

# The kernel's own count of what a process wrote, as (bytes, calls). The figure goes to standard
# output, which is no terminal; bars draw on standard error.
_LOOP = """
import os, sys, time

def written():
    with open("/proc/self/io") as file:
        lines = dict(line.split(": ") for line in file)
    return int(lines["wchar"]), int(lines["syscw"])

which, seconds = int(sys.argv[1]), int(sys.argv[2])

def loop(step):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.001)
        step()

before = written()
"""

# With the last line in it, which in a short log is the only one.
_END = """
os.write(1, str(written()[which] - before[which]).encode())
"""

_PROGRAMS = {
    "mp_tqdm": """
from mp_tqdm import mp_tqdm
with mp_tqdm(total=10**6, desc="train") as bar:
    loop(bar.update)
""",
    "tqdm": """
from tqdm import tqdm
with tqdm(total=10**6, desc="train") as bar:
    loop(bar.update)
""",
    "rich": """
from rich.console import Console
from rich.progress import Progress
with Progress(console=Console(stderr=True)) as progress:
    task = progress.add_task("train", total=10**6)
    loop(lambda: progress.advance(task))
""",
    "progressbar2": """
from progressbar import ProgressBar
with ProgressBar(max_value=10**6, prefix="train") as bar:
    loop(bar.increment)
""",
    "enlighten": """
import enlighten
with enlighten.get_manager(stream=sys.stderr) as manager:
    with manager.counter(total=10**6, desc="train") as bar:
        loop(bar.update)
""",
    "alive-progress": """
from alive_progress import alive_bar
with alive_bar(10**6, title="train", file=sys.stderr) as bar:
    loop(bar)
""",
}
_PACKAGES = {name: name.replace("_", "-") for name in _PROGRAMS}


def _written(source: str, which: int, *, in_log: bool) -> Callable[[int], float]:
    def run(seconds: int) -> float:
        command = [sys.executable, "-c", _LOOP + source + _END, str(which), str(seconds)]
        # Where it is no log, standard error is the terminal of `python -m mp_tqdm bench`.
        errors = subprocess.PIPE if in_log else None
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=True)
        return float(done.stdout)

    return run


def _suite(
    name: str, title: str, unit: str, which: int, *, in_log: bool, is_slow: bool = False
) -> Suite:
    subjects = tuple(
        Subject(subject, _written(source, which, in_log=in_log), _PACKAGES[subject], is_slow)
        for subject, source in _PROGRAMS.items()
    )
    return Suite(
        name=name,
        title=title,
        subjects=subjects,
        baseline=None,
        ours="mp_tqdm",
        unit=unit,
        scale=1,
        repetitions=1,
        rounds=10,
        is_idle=True,
    )


SUITES = (
    _suite("terminal-bytes", "Written to a terminal in one second", "bytes/s", 0, in_log=False),
    _suite("terminal-writes", "Writes to a terminal in one second", "calls/s", 1, in_log=False),
    _suite("log-bytes", "Written to a log by a run of one second", "bytes", 0, in_log=True),
    _suite(
        "log-writes",
        "Writes to a log by a run of one second",
        "calls",
        1,
        in_log=True,
        is_slow=True,
    ),
    # Two minutes. Our lines come ever further apart: an hour has fewer.
    replace(
        _suite(
            "log-hour",
            "An hour's log, by the pace of its beginning",
            "KiB/h",
            0,
            in_log=True,
            is_slow=True,
        ),
        scale=3600 / 1024,
        repetitions=120,
        rounds=1,
    ),
)
