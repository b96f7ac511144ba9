"""Reports that find no open bar: dropped, but named at the end of the job, whoever made them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.once

SAYS = "{} found no open bar and were dropped. Open the bar, without an iterable, before"

# The pool ends its workers by a signal: nothing of theirs runs at their exit.
POOL = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        meet.wait()
        for _ in range(n):
            report_progress()

    def know(barrier):
        global meet
        meet = barrier

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(2, know, (context.Barrier(2),)) as pool:
            pool.map(work, [100, 100, 100, 100], chunksize=1)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_the_workers_of_a_program_without_a_bar_reported_is_named(
    program: Callable[..., list[str]], method: str
) -> None:
    done = programs.run(program(POOL, method))
    assert done.returncode == 0
    assert done.stderr.count("TqdmWarning") == 1
    assert SAYS.format("400 items reported by 2 processes") in done.stderr


def test_a_killed_workers_reports_are_named(program: Callable[..., list[str]]) -> None:
    source = """
        import os, signal
        from mp_tqdm import report_progress

        report_progress(0.5)
        for _ in range(3):
            if os.fork() == 0:
                for _ in range(50):
                    report_progress(2)
                os.kill(os.getpid(), signal.SIGKILL)
            os.wait()
    """
    done = programs.run(program(source))
    assert done.returncode == 0
    assert SAYS.format("300.5 items reported by 4 processes") in done.stderr


def test_reports_before_a_bar_opens_stay_dropped_and_are_named(
    program: Callable[..., list[str]],
) -> None:
    source = """
        from mp_tqdm import mp_tqdm, report_progress

        report_progress()
        with mp_tqdm(total=4) as bar:
            report_progress(4)
        print(bar.n)
    """
    done = programs.run(program(source), env=programs.environment())
    assert (done.returncode, done.stdout) == (0, "4\n")
    lines = done.stderr.splitlines()
    assert "4/4" in lines[0]
    assert SAYS.format("1 item reported by 1 process") in lines[-1]


def test_reports_of_a_pool_that_ended_before_the_first_bar_opened_are_named(
    program: Callable[..., list[str]],
) -> None:
    source = (
        POOL
        + """
        for item in mp_tqdm(range(3)):
            pass
    """
    )
    done = programs.run(program(source, "fork"))
    assert done.returncode == 0
    assert done.stderr.count("TqdmWarning") == 1
    assert SAYS.format("400 items reported by 2 processes") in done.stderr


def test_reports_to_a_bar_that_is_named_and_not_there_are_named(
    program: Callable[..., list[str]],
) -> None:
    source = """
        from mp_tqdm import mp_tqdm, report_progress

        with mp_tqdm(total=4) as bar:
            report_progress(3, bar="nobody")
        report_progress(8, bar=bar)
    """
    done = programs.run(program(source))
    assert done.returncode == 0
    assert SAYS.format("11 items reported by 1 process") in done.stderr


def test_nothing_is_said_of_reports_that_found_their_bar(
    program: Callable[..., list[str]],
) -> None:
    source = """
        from mp_tqdm import mp_tqdm, report_progress

        with mp_tqdm(total=4) as bar:
            report_progress(4)
    """
    assert "dropped" not in programs.run(program(source)).stderr


@pytest.mark.parametrize("code", [0, 3])
def test_a_warning_that_is_an_error_changes_no_exit_code_and_is_said_all_the_same(
    program: Callable[..., list[str]], code: int
) -> None:
    source = f"import sys; from mp_tqdm import report_progress; report_progress(); sys.exit({code})"
    done = programs.run(program(source, options=("-W", "error")))
    assert done.returncode == code
    assert done.stderr.startswith("TqdmWarning: " + SAYS.format("1 item reported by 1 process"))
    assert done.stderr.count("\n") == 1


def test_a_filter_takes_the_warning_away(program: Callable[..., list[str]]) -> None:
    source = """
        import warnings
        from mp_tqdm import TqdmWarning, report_progress

        warnings.simplefilter("ignore", TqdmWarning)
        report_progress()
    """
    assert programs.run(program(source)).stderr == ""


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_a_stderr_that_is_closed_changes_no_exit_code(
    program: Callable[..., list[str]], options: tuple[str, ...]
) -> None:
    source = "from mp_tqdm import report_progress; report_progress()"
    command = " ".join(program(source, options=options))
    for redirection in ("2>&-", "2>/dev/full"):
        done = programs.run(["sh", "-c", f"{command} {redirection}"])
        assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("bar", "mode"), [("mp_tqdm(total=3, disable=True)", None), ("None", "off")]
)
def test_who_turned_the_bars_off_is_not_told(
    program: Callable[..., list[str]], bar: str, mode: str | None
) -> None:
    source = f"from mp_tqdm import mp_tqdm, report_progress; bar = {bar}; report_progress()"
    done = programs.run(program(source), env=programs.environment(MP_TQDM_MODE=mode))
    assert (done.returncode, done.stderr) == (0, "")


def start_ranks(
    command: list[str], directory: Path, **changes: str | None
) -> list[subprocess.Popen[str]]:
    """Two ranks that wait for a line of ours whenever they have said one."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    places = [programs.rank_variables(directory, rank, 2) for rank in range(2)]
    return [
        subprocess.Popen(command, env=programs.environment(**place | changes), text=True, **pipes)
        for place in places
    ]


def meet(ranks: list[subprocess.Popen[str]]) -> None:
    """Lets them go on together, once all have said their next line."""
    for process in ranks:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    for process in ranks:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def said_by(ranks: list[subprocess.Popen[str]]) -> list[str]:
    """What they warned of, once all are gone."""
    said = [process.communicate()[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0]
    return said


def test_of_ranks_the_first_one_says_it_once_for_all(
    program: Callable[..., list[str]], tmp_path: Path
) -> None:
    source = """
        from mp_tqdm import report_progress

        report_progress(10)
        print("here", flush=True)
        input()
    """
    ranks = start_ranks(program(source), tmp_path)
    meet(ranks)
    said = said_by(ranks)
    assert SAYS.format("20 items reported by 2 processes") in said[0]
    assert not said[1]


# A launcher that names no launch gives the names of an earlier one again.
@pytest.mark.parametrize("has_name", [True, False])
def test_what_workers_lost_before_their_ranks_had_a_bar_is_named_once(
    program: Callable[..., list[str]], tmp_path: Path, has_name: bool
) -> None:
    source = """
        import multiprocessing
        from mp_tqdm import mp_tqdm, report_progress

        if __name__ == "__main__":
            spawn = multiprocessing.get_context("spawn")
            worker = spawn.Process(target=report_progress, args=(10,))
            worker.start()
            worker.join()
            print("here", flush=True)
            input()
            bar = mp_tqdm(total=2)
            print("here", flush=True)
            input()
    """
    names = [name for name in programs.rank_variables(tmp_path, 0, 2) if "TORCHELASTIC" in name]
    ranks = start_ranks(program(source), tmp_path, **dict.fromkeys([] if has_name else names))
    meet(ranks)
    meet(ranks)
    said = said_by(ranks)
    assert SAYS.format("20 items reported by 2 processes") in said[0]
    assert "".join(said).count("TqdmWarning") == 1
