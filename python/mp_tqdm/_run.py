"""The command `python -m mp_tqdm run`: a command whose Pythons have this package's bars for tqdm's.

It becomes that command by `exec`, so exit code, signals and terminal are the command's own. Pythons
below it find `_start/sitecustomize.py` by PYTHONPATH.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = """\
usage: python -m mp_tqdm run COMMAND [ARGUMENT ...]
       python -m mp_tqdm run (SCRIPT.py | -m MODULE) [ARGUMENT ...]
"""
_HELP = f"""\
{_USAGE}
Runs a command. In each Python below it tqdm's bars are mp_tqdm's, from tqdm's import on:

  python -m mp_tqdm run python train.py --epochs 3
  python -m mp_tqdm run torchrun --nproc-per-node 8 train.py
  python -m mp_tqdm run pytest

A script of Python, or options of Python such as -m, run with this one:

  python -m mp_tqdm run train.py --epochs 3
  python -m mp_tqdm run -m package.train

MP_TQDM_PATCH=0 in the environment of a process below leaves that one alone. A Python that is
started with -I, -E or -S, or without PYTHONPATH, keeps tqdm's bars.
"""
# What a shell says of a command that is not there, and of one that cannot be run.
_NOT_FOUND = 127
_NOT_RUN = 126


def main(given: Sequence[str]) -> int:
    """Becomes the command.

    Args:
        given: The command and its arguments; or a script, or options of Python as `-m` and a
            module, for the Python that runs this.

    Returns:
        Where there is no command to become: 0 after `--help`, 2 without a command, 127 or 126 if
        it is not there or cannot be run.
    """
    if given[:1] in (["-h"], ["--help"]):
        sys.stdout.write(_HELP)
        return 0
    arguments = list(given[1:] if given[:1] == ["--"] else given)
    if not arguments:
        _say(f"which command?\n{_USAGE}")
        return 2
    if _is_for_python(arguments[0]):
        arguments = [sys.executable, *_flags(len(given)), *arguments]
    program = shutil.which(arguments[0])
    if program is None:
        return _refuse(arguments[0])
    option = _ignoring(arguments)
    if option:
        _say(f"with {option} Python does not read what `run` prepares: tqdm's bars stay tqdm's\n")
    return _become(program, arguments)


def _is_for_python(command: str) -> bool:
    """Whether the command is an option of Python, or what Python runs and no system by itself."""
    if command.startswith("-"):
        return True
    if command.endswith(".py") and os.path.isfile(command):
        return True
    is_program = command.endswith((".pyc", ".pyz", ".zip")) and os.path.isfile(command)
    is_program = is_program or os.path.isfile(os.path.join(command, "__main__.py"))
    return is_program and shutil.which(command) is None


def _flags(count: int) -> list[str]:
    """The options that this Python was started with, such as the `-u` of torchrun.

    Args:
        count: How many arguments stand behind `run`.
    """
    *flags, last = sys.orig_argv[1 : -count - 1] or [""]
    if last == "mp_tqdm" and flags:  # `-m mp_tqdm`, `-um mp_tqdm`; else `-mmp_tqdm`
        last = flags.pop() + last
    if not last.endswith("mmp_tqdm"):
        return []
    last = last.removesuffix("mmp_tqdm")
    return flags if last == "-" else [*flags, last]


def _ignoring(arguments: Sequence[str]) -> str:
    """The option by which a Python reads no PYTHONPATH or no `sitecustomize`, if it has one."""
    name, *options = arguments
    if not os.path.basename(name).startswith("python"):
        return ""
    options_with_value = iter(options)
    for option in options_with_value:
        if not option.startswith("-") or option.startswith("--"):
            break
        for place, letter in enumerate(option[1:], 2):
            if letter in "EIS":
                return f"-{letter}"
            if letter in "cm":
                return ""
            if letter in "WX":
                if place == len(option):
                    next(options_with_value, "")
                break
    return ""


def _become(program: str, arguments: list[str]) -> int:
    """Replaces this process, or says why it could not."""
    start = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_start")
    before = os.environ.get("PYTHONPATH", "")
    if before.split(os.pathsep)[0] != start:
        os.environ["PYTHONPATH"] = f"{start}{os.pathsep}{before}" if before else start
    os.environ["MP_TQDM_PATCH"] = "1"
    # Python ignores these signals, and what is ignored stays so in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(program, arguments)  # noqa: S606 - as a shell does, and in its place
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            _say(f"{program}: {error.strerror}\n")
            return _NOT_RUN
    # Without `#!` a shell takes it for a script of its own.
    os.execv("/bin/sh", ["sh", program, *arguments[1:]])  # noqa: S606
    return _NOT_RUN


def _refuse(command: str) -> int:
    """Says what to do where there is no such program."""
    if os.path.isfile(command):
        _say(
            f"{command}: not executable. Name what runs it (`run bash {command}`), or "
            f"`chmod +x {command}`.\n"
        )
        return _NOT_RUN
    _say(
        f"{command}: not found. Give the path of a script, or a command that is on PATH: `run "
        "python train.py`, `run torchrun train.py`, `run -m package`.\n"
    )
    return _NOT_FOUND


def _say(text: str) -> None:
    sys.stderr.write(f"mp_tqdm run: {text}")
    sys.stderr.flush()
