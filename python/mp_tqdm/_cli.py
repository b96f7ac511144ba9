"""The command line, `python -m mp_tqdm`: finds the command and gives the exit code."""

from __future__ import annotations

import argparse
import signal
import sys

from mp_tqdm import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 128 + signal.SIGINT  # what a shell says of a program that ^C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Those behind the program's name; `None`: this process's own.

    Returns:
        The exit code: 0, 1 where the doctor names a problem, or 130 after an interrupt.

    Raises:
        SystemExit: With 0 after `--help` and `--version`, with 2 after wrong arguments.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _command(given)
    except KeyboardInterrupt:
        # What is left is to end quietly: a second ^C must not show a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return INTERRUPTED


def _command(given: Sequence[str]) -> int:
    """Runs one of the package's own commands."""
    if given[:1] == ["run"]:
        from mp_tqdm import _run

        return _run.main(given[1:])
    if given[:1] == ["pipe"]:
        from mp_tqdm import _pipe

        return _pipe.main(given[1:])
    if given[:1] == ["bench"]:
        from mp_tqdm.bench import command

        return command.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m mp_tqdm",
        description="One progress bar for a whole training or data job.",
    )
    parser.add_argument("--version", action="version", version=f"mp_tqdm {__version__}")
    commands = parser.add_subparsers(metavar="command", dest="command")
    commands.add_parser(
        "demo",
        help="show on this machine, in some ten seconds, what the line does and what it costs",
        description="Shows a nested loop, one line for eight processes of which one is killed, a "
        "line that moves while a C call holds the GIL, and what a count costs here.",
    )
    doctor = commands.add_parser(
        "doctor",
        help="say what mp_tqdm finds here: versions, ranks, shared memory, terminal, running jobs",
        description="Prints a page for a bug report. Run it as the program is run: under its "
        "launcher the first rank prints one page for all. Ends with 1 if there is a problem.",
    )
    doctor.add_argument("--json", action="store_true", help="print it for programs")
    doctor.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        default=2.0,
        help="how long the ranks of a node wait for each other (default: 2)",
    )
    commands.add_parser(
        "run",
        help="run a command; in all Pythons below it tqdm's bars are mp_tqdm's: `run python "
        "train.py`, `run torchrun train.py`; --help shows more",
    )
    commands.add_parser(
        "pipe",
        help="copy stdin to stdout with a bar, as `python -m tqdm`; --help shows its options",
    )
    commands.add_parser(
        "bench",
        help="measure on this machine what counting costs, beside other progress bars; --help shows"
        " its options",
    )
    chosen = parser.parse_args(given)
    if chosen.command is None:
        parser.print_help()
        return 0
    if chosen.command == "doctor":
        from mp_tqdm import _doctor

        return _doctor.main(as_json=chosen.json, patience_s=chosen.wait)
    from mp_tqdm import _demo

    _demo.main()
    return 0
