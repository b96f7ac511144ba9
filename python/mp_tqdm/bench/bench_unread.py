"""A terminal that nobody reads: what it costs a loop, and how it holds up the end of a program.

It is full when the loop begins, or before the bars close; three seconds later it is read. Who waits
for it takes so long.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

from mp_tqdm.bench.estimate import Sample, slow_down
from mp_tqdm.bench.subject import Subject, Suite

PATIENCE_S = 3.0
# How long a program takes at most until its terminal is full.
_START_LIMIT_S = 30.0

# Of some 12 microseconds each.
ITEMS = 20_000

_FILL = """
import os, sys, time

def fill():
    # By an open file of its own: whether it blocks is none of the bars'. The kernel moves what it
    # took on to another buffer, and has room again.
    terminal = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    has_room = True
    while has_room:
        has_room = False
        try:
            while True:
                os.write(terminal, b".")
                has_room = True
        except BlockingIOError:
            time.sleep(0.02)
    os.close(terminal)
    os.write(1, b"\\n")

def tell(number):
    os.write(1, str(number).encode())
"""

# From the first item to the last; the end of a bar belongs to the other suite.
_LOOP = (
    _FILL
    + """
def items():
    fill()
    begin = time.perf_counter()
    yield from range(int(sys.argv[1]))
    tell(time.perf_counter() - begin)

def loop(items):
    for _ in items:
        # What makes many objects is faster or slower by some percent with what was imported before.
        "".join(["x"] * 2000)
"""
)
_LOOPS = {
    "no bar": "loop(items())",
    "mp_tqdm": """
from mp_tqdm import mp_tqdm
loop(mp_tqdm(items(), total=int(sys.argv[1])))
""",
    "tqdm": """
from tqdm import tqdm
loop(tqdm(items(), total=int(sys.argv[1])))
""",
    "rich": """
from rich.console import Console
from rich.progress import Progress
with Progress(console=Console(stderr=True)) as progress:
    loop(progress.track(items(), total=int(sys.argv[1])))
""",
}

# Frames have been drawn and seen when the terminal gets full.
_END = (
    _FILL
    + """
def run(steps):
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        for step in steps:
            step()
        time.sleep(0.01)
    fill()
    tell(time.monotonic())
"""
)
_ENDS = {
    "no bar": "run([])",
    "mp_tqdm": """
from mp_tqdm import mp_tqdm
with mp_tqdm(total=1000) as bar:
    run([bar.update])
""",
    "mp_tqdm, 20 bars": """
from mp_tqdm import mp_tqdm
bars = [mp_tqdm(total=1000, desc=f"bar {number}") for number in range(20)]
run([bar.update for bar in bars])
for bar in bars:
    bar.close()
""",
    "tqdm": """
from tqdm import tqdm
with tqdm(total=1000) as bar:
    run([bar.update])
""",
    "rich": """
from rich.console import Console
from rich.progress import Progress
with Progress(console=Console(stderr=True)) as progress:
    task = progress.add_task("bar", total=1000)
    run([lambda: progress.advance(task)])
""",
}
_PACKAGES = {"mp_tqdm": "mp-tqdm", "mp_tqdm, 20 bars": "mp-tqdm", "tqdm": "tqdm", "rich": "rich"}


def told(source: str, *arguments: str) -> tuple[float, float]:
    """Run a program on such a terminal, which is read `PATIENCE_S` after the program filled it.

    Returns:
        The number that it told, and when it ended, on the clock of `time.monotonic`.
    """
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    program = subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    assert program.stdout is not None
    output = program.stdout.fileno()
    # One that waits for the terminal before it has filled it would do so for ever.
    full, said = time.monotonic() + _START_LIMIT_S, b""
    try:
        while True:
            is_read = time.monotonic() > full + PATIENCE_S
            sources = [output, master] if is_read else [output]
            ready, _, _ = select.select(sources, [], [], 0.1)
            if output in ready:
                data = os.read(output, 1 << 16)
                if not data:
                    return float(said), time.monotonic()
                # The first that it says is that the terminal is full.
                full = min(full, time.monotonic())
                said += data
            elif ready:
                with contextlib.suppress(OSError):  # the program has closed it, and will end
                    os.read(master, 1 << 16)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
        program.stdout.close()
        os.close(master)


def _looped(source: str) -> Callable[[int], tuple[float]]:
    # A wall time alone: whoever waits takes no processor.
    return lambda items: (told(_LOOP + source, str(items))[0],)


def _ended(source: str) -> Callable[[int], float]:
    def run(times: int) -> float:
        taken = 0.0
        for _ in range(times):
            last_item, end = told(_END + source)
            taken += end - last_item
        return taken

    return run


def _subjects(
    programs: dict[str, str], timed: Callable[[str], Callable[[int], Sample]]
) -> tuple[Subject, ...]:
    subjects = []
    for name, source in programs.items():
        package = _PACKAGES.get(name)
        # Who waits for the terminal takes seconds each time.
        waits = package not in {None, "mp-tqdm"}
        rounds = 5 if waits else None
        subjects.append(Subject(name, timed(source), package, is_slow=waits, rounds=rounds))
    return tuple(subjects)


UNREAD_SUITE = Suite(
    name="unread",
    title="A loop beside a terminal that nobody reads for three seconds, and how much longer it is",
    subjects=_subjects(_LOOPS, _looped),
    baseline="no bar",
    ours="mp_tqdm",
    unit="s",
    scale=ITEMS,
    repetitions=ITEMS,
    summary=slow_down,
)

EXIT_SUITE = Suite(
    name="exit",
    title="From the last item to the end of the process, on a terminal that nobody reads",
    subjects=_subjects(_ENDS, _ended),
    baseline=None,
    ours="mp_tqdm",
    unit="ms",
    scale=1e3,
    repetitions=1,
    rounds=10,
)
