"""`python -m mp_tqdm doctor`: the page, alone, under launchers and beside running jobs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mp_tqdm import _doctor_findings, _doctor_page
from support import programs
from support.launches import DEEPSPEED, HYDRA, LIGHTNING, MPI, OPEN_MPI, SLURM, TORCHRUN
from support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.terminal import Terminal

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.once

DOCTOR = [sys.executable, "-m", "mp_tqdm", "doctor"]
SECTIONS = ["Versions", "This process", "Terminal", "Environment", "Running jobs"]
EMPTY = "mount -t tmpfs tmpfs /dev/shm"


def sealed(command: list[str], setup: str = EMPTY) -> list[str]:
    """The command with a /dev/shm of its own: no job of anybody else is there."""
    unshare = programs.needs("unshare")
    probe = programs.run([unshare, "-m", "true"])
    if probe.returncode:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    return [unshare, "-m", "sh", "-ec", f'{setup}\nexec "$@"', "sh", *command]


def facts(**variables: str | None) -> Any:
    """What `doctor --json` says now, and that its exit code agrees."""
    done = programs.run([*DOCTOR, "--json"], env=programs.environment(**variables))
    found = json.loads(done.stdout)
    is_ill = any(finding["is_problem"] for finding in found["findings"])
    assert (done.returncode, done.stderr) == (int(is_ill), "")
    return found


@pytest.fixture
def running(program: Program) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`running(source)`: a program that said "ready", and goes on when its stdin is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            program(source, *arguments),
            env=programs.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            programs.kill_session(process.pid)
        process.communicate()


def job_of(found: Any, pid: int) -> Any:
    """The job that has this process in it."""
    jobs = [job for job in found["jobs"] if pid in {one["pid"] for one in job["processes"]}]
    assert len(jobs) == 1
    return jobs[0]


# --- the page ------------------------------------------------------------------------------------


def test_on_a_terminal_the_page_fits_and_a_sound_machine_has_no_problem(
    terminal: Terminal,
) -> None:
    terminal.resize(60, 80)
    terminal.start(sealed(DOCTOR))
    assert terminal.wait() == 0
    lines = terminal.lines()
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles == [*SECTIONS, "No problem found"]
    assert any("80 x 60" in line and "a terminal" in line for line in lines)
    assert "  bars       drawn as a live line (MP_TQDM_MODE not set)" in lines
    assert "  none of this user on this machine" in lines
    assert len(lines) < 35
    assert b"\x1b[1mVersions\x1b[0m" in terminal.output()


def test_in_a_pipe_the_page_is_plain_and_says_how_bars_are_drawn_there() -> None:
    done = programs.run(sealed(DOCTOR))
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "No problem, 1 note\n  - stderr is no terminal: a bar writes" in done.stdout


def test_a_full_dev_shm_is_a_problem_and_the_exit_code_says_so() -> None:
    nowhere: dict[str, str | None] = {"XDG_RUNTIME_DIR": None, "TMPDIR": None}
    setup = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    done = programs.run(sealed(DOCTOR, setup), env=programs.environment(**nowhere))
    assert (done.returncode, done.stderr) == (1, "")
    words = " ".join(done.stdout.split())
    assert "counts in memory without a name (memfd)" in words
    assert "refused: /dev/shm: could not allocate the segment: No space left" in words
    assert "! /dev/shm is full: a job takes 1 MiB of it." in words


def test_a_reader_that_had_enough_gets_no_traceback() -> None:
    command = f"set -o pipefail; {' '.join(DOCTOR)} --json | true"
    done = programs.run(["bash", "-c", command])
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("variables", "drawn", "says"),
    [
        ({"MP_TQDM_MODE": "off"}, "off", "nothing is drawn; everything is counted"),
        ({"MP_TQDM_MODE": "tty"}, "live", "MP_TQDM_MODE=tty decides"),
        ({"MP_TQDM_MODE": "loud"}, "lines", "means nothing; it can be off, lines, json, tty"),
        ({"PYTHONIOENCODING": "latin-1"}, "python", "no plain UTF-8 file"),
        ({"LOCAL_RANK": "1"}, "lines", "LOCAL_RANK in the environment, but"),
    ],
)
def test_what_the_environment_does_is_said(
    variables: dict[str, str | None], drawn: str, says: str
) -> None:
    found = facts(**variables)
    assert found["terminal"]["drawn"] == drawn
    assert any(says in finding["text"] for finding in found["findings"])
    assert found["environment"].get("MP_TQDM_MODE") == variables.get("MP_TQDM_MODE")


def test_a_second_copy_of_the_package_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mp_tqdm").mkdir()
    (tmp_path / "mp_tqdm" / "__init__.py").write_text("")
    source = f"import sys; sys.path.append({str(tmp_path)!r})\n"
    source += "from mp_tqdm._cli import main; sys.exit(main(['doctor', '--json']))"
    done = programs.run([sys.executable, "-c", source])
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["versions"]["copies"][1:] == [str(tmp_path / "mp_tqdm")]
    assert any("more than one copy" in finding["text"] for finding in found["findings"])


def job(**changes: Any) -> Any:
    """A job that draws one bar, and has just looked."""
    process = {"slot": 0, "pid": 77, "role": "root", "rank": 0, "is_alive": True}
    bar = {"desc": "x", "key": "", "n": 1, "total": 2, "reduction": "mean", "openers": [77]}
    found = {"path": "/dev/shm/mp_tqdm-0-1", "error": "", "is_in_use": True, "owner": 77}
    found |= {"owner_silent_s": 0.1, "frames": 9, "local_world": 1, "lost_items": 0}
    found |= {"processes": [process | {"state": "running", "program": "train.py"}]}
    return found | {"bars": [bar | {"counting": 1}], "lost_processes": 0} | changes


STOPPED = {"slot": 0, "pid": 77, "role": "root", "rank": 0, "is_alive": True, "state": "stopped"}


@pytest.mark.parametrize(
    ("section", "changes", "says"),
    [
        ("jobs", job(), None),
        ("jobs", job(owner_silent_s=12.0), "process 77, which draws, has not looked for 12 s"),
        (
            "jobs",
            job(owner_silent_s=12.0, processes=[STOPPED | {"program": "a.py"}]),
            "kill -CONT 77",
        ),
        ("jobs", job(owner_silent_s=12.0, bars=[]), None),
        ("jobs", job(owner_silent_s=12.0, frames=0), None),
        ("jobs", job(lost_items=5, lost_processes=2), "train.py: 5 items reported by 2 processes"),
        ("versions", {"is_debug_build": True}, "This is a debug build"),
        ("process", {"problem": "no memory"}, "could not attach to its job: no memory."),
        ("segment", {"where": "private"}, "counts with nobody else alone"),
        ("segment", {"refusals": ["/dev/shm: full"]}, "A better place was refused"),
    ],
)
def test_what_is_wrong_is_found_with_what_to_do(
    section: str, changes: Any, says: str | None
) -> None:
    found = facts() | {"jobs": [], "ranks": []}
    found[section] = [changes] if section == "jobs" else found[section] | changes
    problems = [f["text"] for f in _doctor_findings.of(found, {}) if f["is_problem"]]
    assert len(problems) == (says is not None)
    assert all(says in problem for problem in problems if says is not None)
    page = _doctor_page.page(found | {"findings": _doctor_findings.of(found, {})})
    assert page.count("  ! ") == len(problems)


# --- under a launcher ----------------------------------------------------------------------------


def assert_one_page_of_two(done: subprocess.CompletedProcess[str], rule: str) -> None:
    assert done.returncode == 0, done.stderr
    assert [done.stdout.count(f"{title}\n") for title in SECTIONS] == [1] * len(SECTIONS)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  rank ")]
    assert [row[:3] for row in rows] == [["rank", "0", "pid"], ["rank", "1", "pid"]]
    assert rows[0][3] != rows[1][3]
    assert "  who        local rank 0 of 2, pid " + rows[0][3].rstrip(",") in done.stdout
    assert f"  rule       {rule}: " in done.stdout


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(150)
def test_under_torchrun_the_first_rank_prints_one_page_for_all() -> None:
    pytest.importorskip("torch")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, "-m", "mp_tqdm", "doctor", "--wait", "90"]
    environment = programs.environment(OMP_NUM_THREADS="1")
    done = programs.run(command, env=environment, timeout=120)
    assert_one_page_of_two(done, "torchelastic")


@pytest.mark.parametrize(
    ("variables", "rule", "says"),
    [
        (TORCHRUN, "torchelastic", "torchrun started it"),
        (OPEN_MPI, "pmix", "a launcher of PMIx started it"),
        (HYDRA, "pmi", "a launcher of PMI started it"),
        (SLURM, "slurm", "srun started it"),
        (DEEPSPEED, "deepspeed", "DeepSpeed's launcher started it"),
        (LIGHTNING, "environment", "RANK or LOCAL_RANK, WORLD_SIZE and MASTER_PORT are set"),
        ({}, "process", "no launcher: a program on its own"),
    ],
)
def test_the_rule_that_says_who_this_is_stands_on_the_page(
    variables: dict[str, str], rule: str, says: str
) -> None:
    environment = programs.environment(**variables)
    done = programs.run([*DOCTOR, "--wait", "0"], env=environment)
    assert f"rule {rule}: {says}" in " ".join(done.stdout.split())


def test_under_open_mpi_the_first_rank_prints_one_page_for_all() -> None:
    mpirun, *options = MPI["Open MPI"]
    # It gives its ranks a terminal each.
    quiet = programs.environment(NO_COLOR="1")
    command = [programs.needs(mpirun), *options, *DOCTOR, "--wait", "15"]
    done = programs.run(command, env=quiet)
    assert_one_page_of_two(done, "pmix")


def test_a_rank_that_does_not_come_is_named_and_not_waited_for(tmp_path: Path) -> None:
    # The first rank that is there prints: here the second of four.
    environment = programs.environment(**programs.rank_variables(tmp_path, 1, 4))
    done = programs.run([*DOCTOR, "--wait", "0.1"], env=environment)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  rank ")]
    assert [row[2] for row in rows] == ["missing", "pid", "missing", "missing"]
    assert "! Ranks 0, 2, 3 of this node did not show up" in done.stdout


# --- running jobs --------------------------------------------------------------------------------

WORKS = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(ready, end):
        report_progress(5)
        ready.release()
        end.acquire()

    if __name__ == "__main__":
        report_progress(1234)
        context = multiprocessing.get_context("fork")
        with mp_tqdm(total=100_000, desc="samples") as bar:
            bar.update(10_000)
            ready, end = context.Semaphore(0), context.Semaphore(0)
            worker = context.Process(target=work, args=(ready, end), daemon=True)
            worker.start()
            ready.acquire()
            print("ready", flush=True)
            sys.stdin.read()
            n = bar.n
        print(worker.pid, n, flush=True)
"""


