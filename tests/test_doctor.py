"""`python -m mp_tqdm doctor`: the page, alone and under launchers."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mp_tqdm import _doctor_findings, _doctor_page
from support import programs
from support.doctor import DOCTOR, facts
from support.launches import DEEPSPEED, HYDRA, LIGHTNING, MPI, OPEN_MPI, SLURM, TORCHRUN

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.once

SECTIONS = ["Versions", "This process", "Terminal", "Environment", "Running jobs"]
# Behind an empty /tmp the Python that runs the tests is there all the same.
EMPTY = f"""
    mount -t tmpfs tmpfs /dev/shm
    mount --rbind / /mnt && mount -t tmpfs tmpfs /tmp
    mkdir -p "{sys.prefix}" && mount --rbind "/mnt{sys.prefix}" "{sys.prefix}"
"""


def sealed(command: list[str], setup: str = EMPTY) -> list[str]:
    """The command with places of its own: no job of anybody else is there."""
    unshare = programs.needs("unshare")
    probe = programs.run([unshare, "-m", "true"])
    if probe.returncode:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    return [unshare, "-m", "sh", "-ec", f'{setup}\nexec "$@"', "sh", *command]


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
    setup = (
        "mount -t tmpfs -o size=64k tmpfs /dev/shm\n"
        "mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp"
    )
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
        ({"PYTHONIOENCODING": "koi8-r"}, "python", "no plain file of Python"),
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
