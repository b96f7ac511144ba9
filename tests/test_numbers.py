"""n, n_own, total and initial: what they read, whatever was counted or set."""

import io
import math
import multiprocessing
import threading
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from mp_tqdm import mp_tqdm, report_progress
from support.quiet import quiet

Bar = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


both = pytest.mark.parametrize("bar_type", [mp_tqdm, tqdm])


# --- update ---------------------------------------------------------------------------------------

COUNTS: list[list[Any]] = [
    [1, 2, 3],
    [0, 0, 0],
    [5, -2],
    [-3],
    [2**31, 2**31],
    [2**62],
    [0.5, 0.25],
    [1, 0.5],
    [True, False, True],
    [np.int64(3), np.int32(-1), np.uint8(255)],
    [np.float32(0.5), np.float64(0.25)],
    [Fraction(1, 2), Decimal("0.25")],
    [1e300],
]


@pytest.mark.parametrize("counts", COUNTS, ids=str)
def test_n_is_the_sum_of_what_was_counted(counts: list[Any]) -> None:
    bar = mp_tqdm(total=100)
    for n in counts:
        bar.update(n)
    expected = sum(float(n) if not isinstance(n, int) else n for n in counts)
    assert bar.n == expected
    bar.close()
    assert bar.n == expected


@pytest.mark.parametrize("counts", [counts for counts in COUNTS[:9] if counts != [-3]], ids=str)
def test_n_is_the_one_of_tqdm(counts: list[Any]) -> None:
    bar, other = mp_tqdm(total=100), tqdm(total=100, file=io.StringIO())
    for n in counts:
        bar.update(n)
        other.update(n)
        assert bar.n == other.n
        assert isinstance(bar.n, float) == isinstance(other.n, float)
    bar.close()
    other.close()


