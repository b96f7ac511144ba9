"""What an open bar adds to the resident memory of a process, and the size of its segment."""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

# Written to the descriptor: while rich draws, what is printed goes through its console.
_RESIDENT = """
import os
with open("/proc/self/status") as status:
    resident = next(line.split()[1] for line in status if line.startswith("VmRSS"))
os.write(1, resident.encode())
"""

# The segment is the file of that name that this process has open.
_SEGMENT = """
import glob, os
sizes = {}
for descriptor in os.listdir("/proc/self/fd"):
    try:
        status = os.stat(int(descriptor))
    except OSError:
        continue
    sizes[status.st_dev, status.st_ino] = status.st_size
size = 0
for path in glob.glob("/dev/shm/mp_tqdm-*"):
    try:
        segment = os.stat(path)
    except FileNotFoundError:
        continue  # of another job, which has ended
    size += sizes.get((segment.st_dev, segment.st_ino), 0)
os.write(1, str(size / 1024).encode())
"""


def _kib(source: str, looked_at: str) -> Callable[[int], float]:
    """Run a program that has looped and has its bar still open; return what it then prints."""

    def run(_: int) -> float:
        printed = subprocess.check_output([sys.executable, "-c", source + looked_at], text=True)
        return float(printed)

    return run


_NOTHING = "for _ in range(100_000): pass\n"
_OURS = """
from mp_tqdm import mp_tqdm
bar = mp_tqdm(total=100_001)
for _ in range(100_000): bar.update()
"""
_TQDM = """
from tqdm import tqdm
bar = tqdm(total=100_001)
for _ in range(100_000): bar.update()
"""
_RICH = """
from rich.console import Console
from rich.progress import Progress
progress = Progress(console=Console(stderr=True))
progress.start()
task = progress.add_task("", total=100_001)
for _ in range(10_000): progress.advance(task, 10)
"""
_PROGRESSBAR = """
from progressbar import ProgressBar
bar = ProgressBar(max_value=100_001).start()
for _ in range(10_000): bar.increment(10)
"""
_ENLIGHTEN = """
import enlighten
bar = enlighten.get_manager().counter(total=100_001)
for _ in range(10_000): bar.update(10)
"""
_ALIVE = """
from alive_progress import alive_bar
import sys
context = alive_bar(100_001, file=sys.stderr)
bar = context.__enter__()
for _ in range(10_000): bar(10)
"""

SUITE = Suite(
    name="memory",
    title="Resident memory with a bar open, above bare Python",
    subjects=(
        Subject("bare Python", _kib(_NOTHING, _RESIDENT)),
        Subject("mp_tqdm", _kib(_OURS, _RESIDENT), "mp-tqdm"),
        Subject("progressbar2", _kib(_PROGRESSBAR, _RESIDENT), "progressbar2"),
        Subject("enlighten", _kib(_ENLIGHTEN, _RESIDENT), "enlighten"),
        Subject("alive-progress", _kib(_ALIVE, _RESIDENT), "alive-progress"),
        Subject("tqdm", _kib(_TQDM, _RESIDENT), "tqdm"),
        Subject("rich", _kib(_RICH, _RESIDENT), "rich"),
    ),
    baseline="bare Python",
    ours="mp_tqdm",
    unit="KiB",
    scale=1,
    repetitions=1,
)

SEGMENT_SUITE = Suite(
    name="segment",
    title="Shared memory of a job with one bar",
    subjects=(Subject("mp_tqdm", _kib(_OURS, _SEGMENT), "mp-tqdm"),),
    baseline=None,
    ours="mp_tqdm",
    unit="KiB",
    scale=1,
    repetitions=1,
    rounds=10,
)
