"""What counting costs each of many processes, drawing the owner, and a fork the program."""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

# `schedstat` counts a thread's nanoseconds on a processor.
_OWNER = """
import os, sys, time
from pathlib import Path
from mp_tqdm import mp_tqdm, report_progress
processes, count = int(sys.argv[1]), int(sys.argv[2])

def on_processor_s():
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith("mp-tqdm"):
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    raise SystemExit("no renderer")

with mp_tqdm(total=100_000_000, desc="job") as bar:
    gate, opener = os.pipe()
    for _ in range(processes):
        if os.fork() == 0:
            os.close(opener)
            while os.getppid() != 1:
                report_progress()
                time.sleep(0.02)
            os._exit(0)
    time.sleep(1)
    begin, busy_s = time.monotonic(), on_processor_s()
    time.sleep(count)
    busy_s, seconds = on_processor_s() - busy_s, time.monotonic() - begin
    os.write(1, str(100 * busy_s / seconds).encode())
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
"""

_OUR_BAR = "from mp_tqdm import mp_tqdm; bar = mp_tqdm(total=9)"
_TQDM_BAR = "from tqdm import tqdm; bar = tqdm(total=9)"

_FORKS = """
import os, sys, time
count = int(sys.argv[1])
{bar}
time.sleep(0.2)
begin = time.perf_counter()
for _ in range(count):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
seconds = time.perf_counter() - begin
os.write(1, str(seconds).encode())
"""


def _printed(source: str, *arguments: object) -> float:
    """What a program prints that runs in a session of its own."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
    return float(printed)


def _reporters(method: str, processes: int, part: int = 1) -> Callable[[int], float]:
    """One in `part` of the reports; the seconds are those for all of them."""

    def run(count: int) -> float:
        share = max(10, count // part)
        command = [sys.executable, "-m", "mp_tqdm.bench.reporters", method, str(processes)]
        printed = subprocess.check_output([*command, str(share)], text=True)
        return float(printed) * count / share

    return run


def _owner(processes: int) -> Callable[[int], float]:
    return lambda seconds: _printed(_OWNER, processes, seconds) * seconds


def _forks(bar: str) -> Callable[[int], float]:
    return lambda count: _printed(_FORKS.format(bar=bar), count)


PROCESSES = (1, 2, 8, 64)


# Ways to report: how they are called, the method, and which part of the reports the slower ones do.
WAYS = (
    ("mp_tqdm", "mp_tqdm", 1, "mp-tqdm"),
    ("progressBarDistributed", "distributed", 20, "progressbardistributed"),
    ("multiprocessing.Value, its lock", "value", 20, None),
    ("Manager().Queue", "manager", 4000, "tqdm"),
)


def by(name: str, processes: int) -> str:
    """How the subject is called that reports in this way, in so many processes."""
    return f"{name}, {processes} process{'es' * (processes > 1)}"


SUITE = Suite(
    name="processes",
    title="One report in each of so many processes, processor time above the empty loop",
    subjects=tuple(
        Subject(by(name, processes), _reporters(method, processes, part), package)
        for name, method, part, package in WAYS
        for processes in PROCESSES
    ),
    baseline=None,
    ours=by("mp_tqdm", 1),
    repetitions=1_000_000,
    rounds=10,
    quick_repetitions=50_000,
)

OWNER_SUITE = Suite(
    name="owner",
    title="The renderer at ten frames a second, of one core",
    subjects=tuple(
        Subject(f"{processes} live process{'es' * (processes > 1)}", _owner(processes), "mp-tqdm")
        for processes in (1, 64)
    ),
    baseline=None,
    ours="64 live processes",
    unit="%",
    scale=1,
    repetitions=3,
    rounds=10,
    quick_repetitions=1,
)

FORK_SUITE = Suite(
    name="fork",
    title="A fork and the end of its child, with a live bar, above the same without",
    subjects=(
        Subject("no bar", _forks("")),
        Subject("mp_tqdm", _forks(_OUR_BAR), "mp-tqdm"),
        Subject("tqdm", _forks(_TQDM_BAR), "tqdm"),
    ),
    baseline="no bar",
    ours="mp_tqdm",
    unit="ms",
    scale=1e3,
    repetitions=100,
)
