"""`update`: what it takes, and what it returns."""

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def test_update_counts_one_or_n() -> None:
    with mp_tqdm() as bar:
        bar.update()
        bar.update(2)
        bar.update(n=4)
        assert bar.n == 7


def test_update_returns_none_where_nothing_was_drawn() -> None:
    with mp_tqdm() as bar:
        assert [bar.update() for _ in range(100)] == [None] * 100


def test_update_returns_true_once_after_each_frame(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10**9)
            told = 0
            for _ in range(5):
                while (answer := bar.update()) is None:
                    pass
                assert answer is True
                # On a busy machine the next frame may be out by now.
                told += 1 + (bar.update() is not None)
            # The thread may be about to count its frame.
            frames = bar._native.job_frames + 1
            bar.close()
            print("told", told <= frames, told, frames)
        """)
    )
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1].startswith("told True"), terminal.text()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, 2), {}), ((), {"m": 1}), ((1,), {"n": 2}), (("1",), {}), ((None,), {})],
)
def test_wrong_arguments_raise_a_type_error(args: Any, kwargs: Any) -> None:
    with mp_tqdm() as bar:
        with pytest.raises(TypeError):
            bar.update(*args, **kwargs)
        assert bar.n == 0


def test_update_of_a_disabled_or_closed_bar_does_nothing() -> None:
    off = mp_tqdm(total=3, disable=True)
    assert off.update(2) is None
    closed = mp_tqdm(total=3)
    closed.close()
    assert closed.update(2) is None
    assert (off.n, closed.n) == (0, 0)


def test_update_can_be_kept_and_called_through_the_class() -> None:
    with mp_tqdm() as bar:
        update = bar.update
        update()
        mp_tqdm.update(bar, 3)
        assert bar.n == 4


def test_a_bound_update_works_after_a_reset_and_after_the_end() -> None:
    bar = mp_tqdm()
    update = bar.update
    update(3)
    bar.reset()
    update(2)
    assert bar.n == 2
    bar.close()
    update(5)
    assert bar.n == 2


def test_negative_updates_are_tqdms() -> None:
    with open(os.devnull, "w", encoding="utf-8") as file:
        bar, other = mp_tqdm(total=10, file=file), tqdm(total=10, file=io.StringIO())
        for n in (5, -2, -1, 4):
            bar.update(n)
            other.update(n)
            assert bar.n == other.n
        bar.close()
        other.close()


def test_n_plus_k_keeps_what_a_worker_counts_between_the_read_and_the_write(
    program: Program,
) -> None:
    process = programs.run(
        program("""
            import os
            from mp_tqdm import mp_tqdm, report_progress

            def work():
                child = os.fork()
                if not child:
                    report_progress(100)
                    os._exit(0)
                os.waitpid(child, 0)

            bar = mp_tqdm(initial=7)
            for _ in range(3):  # alone the first time, beside a cell of workers then
                n = bar.n
                work()
                bar.n = n + 1
                print(bar.n)
            bar.n = 50  # nobody counted since n was read
            print(bar.n)
        """)
    )
    assert process.stdout.split() == ["108", "209", "310", "50"], process.stdout + process.stderr
