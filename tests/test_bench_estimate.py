"""What the benchmarks make of their samples: percentiles, estimates and their intervals."""

from __future__ import annotations

import json
import random
import statistics

import pytest

from mp_tqdm.bench import bench_crew, markdown, report
from mp_tqdm.bench.estimate import (
    Interval,
    above,
    beside,
    bootstrap,
    percentile,
    slow_down,
    tail,
    tails,
)
from mp_tqdm.bench.measure import Figure, Measured
from mp_tqdm.bench.subject import Suite


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.501, 51), (0.99, 99), (0.999, 100), (1.0, 100)]
)
def test_a_percentile_is_the_value_of_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile(range(1, 101), share) == expected


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    chance = random.Random(7)  # noqa: S311 - the same values each time
    intervals = [bootstrap([chance.expovariate(1.0) for _ in range(30)]) for _ in range(60)]
    true_median = 0.6931
    held = sum(low <= true_median <= high for _, low, high in intervals)
    assert 53 <= held <= 59, "57 of 60, more or less"


def test_more_values_make_a_shorter_interval_around_their_median() -> None:
    chance = random.Random(7)  # noqa: S311 - the same values each time
    values = [chance.gauss(10, 1) for _ in range(400)]
    few, many = bootstrap(values[:10]), bootstrap(values)
    assert many.value == statistics.median(values)
    assert many.low < many.value < many.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_equal_values_leave_nothing_uncertain() -> None:
    assert bootstrap([3.0] * 20) == Interval(3.0, 3.0, 3.0)


def test_a_slow_down_is_taken_within_each_round() -> None:
    # The machine got three times as slow; each round shows 10 % of wall and 50 % of processor time.
    bare = [(1.0, 2.0), (2.0, 3.0), (3.0, 6.0)]
    own = [(1.1, 3.0), (2.2, 4.5), (3.3, 9.0)]
    columns = slow_down(own, bare)
    assert columns["time"] == 2.2
    assert columns["wall time, %"] == pytest.approx((10, 10, 10))
    assert columns["processor time, %"] == pytest.approx((50, 50, 50))


def test_the_baseline_of_a_slow_down_has_a_time_alone() -> None:
    assert slow_down([(1.0, 2.0), (3.0, 4.0)], None) == {"time": 2.0}


def test_a_slow_down_without_processor_times_says_nothing_of_them() -> None:
    assert slow_down([(3.0,), (3.0,)], [(2.0, 9.0), (2.0, 9.0)]) == {
        "time": 3.0,
        "wall time, %": Interval(50.0, 50.0, 50.0),
    }


def test_what_was_measured_side_by_side_needs_no_baseline() -> None:
    columns = beside([(2.2, 2.0), (4.4, 4.0), (1.1, 1.0)], None)
    assert columns["time"] == 2.2
    assert columns["processor time, %"] == pytest.approx((10, 10, 10))
    both = beside([(2.2, 6.0, 2.0, 4.0)] * 3, None)
    assert both["wall time, %"] == pytest.approx((10, 10, 10))
    assert both["processor time, %"] == pytest.approx((50, 50, 50))


def test_one_round_gives_no_interval() -> None:
    assert slow_down([(3.0,)], [(2.0,)]) == {"time": 3.0, "wall time, %": 50.0}
    assert above([3.0], [2.0]) == {"best": 1.0, "median": 1.0}


def test_the_cost_above_the_baseline_is_taken_within_each_round() -> None:
    assert above([5.0, 7.0, 9.0, 21.0], [4.0, 5.0, 6.0, 7.0]) == {
        "best": 1.0,
        "median": 2.5,
        "spread": 10.0,
    }


def test_tails_are_medians_of_the_rounds_and_the_longest_of_all() -> None:
    rounds = [tail(range(1, 1001)), tail([1] * 1000), tail([2] * 999 + [5000])]
    assert rounds[0] == (500, 990, 999, 1000)
    assert tails(rounds, None) == {"p50": 2, "p99": 2, "p99.9": 2, "max": 5000}


def test_tables_show_an_estimate_with_its_interval_and_leave_the_baseline_without() -> None:
    suite = Suite("loop", "A loop", (), "bare", "ours", unit="s", summary=slow_down)
    bare, own = [(1.0, 1.0)] * 3, [(1.1, 1.2)] * 3
    figures = {
        "bare": Figure(slow_down(bare, None), bare),
        "ours": Figure(slow_down(own, bare), own),
    }
    measured = Measured(suite, figures)
    assert list(report.table(measured)) == [
        "A loop (s)",
        "          time         wall time, %    processor time, %",
        "bare      1.00",
        "ours      1.10 10.00 [10.00, 10.00] 20.00 [20.00, 20.00]",
    ]
    document = report.document(report.machine(), [measured], [], is_quick=False)
    shown = markdown.tables(json.loads(json.dumps(document)))
    assert shown.endswith(
        "### A loop (s)\n\n"
        "| | time | wall time, % | processor time, % |\n"
        "| --- | --: | --: | --: |\n"
        "| bare | 1.0 |  |  |\n"
        "| ours | 1.1 | 10.00 (10.00 to 10.00) | 20.00 (20.00 to 20.00) |"
    )


def test_what_a_process_of_a_crew_costs_once_is_not_multiplied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def times(method: str, items: int) -> list[float]:
        assert method == "mp_tqdm"
        return [0.5 + 1e-6 * items, 2 + 4e-6 * items]

    monkeypatch.setattr(bench_crew, "_times", times)
    run = bench_crew._crew("mp_tqdm", part=5)
    assert run(1_000_000) == pytest.approx((1.5, 6.0))
