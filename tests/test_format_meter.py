"""The formatter's text is tqdm's own, byte for byte, on generated inputs.

A default run compares 105,600 inputs: `EXAMPLES` examples of each of six tests, of 16 inputs each.
Drawing is what takes the time, so a test draws one half of an input and combines it with a table of
the other half, or with several draws of it.

Left out is where tqdm raises (there a line is drawn here), and where its text depends on the
Unicode tables of the Python it runs on.
"""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tqdm import tqdm

from mp_tqdm._core import format_interval, format_meter, format_num, format_sizeof

pytestmark = [
    # tqdm warns of colours that it does not know and of bars that are more than full.
    pytest.mark.filterwarnings("ignore::tqdm.TqdmWarning"),
    pytest.mark.timeout(300),
]

EXAMPLES = 1100
many = settings(max_examples=EXAMPLES, deadline=None, print_blob=True)

# The largest numbers whose quotients are still whole seconds of 127 bits.
LARGE = 10**24

whole = st.one_of(
    st.integers(-3, 1100),
    st.integers(-LARGE, LARGE),
    st.sampled_from([0, 1, 999, 1000, 2**53, 2**53 + 1, 2**63, 2**64, 10**15, 10**21]),
)
real = st.one_of(
    st.floats(-1e24, 1e24),
    st.floats(0, 2000),
    st.sampled_from([0.0, -0.0, 0.5, 9.995, 99.95, 999.5, 1e15, 1e16, 0.0001, 0.00001]),
)
count = st.one_of(whole, real)
elapsed = st.one_of(
    st.integers(0, 10**6),
    st.floats(0, 10**7),
    st.sampled_from([0, 0.0, 0.001, 59.999, 60, 3599.9, 3600.0, 86400.0]),
)
rate = st.one_of(
    st.none(), st.sampled_from([0, 0.0, 1, 2, 1.0, 0.99]), st.floats(1e-9, 1e12), st.integers(1, 99)
)

# Wide, narrow, combining, joined and ambiguous characters, and colours.
DRAWN = "ab :|%{}進捗한é\u0301\u3099\u302a│█▏½…🚀👩\u200d👧\ufe0f\u1160ﾞ\uff21\t\x1b"
# Wide since Unicode 16, hence wide or not by the version of Python.
HEXAGRAMS = "".join(map(chr, itertools.chain(range(0x2630, 0x2638), range(0x268A, 0x2690))))
characters = st.characters(
    exclude_categories=("Cs", "Cn", "Nd"),
    exclude_characters=HEXAGRAMS + "\u17a4\u17d8" + "".join(map(chr, range(0x4DC0, 0x4E00))),
    max_codepoint=0x1CFFF,
)
piece = st.one_of(
    st.text(DRAWN, max_size=8),
    st.text(characters, max_size=4),
    st.sampled_from(
        ["\x1b[31m", "\x1b[0m", "\x1b[1;32m", "\x1b[", "\x1b[3", "train", ": ", "epoch 1"]
    ),
)
label = st.lists(piece, max_size=6).map("".join)

charset = st.one_of(st.booleans(), st.sampled_from(["", " #", ".oO", " ▏▎█", "進捗", "0123456789"]))
colour = st.sampled_from([None, "", "green", "RED", "#00ff00", "#0aF", "chartreuse", "#12345g"])
unit_scale = st.one_of(
    st.sampled_from([False, True, 0, 1, 1.0, 2, 0.5, -3, 1000]), st.floats(1e-3, 1e3)
)
unit_divisor = st.sampled_from([1000, 1024, 1000.0, 10, 2.5])
ncols = st.one_of(st.none(), st.integers(0, 200), st.sampled_from([0, 1, 2, 3]))
postfix = st.one_of(st.none(), st.just(""), st.just("loss=0.25, lr=1e-3"), label)

# What a line can look like, to be filled with drawn numbers.
LOOKS: list[dict[str, Any]] = [
    {},
    {"ncols": 80},
    {"ncols": 0},
    {"unit_scale": True},
    {"unit_scale": True, "unit_divisor": 1024, "unit": "B"},
    {"unit_scale": 0.5, "ncols": 60},
    {"unit_scale": 3, "prefix": "train"},
    {"prefix": "train: ", "postfix": "loss=1"},
    {"ascii": True, "ncols": 70},
    {"ascii": " .oO", "colour": "green", "ncols": 50},
    {"bar_format": "{l_bar}{bar:10}{r_bar}"},
    {"bar_format": "{desc}: {percentage:.1f}%|{bar}|{n}/{total} {rate}", "ncols": 90},
    {"bar_format": "{rate_fmt} {rate_inv_fmt} {rate_noinv_fmt} {rate_inv} {rate_noinv}"},
    {"bar_format": "{remaining} {remaining_s} {elapsed} {elapsed_s} {n_fmt}/{total_fmt}"},
    {"bar_format": "{n:010.2f}|{bar:-20b}|{n!r:>20}", "unit_scale": True, "ncols": 40},
    {"bar_format": "{percentage}|{bar:a}|{colour}{unit_divisor}", "ncols": 60},
]

