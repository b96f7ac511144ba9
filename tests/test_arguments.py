"""Wrong arguments raise at construction, and say what is right."""

import io
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from mp_tqdm import TqdmKeyError, TqdmTypeError, mp_tqdm


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def test_an_unknown_argument_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(TqdmKeyError, match=r"'totl'.*did you mean 'total'"):
        mp_tqdm(totl=3)
    with pytest.raises(KeyError, match="'zzzz'"):
        mp_tqdm(zzzz=3)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"total": "10"}, TqdmTypeError, "total should be a number or None, found str: '10'"),
    ({"total": [1]}, TqdmTypeError, "total should be"),
    ({"initial": "x"}, TqdmTypeError, "initial should be a number"),
    ({"initial": None}, TqdmTypeError, "initial should be a number"),
    ({"mininterval": -1}, ValueError, "mininterval should be at least 0, found -1"),
    ({"mininterval": float("nan")}, ValueError, "mininterval should be at least 0"),
    ({"mininterval": "a"}, TqdmTypeError, "mininterval should be a number"),
    ({"delay": -0.5}, ValueError, "delay should be at least 0"),
    ({"ncols": -1}, ValueError, "ncols should be at least 0"),
    ({"nrows": -1}, ValueError, "nrows should be at least 0"),
    ({"desc": 3}, TqdmTypeError, "desc should be a str or None, found int: 3"),
    ({"bar_format": 3}, TqdmTypeError, "bar_format should be"),
    ({"reduce": "average"}, ValueError, "reduce should be 'auto'.*found \"average\""),
]


@pytest.mark.parametrize(("kwargs", "error", "message"), WRONG, ids=str)
def test_a_wrong_argument_raises_and_says_what_was_found(
    kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mp_tqdm(**kwargs)


def test_what_raised_opened_no_bar() -> None:
    from mp_tqdm import report_progress

    with mp_tqdm() as bar:
        with pytest.raises(ValueError, match="reduce"):
            mp_tqdm(reduce="no")
        report_progress()
        assert bar.n == 1


RIGHT: list[dict[str, Any]] = [
    {"total": np.int64(3)},
    {"total": 2.5},
    {"total": True},
    {"initial": np.float64(1.5)},
    {"mininterval": 0},
    {"mininterval": 1},
    {"mininterval": np.float64(0.5)},
    {"delay": 1},
    {"maxinterval": 0},
    {"miniters": 5},
    {"ncols": 0},
    {"ncols": np.int64(40)},
    {"nrows": 3},
    {"smoothing": 0},
    {"smoothing": 1},
    {"unit_scale": True},
    {"unit_scale": 0.5},
    {"unit_scale": 8},
    {"unit_divisor": 1024},
    {"unit": ""},
    {"unit": "é"},
    {"ascii": True},
    {"ascii": False},
    {"ascii": " .oO"},
    {"colour": "green"},
    {"colour": "#00ff00"},
    {"position": 3},
    {"leave": None},
    {"dynamic_ncols": True},
    {"lock_args": (True,)},
    {"gui": False},
    {"bar_format": "{l_bar}{bar:10}{r_bar}"},
    {"postfix": {"a": 1}},
    {"postfix": "text"},
    {"disable": False},
]


@pytest.mark.parametrize("mode", ["off", "lines"])
@pytest.mark.parametrize("kwargs", RIGHT, ids=str)
def test_what_tqdm_takes_is_taken(
    kwargs: dict[str, Any], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", mode)
    tqdm(file=io.StringIO(), **kwargs).close()
    for file in (None, io.StringIO()):
        with mp_tqdm(file=file, **kwargs) as bar:
            bar.update()
            bar.refresh()
            assert str(bar)
        assert bar.n == kwargs.get("initial", 0) + 1


def test_more_is_taken_than_tqdm_shows() -> None:
    for kwargs in ({"total": Decimal(3)}, {"write_bytes": True}):
        with mp_tqdm(**kwargs) as bar:
            bar.update(3)
        assert bar.n == 3
        assert "3" in str(bar)


def test_arguments_can_be_given_by_position() -> None:
    bar = mp_tqdm(range(3), "work", 5, False)
    assert (bar.desc, bar.total, bar.leave) == ("work", 5, False)
    bar.close()
