"""A pseudo-terminal that somebody reads, in the place of standard output and error."""

import fcntl
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# Reads until it is ended, in a process of its own: a thread would take turns with the measured one.
_DRAIN = "import os\nwhile os.read(0, 65536): pass"


@contextmanager
def drained_terminal(rows: int = 24, columns: int = 80) -> Iterator[TextIO]:
    """Let descriptors 1 and 2, `sys.stdout` and `sys.stderr` be a terminal for a while.

    Progress bars take the stream at their import or at their start: import them inside.

    Yields:
        The standard output from before, for what the user is to see.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    drain = subprocess.Popen(
        [sys.executable, "-ISc", _DRAIN],
        stdin=master,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(master)
    descriptors = os.dup(1), os.dup(2)
    streams = sys.stdout, sys.stderr
    os.dup2(slave, 1)
    os.dup2(slave, 2)
    os.close(slave)
    try:
        with _writer(1) as sys.stdout, _writer(2) as sys.stderr, _writer(descriptors[0]) as before:
            yield before
    finally:
        sys.stdout, sys.stderr = streams
        for number, saved in enumerate(descriptors, 1):
            os.dup2(saved, number)
            os.close(saved)
        drain.terminate()
        drain.wait()


def _writer(descriptor: int) -> TextIO:
    """A stream like those that Python makes for its standard output and error."""
    return open(descriptor, "w", encoding="utf-8", buffering=1, closefd=False)
