"""`set_postfix` as a loop calls it: the last values are read and drawn, none is held too long."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from mp_tqdm import mp_tqdm
from support.terminal import Terminal

Program = Callable[..., list[str]]


class Tensor:
    """A value that only Python can turn into text."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return f"tensor({self.value})"


class Real(float):
    """A float of a class of its own, as NumPy's are."""


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


SEQUENCES: dict[str, list[Any]] = {
    "floats": [0.5, 0.25, -1e-9, float("nan"), float("inf"), 0.125],
    "ints": [1, -1, 2**62, -(2**63), 0],
    "huge": [1, 2**70, 2, -(2**64)],
    "texts": ["a", "b" * 50, "", "é漢"],
    "mixed": [1, 0.5, "x", 2, True, None, 0.25, Tensor(1), 3, Tensor(2), Tensor(3), "y", 0.75],
    "subclasses": [Real(0.5), 0.25, Real(1), Text("x"), "x", 1],
    "the same": [0.5, 0.5, 0.5],
}


@pytest.mark.parametrize("values", SEQUENCES.values(), ids=SEQUENCES)
def test_the_last_values_are_read(values: list[Any]) -> None:
    with mp_tqdm(total=3) as bar, mp_tqdm(total=3) as other:
        for value in values:
            bar.set_postfix(b=value, a=1, c="x")
            other.set_postfix({"a": 1, "b": value, "c": "x"})
            assert bar.postfix == other.postfix
            assert bar.format_dict["postfix"] == bar.postfix
    assert bar.postfix == other.postfix


def test_names_may_change_from_call_to_call() -> None:
    with mp_tqdm(total=3) as bar:
        for _ in range(3):
            bar.set_postfix(loss=0.5)
            assert bar.postfix == "loss=0.5"
            bar.set_postfix(step=1, loss=0.25)
            assert bar.postfix == "loss=0.25, step=1"
            bar.set_postfix(loss=0.5, refresh=False)
            assert bar.postfix == "loss=0.5"
            bar.set_postfix()
            assert bar.postfix == ""
            bar.set_postfix_str("text")
            assert bar.postfix == "text"
            bar.set_postfix({"z": 1, "a": 2}, b=3)
            assert bar.postfix == "z=1, a=2, b=3"
            bar.set_postfix(ordered_dict={"z": 1})
            assert bar.postfix == "z=1"


def test_two_bars_share_a_line_of_code() -> None:
    with mp_tqdm(total=3) as one, mp_tqdm(total=3) as two:
        for step in range(5):
            for number, bar in enumerate((one, two)):
                bar.set_postfix(step=step, bar=number)
            assert (one.postfix, two.postfix) == (f"bar=0, step={step}", f"bar=1, step={step}")


def test_a_bar_that_begins_anew_takes_the_same_names() -> None:
    bar = mp_tqdm(total=3)
    for turn in range(3):
        bar.set_postfix(turn=turn)
        assert bar.postfix == f"turn={turn}"
        bar.reset()
    bar.close()


@pytest.mark.parametrize("times", [1, 5])
def test_no_value_is_held_after_the_end(times: int) -> None:
    bar = mp_tqdm(total=3)
    for step in range(times):
        value = Tensor(step)
        gone = weakref.ref(value)
        bar.set_postfix(loss=value)
        bar.set_postfix(loss=value)
    del value
    bar.close()
    assert gone() is None
    assert bar.postfix == f"loss=tensor({times - 1})"
    bar.set_postfix(loss=0.5)


def test_one_generation_of_values_is_held() -> None:
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    with mp_tqdm(total=3) as bar:
        for step in range(100):
            value = Tensor(step)
            alive.add(value)
            bar.set_postfix(loss=value, acc=value)
            del value
            assert len(alive) <= 1


def test_a_value_that_holds_its_bar_is_collected_with_it() -> None:
    gone = []
    for times in (1, 2, 3):
        bar = mp_tqdm(total=3)
        value: Any = Tensor(1)
        value.bar = bar
        for _ in range(times):
            bar.set_postfix(value=value, number=1)
        gone.append(weakref.ref(bar))
    del bar, value
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_a_value_may_set_a_postfix_as_it_goes() -> None:
    class Meddling(Tensor):
        def __del__(self) -> None:
            calls.append(self.value)
            if self.value % 2:
                bar.set_postfix(value=Tensor(0), other=-self.value)
            else:
                bar.postfix = None

    calls: list[int] = []
    with mp_tqdm(total=3) as bar:
        for step in range(10):
            bar.set_postfix(value=Meddling(step), other=step)
            bar.set_postfix(other=Meddling(step), value=step)
    assert len(calls) == 20


def test_any_frame_has_the_last_numbers(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import sys
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, mininterval=0.02)
            for step in range(12_346):
                bar.set_postfix(step=step, half=step / 2)
            sys.stdin.readline()
            bar.set_postfix(step=step + 1, half=-1.5)
            bar.set_postfix(step=step + 2, half=-2.5)
            sys.stdin.readline()
        """)
    )
    terminal.wait_for(lambda screen: "half=6172.5, step=12345]" in screen.text())
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: "half=-2.5, step=12347]" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_a_loop_that_counts_shows_the_last_object_of_a_frame(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import sys, time
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, mininterval=0.02)
            class Tensor:
                def __init__(self, value): self.value = value
                def __str__(self): return f"tensor({self.value})"
            for step in range(1000):
                bar.set_postfix(value=Tensor(step))
            while not bar.update(0):
                time.sleep(0.001)
            sys.stdin.readline()
        """)
    )
    terminal.wait_for(lambda screen: "value=tensor(999)]" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_a_fork_child_does_not_write_over_its_parents_numbers(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, sys
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, mininterval=0.02)
            def say(loss):
                bar.set_postfix(loss=loss)
            say(0.5), say(0.25)
            if not (child := os.fork()):
                for value in (1.0, 2.0, 3.0):
                    say(value)
                    bar.update()
                os._exit(0)
            os.waitpid(child, 0)
            sys.stdin.readline()
            say(0.125)
            sys.stdin.readline()
        """)
    )
    terminal.wait_for(lambda screen: "3/10" in screen.text())
    assert "loss=0.25]" in terminal.text()
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: "loss=0.125]" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0
