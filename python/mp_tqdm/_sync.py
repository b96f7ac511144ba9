"""Draws bars from within the loop, for files that only Python code can write to.

A `StringIO`, a notebook's stream or a logging shim has no descriptor that the renderer thread
could use, so the line is written by the loop itself, by tqdm's rule: not more often than
`mininterval`, and with a guess (`miniters`) at how many items that is, so that most updates do not
ask the clock.
"""

# The bar's own other half.
# ruff: noqa: SLF001

from __future__ import annotations

import os
import weakref
from time import time

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

# By identity, and looked at by `valuerefs` alone: that is one step, between whose beginning and end
# no signal handler and no other thread can open a bar.
_painters: weakref.WeakValueDictionary[int, Painter] = weakref.WeakValueDictionary()


def _painters_of(file: Any) -> list[Painter]:
    painters = [reference() for reference in _painters.valuerefs()]
    return [one for one in painters if one is not None and one.file is file]


class _Average:
    """An exponential moving average without the bias of its first value."""

    def __init__(self, smoothing: float) -> None:
        self._weight = smoothing
        self._sum = 0.0
        self._calls = 0

    def __call__(self, value: float | None = None) -> float:
        keep = 1 - self._weight
        if value is not None:
            self._sum = self._weight * value + keep * self._sum
            self._calls += 1
        return self._sum / (1 - keep**self._calls) if self._calls else self._sum


class Painter:
    """The drawing half of one bar.

    Args:
        bar: The bar; it knows its file, its interval and its numbers.
        position: The line asked for, or `None` for the first free one.
    """

    line: int

    def __init__(self, bar: Any, position: int | None) -> None:
        self._bar: Any = weakref.proxy(bar)
        self._file = bar.fp
        self._width = 0
        self._items = _Average(bar.smoothing)
        self._seconds = _Average(bar.smoothing)
        if position is None:
            taken = {painter.line for painter in _painters_of(self._file)}
            position = min(set(range(len(taken) + 1)) - taken)
        self.line = position
        bar.pos = -position
        _painters[id(self)] = self

    @property
    def file(self) -> Any:
        """The file that is drawn on."""
        return self._file

    def begin(self) -> None:
        """The first frame."""
        if self._bar.delay <= 0:
            self.show()

    def restart(self) -> None:
        """After `reset`: nothing of the rate is known."""
        self._items = _Average(self._bar.smoothing)
        self._seconds = _Average(self._bar.smoothing)
        _painters[id(self)] = self
        self.show()

    def counted(self, n: float) -> bool | None:
        """After a count: draws if it is time, and says so by True."""
        bar = self._bar
        if n < 0:
            bar.last_print_n += n
        done = bar.n
        new = done - bar.last_print_n
        if new < bar.miniters:
            return None
        now = time()
        passed = now - bar.last_print_t
        if passed < bar.mininterval or now < bar.start_t + bar.delay:
            return None
        if bar.smoothing and passed and new:
            self._items(new)
            self._seconds(passed)
        bar.refresh(lock_args=bar.lock_args)
        if bar.dynamic_miniters:
            self._guess_miniters(new, passed)
        bar.last_print_n = done
        bar.last_print_t = now
        return True

    def _guess_miniters(self, new: float, passed: float) -> None:
        bar = self._bar
        if bar.maxinterval and passed >= bar.maxinterval:
            bar.miniters = new * (bar.mininterval or bar.maxinterval) / passed
        elif bar.smoothing:
            per_interval = new * (bar.mininterval / passed if bar.mininterval and passed else 1)
            bar.miniters = bar.smoothing * per_interval + (1 - bar.smoothing) * bar.miniters
        else:
            bar.miniters = max(bar.miniters, new)

    def rate(self) -> float | None:
        """Items a second, smoothed; `None` before there is a sample."""
        seconds = self._seconds()
        return self._items() / seconds if seconds else None

    def columns(self) -> int | None:
        """The width to draw in."""
        if self._bar.ncols is not None or not self._is_terminal():
            return self._bar.ncols  # type: ignore[no-any-return]
        try:
            return os.get_terminal_size(self._file.fileno()).columns
        except (OSError, ValueError, AttributeError):
            return None

    def _is_terminal(self) -> bool:
        try:
            return bool(self._file.isatty())
        except (AttributeError, ValueError):
            return False

    def show(self, msg: str | None = None, line: int | None = None) -> bool:
        """Writes one line, in the process that draws."""
        bar = self._bar
        if not bar._native.draws:
            return False
        line = self.line if line is None else abs(line)
        text = str(bar) if msg is None else msg
        if line:
            self.move(line)
        width = _core.display_columns(text)
        self._write("\r" + text + " " * max(self._width - width, 0))
        self._width = width
        if line:
            self.move(-line)
        return True

    def wipe(self) -> None:
        """Takes the line off the file until the next frame."""
        if self.show(""):
            self._write("\r")

    def move(self, lines: int) -> None:
        """Moves the cursor down, or up where `lines` is negative."""
        self._write("\n" * lines + "\x1b[A" * -lines)

    def end(self) -> None:
        """The last frame: it stays, or the line is wiped."""
        bar = self._bar
        _painters.pop(id(self), None)
        if not bar._native.draws:
            return
        leave = bar.leave if bar.leave is not None else self.line == 0
        if time() < bar.start_t + bar.delay:
            return
        if leave:
            self._seconds = _Average(0)
            self.show(line=0)
            self._write("\n")
        elif self.show("") and not self.line:
            self._write("\r")

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            flush = getattr(self._file, "flush", None)
            if flush is not None:
                flush()
        except (OSError, ValueError):
            # A closed or broken file stops the display, never the loop.
            self._write = _write_nothing  # type: ignore[assignment, method-assign]
        except RuntimeError:
            # A signal handler that counts, in the middle of a write to this file: no frame then.
            return


def iterate(bar: Any, iterable: Iterable[Any]) -> Iterator[Any]:
    """Hands out the items; each counts when the next one is asked for.

    Not a method of `Painter`, which knows its bar weakly: the generator keeps the bar alive from
    the moment it is made, as the native iterator does, whether or not an item was asked for.
    """
    try:
        for item in iterable:
            yield item
            bar.update(1)
    finally:
        bar.close()


def _write_nothing(_text: str) -> None:
    """In place of writing to a file that is gone."""


def wipe_for(stream: Any) -> list[Painter]:
    """Wipes the lines that Python code draws on `stream`, and returns them for `show_again`."""
    wiped = _painters_of(stream)
    for painter in wiped:
        painter.wipe()
    return wiped


def show_again(wiped: list[Painter]) -> None:
    """Draws the lines again that `wipe_for` took away."""
    for painter in wiped:
        painter.show()
