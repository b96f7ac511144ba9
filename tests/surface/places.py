"""The same programs on a terminal and in a file, in a process of their own.

Run as `places.py PLACE COUNT SEED`, with `terminal` or `log` as the place.

There the renderer's thread draws, and time is real: what depends on it is not compared.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import sys
import tempfile
import termios
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from tqdm import tqdm as their_tqdm

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from mp_tqdm import mp_tqdm
from support.screen import Screen
from surface.compare import Outcome, difference, end, outcome
from surface.operations import programs
from surface.world import World

if TYPE_CHECKING:
    from typing_extensions import Self

    from surface.world import Step

ROWS, COLUMNS = 60, 120
# What is of time, or of the screen, that the renderer asks at each frame.
TIMED = {"last_print_n", "last_print_t", "start_t", "miniters", "format_dict"}
TIMED |= {"ncols", "nrows", "pos"}
# The words of programs whose lines are not compared.
NOT_SHOWN = ("rate", "eta", "elapsed", "leave", "delay", "'write'", "'outside'", "nrows", "pos")
# What moves the cursor, or writes past the renderer; a bar whose frames come when time says so.
NOT_SHOWN += ("'moveto'", "'display'", "'sp'", "'printer'", "'wrapattr'", "'disable', True)")
TIMES = re.compile(r"\[(?:\d+:)?\d\d:\d\d(?:<[^,]*)?,[^,\]]*")
COLOURS = re.compile(r"\x1b\[[\d;]*m")
BAR = re.compile(r"\|[^|]*\|")


class Place:
    """A terminal, or a file, that a program draws on; use it as a context manager."""

    def __init__(self, kind: str) -> None:
        self._is_terminal = kind == "terminal"
        self._read = b""

    def __enter__(self) -> Self:
        if self._is_terminal:
            self._master, slave = os.openpty()
            size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
            os.set_blocking(self._master, False)
        else:
            slave, self._path = tempfile.mkstemp()
        self.file = io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(slave, "w")), encoding="utf-8", write_through=True
        )
        self._stderr, sys.stderr = sys.stderr, self.file
        return self

    def __exit__(self, *_error: object) -> None:
        sys.stderr = self._stderr
        self.file.close()
        if self._is_terminal:
            os.close(self._master)
        else:
            os.unlink(self._path)

    def drain(self) -> None:
        """Reads what was written to the terminal."""
        while self._is_terminal:
            try:
                self._read += os.read(self._master, 1 << 16)
            except BlockingIOError:
                return

    def lines(self) -> list[str]:
        """What is to be read in the end, without times and bars; in a file the last frames."""
        self.drain()
        if self._is_terminal:
            screen = Screen(ROWS, COLUMNS)
            screen.feed(self._read)
            lines = screen.lines()
        else:
            text = Path(self._path).read_bytes().decode()
            frames = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
            # Between the first and the last line a log may have more, by its schedule.
            lines = [line for line in frames if line.strip()][-1:]
        return [masked(line) for line in lines if line.strip()]


def masked(text: Any) -> Any:
    """A line without what depends on time, its colours, and the word for an exception."""
    if not isinstance(text, str):
        return text
    return BAR.sub("|...|", TIMES.sub("[...", COLOURS.sub("", text))).replace(", failed", "")


def untimed(step: Step, what: Outcome) -> Outcome:
    """What came of a step, without what depends on time."""
    for bar in what.bars.values():
        bar.pop("pos", None)  # the renderer places its lines by itself
    if step[0] == "call" and step[2] in {"update", "display"}:
        return what._replace(value=None)
    if step[0] == "get" and step[2] in TIMED:
        return what._replace(value=None)
    if step[0] == "str" and isinstance(what.value, list):
        return what._replace(value=[masked(one) for one in what.value])
    return what


def found_on(kind: str, program: list[Step]) -> str:
    """Where the two differ on a terminal or in a file; empty if nowhere."""
    outcomes, screens = [], []
    for cls in (their_tqdm, mp_tqdm):
        cls.monitor_interval = 0
        cls._instances.clear()
        with Place(kind) as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")

            def wait(seconds: float, place: Place = place) -> None:
                time.sleep(min(seconds, 0.001))
                place.drain()

            world = World(cls, place.file, wait)
            done = []
            for step in program:
                done.append(untimed(step, outcome(world, step)))
                place.drain()
            outcomes.append([*done, end(world)])
            screens.append(place.lines())
    if not has_one_plain_line(program):
        screens = [[], []]
    return difference(program, *outcomes, *screens, by_renderer=True)


def has_one_plain_line(program: list[Step]) -> bool:
    """Whether a program has one bar, all of whose line is to be compared.

    With several, tqdm leaves remains of one behind another. Of one that vanishes a log keeps a
    line.
    """
    news = [step for step in program if step[0] == "new"]
    said = repr(program)
    return len(news) == 1 and not any(word in said for word in NOT_SHOWN)


def main() -> None:
    """Tries programs; the first one that differs is shrunk, and raises."""
    kind, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(program=programs())
    def check(program: list[Step]) -> None:
        found = found_on(kind, program)
        assert not found, found

    check()


if __name__ == "__main__":
    main()
