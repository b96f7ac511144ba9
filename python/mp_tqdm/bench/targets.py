"""What mp_tqdm promises, as limits on figures of one run.

Limits are ratios to what was measured beside them, on the same machine at the same time. The few
absolute ones are about amounts that no peer sets a mark for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mp_tqdm.bench.measure import Figure

Figures = Mapping[str, "Figure"]


@dataclass(frozen=True)
class Target:
    """One limit.

    Attributes:
        suite: The suite whose figures it is about.
        subject: The one of ours that it limits.
        promise: The limit in words.
        limit: Computes it from the figures of the suite, in the suite's unit.
        column: The one that it limits.
    """

    suite: str
    subject: str
    promise: str
    limit: Callable[[Figures], float]
    column: str = "best"


@dataclass(frozen=True)
class Verdict:
    """A target and what came of it."""

    target: Target
    measured: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.measured <= self.limit


def _times(factor: float, subject: str, plus: float = 0.0) -> Callable[[Figures], float]:
    return lambda figures: factor * figures[subject].value("best") + plus


def _at_most(limit: float) -> Callable[[Figures], float]:
    return lambda _: limit


TARGETS = (
    Target(
        "iterate",
        "mp_tqdm",
        "1.5 x the floor and 1 ns",
        _times(1.5, "floor: C iterator", plus=1.0),
    ),
    Target("iterate", "mp_tqdm", "progressbar2[fast]", _times(1, "progressbar2[fast]")),
    Target("iterate", "mp_tqdm", "a 20th of tqdm", _times(1 / 20, "tqdm")),
    Target("update", "mp_tqdm update(1)", "1.5 x the floor", _times(1.5, "floor: C add(1)")),
    Target(
        "update",
        "mp_tqdm bar.update(1)",
        "1.5 x a C object's method and 2 ns",
        _times(1.5, "floor: C object.add(1)", plus=2.0),
    ),
    Target("update", "mp_tqdm update(1)", "a 10th of tqdm", _times(1 / 10, "tqdm update(1)")),
    Target("report", "mp_tqdm report_progress()", "1.5 x the floor", _times(1.5, "floor: C add()")),
    Target(
        "report",
        "mp_tqdm report_progress()",
        "a 30th of multiprocessing.Value",
        _times(1 / 30, "multiprocessing.Value, its lock"),
    ),
    Target(
        "postfix",
        "mp_tqdm",
        "2.5 x a C object's method and 5 ns",
        _times(2.5, "floor: C object.keep(loss=x)", plus=5.0),
    ),
    Target("construct", "mp_tqdm, leave=False", "12 us", _at_most(12.0)),
    Target("construct", "mp_tqdm, leave=False", "tqdm", _times(1, "tqdm, leave=False")),
    Target("construct", "mp_tqdm in memory", "tqdm", _times(1, "tqdm in memory")),
    Target("construct", "mp_tqdm, disable=True", "tqdm", _times(1, "tqdm, disable=True")),
    Target("import", "mp_tqdm", "2 ms", _at_most(2.0)),
    Target("pipe", "mp_tqdm pipe", "tqdm", _times(1, "tqdm")),
    Target("pipe", "mp_tqdm pipe --bytes", "tqdm", _times(1, "tqdm --bytes")),
    Target(
        "pipe",
        "mp_tqdm pipe --bytes",
        "tqdm with large portions",
        _times(1, "tqdm --bytes, portions of 128 KiB"),
    ),
    Target("memory", "mp_tqdm", "2 MiB", _at_most(2048.0)),
    Target("segment", "mp_tqdm", "1 MiB", _at_most(1024.0)),
    Target("unread", "mp_tqdm", "1 % longer than without a bar", _at_most(1.0), "wall time, %"),
    Target("exit", "mp_tqdm, 20 bars", "0.5 s", _at_most(500.0)),
    Target(
        "processes",
        "mp_tqdm, 64 processes",
        "1.1 x 1 process",
        _times(1.1, "mp_tqdm, 1 process"),
    ),
    Target("owner", "64 live processes", "0.5 % of a core", _at_most(0.5)),
    Target("fork", "mp_tqdm", "1 ms more", _at_most(1.0)),
    Target(
        "crew",
        "mp_tqdm report_progress()",
        "2 % more processor time than silent",
        _at_most(2.0),
        column="processor time, %",
    ),
    Target(
        "halves",
        "mp_tqdm report_progress()",
        "2 % more processor time than silent",
        _at_most(2.0),
        column="processor time, %",
    ),
)


def verdicts(suites: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Judge every target whose suite was measured with everything that it compares."""
    for target in TARGETS:
        figures = suites.get(target.suite, {})
        if target.subject in figures:
            try:
                limit = target.limit(figures)
            except KeyError:
                continue  # that peer is not installed
            yield Verdict(target, figures[target.subject].value(target.column), limit)
