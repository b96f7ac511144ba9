"""Draws bars from within the loop, for files that only Python code can write to.

A `StringIO`, a notebook's stream or a logging shim has no descriptor that the renderer thread
could use, and a subclass may draw in its own way. Then the loop itself draws, by tqdm's rule: not
more often than `mininterval`, and with a guess (`miniters`) at how many items that is, so that most
updates do not ask the clock.
"""

# The bar's own other half.
# ruff: noqa: SLF001

from __future__ import annotations

import os
import sys

from mp_tqdm import _core, _monitor, _stack, _streams, _together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any

# tqdm's, where the screen's height is not known.
_ROWS = 20


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
    """What one bar needs to be drawn by Python code.

    Attributes:
        draw: Writes a text over the one before it; `None` for a bar whose subclass has a screen of
            its own (`gui=True`).
    """

    __slots__ = (
        "_items",
        "_job_n",
        "_miniters",
        "_others",
        "_seconds",
        "draw",
        "is_begun",
        "is_ended",
    )

    def __init__(self) -> None:
        self.draw: Callable[[str], None] | None = None
        self.is_begun = False

    def start(self, bar: Any) -> None:
        """Begins, or begins anew: forgets how fast it was."""
        self.is_ended = False
        smoothing = bar.smoothing
        self._items = _Average(smoothing)
        self._seconds = _Average(smoothing)
        self._miniters = _Average(smoothing)
        line = bar._native.line()
        self._job_n: Any = None if line is None else line["n"]
        self._others: Any = bar.initial if line is None else line

    def end(self) -> None:
        """From now on the rate is that of the whole bar."""
        self.is_ended = True

    def rate(self) -> float | None:
        """Items a second, smoothed; `None` before there is a sample, and at the end."""
        seconds = None if self.is_ended else self._seconds()
        return self._items() / seconds if seconds else None

    def sample(self, bar: Any, items: float, seconds: float) -> None:
        """Takes in how long some items took; where others count as well, those of the line."""
        line = bar._native.line()
        if line is not None:
            before, self._job_n = self._job_n, line["n"]
            items = self._job_n - before if before is not None else items
        elif not items:
            return
        self._items(items)
        self._seconds(seconds)

    def others_counted(self, bar: Any) -> bool:
        """Whether other processes, or reports of threads, counted since this was asked last."""
        line = bar._native.line()
        is_reported = line is None and bar.iterable is None
        others = line
        if line is None:
            others = bar.n if is_reported else bar.n - bar.n_own
        has_moved = others != self._others
        self._others = others
        # What an `update` drew already is no news.
        is_drawn = is_reported and others == bar.last_print_n
        return bool(has_moved) and not is_drawn

    def guess_miniters(self, bar: Any, items: float, seconds: float) -> None:
        """Guesses how many items the next interval brings."""
        maxinterval, mininterval = bar.maxinterval, bar.mininterval
        if maxinterval and seconds >= maxinterval:
            bar.miniters = items * (mininterval or maxinterval) / seconds
        elif bar.smoothing:
            share = mininterval / seconds if mininterval and seconds else 1
            bar.miniters = self._miniters(items * share)
        else:
            bar.miniters = max(bar.miniters, items)


def begin(bar: Any) -> None:
    """Makes the bar's painter, and the first frame."""
    bar._painter = painter = Painter()
    painter.start(bar)
    measure(bar)
    type(bar).get_lock()  # made before any fork, so that children have the same
    if bar.gui:
        return
    painter.draw = bar.status_printer(bar.fp)
    draws = bar._native.draws
    if bar.delay <= 0 and draws:
        bar.refresh(lock_args=bar.lock_args)
    bar._start_t = bar._printed_t = bar._time()
    painter.is_begun = True
    if draws:
        _watch()


def _watch() -> None:
    from mp_tqdm._bar import mp_tqdm

    _monitor.attend(mp_tqdm)


