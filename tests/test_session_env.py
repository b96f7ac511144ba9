"""`session_env`: plain subprocesses that count into the job, and those that must not."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.once

# Starts `command` as a child with a session, while its bar is open, and prints the bar's count.
GIVES = """
    import json, os, subprocess, sys
    from mp_tqdm import mp_tqdm, session_env

    command = json.loads(sys.argv[1])
    with mp_tqdm(total=100, desc="items") as bar:
        done = subprocess.run(command, env=os.environ | session_env())
        print("given", bar.n)
    sys.exit(done.returncode)
"""
REPORTS = """
    from mp_tqdm import report_progress

    for _ in range(5):
        report_progress()
"""
OFF = {"MP_TQDM_MODE": "off"}


def counted(
    program: Callable[..., list[str]], command: list[str], lines: int = 1, timeout: float = 20.0
) -> int:
    """What a parent's bar counted of a command that it started with a session."""
    given = program(GIVES, json.dumps(command))
    done = programs.run(given, env=programs.environment(**OFF), timeout=timeout)
    assert (done.returncode, done.stderr) == (0, "")
    output = done.stdout.splitlines()
    assert len(output) == lines
    return int(output[-1].removeprefix("given "))


def test_a_python_child_counts_into_its_parents_bar(program: Callable[..., list[str]]) -> None:
    assert counted(program, program(REPORTS)) == 5


def test_a_child_behind_a_shell_counts_too_and_so_does_the_next(
    program: Callable[..., list[str]],
) -> None:
    command = " ".join(program(REPORTS))
    assert counted(program, ["sh", "-c", f"{command} && {command}; exit $?"]) == 10


def test_a_childs_workers_count_and_its_plain_subprocess_does_not(
    program: Callable[..., list[str]],
) -> None:
    child = """
        import multiprocessing, subprocess, sys
        from mp_tqdm import report_progress

        if __name__ == "__main__":
            report_progress(7)
            worker = multiprocessing.get_context("spawn").Process(
                target=report_progress, args=(20,)
            )
            worker.start()
            worker.join()
            subprocess.run(sys.argv[1:], check=True)
    """
    assert counted(program, program(child, *program(REPORTS))) == 27


def test_a_workers_subprocess_counts_into_the_bar_of_the_root(
    program: Callable[..., list[str]],
) -> None:
    source = """
        import multiprocessing, os, subprocess, sys
        from mp_tqdm import mp_tqdm, session_env

        def work():
            subprocess.run(sys.argv[1:], env=os.environ | session_env(), check=True)

        if __name__ == "__main__":
            with mp_tqdm(total=10) as bar:
                worker = multiprocessing.get_context("fork").Process(target=work)
                worker.start()
                worker.join()
                print(bar.n)
    """
    done = programs.run(program(source, *program(REPORTS)), env=programs.environment(**OFF))
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_ranks_of_a_launcher_that_got_a_session_count_into_one_bar(
    program: Callable[..., list[str]],
) -> None:
    pytest.importorskip("torch")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, *program(REPORTS)[1:]]
    # The launcher says something about OMP_NUM_THREADS, unless that is set.
    command = ["env", "OMP_NUM_THREADS=1", *command]
    assert counted(program, command, timeout=100) == 10


def test_a_session_is_given_by_a_process_that_counted_nothing_yet() -> None:
    source = "from mp_tqdm import session_env; print(*session_env())"
    done = programs.run([sys.executable, "-c", source], env=programs.environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "MP_TQDM_SESSION\n", "")


def test_where_no_other_program_finds_the_memory_there_is_no_session() -> None:
    source = """if True:
        import warnings
        from mp_tqdm import _job, session_env

        warnings.simplefilter("ignore")
        _job.directories = lambda environ: ["/nonexistent"]
        print(session_env())
    """
    done = programs.run([sys.executable, "-c", source], env=programs.environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")


def test_a_session_whose_giver_is_gone_counts_into_nobodys_bar(
    program: Callable[..., list[str]],
) -> None:
    # The names of jobs that a launcher does not name come again: here by the port.
    rank = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(20_000 + os.getpid() % 40_000)}
    rank |= {"LOCAL_RANK": "0", "WORLD_SIZE": "2", "NODE_RANK": str(os.getpid())} | OFF
    environment = programs.environment(**rank)
    tells = "from mp_tqdm import _job, session_env; print(session_env(), _job._identity.job)"
    stale = programs.run(program(tells), env=environment).stdout.strip()
    value, job = stale.rsplit("} ", 1)
    after = """
        import ast, os, subprocess, sys
        from mp_tqdm import _job, mp_tqdm

        with mp_tqdm(total=10) as bar:
            session = ast.literal_eval(sys.argv[1] + "}")
            done = subprocess.run(sys.argv[2:], env=os.environ | session)
            print(bar.n, done.returncode, _job._identity.job, _job._place[:2])
    """
    done = programs.run(program(after, value, *program(REPORTS)), env=environment)
    # The same name, the same slot and the same life of the slot: all but the process.
    assert " 0 1 0 2 2 " in value
    assert (done.returncode, done.stdout, done.stderr) == (0, f"0 0 {job} (0, 1)\n", "")