def test_a_running_job_is_shown_with_processes_bars_and_what_it_lost_and_is_not_disturbed(
    running: Callable[..., subprocess.Popen[str]],
) -> None:
    process = running(WORKS)
    found = facts()
    job = job_of(found, process.pid)
    page = programs.run(DOCTOR).stdout
    output, _ = process.communicate()
    worker, n = map(int, output.split())
    assert (process.returncode, n) == (0, 10_005)
    assert not os.path.exists(job["path"])
    assert job["is_in_use"]
    assert job["owner"] == process.pid
    assert f"drawn by {process.pid}" in " ".join(page.split())
    assert [(one["pid"], one["role"], one["is_alive"]) for one in job["processes"]] == [
        (process.pid, "root", True),
        (worker, "worker", True),
    ]
    assert {one["program"] for one in job["processes"]} == {"program0.py"}
    assert job["bars"] == [
        {
            "desc": "samples",
            "key": "",
            "n": 10_005,
            "total": 100_000,
            "reduction": "job",
            "openers": [process.pid],
            "counting": 2,
        }
    ]
    assert (job["lost_items"], job["lost_processes"]) == (1234, 1)
    assert any("1,234 items" in f["text"] and f["is_problem"] for f in found["findings"])
    words = " ".join(page.split())
    assert f"members root {process.pid}; 1 worker {worker}" in words
    counter = f"samples: 10,005/100,000 (job counter, 2 processes, open in {process.pid})"
    assert counter in words
    assert "dropped 1,234 items of 1 process" in words


