"""One call of `set_postfix(loss=x)`, or what comes next to it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import repeat
from typing import Any

from mp_tqdm.bench import floor
from mp_tqdm.bench.bench_update import empty_loop, timed
from mp_tqdm.bench.subject import Subject, Suite, fresh


def _sets(count: int, bar: Any) -> float:
    loss = 0.25
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.set_postfix(loss=loss)
    return time.perf_counter() - begin


def _sets_without_refresh(count: int, bar: Any) -> float:
    loss = 0.25
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.set_postfix(refresh=False, loss=loss)
    return time.perf_counter() - begin


def _keeps(count: int, floors: Any) -> float:
    loss = 0.25
    begin = time.perf_counter()
    for _ in repeat(None, count):
        floors.keep(loss=loss)
    return time.perf_counter() - begin


def _sets_a_field(count: int, update: Callable[..., object]) -> float:
    loss = 0.25
    begin = time.perf_counter()
    for _ in repeat(None, count):
        update(0, loss=loss)
    return time.perf_counter() - begin


def _sets_the_text(count: int, bar: Any) -> float:
    loss = 0.25
    begin = time.perf_counter()
    for _ in repeat(None, count):
        bar.text = f"loss={loss}"
    return time.perf_counter() - begin


def _ours(total: int) -> Any:
    from mp_tqdm import mp_tqdm

    return mp_tqdm(total=total)


def _tqdm(total: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=total)


@contextmanager
def _rich(total: int) -> Iterator[Any]:
    from rich.progress import Progress

    with Progress() as progress:
        progress.add_task("", total=total, loss=0.0)
        yield progress.update


@contextmanager
def _enlighten(total: int) -> Iterator[Any]:
    import enlighten

    line = "{percentage:3.0f}%|{bar}| {count}/{total} [{elapsed}<{eta}, loss={loss}]"
    with (
        enlighten.get_manager() as manager,
        manager.counter(total=total, bar_format=line, loss=0.0) as counter,
    ):
        yield counter.update


@contextmanager
def _alive(total: int) -> Iterator[Any]:
    from alive_progress import alive_bar

    with alive_bar(total) as bar:
        yield bar


SUITE = Suite(
    name="postfix",
    title="One call of bar.set_postfix(loss=x), above the empty loop",
    subjects=(
        Subject("empty loop", fresh(empty_loop)),
        Subject(
            "floor: C object.keep(loss=x)",
            timed(_keeps, lambda _: nullcontext(floor.load().Object())),
            floor.PACKAGE,
        ),
        Subject("mp_tqdm", timed(_sets, _ours), "mp-tqdm"),
        Subject("tqdm, refresh=False", timed(_sets_without_refresh, _tqdm), "tqdm"),
        Subject("tqdm", timed(_sets, _tqdm), "tqdm"),
        Subject("rich update(task, loss=x)", timed(_sets_a_field, _rich), "rich"),
        Subject("enlighten update(0, loss=x)", timed(_sets_a_field, _enlighten), "enlighten"),
        Subject("alive-progress bar.text = x", timed(_sets_the_text, _alive), "alive-progress"),
    ),
    baseline="empty loop",
    floor="floor: C object.keep(loss=x)",
    ours="mp_tqdm",
)
