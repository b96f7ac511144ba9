"""The system calls of a program, thread by thread, and making some of them fail: strace."""

import functools
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from support.polling import PATIENCE_S
from support.programs import needs, run

# `PID name(arguments) = result`, or where another thread's call came between
# `PID name(argum <unfinished ...>` and `PID <... name resumed>ents) = result`.
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"^(\d+) +(?:(\w+)\(|<\.\.\. (\w+) resumed>)(.*)$")


class Call(NamedTuple):
    """One system call."""

    thread: int
    name: str
    text: str  # arguments and result, as strace prints them


class Trace(NamedTuple):
    """A program that ran under strace."""

    process: subprocess.CompletedProcess[str]
    calls: list[Call]

    def between(self, begin: str, end: str) -> list[Call]:
        """What the thread that set these two marks called between them.

        A program sets a mark by `os.path.exists("/mark/NAME")`, a system call like any other.
        """
        first = self._mark(begin)
        last = self._mark(end)
        thread = self.calls[first].thread
        return [call for call in self.calls[first + 1 : last] if call.thread == thread]

    def counts(self) -> Counter[str]:
        """How often each was called, by all threads and processes."""
        return Counter(call.name for call in self.calls)

    def _mark(self, name: str) -> int:
        for index, call in enumerate(self.calls):
            if f'"/mark/{name}"' in call.text:
                return index
        raise AssertionError(f"no mark {name}: {self.process.stderr}")


def trace(
    command: Sequence[str],
    *,
    inject: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = PATIENCE_S,
) -> Trace:
    """Run a command under strace, with all its threads and children.

    Where strace is missing or may not trace, the test is skipped.

    Args:
        command: The program and its arguments.
        inject: System calls to make fail, as `"write:error=ENOSPC:when=3+"`; see strace(1).
        env: The environment; None is `programs.environment()`.
        timeout: Seconds after which it is killed.

    Returns:
        What it printed and what it called. Two calls that overlap stand where they ended.
    """
    strace = needs("strace")
    refusal = _refusal(strace)
    if refusal:
        pytest.skip(f"strace may not trace here: {refusal}")
    injections = [option for rule in inject for option in ("-e", f"inject={rule}")]
    descriptor, log = tempfile.mkstemp()
    os.close(descriptor)
    try:
        options = ["-f", "-qq", "-e", "signal=none", "-o", log]
        process = run([strace, *options, *injections, *command], env=env, timeout=timeout)
        lines = Path(log).read_text(errors="replace").splitlines()
    finally:
        os.unlink(log)
    return Trace(process, list(_calls(lines)))


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    begun: dict[str, str] = {}
    for line in lines:
        match = _CALL.match(line)
        if match is None:
            continue  # an exit or a signal
        thread, name, resumed, text = match.groups()
        if text.endswith(_UNFINISHED):
            begun[thread] = text.removesuffix(_UNFINISHED)
        else:
            yield Call(int(thread), name or resumed, begun.pop(thread, "") + text)


@functools.cache
def _refusal(strace: str) -> str:
    """Why strace cannot trace on this machine; empty if it can."""
    process = run([strace, "-qq", "-o", "/dev/null", "true"])
    return process.stderr.strip() if process.returncode else ""
