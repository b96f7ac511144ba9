"""A bar that Python code draws, and a bar as text, show what the whole job did."""

from pathlib import Path

import pytest

from support import programs
from support.ranks import Ranks
from support.terminal import Terminal

pytestmark = pytest.mark.once

PROGRAM = """
import io, time
from mp_tqdm import mp_tqdm
from steps import rank, stop


def wait_for(text):
    deadline = time.monotonic() + 20
    while text not in file.getvalue():
        assert time.monotonic() < deadline, file.getvalue()[-300:]
        time.sleep(0.01)


file = io.StringIO()
bar = mp_tqdm(range(100), desc="train", file=file)
items = iter(bar)
stop("open")
for _ in range(51 if rank == 1 else 11):
    next(items)
stop("counted")
if rank == 0:
    wait_for("30%|###       | 30/100")
stop("seen")
figures = bar.format_dict
assert (bar.n, bar.n_own) == ((50, 50) if rank == 1 else (10, 10))
assert (figures["n"], figures["total"]) == (30, 100), figures
assert str(bar).startswith("train:  30%|###       | 30/100 ["), str(bar)
stop("asked")
if rank == 1:
    # The other rank waits, and draws nothing by itself.
    for _ in range(20):
        next(items)
stop("went on")
if rank == 0:
    wait_for("40%|####      | 40/100")
    for _ in items:
        pass
    print("last:", file.getvalue().splitlines()[-1])
stop("one is done")
for _ in items:
    pass
if rank == 1:
    print("rank 1 drew", len(file.getvalue()))
"""


def test_a_bar_that_python_code_draws_shows_all_ranks(tmp_path: Path) -> None:
    command = programs.python(PROGRAM, directory=tmp_path)
    with Terminal(columns=160) as window, Ranks(tmp_path, command, 2, window) as ranks:
        ranks.pass_by("open", "counted", "seen", "asked", "went on", "one is done")
        assert window.wait() == 0, window.text()
        text = window.text()
    last = next(line for line in text.splitlines() if line.startswith("last:"))
    assert "train: 100%|##########| 100/100 [" in last
    assert last.endswith("(1 of 2 ranks done)]"), last
    assert "rank 1 drew 0" in text


def test_a_job_counter_that_python_code_draws_is_given_once(tmp_path: Path) -> None:
    source = """
        import io
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        file = io.StringIO()
        bar = mp_tqdm(total=100, desc=f"rows {rank}", reduce="sum", file=file)
        stop("open")
        bar.update(60 - 20 * rank)
        stop("counted")
        bar.close()
        if rank == 0:
            print("last:", file.getvalue().splitlines()[-1])
    """
    command = programs.python(source, directory=tmp_path)
    with Terminal(columns=160) as window, Ranks(tmp_path, command, 2, window) as ranks:
        ranks.pass_by("open", "counted")
        assert window.wait() == 0, window.text()
        assert "rows: 100%|##########| 100/100 [" in window.text()
