"""Measuring a suite: all subjects in every round, one after the other, and what comes out."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mp_tqdm.bench.estimate import Columns, Interval, Sample, part
from mp_tqdm.bench.subject import Subject, Suite
from mp_tqdm.bench.worker import GOODBYE_S, OutOfTimeError, SubjectError, Worker

# Long enough for the clock and for a bar to settle, short enough to repeat.
_CALIBRATION_S = 0.02

# Where code and data come to lie differs from process to process, and with it what a call costs, by
# a nanosecond or two: so no subject keeps one process for all rounds.
_ROUNDS_OF_A_PROCESS = 5


@dataclass(frozen=True)
class Figure:
    """What was measured of one subject, in the suite's unit.

    Attributes:
        columns: Of its table, as the suite's summary makes them.
        samples: The figures of the rounds as measured, the baseline not taken off.
    """

    columns: Columns
    samples: Sequence[Sample]

    def value(self, column: str) -> float:
        """One of the columns; of an interval, the estimate."""
        found = self.columns[column]
        return found.value if isinstance(found, Interval) else found


@dataclass(frozen=True)
class Effort:
    """How much is done for a suite.

    Attributes:
        rounds: How often each subject is run, at least 10 for figures that are shown to anybody.
        round_s: Seconds that one run should take.
        is_quick: Whether the suite's smaller repetitions are taken.
        soft_end: On the clock of `time.monotonic`: no round begins that would end later.
        hard_end: Whoever is not done by then is ended.
    """

    rounds: int
    round_s: float
    is_quick: bool = False
    soft_end: float = float("inf")
    hard_end: float = float("inf")

    # Of one run, against those that hang: the longest take some tens of seconds.
    patience_s: float = 900.0

    def until(self) -> float:
        """How long a run that begins now may take."""
        return min(self.hard_end, time.monotonic() + self.patience_s)


@dataclass(frozen=True)
class Measured:
    """What came out of one suite.

    Attributes:
        suite: The suite.
        figures: Of each subject that was measured, in the order of the table.
        left_out: Why each of the others was not.
        failed: Those of them that were to be measured, and could not.
    """

    suite: Suite
    figures: Mapping[str, Figure] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: Sequence[str] = ()


def measure(
    suite: Suite,
    subjects: Sequence[Subject],
    effort: Effort,
    tell: Callable[[str], object] = lambda _: None,
) -> Measured:
    """Run all subjects in turns, each in its own process, and return the figure of each.

    In turns, since a machine's speed drifts: in one round all subjects meet the same machine. Each
    round begins with another one.

    Args:
        suite: What is measured.
        subjects: Those of it that can be.
        effort: How often and how long.
        tell: Is called with a line about what goes on.
    """
    run = _Run(suite, subjects, effort, tell)
    try:
        return run.measured()
    finally:
        run.close()


class _Run:
    """The measuring of one suite; a subject that fails drops out of it."""

    def __init__(
        self,
        suite: Suite,
        subjects: Sequence[Subject],
        effort: Effort,
        tell: Callable[[str], object],
    ) -> None:
        self._suite = suite
        self._workers = [Worker(suite, subject, effort.until()) for subject in subjects]
        self._effort = effort
        self._tell = tell
        self._repetitions: dict[str, int] = {}
        self._left_out: dict[str, str] = {}
        self._failed: list[str] = []

    def measured(self) -> Measured:
        effort, suite = self._effort, self._suite
        self._tell(f"{suite.name}: how long each takes")
        for worker in tuple(self._workers):
            self._calibrate(worker)
        rounds = min(effort.rounds, suite.rounds or effort.rounds)
        samples: list[dict[str, Sample]] = []
        longest_s = 0.0
        for number in range(rounds):
            begin = time.monotonic()
            if number and begin + longest_s > effort.soft_end:
                break
            self._tell(f"{suite.name}: round {number + 1} of {rounds}")
            if number and number % _ROUNDS_OF_A_PROCESS == 0:
                self._renew()
            samples.append(self._round(number, rounds))
            longest_s = max(longest_s, time.monotonic() - begin)
        names = [worker.subject.name for worker in self._workers]
        if suite.baseline not in {None, *names} and names:
            without = "could not be measured without the baseline"
            self._left_out |= dict.fromkeys(names, without)
            names = []
        figures = {name: _figure(suite, name, samples) for name in names}
        return Measured(suite, figures, self._left_out, self._failed)

    def close(self) -> None:
        """End all processes: all at once, and who is not gone in a moment by force."""
        for worker in self._workers:
            worker.dismiss()
        end = time.monotonic() + GOODBYE_S
        for worker in self._workers:
            worker.close(max(0.0, end - time.monotonic()))

    def _renew(self) -> None:
        self.close()
        until = self._effort.until()
        self._workers = [Worker(self._suite, worker.subject, until) for worker in self._workers]

    def _round(self, number: int, rounds: int) -> dict[str, Sample]:
        """The figures of one round, of those who have a turn in it."""
        first = number % len(self._workers) if self._workers else 0
        workers = [
            worker
            for worker in [*self._workers[first:], *self._workers[:first]]
            if not number % math.ceil(rounds / (worker.subject.rounds or rounds))
        ]
        found: dict[str, Sample | None] = {}
        if self._suite.is_idle:
            for worker in workers:
                worker.ask(self._repetitions[worker.subject.name])
        for worker in workers:
            if not self._suite.is_idle:
                worker.ask(self._repetitions[worker.subject.name])
            found[worker.subject.name] = self._answer(worker)
        return {
            name: _scaled(answer, self._suite.scale / self._repetitions[name])
            for name, answer in found.items()
            if answer is not None
        }

    def _answer(self, worker: Worker) -> Sample | None:
        try:
            return worker.answer(self._effort.until())
        except SubjectError as error:
            self._left_out[worker.subject.name] = str(error)
            if not (isinstance(error, OutOfTimeError) and self._effort.is_quick):
                self._failed.append(worker.subject.name)
            self._workers.remove(worker)
            worker.close(patience_s=0)
            return None

    def _calibrate(self, worker: Worker) -> None:
        """Find out how many repetitions fill a round."""
        fixed = self._suite.quick_repetitions if self._effort.is_quick else None
        fixed = fixed or self._suite.repetitions
        if fixed:
            self._repetitions[worker.subject.name] = fixed
            return
        count = 100
        while True:
            worker.ask(count)
            answer = self._answer(worker)
            if answer is None:
                return
            seconds = part(answer, 0)
            if seconds >= _CALIBRATION_S:
                break
            # The opening of a bar is not in it, and may take longer than the calls.
            count *= max(4, min(256, int(_CALIBRATION_S / max(seconds, 1e-9))))
        wanted = max(1, round(count * self._effort.round_s / seconds))
        self._repetitions[worker.subject.name] = wanted


def _scaled(sample: Sample, factor: float) -> Sample:
    if isinstance(sample, tuple):
        return tuple(part * factor for part in sample)
    return sample * factor


def _figure(suite: Suite, name: str, samples: Sequence[Mapping[str, Sample]]) -> Figure:
    """Of a subject, from the rounds in which it had a turn."""
    rounds = [found for found in samples if name in found]
    own = [found[name] for found in rounds]
    base = None
    if suite.baseline not in {None, name}:
        base = [found[suite.baseline] for found in rounds]
    return Figure(suite.summary(own, base), own)
