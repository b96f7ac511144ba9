"""What passes through `python -m mp_tqdm pipe`, through that of tqdm, and through `cat`.

Lines of 64 bytes go in by one pipe and come out by another. The time is that from the moment when
the program reads to that when its last byte has come out: its start and its end are left out.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite

# What a pipe holds: the first one is written at once, the second when the program reads.
_BLOCK = (b"x" * 63 + b"\n") * 1024
_BLOCKS_IN_MIB = (1 << 20) // len(_BLOCK)

MEBIBYTES = 64


class _Feeder(threading.Thread):
    """Writes so many blocks into a pipe, and closes it."""

    def __init__(self, pipe: int, blocks: int) -> None:
        super().__init__()
        self._pipe = pipe
        self._blocks = blocks
        self.begin_s = 0.0

    def run(self) -> None:
        try:
            for number in range(self._blocks):
                left = memoryview(_BLOCK)
                while left:
                    left = left[os.write(self._pipe, left) :]
                if number == 1:
                    self.begin_s = time.perf_counter()
        except BrokenPipeError:
            pass  # what came out is too little then
        finally:
            os.close(self._pipe)


def through(command: list[str], mebibytes: int) -> float:
    """Seconds that so much takes through a program whose bar is on standard error.

    Raises:
        RuntimeError: Something else came out than what went in.
    """
    expected = mebibytes * _BLOCKS_IN_MIB * len(_BLOCK)
    source, sink = os.pipe()
    with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE) as program:
        os.close(source)
        feeder = _Feeder(sink, mebibytes * _BLOCKS_IN_MIB)
        feeder.start()
        assert program.stdout is not None
        output, passed, end = program.stdout.fileno(), 0, 0.0
        while portion := os.read(output, len(_BLOCK)):
            passed += len(portion)
            end = time.perf_counter()
        feeder.join()
    if program.returncode or passed != expected:
        raise RuntimeError(f"{passed} of {expected} bytes passed, exit code {program.returncode}")
    return end - feeder.begin_s


def _through(*command: str) -> Callable[[int], float]:
    return lambda mebibytes: through(list(command), mebibytes)


_OURS = sys.executable, "-m", "mp_tqdm", "pipe"
_TQDM = sys.executable, "-m", "tqdm"
# By default tqdm reads 256 bytes at a time; `cat` reads so many.
_LARGE = "--buf-size=131072"

SUITE = Suite(
    name="pipe",
    title="A gibibyte of lines of 64 bytes through a pipe",
    subjects=(
        Subject("floor: cat", _through("cat")),
        Subject("mp_tqdm pipe", _through(*_OURS), "mp-tqdm"),
        Subject("tqdm", _through(*_TQDM), "tqdm"),
        Subject("mp_tqdm pipe --bytes", _through(*_OURS, "--bytes"), "mp-tqdm"),
        Subject("tqdm --bytes", _through(*_TQDM, "--bytes"), "tqdm"),
        Subject("tqdm --bytes, portions of 128 KiB", _through(*_TQDM, "--bytes", _LARGE), "tqdm"),
    ),
    baseline=None,
    floor="floor: cat",
    ours="mp_tqdm pipe",
    unit="s",
    scale=1024,
    repetitions=MEBIBYTES,
    rounds=20,
    quick_repetitions=8,
)
