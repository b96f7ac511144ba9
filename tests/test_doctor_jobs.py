"""`python -m mp_tqdm doctor` beside running jobs, and what killed ones left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import programs
from support.doctor import DOCTOR, facts
from support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.once


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