# What there is to be shown, to be shown in drawn ways.
COUNTS: list[dict[str, Any]] = [
    {"n": 0, "total": 100, "elapsed": 0},
    {"n": 5, "total": 10, "elapsed": 4.0},
    {"n": 10, "total": 10, "elapsed": 12.5},
    {"n": 1234567, "total": 7654321, "elapsed": 3661.5, "initial": 1000},
    {"n": 1, "total": 3, "elapsed": 100.0},
    {"n": 0.3, "total": 1.0, "elapsed": 1, "rate": 0.25},
    {"n": 11, "total": 10, "elapsed": 1.0},
    {"n": 5, "total": None, "elapsed": 1.5},
]

FIELDS = [
    "l_bar",
    "r_bar",
    "n",
    "n_fmt",
    "total",
    "total_fmt",
    "percentage",
    "elapsed",
    "elapsed_s",
    "ncols",
    "nrows",
    "desc",
    "unit",
    "rate",
    "rate_fmt",
    "rate_noinv",
    "rate_noinv_fmt",
    "rate_inv",
    "rate_inv_fmt",
    "postfix",
    "unit_divisor",
    "colour",
    "remaining",
    "remaining_s",
]


def text_of(function: Callable[..., str], *args: Any, **kwargs: Any) -> str | None:
    """What a formatter returns, None if it raises."""
    try:
        return function(*args, **kwargs)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None


def is_eternal(meter: dict[str, Any]) -> bool:
    """Whether tqdm writes more hours than a whole number of 128 bits holds; here they read `?`."""
    remaining = tqdm.format_meter(**{**meter, "ncols": None, "bar_format": "{remaining}"})
    return len(remaining) > len("h" * 34 + ":mm:ss")


def assert_equal(**meter: Any) -> None:
    expected = text_of(tqdm.format_meter, **meter)
    line = text_of(format_meter, **meter)
    if expected is not None and line != expected:
        assert is_eternal(meter), (meter, line, expected)


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(n=count, total=st.one_of(st.none(), count), elapsed=elapsed, rate=rate, initial=count)
def test_any_numbers_in_every_look(**numbers: Any):
    for look in LOOKS:
        assert_equal(**numbers, **look)


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(
    prefix=label,
    postfix=postfix,
    unit=st.one_of(st.just("it"), label),
    ascii=charset,
    colour=colour,
    widths=st.tuples(ncols, ncols),
)
def test_any_texts_at_any_width(widths: tuple[int | None, ...], **texts: Any):
    for counts, width in itertools.product(COUNTS, widths):
        assert_equal(**counts, **texts, ncols=width)


sign = st.sampled_from(["", "+", "-", " "])
width = st.one_of(st.just(""), st.integers(0, 30).map(str))
precision = st.one_of(st.just(""), st.integers(0, 20).map(".{}".format))
align = st.one_of(
    st.just(""),
    st.sampled_from("<>^="),
    st.tuples(st.sampled_from("*0進 "), st.sampled_from("<>^=")).map("".join),
)
kind = st.one_of(st.just(""), st.sampled_from("sdeEfFgGn%"))
spec = st.one_of(
    st.just(""),
    st.sampled_from(
        [".2f", "3.0f", ">10", "5d", ".3g", ",", "010,", "+.1f", "^20", ".5", "_", "%"]
    ),
    st.tuples(
        align,
        sign,
        st.sampled_from(["", "0"]),
        width,
        st.sampled_from(["", "", ",", "_"]),
        precision,
        kind,
    ).map("".join),
)
bar_spec = st.one_of(
    st.just(""), st.sampled_from(["a", "u", "b", "10", "-5", "-5b", "-100", "0", "7a", "12U", "x"])
)
field = st.tuples(st.sampled_from(FIELDS), st.sampled_from(["", "", "", "!s", "!r"]), spec).map(
    lambda parts: f"{{{parts[0]}{parts[1]}{':' if parts[2] else ''}{parts[2]}}}"
)
fragment = st.one_of(
    field,
    bar_spec.map(lambda spec: f"{{bar:{spec}}}" if spec else "{bar}"),
    st.sampled_from(["{desc}: ", "{{", "}}", "|", " ", "\x1b[1m", "進捗"]),
)
template = st.lists(fragment, max_size=6).map("".join)


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(bar_format=template, prefix=label, unit_scale=unit_scale, widths=st.tuples(ncols, ncols))
def test_any_template(widths: tuple[int | None, ...], **look: Any):
    for counts, width in itertools.product(COUNTS, widths):
        assert_equal(**counts, **look, ncols=width, nrows=24)


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(number=count, specs=st.lists(spec, min_size=16, max_size=16))
def test_any_format_specification(number: float, specs: list[str]):
    for spec in specs:
        template = f"{{n:{spec}}}" if spec else "{n}"
        try:
            expected = format(number, spec)
        except (OverflowError, ValueError):
            expected = None
        assert text_of(format_meter, number, None, 1, bar_format=template) == expected, spec


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(
    n=count,
    total=st.one_of(st.none(), count),
    elapsed=elapsed,
    rate=rate,
    initial=count,
    prefix=label,
    postfix=postfix,
    ascii=charset,
    colour=colour,
    unit_divisor=unit_divisor,
    bar_format=st.one_of(st.none(), template),
    widths=st.tuples(ncols, ncols, ncols, ncols),
    scales=st.tuples(unit_scale, unit_scale, unit_scale, unit_scale),
)
def test_anything_at_once(widths: tuple[int | None, ...], scales: tuple[float, ...], **meter: Any):
    for width, scale in itertools.product(widths, scales):
        assert_equal(**meter, ncols=width, unit_scale=scale)