def measure(bar: Any) -> None:
    """Asks for the size of the screen, where tqdm asks: for a standard stream, or if told to."""
    look = bar._look
    if bar.dynamic_ncols or (
        (look["ncols"] is None or look["nrows"] is None)
        and (bar.fp is sys.stderr or bar.fp is sys.stdout)
    ):
        try:
            size: Any = os.get_terminal_size(bar.fp.fileno())
        except (OSError, ValueError, AttributeError, TypeError) as error:
            _stack.pass_on(error)
            size = None
        for name, place in (("ncols", 0), ("nrows", 1)):
            if look[name] is None or bar.dynamic_ncols:
                look[name] = None if size is None else size[place] - 1


def counted(bar: Any, n: float) -> bool | None:
    """After a count: draws if it is time, and says so by True."""
    if n < 0:
        bar._printed_n += n
    done = bar.n
    new = done - bar._printed_n
    if new < bar.miniters:
        return None
    look = bar._look
    now = bar._time()
    passed = now - bar._printed_t
    if passed < look["mininterval"] or now < bar.start_t + look["delay"]:
        return None
    painter = bar._painter
    if look["smoothing"] and passed and new:
        painter.sample(bar, new, passed)
    bar.refresh(lock_args=bar.lock_args)
    if bar.dynamic_miniters:
        painter.guess_miniters(bar, new, passed)
        if bar.miniters > 1:
            _watch()
    bar._printed_n = bar.n
    bar._printed_t = now
    return True


def display(bar: Any, msg: str | None, pos: int | None) -> bool:
    """Writes one line: a text, or the bar as it is, unless there is no room for it."""
    line = abs(bar.pos) if pos is None else abs(pos)
    rows = bar._look["nrows"] or _ROWS
    if line >= rows:
        return False
    if line == rows - 1 and (msg or msg is None):
        msg = " ... (more hidden) ..."
    if bar._painter.draw is None and not bar.gui:
        return False  # a signal handler asks for it while the bar is made
    if bar._painter.draw is None:
        from mp_tqdm._errors import TqdmDeprecationWarning

        raise TqdmDeprecationWarning(
            "Please use `tqdm.gui.tqdm(...)` instead of `tqdm(..., gui=True)`\n",
            fp_write=getattr(bar.fp, "write", sys.stderr.write),
        )
    if line:
        bar.moveto(line)
    text = str(bar) if msg is None else msg
    bar.sp(text if _streams.has_colours() else _streams.without_colours(text))
    if line:
        bar.moveto(-line)
    return True


def wipe(bar: Any, *, nolock: bool) -> None:
    """Takes the line off the file until the next frame."""
    line = abs(bar.pos)
    painter = bar._painter
    if line >= (bar._look["nrows"] or _ROWS) or painter.draw is None or not bar._native.draws:
        return
    with _held(bar, nolock=nolock):
        bar.moveto(line)
        bar.sp("")
        write(bar.fp, "\r")
        bar.moveto(-line)


def end(bar: Any) -> None:
    """The last frame: it stays, or the line is wiped."""
    painter = bar._painter
    line = abs(bar.pos)
    if not bar.gui:
        _close_gap(bar, line)
    if painter.draw is None or not painter.is_begun or not bar._native.draws:
        return  # a first frame that raised would do so again
    if bar._printed_t < bar.start_t + bar.delay:
        return
    leave = bar._native.has_failed or (line == 0 if bar.leave is None else bar.leave)
    with _held(bar, nolock=False):
        if leave:
            painter.end()
            _display_last(bar)
            write(bar.fp, "\n")
        elif bar.display(msg="", pos=line) and not line:
            write(bar.fp, "\r")


def _display_last(bar: Any) -> None:
    """The line that stays; red on a terminal where an exception ended the bar."""
    look = bar._look
    colour = look["colour"]
    if bar._native.has_failed and hasattr(bar.fp, "isatty") and _streams.is_terminal(bar.fp):
        look["colour"] = "red"
    try:
        bar.display(pos=0)
    finally:
        look["colour"] = colour


def _position(bar: Any) -> int:
    return bar.pos  # type: ignore[no-any-return]


