"""`bar.disable`, set later: counting stops as in tqdm, and goes on where it is unset."""

import gc
import io
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm, report_progress
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]
KINDS = [tqdm, mp_tqdm]


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def in_file(kind: Any, *args: Any, **kwargs: Any) -> Any:
    return kind(*args, file=io.StringIO(), mininterval=0, miniters=1, **kwargs)


@pytest.mark.parametrize("file", [None, io.StringIO()])
def test_update_counts_nothing_until_it_is_unset(file: Any) -> None:
    with mp_tqdm(total=9, file=file) as bar:
        bar.update()
        bar.disable = True
        for n in (1, 2.5, 1 << 40):
            assert bar.update(n) is None
        assert (bar.n, bar.n_own, bar.disable) == (1, 1, True)
        bar.n = 4
        assert bar.n == 4
        bar.update()
        bar.disable = False
        bar.update(2)
        assert (bar.n, bar.disable) == (6, False)
    assert bar.disable


@pytest.mark.parametrize("kind", KINDS)
def test_iteration_passes_through(kind: Any) -> None:
    bar = in_file(kind, range(3))
    bar.disable = True
    assert list(bar) == [0, 1, 2]
    assert bar.n == 0
    bar.disable = False
    assert list(bar) == [0, 1, 2]
    assert (bar.n, bar.disable) == (3, True)


def test_an_iteration_that_has_begun_counts_nothing_either() -> None:
    for file in (None, io.StringIO()):
        bar = mp_tqdm(range(6), file=file)
        done = []
        for item in bar:
            done.append(item)
            bar.disable = 1 < item < 4
        assert (done, bar.n) == ([0, 1, 2, 3, 4, 5], 4)
        assert bar.disable


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_and_close_leaves_the_line(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MP_TQDM_MODE")
    bar = in_file(kind, total=3)
    bar.update()
    shown = bar.fp.getvalue()
    bar.disable = True
    bar.update()
    bar.refresh()
    bar.set_description("later")
    bar.clear()
    bar.reset()
    bar.close()
    assert (bar.n, bar.total, bar.fp.getvalue()) == (0, 3, shown)
    bar.disable = False
    bar.update(2)
    bar.close()
    assert "later:  67%" in bar.fp.getvalue()
    assert bar.fp.getvalue().endswith("\n")


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_nobody_has_any_more_is_gone(kind: Any) -> None:
    kind._instances.clear()
    file = io.StringIO()
    bar = kind(total=3, file=file)
    bar.disable = True
    bar.close()
    assert list(kind._instances) == [bar]
    shown = file.getvalue()
    del bar
    gc.collect()
    assert (len(kind._instances), file.getvalue()) == (0, shown)


def test_what_has_ended_stays_off_until_it_is_reset() -> None:
    bar = mp_tqdm(total=3)
    bar.close()
    off = mp_tqdm(total=3, disable=True)
    for ended in (bar, off):
        ended.disable = False
        ended.update()
        ended.close()
        assert ended.n == 0
    assert bar.disable
    bar.reset()
    bar.update()
    assert (bar.n, bar.disable) == (1, False)
    bar.close()


def test_reports_reach_a_bar_that_is_off_in_its_own_process() -> None:
    with mp_tqdm(total=3) as bar:
        bar.disable = True
        report_progress()
        assert bar.n == 1
        bar.disable = False


def test_counts_of_other_threads_stop_too() -> None:
    with mp_tqdm() as bar:
        begun, stop = threading.Event(), threading.Event()

        def count() -> None:
            while not stop.is_set():
                bar.update()
                begun.set()

        thread = threading.Thread(target=count)
        thread.start()
        assert begun.wait(20)
        bar.disable = True
        # The count that was under way is over once another one came.
        before = bar.n
        for _ in range(1000):
            bar.update()
        assert bar.n - before <= 1
        stop.set()
        thread.join()
        bar.disable = False


def test_a_fork_child_of_one_that_is_off_counts_nothing() -> None:
    with mp_tqdm(total=3) as bar:
        bar.update()
        bar.disable = True
        child = os.fork()
        if not child:
            assert bar.n >= 0  # finds the cell to count in
            bar.update()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        bar.disable = False
        assert bar.n == 1


def test_on_a_terminal_the_line_stays_and_text_goes_on(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import sys
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=3, desc="off")
            bar.update()
            bar.disable = True
            for _ in range(5):
                bar.update()
            bar.close()
            print("above", type(sys.stdout.__dict__.get("write")).__name__)
            del bar
            print("behind", type(sys.stdout.__dict__.get("write")).__name__)
            with mp_tqdm(total=2, desc="next") as bar:
                bar.update(2)
        """)
    )
    assert terminal.wait() == 0
    lines = [line.partition("|")[0].rstrip() for line in terminal.lines() if line.strip()]
    assert lines == ["above AboveBars", "off:  33%", "behind NoneType", "next: 100%"]


def test_at_the_end_of_the_program_the_line_stays(program: Program) -> None:
    process = programs.run(
        program("""
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=3, desc="off")
            bar.update()
            bar.disable = True
            bar.update()
            bar.close()
        """),
        env=programs.environment(MP_TQDM_MODE=None),
    )
    assert (process.returncode, process.stderr.count("\n")) == (0, 1)
    assert process.stderr.startswith("off:  33%|")
