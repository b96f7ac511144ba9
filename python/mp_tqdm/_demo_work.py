"""The work that the demo counts: what its processes do, and the calls whose size is measured."""

from __future__ import annotations

import math
import random
import zlib
from time import perf_counter, sleep

from mp_tqdm import report_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableSequence

_BLOCK = bytes(range(256)) * 128  # 32 KiB: some microseconds of checksum

# A cubic cannot be a sine, but near.
_POINTS = [(x / 100, math.sin(x / 100)) for x in range(-150, 150)]


def descend(coefficients: list[float]) -> float:
    """One step of gradient descent, over all points: the coefficients come nearer to a sine.

    Returns:
        The mean squared error before the step.
    """
    slopes = [0.0] * len(coefficients)
    squares = 0.0
    for x, y in _POINTS:
        powers = [x**power for power in range(len(coefficients))]
        error = sum(map(float.__mul__, coefficients, powers)) - y
        squares += error * error
        for index, power in enumerate(powers):
            slopes[index] += error * power
    for index, slope in enumerate(slopes):
        coefficients[index] -= 0.1 * slope / len(_POINTS)
    return squares / len(_POINTS)


def start_values(size: int) -> list[float]:
    """Coefficients to descend from, the same at each run."""
    generator = random.Random(0)  # noqa: S311 - no secret
    return [generator.uniform(-1, 1) for _ in range(size)]


def checksums(worker: int, done: MutableSequence[int], share: int) -> None:
    """One process of the team: does its share, and reports each item.

    Args:
        worker: Which of the shares.
        done: How many items of each share are done, in memory that outlives this process. Written
            before the item is reported, so what is counted was done.
        share: Items in a share. What a predecessor did of it is not done again.
    """
    for item in range(done[worker], share):
        zlib.crc32(_BLOCK)
        done[worker] = item + 1
        report_progress()


def heartbeats(items: int) -> None:
    """Reports so many items, somewhat less than a thousand a second."""
    for _ in range(items):
        sleep(0.001)
        report_progress()


def items_in(seconds: float) -> int:
    """How many items of `checksums` one core does in that time, others on it or not."""
    items = 5000
    begin = perf_counter()
    for _ in range(items):
        zlib.crc32(_BLOCK)
    return round(items * seconds / (perf_counter() - begin))


def hold_gil(size: int) -> int:
    """Adds up numbers in one C call, that lets no other thread of Python in."""
    return sum(range(size))


def size_for(seconds: float) -> int:
    """The size with which `hold_gil` takes about that long."""
    size = 5_000_000
    least = math.inf  # of some rounds: a size for a disturbed one would be too small
    for _ in range(5):
        begin = perf_counter()
        hold_gil(size)
        least = min(least, perf_counter() - begin)
    return max(1, round(seconds / least)) * size
