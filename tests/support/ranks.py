"""The ranks of one launch as plain processes, which stop at named places until the test goes on."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from support import programs
from support.polling import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from support.terminal import Terminal

# What the programs import: `stop("x")` tells the test and waits for its `go`, `may_go` only asks.
_STEPS = """
import os, pathlib, time

here = pathlib.Path(__file__).parent
rank = int(os.environ["RANK"])


def may_go(name):
    return (here / name).exists()


def stop(name):
    (here / f"{name}.{rank}").touch()
    while not may_go(name):
        time.sleep(0.005)
"""


class Ranks:
    """Starts a program once for each rank; use it as a context manager.

    The program says `from steps import rank, stop`. At `stop("x")` a rank waits for `go("x")`.

    Args:
        directory: Where the program lies; the ranks of one directory are one launch.
        command: What `program` returned for it.
        count: How many ranks.
        terminal: Where all of them write; None: nothing is drawn, and `outputs` has their prints.
        env: Variables of all ranks beyond those of the launcher.
    """

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        count: int,
        terminal: Terminal | None = None,
        **env: str,
    ) -> None:
        (directory / "steps.py").write_text(_STEPS)
        self._directory = directory
        self._terminal = terminal
        self.processes: list[subprocess.Popen[bytes]] = []
        for rank in range(count):
            variables = programs.rank_variables(directory, rank, count) | env
            if terminal is not None:
                environ = programs.environment(**variables)
                self.processes.append(terminal.start(command, env=environ))
                continue
            self.processes.append(
                subprocess.Popen(
                    command,
                    env=programs.environment(MP_TQDM_MODE="off", **variables),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                programs.kill_session(process.pid)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def arrive(self, name: str, ranks: Iterable[int] | None = None) -> None:
        """Wait until these ranks, or all, stop at a place."""
        awaited = range(len(self.processes)) if ranks is None else ranks
        marks = [self._directory / f"{name}.{rank}" for rank in awaited]
        try:
            wait_until(lambda: all(mark.exists() for mark in marks), f"ranks at {name!r}")
        except AssertionError as error:
            shown = self._terminal.text() if self._terminal is not None else ""
            states = [process.poll() for process in self.processes]
            raise AssertionError(f"{error}\nexit codes: {states}\n{shown}") from None

    def go(self, name: str) -> None:
        """Let every rank pass a place, also those that come there later."""
        (self._directory / name).touch()

    def pass_by(self, *names: str) -> None:
        """Have all ranks meet at each of these places, and go on."""
        for name in names:
            self.arrive(name)
            self.go(name)

    def outputs(self) -> list[str]:
        """What each rank printed, without a terminal; all have to end well."""
        outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in self.processes]
        texts = [output.decode() for output in outputs]
        assert [process.returncode for process in self.processes] == [0] * len(texts), texts
        return texts