def test_a_stopped_process_is_shown_as_stopped(
    running: Callable[..., subprocess.Popen[str]],
) -> None:
    process = running(WORKS)
    os.kill(process.pid, signal.SIGSTOP)

    def state() -> str:
        members = job_of(facts(), process.pid)["processes"]
        return str(next(one["state"] for one in members if one["pid"] == process.pid))

    wait_until(lambda: state() == "stopped", "the process to be shown as stopped")
    assert f"root {process.pid} (stopped)" in " ".join(programs.run(DOCTOR).stdout.split())
    os.kill(process.pid, signal.SIGCONT)
    process.communicate()


def test_a_subprocess_that_was_let_in_shows_the_job_it_is_in(program: Program) -> None:
    source = """
        import os, subprocess, sys
        from mp_tqdm import mp_tqdm, session_env

        with mp_tqdm(total=7, desc="mine"):
            subprocess.run(sys.argv[1:], env=os.environ | session_env())
    """
    environment = programs.environment(MP_TQDM_MODE="off")
    done = programs.run(program(source, *DOCTOR, "--json"), env=environment)
    found = json.loads(done.stdout)
    assert (found["process"]["role"], found["process"]["rule"]) == ("worker", "session")
    job = job_of(found, found["process"]["parent"])
    assert job["path"] == found["segment"]["where"]
    assert [bar["desc"] for bar in job["bars"]] == ["mine"]
    assert found["process"]["pid"] in {one["pid"] for one in job["processes"]}


