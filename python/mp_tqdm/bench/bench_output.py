"""What a bar writes from its start to its end, on a terminal and in a log, a second."""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

_SECONDS = 1.0

# The kernel's own count of what a process wrote, as (bytes, calls). The figure goes to standard
# output, which is no terminal; bars draw on standard error.
_LOOP = f"""
import os, sys, time

def written():
    with open("/proc/self/io") as file:
        lines = dict(line.split(": ") for line in file)
    return int(lines["wchar"]), int(lines["syscw"])

def loop(step):
    end = time.monotonic() + {_SECONDS}
    while time.monotonic() < end:
        time.sleep(0.001)
        step()

which = int(sys.argv[1])
before = written()
"""

# With the last line in it, which in a short log is the only one.
_END = f"""
os.write(1, str((written()[which] - before[which]) / {_SECONDS}).encode())
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
}
_PACKAGES = {"mp_tqdm": "mp-tqdm", "tqdm": "tqdm", "rich": "rich"}


def _written(source: str, which: int, *, in_log: bool) -> Callable[[int], float]:
    def run(_: int) -> float:
        command = [sys.executable, "-c", _LOOP + source + _END, str(which)]
        # Where it is no log, standard error is the terminal of `python -m mp_tqdm bench`.
        errors = subprocess.PIPE if in_log else None
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=True)
        return float(done.stdout)

    return run


def _suite(name: str, title: str, unit: str, which: int, *, in_log: bool) -> Suite:
    subjects = tuple(
        Subject(subject, _written(source, which, in_log=in_log), _PACKAGES[subject])
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
    )


SUITES = (
    _suite("terminal-bytes", "Written to a terminal", "bytes/s", 0, in_log=False),
    _suite("terminal-writes", "Writes to a terminal", "calls/s", 1, in_log=False),
    _suite("log-bytes", "Written to a log", "bytes/s", 0, in_log=True),
)
