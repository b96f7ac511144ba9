"""Starting programs as a user would: a fresh interpreter, a clean environment, a job of its own."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support.polling import PATIENCE_S

START_METHODS = ("fork", "spawn", "forkserver")

# What a launcher or another job put into the environment of the test run is none of the tests'.
_FOREIGN = (
    "COLUMNS",
    "FLUX_",
    "GROUP_",
    "HYDRA_",
    "LINES",
    "LOCAL_",
    "MASTER_",
    "MPI_",
    "MP_TQDM_",
    "OMPI_",
    "PMI",
    "PYTHON",
    "RANK",
    "ROLE_",
    "SLURM_",
    "TORCHELASTIC_",
    "TQDM_",
    "WORLD_SIZE",
)


def environment(**changes: str | None) -> dict[str, str]:
    """The environment of a program started from a shell on a terminal.

    Args:
        changes: Variables to set, or to leave out where the value is None.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    clean |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONFAULTHANDLER": "1"}
    for name, value in changes.items():
        if value is None:
            clean.pop(name, None)
        else:
            clean[name] = value
    return clean


def rank_variables(directory: Path, rank: int, ranks: int) -> dict[str, str]:
    """The variables that torchrun gives to one rank of a job on one node.

    Args:
        directory: Identifies the launch: all ranks given one directory are one job.
        rank: 0 and up.
        ranks: How many ranks the job has.
    """
    return {
        "GROUP_RANK": "0",
        "GROUP_WORLD_SIZE": "1",
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
        "RANK": str(rank),
        "ROLE_RANK": str(rank),
        "ROLE_WORLD_SIZE": str(ranks),
        "TORCHELASTIC_ERROR_FILE": str(directory / "attempt_0" / str(rank) / "error.json"),
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_RUN_ID": "none",
        "WORLD_SIZE": str(ranks),
    }


def python(source: str, *arguments: str, directory: Path, options: Sequence[str] = ()) -> list[str]:
    """The command that runs a script in a fresh interpreter.

    The script is a file, since the children of spawn and forkserver import it.

    Args:
        source: The program; it may be indented as a whole.
        arguments: What it finds in `sys.argv[1:]`.
        directory: Where the file is written.
        options: The interpreter's, as `["-W", "error"]`.
    """
    number = sum(1 for _ in directory.glob("program*.py"))
    path = directory / f"program{number}.py"
    path.write_text(textwrap.dedent(source))
    return [sys.executable, *options, str(path), *arguments]


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = PATIENCE_S,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal, and return what it printed.

    Args:
        command: The program and its arguments.
        env: The environment; None is `environment()`.
        timeout: Seconds after which it is killed with all that it started.

    Returns:
        The exit code (negative: the signal that ended it), `stdout` and `stderr`.

    Raises:
        AssertionError: It did not end in time; the message has its output.
    """
    with subprocess.Popen(
        command,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            stdout, stderr = process.communicate()
            message = f"still running after {timeout:g} s:\n{stdout}\n{stderr}"
            raise AssertionError(message) from None
        except BaseException:
            kill_session(process.pid)
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def printed(command: Sequence[str], *, timeout: float = PATIENCE_S) -> list[str]:
    """What a program printed, line by line; it has to end well and to say nothing of errors."""
    process = run(command, env=environment(MP_TQDM_MODE="off"), timeout=timeout)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout.splitlines()


def sweep() -> None:
    """The next program on the machine removes the memory of those that were killed; this is it."""
    command = [sys.executable, "-c", "import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"]
    assert run(command).returncode == 0


def kill_session(pid: int) -> None:
    """Kill a program that was started in a session of its own, with all that it started."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and _session(name) == pid:
            try:
                os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                continue


def session_works(pid: int) -> bool:
    """Whether a program that was started in a session of its own, or what it started, still runs.

    A zombie does not: the kernel has closed its files and given up its locks.
    """
    return any(
        name.isdecimal() and _session(name) == pid and not _is_zombie(name)
        for name in os.listdir("/proc")
    )


def _is_zombie(pid: str) -> bool:
    try:
        _, _, rest = Path("/proc", pid, "stat").read_text(errors="replace").rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return rest.split()[0] == "Z"


def _session(pid: str) -> int | None:
    """The session of a process, None when it has just ended."""
    try:
        return os.getsid(int(pid))
    except ProcessLookupError:
        return None


def needs(tool: str) -> str:
    """The path of a command-line tool; where it is missing the test is skipped, and says so."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed")
    return path


def needs_package(name: str) -> None:
    """Skip the test where a package is missing; it is not imported, which takes seconds of some."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
