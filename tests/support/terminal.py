"""A pseudo-terminal with an emulated screen, and programs that run on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from support.polling import PATIENCE_S
from support.programs import environment, kill_session
from support.screen import Screen

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

# Becomes the program after making its standard input the controlling terminal, so that ^C and a
# hang-up reach it. (subprocess's preexec_fn would fork with threads alive, which Python warns of.)
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)

# Written by `settle` behind all output, and taken out of the recording: a string that terminals
# ignore (an application program command).
_MARK = b"\x1b_mark\x1b\\"

# A drawing of the package stands between these: the cursor is saved, and restored.
_BEGIN_OF_DRAWING, _END_OF_DRAWING = b"\x1b7", b"\x1b8"


class Chunk(NamedTuple):
    """What one read from the terminal returned."""

    time: float  # seconds, time.monotonic
    data: bytes


class Frame(NamedTuple):
    """The screen after an output that changed what it shows."""

    time: float  # seconds, time.monotonic
    lines: list[str]


class Terminal:
    """A terminal window: programs write to it, a thread reads along and keeps the screen.

    Use it as a context manager: at the end every program on it is killed. All waiting ends after
    20 s with an AssertionError that shows the screen.

    Args:
        rows: Height in lines.
        columns: Width in cells.
    """

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self._size = rows, columns
        self._screen = Screen(rows, columns)
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        self._set_size(rows, columns)
        self.programs: list[subprocess.Popen[bytes]] = []
        self.recording: list[Chunk] = []
        self._changed = threading.Condition()
        self._held_back = b""
        self._marks = 0
        self._is_reading = True
        self._is_closing = False
        self._bytes_a_millisecond: int | None = None
        self._wake_reader, self._woken = os.pipe()
        self._reader = threading.Thread(target=self._read_along, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Programs.

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program with the terminal as its stdin, stdout and stderr.

        The first one gets it as its controlling terminal; others run beside it as the ranks of a
        launcher do, each in a session of its own.

        Args:
            command: The program and its arguments.
            env: Its environment; None is `programs.environment()`.
        """
        first = not self.programs
        take_terminal = [sys.executable, "-ISc", _TAKE_TERMINAL] if first else []
        program = subprocess.Popen(
            [*take_terminal, *command],
            env=environment() if env is None else env,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
        )
        self.programs.append(program)
        return program

    def wait(self, timeout: float = PATIENCE_S) -> int:
        """Wait for all programs to end and for all output to be on the screen.

        Returns:
            The exit code of the first program; negative: the signal that ended it.
        """
        deadline = time.monotonic() + timeout
        for program in self.programs:
            try:
                program.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._fail(f"still running after {timeout:g} s: {program.args!r}")
        if self._is_reading and self._master >= 0:
            self.settle()
        return self.programs[0].wait()

    def send_signal(self, number: signal.Signals, program: int = 0) -> None:
        """Send a signal to one program, by its number in `programs`: SIGSTOP, SIGCONT, SIGKILL."""
        self.programs[program].send_signal(number)

    def close(self) -> None:
        """Kill what runs and give everything back. Harmless the second time."""
        for program in self.programs:
            if program.poll() is None:
                kill_session(program.pid)
            program.wait()
        self.hang_up()
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    # The window.

    @property
    def path(self) -> str:
        """The terminal's device, for a test that writes to it from its own process."""
        return os.ttyname(self._slave)

    def press(self, keys: bytes) -> None:
        r"""Press keys: `b"\x03"` is ^C."""
        os.write(self._master, keys)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; the foreground program gets SIGWINCH."""
        with self._changed:
            self._size = rows, columns
            # The emulator has no window of no size; programs see the true figures.
            self._screen.resize(max(rows, 1), max(columns, 1))
            self._set_size(rows, columns)

    def stop_reading(self) -> None:
        """Leave the output unread, as a suspended terminal does; writers block at some 4 KiB."""
        self._is_reading = False
        self._wake()

    def read_slowly(self, bytes_a_millisecond: int) -> None:
        """Read no faster than this from now on, as over a slow line; writers wait at 4 KiB."""
        self._bytes_a_millisecond = bytes_a_millisecond

    def read_on(self) -> None:
        """Read again after `stop_reading`, and as fast as can be."""
        self._is_reading = True
        self._bytes_a_millisecond = None
        self._wake()

    def hang_up(self) -> None:
        """Close the window: programs get SIGHUP, and EIO when they write."""
        if self._master < 0:
            return
        self._is_closing = True
        self._wake()
        self._reader.join()
        for descriptor in (self._master, self._wake_reader, self._woken):
            os.close(descriptor)
        self._master = -1

    # What is to be seen.

    def wait_for(self, predicate: Callable[[Screen], bool], timeout: float = PATIENCE_S) -> None:
        """Return as soon as the predicate holds for the screen."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate(self._screen):
                if time.monotonic() > deadline:
                    self._fail(f"not on the screen after {timeout:g} s: {predicate}")
                self._changed.wait(0.05)

    def settle(self, timeout: float = PATIENCE_S) -> None:
        """Return when everything written to the terminal so far is on the screen."""
        deadline = time.monotonic() + timeout
        with self._changed:
            awaited = self._marks + 1
        os.write(self._slave, _MARK)
        with self._changed:
            while self._marks < awaited:
                if time.monotonic() > deadline:
                    self._fail(f"the terminal did not take a mark within {timeout:g} s")
                self._changed.wait(0.05)

    def visible(self) -> list[str]:
        """The rows on the screen now, blank ones included."""
        with self._changed:
            return self._screen.visible()

    def lines(self) -> list[str]:
        """All lines ever shown, those that scrolled off included, without blank ones at the end."""
        with self._changed:
            return self._screen.lines()

    def text(self) -> str:
        """`lines()` as one string."""
        return "\n".join(self.lines())

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        with self._changed:
            return self._screen.cursor

    def output(self) -> bytes:
        """Every byte written so far."""
        with self._changed:
            return b"".join(chunk.data for chunk in self.recording)

    def frames(self, pause: float = 0.02) -> list[Frame]:
        """The screens a person could have seen one after the other, from the recording.

        The kernel hands on a write line by line, so what is read may be half a drawing. A screen
        counts as seen once nothing came for a while: good for how often a line moved and for what
        stood there, not for counting system calls (see `system_calls`). A drawing of the package
        counts once it is whole, also where a reader that was held up got several at once.

        Args:
            pause: For how many seconds, less than lies between two drawings.
        """
        with self._changed:
            recording = list(self.recording)
        screen = Screen(max(self._size[0], 1), max(self._size[1], 1))
        frames: list[Frame] = []

        def see(time_s: float) -> None:
            lines = screen.lines()
            if not frames or frames[-1].lines != lines:
                frames.append(Frame(time_s, lines))

        is_drawing = False
        for chunk, following in zip(recording, [*recording[1:], None], strict=True):
            *whole, rest = chunk.data.split(_END_OF_DRAWING)
            for drawing in whole:
                screen.feed(drawing + _END_OF_DRAWING)
                if rest or drawing is not whole[-1]:
                    see(chunk.time)
            screen.feed(rest)
            is_drawing = _BEGIN_OF_DRAWING in rest or (is_drawing and not whole)
            if following is None or (not is_drawing and following.time - chunk.time >= pause):
                see(chunk.time)
        return frames

    # The reader.

    def _read_along(self) -> None:
        read = time.monotonic()
        while not self._is_closing:
            sources = [self._wake_reader, *([self._master] if self._is_reading else [])]
            ready, _, _ = select.select(sources, [], [])
            if self._wake_reader in ready:
                os.read(self._wake_reader, 64)
            if self._master in ready and self._is_reading:
                size = 1 << 16
                if rate := self._bytes_a_millisecond:
                    # By the clock: on a busy machine a sleep takes longer.
                    time.sleep(0.001)
                    now = time.monotonic()
                    size, read = int(rate * (now - read) * 1000), now
                with contextlib.suppress(BlockingIOError):
                    self._take(os.read(self._master, size))

    def _take(self, data: bytes) -> None:
        with self._changed:
            data = self._held_back + data
            self._marks += data.count(_MARK)
            data = data.replace(_MARK, b"")
            # A mark may arrive in two pieces.
            cut = next((n for n in range(len(_MARK) - 1, 0, -1) if data.endswith(_MARK[:n])), 0)
            self._held_back = data[len(data) - cut :]
            data = data[: len(data) - cut]
            if data:
                self.recording.append(Chunk(time.monotonic(), data))
                self._screen.feed(data)
            self._changed.notify_all()

    def _wake(self) -> None:
        os.write(self._woken, b"x")

    def _set_size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _fail(self, reason: str) -> None:
        state = ", ".join(f"{program.pid}: {program.poll()}" for program in self.programs)
        shown = "\n".join(self._screen.lines())
        raise AssertionError(f"{reason}\nexit codes: {state}\nscreen:\n{shown}")