@pytest.mark.parametrize("n", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_finite_number_is_ignored_with_a_warning(n: Any) -> None:
    bar = mp_tqdm()
    bar.update(2)
    with pytest.warns(RuntimeWarning, match="NaN or infinite"):
        bar.update(n)
    assert bar.n == 2
    with pytest.warns(RuntimeWarning, match="NaN or infinite"):
        report_progress(n)
    assert bar.n == 2
    bar.close()


@pytest.mark.parametrize("n", [2**63, 2**64, 10**30, -(10**30)])
def test_a_huge_count_is_a_float(n: int) -> None:
    bar = mp_tqdm()
    bar.update(n)
    assert bar.n == float(n)
    bar.close()


def test_counts_near_the_limit_never_wrap() -> None:
    bar = mp_tqdm()
    last = 0.0
    for _ in range(20):
        bar.update(2**62)
        assert bar.n >= last
        last = bar.n
    bar.close()


@pytest.mark.parametrize("n", ["1", None, [1], object(), 1j])
def test_what_is_no_number_raises_and_counts_nothing(n: Any) -> None:
    bar = mp_tqdm()
    with pytest.raises(TypeError):
        bar.update(n)
    with pytest.raises(TypeError):
        report_progress(n)
    assert bar.n == 0
    bar.close()


@given(st.lists(st.one_of(st.integers(-(10**6), 10**6), st.sampled_from([0.5, -0.25, 2.0]))))
def test_any_sequence_of_counts_is_exact(counts: list[float]) -> None:
    with mp_tqdm(key="any sequence") as bar:
        for n in counts:
            bar.update(n)
        assert bar.n == sum(counts)
        assert bar.n_own == sum(counts)


# --- initial and setting --------------------------------------------------------------------------


@both
def test_initial_is_where_n_starts(bar_type: Bar) -> None:
    bar = quiet(bar_type, range(3), initial=10, total=13)
    assert (bar.n, bar.initial, bar.last_print_n) == (10, 10, 10)
    for _ in bar:
        pass
    assert bar.n == 13


@both
@pytest.mark.parametrize("value", [0, 7, 3, -2, 100, 2.5])
def test_n_reads_what_was_set(bar_type: Bar, value: float) -> None:
    bar = quiet(bar_type, total=10, initial=4)
    bar.update(2)
    bar.n = value
    assert bar.n == value
    bar.update(3)
    assert bar.n == value + 3
    bar.close()
    assert bar.n == value + 3


@both
def test_n_can_be_added_to(bar_type: Bar) -> None:
    bar = quiet(bar_type, total=10)
    for _ in range(5):
        bar.n += 1
        bar.update(1)
        bar.n -= 1
    assert bar.n == 5
    bar.close()


@both
def test_n_initial_and_last_print_n_can_be_set_at_once(bar_type: Bar) -> None:
    bar = quiet(bar_type, total=100)
    bar.update(3)
    bar.n = bar.last_print_n = bar.initial = 20
    assert (bar.n, bar.initial, bar.last_print_n) == (20, 20, 20)
    bar.update()
    assert bar.n == 21
    bar.close()


@both
def test_n_of_a_closed_bar_can_be_set(bar_type: Bar) -> None:
    bar = quiet(bar_type, total=5)
    bar.update(2)
    bar.close()
    bar.n = 4
    assert bar.n == 4


def test_n_own_leaves_out_the_initial_count() -> None:
    bar = mp_tqdm(initial=10)
    bar.update(3)
    assert (bar.n, bar.n_own) == (13, 3)
    bar.close()
    assert (bar.n, bar.n_own) == (13, 3)


# --- total ----------------------------------------------------------------------------------------

TOTALS: list[tuple[Any, Any]] = [
    (None, None),
    (0, 0),
    (10, 10),
    (2.5, 2.5),
    (math.inf, None),
    (2**40, 2**40),
    (np.int64(7), 7),
]


@both
@pytest.mark.parametrize(("total", "read"), TOTALS)
def test_a_total_reads_as_given(bar_type: Bar, total: Any, read: Any) -> None:
    bar = quiet(bar_type, total=total)
    assert bar.total == read
    bar.close()
    assert bar.total == read


@pytest.mark.parametrize("total", [math.nan, -math.inf])
def test_a_total_that_is_no_number_is_unknown(total: float) -> None:
    bar = mp_tqdm(total=total)
    assert bar.total is None
    bar.total = 5
    assert bar.total == 5
    bar.total = total
    assert bar.total is None
    bar.close()


@both
@pytest.mark.parametrize("total", [None, 0, 5, 20, 7.5])
def test_a_total_can_be_set(bar_type: Bar, total: Any) -> None:
    bar = quiet(bar_type, total=10)
    bar.update(6)
    bar.total = total
    assert bar.total == total
    assert bar.n == 6
    bar.refresh()
    bar.close()
    assert bar.total == total


class Broken:
    """An iterable whose length is of no use."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __iter__(self) -> Any:
        return iter(range(3))

    def __len__(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [TypeError("no"), NotImplementedError(), AttributeError("x"), -1, "3", None, 2.5, 2**80],
    ids=str,
)
def test_a_length_that_is_of_no_use_leaves_the_total_unknown(answer: Any) -> None:
    bar = mp_tqdm(Broken(answer))
    assert bar.total is None
    # `list(bar)` would ask for the length and fail, as it does without a bar.
    assert [item for item in bar] == [0, 1, 2]  # noqa: C416
    assert bar.n == 3


@both
def test_a_length_that_lies_is_believed(bar_type: Bar) -> None:
    bar = quiet(bar_type, Broken(10))
    assert list(bar) == [0, 1, 2]
    assert (bar.n, bar.total) == (3, 10)


@both
@pytest.mark.parametrize(
    ("kwargs", "length", "truth"),
    [
        ({"total": 5}, 5, True),
        ({"total": 0}, 0, False),
        ({"iterable": [1, 2]}, 2, True),
        ({"iterable": []}, 0, False),
        ({"iterable": np.zeros((4, 2))}, 4, True),
        ({"iterable": [1, 2], "total": 9}, 2, True),
    ],
)
def test_length_and_truth(bar_type: Bar, kwargs: Any, length: int, truth: bool) -> None:
    bar = quiet(bar_type, **kwargs)
    assert len(bar) == length
    assert bool(bar) is truth
    bar.close()


@both
def test_truth_without_iterable_and_total_raises(bar_type: Bar) -> None:
    bar = quiet(bar_type)
    with pytest.raises(TypeError, match="bool"):
        bool(bar)
    bar.close()


# --- threads and processes ------------------------------------------------------------------------


def test_64_threads_count_exactly() -> None:
    bar = mp_tqdm()
    barrier = threading.Barrier(64)

    def work() -> None:
        barrier.wait()
        for _ in range(10_000):
            bar.update()
            report_progress(2)

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bar.n == 64 * 10_000 * 3
    bar.close()


def test_n_never_falls_and_never_exceeds_the_work_for_a_reader_at_full_speed() -> None:
    bar = mp_tqdm(key="reader")
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        jobs = pool.map_async(count_in_batches, [200_000] * 2)
        last = 0
        while not jobs.ready():
            n = bar.n
            assert last <= n <= 400_000
            last = n
        jobs.get()
        assert bar.n == 400_000
    bar.close()


def count_in_batches(n: int) -> None:
    for _ in range(n):
        report_progress()


def test_one_update_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with mp_tqdm(total=1) as bar:
            assert bar.update() is None