def test_what_killed_processes_left_is_a_note_and_strange_files_are_a_problem(
    program: Program, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    source = """
        import os, signal, sys
        from mp_tqdm import _job, mp_tqdm

        _job.directories = lambda environ: [sys.argv[1]]
        bar = mp_tqdm(total=5, desc="left")
        print(_job._place[2], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    left = programs.run(program(source, str(place))).stdout.strip()
    whole = Path(left).read_bytes()
    names = iter(range(1, 100))

    def name() -> Path:
        return place / f"mp_tqdm-{os.getuid()}-{next(names):016x}"

    name().symlink_to(left)
    os.mkfifo(name(), 0o600)
    name().mkdir()
    (shared := name()).write_bytes(whole)
    shared.chmod(0o644)
    (other := name()).write_bytes(whole[:8] + b"\x63" + whole[9:])
    other.chmod(0o600)
    (short := name()).write_bytes(whole[:100])
    short.chmod(0o600)
    found = facts(TMPDIR=str(place), XDG_RUNTIME_DIR=None)
    here = [job for job in found["jobs"] if job["path"].startswith(str(place))]
    errors = {job["path"]: job["error"] for job in here}
    assert len(errors) == 7
    expected = ["symbolic link", "no regular", "no regular", "others may open", "99", "other cont"]
    for number, error in enumerate(expected, 1):
        assert error in errors[str(place / f"mp_tqdm-{os.getuid()}-{number:016x}")]
    assert not errors[left]
    job = next(job for job in here if job["path"] == left)
    assert (job["is_in_use"], job["bars"][0]["desc"]) == (False, "left")
    texts = {finding["text"]: finding["is_problem"] for finding in found["findings"]}
    assert [ill for text, ill in texts.items() if "left by processes that" in text] == [False]
    assert [ill for text, ill in texts.items() if "Another version" in text] == [False]
    assert sum("is no segment" in text and ill for text, ill in texts.items()) == 5
    page = programs.run(DOCTOR, env=programs.environment(TMPDIR=str(place), XDG_RUNTIME_DIR=None))
    assert page.stdout.count(str(place)) >= 7
    assert "all killed; the next job that starts removes this" in page.stdout
    assert Path(left).read_bytes() == whole
