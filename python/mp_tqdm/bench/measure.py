"""Measuring a suite: all subjects in every round, one after the other, and what comes out."""

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mp_tqdm.bench.subject import Subject, Suite

# Long enough for the clock and for a bar to settle, short enough to repeat.
_CALIBRATION_S = 0.02


@dataclass(frozen=True)
class Figure:
    """The cost of one subject above the baseline, in the suite's unit.

    Attributes:
        best: Of the rounds, the least disturbed, less the baseline's best: what ratios are made of.
        median: Of the differences in each round.
        spread: Between the first and the third quartile of those differences.
        samples: The figures of the rounds as measured, the baseline not taken off.
    """

    best: float
    median: float
    spread: float
    samples: Sequence[float]


def measure(
    suite: Suite,
    subjects: Sequence[Subject],
    *,
    rounds: int,
    round_s: float,
    tell: Callable[[str], object] | None = None,
) -> dict[str, Figure]:
    """Run all subjects in turns and return the figure of each.

    In turns, since a machine's speed drifts: in one round all subjects meet the same machine. Each
    round begins with another one.

    Args:
        suite: What is measured.
        subjects: Those of it that can be; the baseline must be among them.
        rounds: How often each is run, at least 10 for figures that are shown to anybody.
        round_s: Seconds that one run should take.
        tell: Is called with a line about what goes on.
    """
    tell = tell or (lambda _: None)
    rounds = min(rounds, suite.rounds or rounds)
    tell(f"{suite.name}: how long each takes")
    repetitions = {
        subject.name: suite.repetitions or _repetitions(subject, round_s) for subject in subjects
    }
    samples: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        tell(f"{suite.name}: round {number + 1} of {rounds}")
        first = number % len(subjects)
        for subject in [*subjects[first:], *subjects[:first]]:
            gc.collect()  # what the one before left is not this one's to clean up
            count = repetitions[subject.name]
            samples[subject.name].append(subject.run(count) / count * suite.scale)
    return dict(_figures(samples, suite.baseline))


def _repetitions(subject: Subject, round_s: float) -> int:
    count = 100
    while (seconds := subject.run(count)) < _CALIBRATION_S:
        count *= 4
    return max(1, round(count * round_s / seconds))


def _figures(
    samples: Mapping[str, Sequence[float]], baseline: str | None
) -> Iterator[tuple[str, Figure]]:
    for name, own in samples.items():
        base = [0.0] * len(own) if baseline in {None, name} else samples[baseline or name]
        above = [figure - bare for figure, bare in zip(own, base, strict=True)]
        first, median, third = statistics.quantiles(above, n=4)
        yield name, Figure(min(own) - min(base), median, third - first, own)
