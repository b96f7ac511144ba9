"""Which bar a report reaches, and that it never disturbs who reports."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import mp_tqdm as package
from mp_tqdm import mp_tqdm, report_progress


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def test_a_report_is_one_item_unless_it_says_more() -> None:
    with mp_tqdm(total=10) as bar:
        report_progress()
        report_progress(3)
        report_progress(n=2)
        report_progress(-1)
        report_progress(0.5)
        assert bar.n == 5.5


def test_a_report_returns_nothing() -> None:
    with mp_tqdm():
        assert report_progress() is None  # type: ignore[func-returns-value]


def test_a_report_without_a_bar_is_dropped_silently() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            report_progress()
    with mp_tqdm() as bar:
        assert bar.n == 0
        report_progress()
        assert bar.n == 1


def test_the_newest_open_bar_is_reached() -> None:
    with mp_tqdm() as outer:
        report_progress()
        with mp_tqdm() as inner:
            report_progress(10)
            assert (outer.n, inner.n) == (1, 10)
        report_progress(100)
        assert (outer.n, inner.n) == (101, 10)


def test_a_bar_with_a_key_or_a_reduction_comes_before_newer_ones() -> None:
    for kwargs in ({"key": "samples"}, {"reduce": "sum"}):
        named: Any
        with mp_tqdm(**kwargs) as named, mp_tqdm() as newer:  # type: ignore[arg-type]
            report_progress()
            assert (named.n, newer.n) == (1, 0)


def test_a_bar_over_an_iterable_is_not_reached() -> None:
    with mp_tqdm() as counter:
        for _ in mp_tqdm(range(3)):
            report_progress()
        assert counter.n == 3
    for _ in (loop := mp_tqdm(range(3))):
        report_progress()
    assert loop.n == 3


def test_a_closed_or_disabled_bar_is_not_reached() -> None:
    with mp_tqdm() as bar:
        off = mp_tqdm(disable=True)
        closed = mp_tqdm()
        closed.close()
        report_progress()
        assert (bar.n, off.n, closed.n) == (1, 0, 0)


def test_a_report_finds_a_bar_by_key_desc_or_itself() -> None:
    with mp_tqdm(key="by key") as one, mp_tqdm(desc="by desc") as two, mp_tqdm() as three:
        report_progress(bar="by key")
        report_progress(2, bar="by desc")
        report_progress(n=4, bar=three)
        report_progress(8, bar=one)
        assert (one.n, two.n, three.n) == (9, 2, 4)


def test_a_desc_that_was_set_later_is_found() -> None:
    with mp_tqdm() as bar:
        bar.set_description_str("later")
        report_progress(bar="later")
        assert bar.n == 1


def test_a_report_to_a_bar_that_is_off_or_over_is_dropped_silently() -> None:
    with mp_tqdm() as bar, mp_tqdm(disable=True) as off:
        over = mp_tqdm()
        over.close()
        report_progress(bar=off)
        report_progress(2, bar=over)
        assert (bar.n, off.n, over.n) == (0, 0, 0)


def test_an_unknown_bar_warns_and_drops() -> None:
    with mp_tqdm() as bar:
        with pytest.warns(RuntimeWarning, match="'nobody'"):
            report_progress(bar="nobody")
        assert bar.n == 0


@pytest.mark.parametrize("bar", [3, 2.5, [], object()])
def test_what_is_no_bar_raises(bar: object) -> None:
    with pytest.raises(TypeError, match="key or desc"):
        report_progress(bar=bar)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1, 2), {}), ((), {"m": 1}), ((1,), {"n": 2}), (("x",), {})]
)
def test_wrong_arguments_raise_a_type_error(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        report_progress(*args, **kwargs)


def test_a_report_in_a_generator_reaches_the_bar_that_is_open_when_it_runs() -> None:
    def items() -> Iterator[int]:
        for item in range(3):
            report_progress()
            yield item

    source = items()
    with mp_tqdm() as first:
        next(source)
    with mp_tqdm() as second:
        list(source)
    assert (first.n, second.n) == (1, 2)


def test_the_builtin_is_the_public_function() -> None:
    assert package.report_progress is report_progress
    assert report_progress.__module__ == "mp_tqdm._core"
    assert report_progress.__doc__
