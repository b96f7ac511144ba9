"""How long after its opening a program's first bar stands on the terminal."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

# Imports, says on a pipe when it opens the bar, and waits until the bar was seen.
_PROGRAM = """
import os, sys, time
{imports}
os.write(int(sys.argv[1]), b"%d" % time.monotonic_ns())
{opens}
sys.stdin.read()
"""
# For a program that shows nothing.
_PATIENCE_S = 10.0


def _seen(imports: str, opens: str) -> Callable[[int], float]:
    """Sums the seconds from the opening to the first bytes, each time in a process of its own."""
    program = _PROGRAM.format(imports=imports, opens=opens)

    def run(count: int) -> float:
        return sum(_first_bytes(program) for _ in range(count))

    return run


def _first_bytes(program: str) -> float:
    terminal, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    told, tells = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tells)],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[tells],
    )
    try:
        if not select.select([terminal], [], [], _PATIENCE_S)[0]:
            raise RuntimeError(f"no frame within {_PATIENCE_S:g} s")
        seen_ns = time.monotonic_ns()
        return (seen_ns - int(os.read(told, 32))) * 1e-9
    finally:
        process.kill()
        process.communicate()
        for descriptor in (terminal, theirs, told, tells):
            os.close(descriptor)


SUITE = Suite(
    name="first-frame",
    title="From the opening of a program's first bar to its first bytes on the terminal",
    subjects=(
        Subject(
            "mp_tqdm", _seen("from mp_tqdm import mp_tqdm", "bar = mp_tqdm(total=10)"), "mp-tqdm"
        ),
        Subject(
            "barflow",
            _seen("from barflow import Progress", "bar = Progress(total=10).__enter__()"),
            "barflow",
        ),
        Subject("tqdm", _seen("from tqdm import tqdm", "bar = tqdm(total=10)"), "tqdm"),
        Subject(
            "rich",
            _seen(
                "from rich.progress import Progress",
                "bar = Progress(); bar.start(); bar.add_task('', total=10)",
            ),
            "rich",
        ),
    ),
    baseline=None,
    ours="mp_tqdm",
    unit="ms",
    scale=1e3,
    repetitions=3,
    quick_repetitions=1,
)
