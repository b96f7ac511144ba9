"""What is made of the samples of all rounds: the columns of a suite's table."""

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

# One figure of a round, or several: wall and processor time, or percentiles.
Sample = float | tuple[float, ...]


class Interval(NamedTuple):
    """An estimate, and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


Column = float | Interval
Columns = Mapping[str, Column]
# Makes them from the samples of a subject and from those that the baseline had in the same rounds,
# which are None for the baseline itself and in a suite without one.
Summary = Callable[[Sequence[Sample], Sequence[Sample] | None], Columns]

CONFIDENCE = 0.95
RESAMPLES = 2_000


def above(own: Sequence[Sample], base: Sequence[Sample] | None) -> Columns:
    """The cost above the baseline.

    *best* is the least disturbed round, less the baseline's best: what ratios are made of. *median*
    is that of the differences in each round, *spread* lies between their first and third quartile.
    """
    figures = _firsts(own)
    bare = [0.0] * len(figures) if base is None else _firsts(base)
    differences = [figure - of_base for figure, of_base in zip(figures, bare, strict=True)]
    best = min(figures) - min(bare)
    if len(differences) == 1:  # of one round nothing can be said but its figure
        return {"best": best, "median": best}
    first, median, third = statistics.quantiles(differences, n=4)
    return {"best": best, "median": median, "spread": third - first}


def slow_down(own: Sequence[Sample], base: Sequence[Sample] | None) -> Columns:
    """The time, and by how much it is longer than the baseline's in the same round, in percent.

    A sample is a wall time and, where it is known, a processor time. The estimate is the median of
    the ratios of all rounds: what a machine does to one round, it does to both sides of its ratio.
    The interval is that of `bootstrap`.
    """
    columns: dict[str, Column] = {"time": statistics.median(_firsts(own))}
    for place, name in enumerate(("wall time, %", "processor time, %")):
        if base is None or (isinstance(own[0], tuple) and place >= len(own[0])):
            break
        pairs = zip(own, base, strict=True)
        percent = [100 * (part(sample, place) / part(bare, place) - 1) for sample, bare in pairs]
        columns[name] = _estimate(percent)
    return columns


def beside(own: Sequence[Sample], base: Sequence[Sample] | None) -> Columns:
    """The time, and by how many percent it is longer than one taken in the same place and round.

    A sample is both processor times, or wall and processor time and then those of the other. The
    estimate is made as that of `slow_down`.
    """
    del base
    columns: dict[str, Column] = {"time": statistics.median(_firsts(own))}
    times = len(own[0]) // 2 if isinstance(own[0], tuple) else 0
    for place, name in enumerate(("wall time, %", "processor time, %")[-times:]):
        pairs = ((part(sample, place), part(sample, times + place)) for sample in own)
        columns[name] = _estimate([100 * (time / bare - 1) for time, bare in pairs])
    return columns


TAIL = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def tail(durations: Sequence[float]) -> tuple[float, ...]:
    """The sample of a round in which many calls were timed, each by itself."""
    ordered = sorted(durations)
    return *(percentile(ordered, share) for share in TAIL.values()), ordered[-1]


def tails(own: Sequence[Sample], base: Sequence[Sample] | None) -> Columns:
    """Of each percentile the median of the rounds, and the longest call of all."""
    del base  # a percentile of a sum is no sum of percentiles: nothing is taken off
    columns: dict[str, Column] = {
        name: statistics.median(part(sample, place) for sample in own)
        for place, name in enumerate(TAIL)
    }
    columns["max"] = max(part(sample, len(TAIL)) for sample in own)
    return columns


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of the sorted values that this share of them does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def bootstrap(values: Sequence[float]) -> Interval:
    """The median of independent values, with its 95 % percentile bootstrap interval.

    The values are drawn again with replacement, as many as there are, many times; the interval
    holds the middle 95 % of the medians of those draws. It supposes nothing about how the values
    are distributed. Of fewer than ten it is too short, and of values that have something in common,
    as rounds of one process have, a little.

    B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979), and
    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    chance = random.Random(0)  # noqa: S311 - a run's figures give the same interval again
    medians = sorted(
        statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    beyond = (1 - CONFIDENCE) / 2
    return Interval(
        statistics.median(values), percentile(medians, beyond), percentile(medians, 1 - beyond)
    )


def part(sample: Sample, place: int) -> float:
    """One figure of a sample."""
    return sample[place] if isinstance(sample, tuple) else sample


def _estimate(values: Sequence[float]) -> Column:
    return bootstrap(values) if len(values) > 1 else values[0]


def _firsts(samples: Sequence[Sample]) -> list[float]:
    return [part(sample, 0) for sample in samples]