def _close_gap(bar: Any, line: int) -> None:
    """Gives the line that is free now to a bar for which there was none."""
    last = (bar.nrows or _ROWS) - 1
    hidden = [
        other
        for other in bar._instances
        if getattr(other, "_painter", None) is not None and other.pos >= last
    ]
    if hidden:
        other = min(hidden, key=_position)
        other.clear(nolock=True)
        other.pos = line


class _held:  # noqa: N801 - reads as a word in `with`
    """The lock of a bar's class, for as long as it is entered."""

    def __init__(self, bar: Any, *, nolock: bool) -> None:
        self._lock = None if nolock else _together.for_drawing(type(bar).get_lock())

    def __enter__(self) -> None:
        if self._lock is not None:
            self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        if self._lock is not None:
            self._lock.release()


def refresh(bar: Any, nolock: bool, lock_args: Any) -> bool:
    """Draws now, unless somebody else holds the lock and `lock_args` says not to wait."""
    if not bar._native.draws:
        return False
    if nolock:
        bar.display()
        return True
    lock = _together.for_drawing(type(bar).get_lock())
    if not lock.acquire(*(lock_args or ())):
        return False
    try:
        bar.display()
    finally:
        lock.release()
    return True


def status_printer(file: Any) -> Callable[[str], None]:
    """A function that writes a text to `file` over the one it wrote before."""
    width = 0

    def draw(text: str) -> None:
        nonlocal width
        text = _streams.shown_by(file, text)
        columns = _core.display_columns(text)
        write(file, "\r" + text + " " * max(width - columns, 0))
        width = columns

    return draw


def write(file: Any, text: str) -> None:
    """Writes and flushes. A closed or broken file stops the display, never the loop."""
    try:
        file.write(text)
        flush = getattr(file, "flush", None)
        if flush is not None:
            flush()
    except (OSError, ValueError, RuntimeError) as error:
        # Also a signal handler that counts, in the middle of a write to this file: no frame then.
        _stack.pass_on(error)


def iterate(bar: Any, iterable: Iterable[Any]) -> Iterator[Any]:
    """An iterator that hands out the items, and notices an exception of the loop's body."""
    items = _items(bar, iterable)
    return _core.iterate(_Watch(bar, items), items)


class _Watch(_core.Counting):
    """Stands for a bar in a native iterator, which marks it as failed where its loop has."""

    __slots__ = ("_items",)

    def __init__(self, bar: Any, items: Generator[Any, None, None]) -> None:
        self._native = bar._native
        self._items = items

    def close(self) -> None:
        """Closes the bar, if an item was asked for."""
        if hasattr(self, "_items"):  # not where an interrupt came in between
            self._items.close()


def _items(bar: Any, iterable: Iterable[Any]) -> Generator[Any, None, None]:
    """Hands out the items; each counts when the next one is asked for.

    A function and not a method: the generator keeps the bar alive from the moment it is made, as
    the native iterator does, whether or not an item was asked for. A subclass's `update` is called
    when it is time to draw, as in tqdm, with what was done since.
    """
    from mp_tqdm._bar import UPDATE

    own_update = type(bar).update is not UPDATE
    count = bar._count
    pending = 0
    # Where the renderer draws, its frames are no sign of a call of `update`.
    is_own = bar._painter is not None
    done, printed, called_t = bar.n, bar._printed_n, bar._printed_t
    try:
        for item in iterable:
            yield item
            done += 1
            if own_update:
                pending += 1
            else:
                count()
            if done - printed < bar.miniters:
                continue
            now = bar._time()
            passed = now - (bar._printed_t if is_own else called_t)
            if passed < bar.mininterval or now < bar.start_t + bar.delay:
                continue
            if own_update:
                new, pending = pending, 0
                bar.update(new)
            else:
                counted(bar, 0)
            done, called_t = bar.n, now
            printed = bar._printed_n if is_own else done
    except (Exception, KeyboardInterrupt):
        bar._native.fail()
        raise
    finally:
        if pending:
            count(pending)
        bar.close()
