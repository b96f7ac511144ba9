"""One call of `update(1)`, taken from a variable and through the attribute."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import repeat
from typing import Any

from mp_tqdm.bench import floor
from mp_tqdm.bench.subject import Subject, Suite, fresh

# Opens a bar of that total; gives what is called, or the bar whose `update` is.
Open = Callable[[int], AbstractContextManager[Any]]


def timed(loop: Callable[..., float], opened: Open, *arguments: object) -> Callable[[int], float]:
    """Time a loop of calls between the opening and the closing of a bar."""
    loop = fresh(loop)

    def run(count: int) -> float:
        with opened(count) as target:
            return loop(count, target, *arguments)

    return run


def empty_loop(count: int) -> float:
    """The loop without the call."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        pass
    return time.perf_counter() - begin


def calls(count: int, function: Callable[[object], object], argument: object = 1) -> float:
    """Call a function with one argument."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        function(argument)
    return time.perf_counter() - begin


def attribute_calls(count: int, bar: Any) -> float:
    """Call `update(1)` of a bar as programs write it."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.update(1)
    return time.perf_counter() - begin


def _adds(count: int, counter: Any) -> float:
    """Call the same of the floor's object."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        counter.add(1)
    return time.perf_counter() - begin


def _advances(count: int, bar: Any) -> float:
    """Call the same of barflow."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.advance(1)
    return time.perf_counter() - begin


def _ticks(count: int, bar: Any) -> float:
    """Call what barflow has for one item."""
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.tick()
    return time.perf_counter() - begin


def _ours(total: int) -> Any:
    from mp_tqdm import mp_tqdm

    return mp_tqdm(total=total)


@contextmanager
def _our_update(total: int) -> Iterator[Any]:
    with _ours(total) as bar:
        yield bar.update


def _tqdm(total: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=total)


def _barflow(total: int) -> Any:
    from barflow import Progress

    return Progress(total=total)


@contextmanager
def tqdm_update(total: int) -> Iterator[Any]:
    """That of a bar of tqdm."""
    with _tqdm(total) as bar:
        yield bar.update


@contextmanager
def progressbar_increment(total: int) -> Iterator[Any]:
    """That of a bar of progressbar2."""
    from progressbar import ProgressBar

    # It draws whenever the line grows by a column. In a round of some milliseconds that would be
    # all that is measured; the loops in which such a call matters are longer.
    with ProgressBar(max_value=100 * total) as bar:
        yield bar.increment


@contextmanager
def _rich(total: int) -> Iterator[Any]:
    from rich.progress import Progress

    with Progress() as progress:
        progress.add_task("", total=total)
        yield progress.advance  # its one argument is the task, and the first one is 0


@contextmanager
def enlighten_update(total: int) -> Iterator[Any]:
    """That of a counter of enlighten."""
    import enlighten

    with enlighten.get_manager() as manager, manager.counter(total=total) as counter:
        yield counter.update


@contextmanager
def alive_call(total: int) -> Iterator[Any]:
    """The bar of alive-progress, which is called itself."""
    from alive_progress import alive_bar

    with alive_bar(total) as bar:
        yield bar


SUITE = Suite(
    name="update",
    title="One call of update(1), above the empty loop",
    subjects=(
        Subject("empty loop", fresh(empty_loop)),
        Subject(
            "builtin that does nothing",
            timed(calls, lambda _: _given("nothing")),
            floor.PACKAGE,
        ),
        Subject("floor: C add(1)", timed(calls, lambda _: _given("add")), floor.PACKAGE),
        Subject(
            "floor: C object.add(1)",
            timed(_adds, lambda _: nullcontext(floor.load().Object())),
            floor.PACKAGE,
        ),
        Subject("C add(1), locked", timed(calls, lambda _: _given("locked_add")), floor.PACKAGE),
        Subject("mp_tqdm update(1)", timed(calls, _our_update), "mp-tqdm"),
        Subject("mp_tqdm bar.update(1)", timed(attribute_calls, _ours), "mp-tqdm"),
        Subject("barflow bar.tick()", timed(_ticks, _barflow), "barflow"),
        Subject("barflow bar.advance(1)", timed(_advances, _barflow), "barflow"),
        Subject("tqdm update(1)", timed(calls, tqdm_update), "tqdm"),
        Subject("tqdm bar.update(1)", timed(attribute_calls, _tqdm), "tqdm"),
        Subject("rich advance(task)", timed(calls, _rich, 0), "rich"),
        Subject("enlighten update(1)", timed(calls, enlighten_update), "enlighten"),
        Subject("alive-progress bar(1)", timed(calls, alive_call), "alive-progress"),
        Subject("progressbar2 increment(1)", timed(calls, progressbar_increment), "progressbar2"),
    ),
    baseline="empty loop",
    floor="floor: C add(1)",
    ours="mp_tqdm update(1)",
)


def _given(name: str) -> AbstractContextManager[Any]:
    """A name of the floor as a bar that needs no opening."""
    return nullcontext(getattr(floor.load(), name))