@pytest.mark.once  # the Unicode tables of other Pythons differ
@many
@given(
    numbers=st.lists(count, min_size=4, max_size=4),
    suffix=st.sampled_from(["", "B", "進"]),
    divisor=unit_divisor,
)
def test_plain_functions(numbers: list[float], suffix: str, divisor: float):
    for number in numbers:
        assert format_num(number) == tqdm.format_num(number)
        assert format_interval(number) == tqdm.format_interval(number)
        assert format_sizeof(number, suffix, divisor) == tqdm.format_sizeof(number, suffix, divisor)
        assert format_sizeof(number) == tqdm.format_sizeof(number)


class Loss:
    """Something behind the statistics that is not text."""

    value = 0.25

    def __str__(self) -> str:
        return "<loss>"

    def __getitem__(self, key: str) -> str:
        return key * 2


@pytest.mark.parametrize(
    "template",
    [
        "{postfix[ab]} {n.real} {postfix.value:.3f}",
        "{desc}: {bar:{ncols}}|{postfix}",
        "{l_bar}{bar}{r_bar} {eta:%Y-%m}",
        "{bar}{mine:>5}{nrows}",
        "{n:#x} {total:b} {elapsed!a} {desc!r}",
    ],
)
@pytest.mark.parametrize("counts", COUNTS)
def test_what_only_python_can_render_goes_through_python(template: str, counts: dict[str, Any]):
    assert_equal(**counts, bar_format=template, postfix=Loss(), ncols=60, mine="x", nrows=7)


@pytest.mark.parametrize("template", ["{nope}", "{", "{n:d}}", "{0}", "{}", "{total:d}", "{bar:x}"])
def test_a_template_that_raises_in_tqdm_raises_here(template: str):
    meter = {"n": 1, "total": 2.5, "elapsed": 1, "bar_format": template}
    with pytest.raises((LookupError, ValueError)):
        tqdm.format_meter(**meter)
    with pytest.raises((LookupError, ValueError)):
        format_meter(**meter)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("name", ["n", "total", "elapsed", "rate"])
def test_no_number_raises_but_one_that_is_no_float(name: str, number: float):
    meter = {"n": 1, "total": 2, "elapsed": 1, name: number}
    if number == 10**400:
        with pytest.raises(OverflowError):
            format_meter(**meter)
    else:
        assert format_meter(**meter).isprintable()


@pytest.mark.parametrize(
    "number",
    [np.int64(5), np.uint8(7), np.float64(0.5), np.float32(0.5), np.float64(1e16), Decimal(3)],
)
def test_numbers_of_other_kinds_count_too(number: Any):
    assert_equal(n=number, total=10, elapsed=4.0)
    assert_equal(n=1, total=np.int64(10), elapsed=np.float64(4), rate=number)
    assert format_interval(number) == tqdm.format_interval(number)
    assert format_sizeof(number) == tqdm.format_sizeof(number)


@pytest.mark.parametrize(
    "number", [np.float32(0.1), np.int64(10**7), Decimal("1.50"), Decimal("1e9"), True, 10**60]
)
def test_a_number_with_texts_of_its_own_keeps_them_in_a_postfix(number: Any):
    assert format_num(number) == tqdm.format_num(number)


def test_a_subclass_can_replace_a_field():
    for bar_format in (None, "{r_bar}|{bar}|{n}"):
        assert_equal(n=1, total=2, elapsed=1, r_bar="mine", bar_format=bar_format)


def test_the_numbers_of_a_job_replace_those_of_a_line():
    line = format_meter(5, 10, 4, job_fraction=0.75, job_remaining_s=61, job_note="7/8 ranks")
    assert line == " 75%|███████▌  | 5/10 [00:04<01:01,  1.25it/s, 7/8 ranks]"


def test_a_lone_surrogate_is_replaced():
    line = format_meter(5, None, 4, prefix="a\ud800b")
    assert line == "a\ufffd\ufffd\ufffdb: 5it [00:04,  1.25it/s]"
