"""The process in which one subject runs, and its other end in the process that measures.

    python -m mp_tqdm.bench.worker SUITE SUBJECT DESCRIPTOR

Each subject has one of its own: what a library starts, replaces or leaves behind meets no other
subject, and one that hangs can be ended.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mp_tqdm.bench import prepared

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from mp_tqdm.bench.estimate import Sample
    from mp_tqdm.bench.subject import Subject, Suite


# How long a process may take to end by itself: PyTorch has a second of work then, and who is ended
# by force leaves what is in shared memory.
GOODBYE_S = 5.0


class SubjectError(Exception):
    """A subject could not do its thing; the message says why."""


class OutOfTimeError(SubjectError):
    """A subject was not done in time."""

    def __init__(self) -> None:
        super().__init__("took longer than there was time for")


class Worker:
    """A subject in a process of its own, which runs from here to `close`.

    Args:
        suite: The one that the subject is of.
        subject: What it runs.
        until: On the clock of `time.monotonic`, how long its start may take.
    """

    def __init__(self, suite: Suite, subject: Subject, until: float) -> None:
        self.subject = subject
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process: subprocess.Popen[bytes] | prepared.Forked = (
                prepared.fork(suite, subject, theirs, until) if suite.prepare else None
            ) or subprocess.Popen(
                [sys.executable, "-m", __name__, suite.name, subject.name, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, count: int) -> None:
        """Let it do its thing so many times; `answer` gives what came of it."""
        with contextlib.suppress(BrokenPipeError):  # its death shows in the answer
            self._socket.sendall(f"{count}\n".encode())

    def answer(self, until: float) -> Sample:
        """What `Subject.run` returned.

        Args:
            until: On the clock of `time.monotonic`, how long to wait.

        Raises:
            OutOfTimeError: It has not answered by then.
            SubjectError: It failed or died.
        """
        data = b""
        while not data.endswith(b"\n"):
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                part = self._socket.recv(4096)
            except TimeoutError:
                raise OutOfTimeError from None
            except ConnectionResetError:
                part = b""
            if not part:
                raise SubjectError("its process died")
            data += part
        answer = json.loads(data)
        if isinstance(answer, str):
            raise SubjectError(answer)
        return tuple(answer) if isinstance(answer, list) else float(answer)

    def dismiss(self) -> None:
        """Let the process end by itself, with what its libraries do at the exit."""
        self._socket.close()

    def close(self, patience_s: float = GOODBYE_S) -> None:
        """See to it that the process ends, and what it started. Harmless the second time.

        Args:
            patience_s: How long it may take to end by itself.
        """
        self.dismiss()
        if self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        if self._process.poll() is None:
            for pid in _family(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()


def _family(eldest: int) -> list[int]:
    """A process and all that it and its children started, as long as their parents live."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    family = [eldest]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def serve(suite: str, name: str, descriptor: int) -> None:
    """Run a subject as often as the other end asks for it, until that is closed."""
    from mp_tqdm.bench.suites import SUITES

    subject = next(subject for subject in SUITES[suite].subjects if subject.name == name)
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rw") as stream:
        os.set_inheritable(channel.fileno(), False)
        for line in stream:
            gc.collect()
            try:
                answer: Sample | str = subject.run(int(line))
            except Exception as error:  # noqa: BLE001 - whatever a library raises is its result
                answer = _reason(error)
            stream.write(json.dumps(answer) + "\n")
            stream.flush()


def _reason(error: Exception) -> str:
    """One line about a failure, for the table."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"a program that it runs ended with {error.returncode}"
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
