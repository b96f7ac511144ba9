"""Processes of subjects that are forked from one in which what takes long was done before.

So PyTorch, which takes seconds, is imported once for all of them.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mp_tqdm.bench.subject import Subject, Suite

# Prepares, and forks for each subject that is named, until the other end is closed. It does not
# import this package: its children would be workers of it. Those of one key would be one job.
_PROGRAM = """
import json, os, socket, sys
asked = socket.socket(fileno=int(sys.argv[1]))
asked.set_inheritable(False)
exec(sys.argv[2], {})
while True:
    named, descriptors, _, _ = socket.recv_fds(asked, 4096, 1)
    if not named:
        os._exit(0)
    pid = os.fork()
    if not pid:
        break
    os.close(descriptors[0])
    asked.sendall(str(pid).encode())
asked.close()
os.setsid()
import multiprocessing
multiprocessing.current_process().authkey = os.urandom(32)
from mp_tqdm.bench.worker import serve
serve(*json.loads(named), descriptors[0])
"""


# An import takes seconds, on a busy machine many of them.
_PATIENCE_S = 120.0


class Forked:
    """What `subprocess.Popen` is, for a grandchild."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """None as long as it runs."""
        ended, _, _ = select.select([self._descriptor], [], [], 0)
        return 0 if ended else None

    def wait(self, timeout: float | None = None) -> None:
        """Until it has ended.

        Raises:
            subprocess.TimeoutExpired: It has not.
        """
        ended, _, _ = select.select([self._descriptor], [], [], timeout)
        if not ended:
            raise subprocess.TimeoutExpired("subject", timeout or 0)

    def __del__(self) -> None:
        os.close(self._descriptor)


class _Parent:
    """The other end of the program above."""

    def __init__(self, prepare: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), prepare],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(
        self, suite: Suite, subject: Subject, channel: socket.socket, until: float
    ) -> Forked | None:
        self._socket.settimeout(min(_PATIENCE_S, max(0.001, until - time.monotonic())))
        named = json.dumps([suite.name, subject.name]).encode()
        try:
            socket.send_fds(self._socket, [named], [channel.fileno()])
            return Forked(int(self._socket.recv(32)))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        self._socket.close()
        self._process.kill()  # there is nothing that it would have to end
        self._process.wait()


_parents: dict[str, _Parent] = {}


def fork(suite: Suite, subject: Subject, channel: socket.socket, until: float) -> Forked | None:
    """A process that serves a subject on that socket.

    Returns:
        None where that failed, or where on the clock of `time.monotonic` it took longer than that.
    """
    if suite.prepare not in _parents:
        _parents[suite.prepare] = _Parent(suite.prepare)
    forked = _parents[suite.prepare].fork(suite, subject, channel, until)
    if forked is None:
        _parents.pop(suite.prepare).close()
    return forked


def close() -> None:
    """End the programs that prepared. Those of the subjects end when their workers are closed."""
    while _parents:
        _parents.popitem()[1].close()
