"""An epoch of a DataLoader with four workers, and how much longer with a bar.

Items are counted where they are loaded, in the workers, or batches in the parent. An epoch begins
with the start of the workers and ends with their end.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from mp_tqdm.bench import wrapped
from mp_tqdm.bench.bench_training import PREPARE
from mp_tqdm.bench.clocks import Clocked
from mp_tqdm.bench.estimate import slow_down
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 4
BATCH = 64
ITEMS = 64_000
ROUNDS = 60


class _Rows:
    """A dataset whose items cost next to nothing."""

    def __init__(self, items: int, report: Callable[[], object] | None) -> None:
        self._items = items
        self._report = report

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> float:
        if self._report is not None:
            self._report()
        return float(index)


def load(how: str, items: int) -> tuple[float, float]:
    """Wall and processor time of an epoch.

    Raises:
        RuntimeError: Not every item was counted.
    """
    from torch.utils.data import DataLoader

    from mp_tqdm import mp_tqdm, report_progress

    in_workers = how == "workers"
    rows: Any = _Rows(items, report_progress if in_workers else None)
    loader = DataLoader(rows, BATCH, num_workers=WORKERS, multiprocessing_context="fork")
    clocked = Clocked(loader)
    wrap: Any = wrapped.WRAPS.get(how, lambda batches, _: batches)
    with mp_tqdm(total=items, desc="items") if in_workers else nullcontext() as bar:
        for _ in wrap(clocked, len(loader)):
            pass
        if bar is not None and bar.n != items:
            raise RuntimeError(f"{bar.n} of {items} items were counted")
    return clocked.seconds


SUITE = Suite(
    name="dataloader",
    title=f"{ITEMS:,} items from {WORKERS} workers of a DataLoader, and how much longer with a bar",
    subjects=(
        Subject("no bar", partial(load, "nothing")),
        Subject("mp_tqdm report_progress() in workers", partial(load, "workers"), "mp-tqdm"),
        Subject("mp_tqdm around the loader", partial(load, "mp_tqdm"), "mp-tqdm"),
        Subject("tqdm around the loader", partial(load, "tqdm"), "tqdm"),
        *(
            Subject(
                f"{name} around the loader",
                partial(load, name),
                wrapped.PACKAGES[name],
                rounds=ROUNDS // 3,
            )
            for name in ("rich track", "alive-progress", "progressbar2", "enlighten")
        ),
    ),
    baseline="no bar",
    ours="mp_tqdm report_progress() in workers",
    unit="s",
    scale=ITEMS,
    repetitions=ITEMS,
    rounds=ROUNDS,
    quick_repetitions=6_400,
    package="torch",
    prepare=PREPARE,
    summary=slow_down,
)
