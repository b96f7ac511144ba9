"""A pool of four processes that turns texts into tokens, and how much longer with progress of each.

The wall time is that from the start of the pool to its end, the processor time that of everybody
who had to do with it. What a worker does once, at its first report, is in both.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from mp_tqdm.bench.clocks import processor_s
from mp_tqdm.bench.crew import METHODS as IN_WORKERS
from mp_tqdm.bench.estimate import slow_down
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mp_tqdm.bench.crew import Counting

WORKERS = 4
TEXTS = 100_000
CHUNK = 500

_words = re.compile(r"\w+|[^\w\s]").findall

# What a worker calls after each text, and the parent with the size of each chunk that is done.
_report: Callable[[], object] | None = None
_advance: Callable[[int], object] = int


@cache
def _texts() -> list[str]:
    """A chunk of them, of 20 to 60 words of a made-up language."""
    chance = random.Random(0)  # noqa: S311 - everybody tokenises the same texts
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    vocabulary = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(5_000)]
    return [
        " ".join(chance.choices(vocabulary, k=chance.randint(20, 60))) + "." for _ in range(CHUNK)
    ]


def _tokenise(texts: int) -> int:
    report = _report
    for text in _texts()[:texts]:
        _words(text.lower())
        if report is not None:
            report()
    return texts


@contextmanager
def _bar_of_chunks(texts: int, _: int) -> Iterator[Counting]:
    """No report of a worker: the parent's bar jumps by a chunk at a time."""
    global _advance  # noqa: PLW0603 - one pool at a time
    from tqdm import tqdm

    with tqdm(total=texts, desc="texts") as bar:
        _advance = bar.update
        yield None, lambda: bar.n  # type: ignore[misc]
        _advance = int


METHODS = {**IN_WORKERS, "chunks": _bar_of_chunks}


def tokenise(method: str, texts: int) -> tuple[float, float]:
    """Wall and processor time of so many texts.

    Raises:
        RuntimeError: The reports do not add up to them.
    """
    global _report
    _texts()
    chunks = [min(CHUNK, texts - begin) for begin in range(0, texts, CHUNK)]
    processor = processor_s()
    with METHODS[method](texts, WORKERS) as (_report, total):
        wall = time.perf_counter()
        with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
            for done in pool.imap_unordered(_tokenise, chunks):
                _advance(done)
            pool.close()
            pool.join()
        counted = total()
        wall = time.perf_counter() - wall
    if counted != texts:
        raise RuntimeError(f"{method}: {counted} of {texts} reports arrived")
    return wall, processor_s() - processor


@cache
def _imported(method: str) -> None:
    """What the first use of a library imports is no part of a round."""
    tokenise(method, 1)


def _subject(name: str, method: str, package: str | None = None, part: int = 1) -> Subject:
    def run(texts: int) -> tuple[float, float]:
        """One in `part` of the texts; the seconds are those for all of them."""
        _imported(method)
        share = max(CHUNK, texts // part)
        wall, processor = tokenise(method, share)
        return wall * texts / share, processor * texts / share

    return Subject(name, run, package)


SUITE = Suite(
    name="tokenising",
    title=f"{TEXTS:,} texts in a pool of {WORKERS} processes, and how much longer with progress",
    subjects=(
        _subject("no progress", "silent"),
        _subject("mp_tqdm report_progress() of each text", "mp_tqdm", "mp-tqdm"),
        _subject("tqdm in the parent, of each 500 texts", "chunks", "tqdm"),
        _subject("multiprocessing.Value, its lock, of each", "value"),
        _subject("Manager().Queue of each, from 1 in 20", "manager", "tqdm", 20),
    ),
    baseline="no progress",
    ours="mp_tqdm report_progress() of each text",
    unit="s",
    scale=TEXTS,
    repetitions=TEXTS,
    rounds=20,
    quick_repetitions=10_000,
    summary=slow_down,
)
