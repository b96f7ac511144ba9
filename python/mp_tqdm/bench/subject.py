"""What is measured: subjects, each a way to do the same thing, gathered in suites."""

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar

from mp_tqdm.bench.estimate import Sample, Summary, above

Loop = TypeVar("Loop", bound=Callable[..., Any])


@dataclass(frozen=True)
class Subject:
    """One way to do the thing that a suite is about.

    Attributes:
        name: As it stands in the table.
        run: Does it so many times and returns what that took: seconds, or what the suite measures.
            It imports what it needs by itself, outside the part that is timed. It is called in a
            process that runs no other subject.
        package: The distribution it comes from, or `floor.PACKAGE`; where that is missing, the row
            is, and a line says how to get it.
        is_slow: It takes many seconds: a quick run has it only in a suite that was named.
        rounds: The most rounds, of one that takes much longer than the others.
    """

    name: str
    run: Callable[[int], Sample]
    package: str | None = None
    is_slow: bool = False
    rounds: int | None = None

    def __str__(self) -> str:
        """The name, for pytest."""
        return self.name


@dataclass(frozen=True)
class Suite:
    """Subjects that are measured side by side.

    Attributes:
        name: What the command line and the JSON call it.
        title: The headline of its table.
        subjects: In the order of the table.
        baseline: The subject whose figure is taken off the others', if there is one.
        floor: The subject that the column "x floor" divides by, if there is one.
        ours: The subject that the column "x ours" divides by.
        unit: What the figures are in, after `scale`.
        scale: What a figure of one repetition is multiplied by.
        repetitions: How often a subject does its thing in one round; None: as often as fills the
            round's time.
        rounds: The most rounds, for one of which a subject takes seconds.
        quick_repetitions: What a quick run has in the place of `repetitions`; None: the same.
        is_idle: The subjects sleep most of the time, and what is measured is no processor time: in
            each round all run at once.
        package: The distribution that all subjects need.
        prepare: A program that does what takes long and is the same for all subjects; their
            processes are forked from its own. Suites with the same one share that.
        summary: Makes the columns of the table.
    """

    name: str
    title: str
    subjects: tuple[Subject, ...]
    baseline: str | None
    ours: str
    floor: str | None = None
    unit: str = "ns"
    scale: float = 1e9
    repetitions: int | None = None
    rounds: int | None = None
    quick_repetitions: int | None = None
    is_idle: bool = False
    package: str | None = None
    prepare: str = ""
    summary: Summary = above


def fresh(loop: Loop) -> Loop:
    """A copy of a function with bytecode of its own.

    The interpreter specialises bytecode to what it has seen there. Subjects that shared one loop
    would measure each other's types.
    """
    assert isinstance(loop, FunctionType), "only a Python function has bytecode"
    code = loop.__code__.replace()
    copy: Any = FunctionType(code, loop.__globals__, loop.__name__, loop.__defaults__)
    return copy  # type: ignore[no-any-return]  # a copy has the type of the original
