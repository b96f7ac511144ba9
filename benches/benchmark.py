"""A suite as tests of pytest-benchmark, for `pytest benches` and its way to compare runs.

One round is a whole loop, the opening and the closing of the bar included; one subject is measured
after the other, and bars write to whatever pytest captures with. Good for comparing two versions of
one subject. Ratios are taken from `python -m benches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benches.available import why_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.subject import Subject, Suite

REPETITIONS = 20_000
ROUNDS = 10


def as_benchmark(suite: Suite) -> Callable[[Any, Subject], None]:
    """The test function of a suite: one test for each subject, in a group of the suite's name."""
    import pytest

    @pytest.mark.parametrize("subject", suite.subjects, ids=str)
    @pytest.mark.benchmark(group=suite.name)
    def bench(benchmark: Any, subject: Subject) -> None:
        reason = why_missing(subject.package)
        if reason:
            pytest.skip(reason)
        repetitions = suite.repetitions or REPETITIONS
        benchmark.extra_info["repetitions"] = repetitions
        benchmark.pedantic(subject.run, args=(repetitions,), rounds=ROUNDS, warmup_rounds=1)

    test: Callable[[Any, Subject], None] = bench
    return test
