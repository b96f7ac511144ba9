"""A pool of four processes that turns texts into tokens, and how much longer with progress of each.

The wall time is that from the start of the pool to its end, the processor time that of everybody
who had to do with it. What a worker does once, at its first report, is in both, and so is the
opening of a bar around what the parent gets.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from functools import cache
from typing import TYPE_CHECKING

from mp_tqdm.bench import wrapped
from mp_tqdm.bench.clocks import processor_s
from mp_tqdm.bench.crew import METHODS
from mp_tqdm.bench.estimate import slow_down
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 4
TEXTS = 100_000
CHUNK = 500

_words = re.compile(r"\w+|[^\w\s]").findall

# What a worker calls after each text.
_report: Callable[[], object] | None = None


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


def tokenise(method: str, library: str | None, texts: int) -> tuple[float, float]:
    """Wall and processor time of so many texts.

    Args:
        method: How a worker reports each of them.
        library: Whose bar is around the chunks that the parent gets.
        texts: How many.

    Raises:
        RuntimeError: The reports or the chunks do not add up to them.
    """
    global _report
    _texts()
    chunks = [min(CHUNK, texts - begin) for begin in range(0, texts, CHUNK)]
    wrap = wrapped.WRAPS[library] if library else lambda done, _: done
    processor = processor_s()
    with METHODS[method](texts, WORKERS) as (_report, total):
        wall = time.perf_counter()
        with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
            passed = sum(wrap(pool.imap_unordered(_tokenise, chunks), len(chunks)))
            pool.close()
            pool.join()
        counted = total()
        wall = time.perf_counter() - wall
    if not counted == passed == texts:
        raise RuntimeError(f"{method}: {counted} of {texts} reports arrived, {passed} in chunks")
    return wall, processor_s() - processor


@cache
def _imported(method: str, library: str | None) -> None:
    """What the first use of a library imports is no part of a round."""
    tokenise(method, library, 1)


def _subject(
    name: str,
    method: str,
    package: str | None = None,
    part: int = 1,
    library: str | None = None,
) -> Subject:
    def run(texts: int) -> tuple[float, float]:
        """One in `part` of the texts; the seconds are those for all of them."""
        _imported(method, library)
        share = max(CHUNK, texts // part)
        wall, processor = tokenise(method, library, share)
        return wall * texts / share, processor * texts / share

    return Subject(name, run, package)


def _in_parent(library: str) -> Subject:
    """No report of a worker: the bar of the parent has a step for each chunk."""
    name = f"{library} in the parent, of each {CHUNK} texts"
    return _subject(name, "silent", wrapped.PACKAGES[library], library=library)


SUITE = Suite(
    name="tokenising",
    title=f"{TEXTS:,} texts in a pool of {WORKERS} processes, and how much longer with progress",
    subjects=(
        _subject("no progress", "silent"),
        _subject("mp_tqdm report_progress() of each text", "mp_tqdm", "mp-tqdm"),
        *(
            _in_parent(library)
            for library in (
                "mp_tqdm",
                "tqdm",
                "rich track",
                "alive-progress",
                "progressbar2",
                "enlighten",
            )
        ),
        _subject("multiprocessing.Value, its lock, of each", "value"),
        _subject("mqdm, a bar in each worker, of each", "mqdm", "mqdm"),
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
