"""Desc and postfix: what is stored, and what is shown of it."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm
from support.terminal import Terminal

Bar = Callable[..., Any]
Program = Callable[..., list[str]]

both = pytest.mark.parametrize("bar_type", [mp_tqdm, tqdm])


def on_text(bar_type: Bar, **kwargs: Any) -> Any:
    return bar_type(total=10, file=io.StringIO(), **kwargs)


@both
@pytest.mark.parametrize(
    ("given", "read"),
    [(None, ""), ("", ""), ("work", "work"), ("work: ", "work: "), ("é漢", "é漢")],
)
def test_a_desc_reads_as_given(bar_type: Bar, given: Any, read: str) -> None:
    bar = on_text(bar_type, desc=given)
    assert bar.desc == read
    bar.close()


@both
def test_set_description_adds_a_colon(bar_type: Bar) -> None:
    bar = on_text(bar_type)
    for set_desc, text, read in (
        (bar.set_description, "a", "a: "),
        (bar.set_description, "", ""),
        (bar.set_description, None, ""),
        (bar.set_description_str, "b", "b"),
        (bar.set_description_str, None, ""),
    ):
        set_desc(text)
        assert bar.desc == read
    bar.close()


POSTFIXES: list[dict[str, Any]] = [
    {"loss": 0.25},
    {"loss": 0.123456789, "lr": 1e-5},
    {"step": 3, "name": "x"},
    {"b": 1, "a": 2, "c": 3},
    {"flag": True},
    {"none": None},
    {"list": [1, 2]},
    {"padded": "  x  "},
    {"big": 123456789, "huge": 10**30},
    {"nan": float("nan"), "inf": float("inf")},
    {"np": np.float32(0.5), "int": np.int64(7), "array": np.zeros(2)},
]


@pytest.mark.parametrize("postfix", POSTFIXES, ids=str)
def test_a_postfix_reads_as_tqdms(postfix: dict[str, Any]) -> None:
    bar, other = on_text(mp_tqdm), on_text(tqdm)
    for one in (bar, other):
        one.set_postfix(postfix)
    assert bar.postfix == other.postfix
    for one in (bar, other):
        one.set_postfix(**postfix)
    assert bar.postfix == other.postfix
    for one in (bar, other):
        one.set_postfix(postfix, extra=1, another="y", refresh=False)
    assert bar.postfix == other.postfix
    for one in (bar, other):
        one.close()


@pytest.mark.parametrize("postfix", POSTFIXES, ids=str)
def test_a_postfix_given_to_the_constructor_reads_as_tqdms(postfix: dict[str, Any]) -> None:
    bar, other = on_text(mp_tqdm, postfix=postfix), on_text(tqdm, postfix=postfix)
    assert bar.postfix == other.postfix
    bar.close()
    other.close()


@both
def test_a_postfix_that_is_no_dict_is_kept_raw(bar_type: Bar) -> None:
    raw = ["x", {"value": 3}]
    bar = on_text(bar_type, postfix=raw, bar_format="{postfix[0]} {postfix[1][value]}")
    assert bar.postfix is raw
    assert str(bar) == "x 3"
    raw[1]["value"] = 4
    assert str(bar) == "x 4"
    bar.close()


@both
def test_set_postfix_str_takes_anything(bar_type: Bar) -> None:
    bar = on_text(bar_type)
    for value, read in (("text", "text"), (3, "3"), ("", "")):
        bar.set_postfix_str(value)
        assert bar.postfix == read
    bar.close()


def test_texts_reach_the_screen(program: Program) -> None:
    with Terminal(columns=120) as terminal:
        terminal.start(
            program("""
                from mp_tqdm import mp_tqdm
                bar = mp_tqdm(total=10, desc="first")
                for step in range(1, 4):
                    bar.set_description(f"step {step}")
                    bar.set_postfix(loss=0.5 / step, name="x", step=step)
                    bar.update()
                input()
                bar.set_postfix_str("done")
                bar.close()
            """)
        )
        terminal.wait_for(lambda screen: "step 3:  30%|" in screen.text())
        terminal.wait_for(lambda screen: ", loss=0.167, name=x, step=3]" in screen.text())
        terminal.press(b"\n")
        assert terminal.wait() == 0
        assert terminal.lines()[-1].startswith("step 3:  30%|")
        assert ", done]" in terminal.lines()[-1]


def test_the_last_line_has_the_last_postfix_of_other_objects(program: Program) -> None:
    # Such a value becomes text at most once a frame, since that may be slow.
    with Terminal(columns=120) as terminal:
        terminal.start(
            program("""
                from mp_tqdm import mp_tqdm
                class Tensor:
                    made = 0
                    def __init__(self, value):
                        self.value = value
                    def __str__(self):
                        Tensor.made += 1
                        return f"tensor({self.value})"
                with mp_tqdm(total=10_000, desc="work") as bar:
                    for step in range(10_000):
                        bar.set_postfix(value=Tensor(step))
                        bar.update()
                print(Tensor.made < 1000)
            """)
        )
        assert terminal.wait() == 0
        assert ", value=tensor(9999)]" in terminal.lines()[0]
        assert terminal.lines()[1] == "True"


HOSTILE = [
    "a\x1b[31mred\x1b[0m", "two\nlines", "back\rward", "nul\0byte", "漢字" * 50, "x" * 100_000,
    "\u202eright to left", "\ud800", "👨‍👩‍👧" * 30, "\t\x07\x7f\x9b",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_any_text_leaves_one_clean_line(program: Program, text: str) -> None:
    with Terminal(columns=60) as terminal:
        terminal.start(
            program(f"""
                from mp_tqdm import mp_tqdm
                text = {text!a}
                with mp_tqdm(total=10, desc=text) as bar:
                    bar.update(10)
                    bar.set_postfix(value=text)
                    bar.set_description(text)
                    bar.set_postfix_str(text)
                    bar.set_postfix_str("")
                print("end")
            """)
        )
        assert terminal.wait() == 0, terminal.text()
        lines = terminal.lines()
        assert len(lines) == 2, terminal.text()
        assert lines[1] == "end"
        assert len(lines[0]) <= 60
