"""A bar as one process sees it: what it is after construction, and how it shows itself."""

import io
import re
import time
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm

# Times, and rates, of which `1.00it/s` becomes `1.01s/it` in a moment.
TIMES = re.compile(r"\d+(?::\d\d)+| ?[\d.]+(?:(it|img|B)/s|s/(it|img|B))")


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


CASES: list[dict[str, Any]] = [
    {},
    {"total": 10},
    {"total": 10, "desc": "work"},
    {"total": 10, "initial": 4},
    {"total": 10, "unit": "img", "unit_scale": True},
    {"total": 10_000_000, "unit_scale": True, "unit_divisor": 1024, "unit": "B"},
    {"total": 10, "ascii": True},
    {"total": 10, "ascii": " .oO", "ncols": 60},
    {"total": 10, "ncols": 0},
    {"total": 10, "bar_format": "{desc}{n_fmt}/{total_fmt} {percentage:3.0f}"},
    {"total": 10, "postfix": {"b": 1, "a": 0.5}},
    {"total": 10, "colour": "red", "ncols": 50},
    {"total": 2},
    {"total": 0},
]


@pytest.mark.parametrize("kwargs", CASES, ids=str)
@pytest.mark.parametrize("n", [0, 3])
def test_a_bar_as_text_is_tqdms(kwargs: dict[str, Any], n: int) -> None:
    kwargs.setdefault("ascii", False)
    bar, other = mp_tqdm(**kwargs), tqdm(file=io.StringIO(), **kwargs)
    for one in (bar, other):
        one.update(n)
        one.start_t = time.time() - 2.0
    assert TIMES.sub(r"#\1\2", str(bar)) == TIMES.sub(r"#\1\2", str(other))
    bar.close()
    other.close()


def test_a_bar_is_a_context() -> None:
    with mp_tqdm(total=3) as bar:
        assert isinstance(bar, mp_tqdm)
        assert not bar.disable
    assert bar.disable


def test_a_context_lets_exceptions_through() -> None:
    with pytest.raises(KeyError), mp_tqdm(total=3) as bar:  # noqa: PT012
        bar.update()
        raise KeyError
    assert (bar.n, bar.disable) == (1, True)


def test_unpause_takes_a_pause_out_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MP_TQDM_MODE")
    bar = mp_tqdm(total=3, file=io.StringIO())
    bar.start_t -= 100
    bar.last_print_t -= 90
    bar.unpause()
    assert 9 < bar.format_dict["elapsed"] < 60
    bar.close()


def test_write_prints_to_stdout_or_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    mp_tqdm.write("a")
    mp_tqdm.write("b", end="!")
    mp_tqdm.write("c", file=file)
    assert capsys.readouterr().out == "a\nb!"
    assert file.getvalue() == "c\n"


def test_external_write_mode_is_a_context() -> None:
    with mp_tqdm(total=3), mp_tqdm.external_write_mode():
        pass


def test_many_bars_at_once_count_apart() -> None:
    bars = [mp_tqdm(total=100) for _ in range(200)]
    for number, bar in enumerate(bars):
        bar.update(number)
    assert [bar.n for bar in bars] == list(range(200))
    for bar in reversed(bars):
        bar.close()
    assert [bar.n for bar in bars] == list(range(200))


def test_a_helper_that_makes_bars_gives_each_its_own() -> None:
    def helper(**kwargs: Any) -> mp_tqdm:
        return mp_tqdm(**kwargs)

    one, two = helper(), helper()
    one.update(1)
    two.update(2)
    assert (one.n, two.n) == (1, 2)
    one.close()
    two.close()
