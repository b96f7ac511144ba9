"""The suites of single calls as tests of pytest-benchmark, for its way to compare two versions.

    pytest benches --benchmark-only

One round is a whole loop, the opening and the closing of the bar included; one subject is measured
after the other, and bars write to whatever pytest captures with. Ratios between libraries are taken
from `python -m mp_tqdm bench`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mp_tqdm.bench import bench_iterate, bench_postfix, bench_report, bench_update
from mp_tqdm.bench.available import why_missing

if TYPE_CHECKING:
    from mp_tqdm.bench.subject import Subject, Suite

REPETITIONS = 20_000
ROUNDS = 10
SUITES = (bench_iterate.SUITE, bench_update.SUITE, bench_report.SUITE, bench_postfix.SUITE)


@pytest.mark.parametrize(
    ("suite", "subject"),
    [
        pytest.param(suite, subject, id=f"{suite.name}-{subject.name}")
        for suite in SUITES
        for subject in suite.subjects
    ],
)
def test_cost(suite: Suite, subject: Subject, benchmark: Any) -> None:
    """One subject of one suite; pytest-benchmark compares those of a group."""
    reason = why_missing(subject.package)
    if reason:
        pytest.skip(reason)
    benchmark.group = suite.name
    benchmark.extra_info["repetitions"] = REPETITIONS
    benchmark.pedantic(subject.run, args=(REPETITIONS,), rounds=ROUNDS, warmup_rounds=1)
