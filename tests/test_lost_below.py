"""Reports of processes that nobody told of the job: tasks of Ray, plain subprocesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.once, pytest.mark.faults("F110")]

# As Ray does: a process between the driver and the one that works, which lives on behind its tasks.
DRIVER = """
    import os, subprocess, sys, time
    from mp_tqdm import mp_tqdm, report_progress, session_env

    WORKER = "from mp_tqdm import report_progress; report_progress(20); print(); input()"
    between = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"

    with mp_tqdm(total=20, desc="items") as bar:
        environment = os.environ | (session_env() if "session" in sys.argv else {})
        pipe = subprocess.PIPE
        worker = subprocess.Popen(
            [sys.executable, "-c", between, WORKER], env=environment, stdin=pipe, stdout=pipe
        )
        worker.stdout.readline()
        if "own" in sys.argv:
            bar.update(5)
        time.sleep(0.2)
    print(bar.n, flush=True)
    if "kill" in sys.argv:
        subprocess.run(["pkill", "-KILL", "-P", str(worker.pid)])
    worker.communicate(b"\\n")
"""
SAYS = "nothing was counted in 'items', but 20 items reported by 1 process below this one"
SAYS_ITSELF = "20 items reported by 1 process found no open bar and were dropped"


def ran(program: Callable[..., list[str]], *how: str) -> tuple[str, str]:
    done = programs.run(program(DRIVER, *how))
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_driver_says_what_processes_below_it_reported_elsewhere(
    program: Callable[..., list[str]], end: str
) -> None:
    programs.needs("pkill")
    printed, said = ran(program, end)
    assert printed == "0\n"
    assert said.count(SAYS) == 1, said
    assert said.count(SAYS_ITSELF) == (end == "exit"), said
    programs.sweep()


def test_it_says_nothing_where_they_count_here(program: Callable[..., list[str]]) -> None:
    printed, said = ran(program, "session")
    assert printed == "20\n"
    assert "TqdmWarning" not in said


def test_a_process_that_nobody_waits_for_says_itself_what_it_lost(
    program: Callable[..., list[str]],
) -> None:
    # Of a tree of its own, as a worker of a cluster is, the driver knows nothing.
    done = programs.run(program("from mp_tqdm import report_progress; report_progress(20)"))
    assert done.returncode == 0
    assert SAYS_ITSELF in done.stderr
