"""Reads what `/proc` shows of this process and of those above it."""

from __future__ import annotations

import os

from mp_tqdm import _stack
from mp_tqdm._identity import COMPARED, Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEEPEST_CHAIN = 64  # ancestors looked at; a bound, not an expectation
_COMPARED = frozenset(map(os.fsencode, COMPARED))
# Indices of `ppid`, `starttime` and `arg_start` in `/proc/PID/stat`, counted behind the name.
_STATUS = (1, 19, 45)
_DEAD = (b"Z", b"X")


def status(pid: int) -> tuple[int, int, int]:
    """Parent, start and the address of the arguments, fields 4, 22 and 48 of `stat`; else zeros.

    Zeros also for one that is dead and was not waited for. The fields are counted behind the last
    parenthesis, as the name in front may hold anything.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if len(fields) <= max(_STATUS) or fields[0] in _DEAD:
        return 0, 0, 0
    above, start, address = (int(fields[index]) for index in _STATUS)
    return above, start, address


def environment(pid: int) -> Mapping[str, str] | None:
    """Of the variables with which a process was started those that the rules compare, or None."""
    pairs = [pair for pair in _read(f"/proc/{pid}/environ").split(b"\0") if b"=" in pair]
    if not pairs:
        return None
    split = (pair.partition(b"=") for pair in pairs)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in split if name in _COMPARED}


def namespace() -> str:
    """Number of the pid namespace, empty if unknown."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError as error:
        _stack.pass_on(error)
        return ""


def reader(pid: int) -> Callable[[], tuple[Process, ...]]:
    """`Facts.ancestors`, from the parent on; read at the first call."""
    chain: list[Process] = []

    def ancestors() -> tuple[Process, ...]:
        if not chain:
            chain.extend(_ancestors(pid))
        return tuple(chain)

    return ancestors


def _ancestors(pid: int) -> list[Process]:
    chain: list[Process] = []
    while pid and len(chain) < DEEPEST_CHAIN:
        above, start, _ = status(pid)
        environ, python = environment(pid) or {}, _is_python(pid)
        chain.append(Process(pid=pid, start=start, python=python, environ=environ))
        pid = above
    return chain


def _is_python(pid: int) -> bool:
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        named = os.path.basename(program).startswith(("python", "pypy"))
        if not named and program != os.readlink("/proc/self/exe"):  # as of a frozen program
            return False
    except OSError as error:
        _stack.pass_on(error)
        return False
    return not _is_forkserver(pid)


def _is_forkserver(pid: int) -> bool:
    """Whether this is one, and not a process that it forked and that has its arguments too.

    A fork has them at the same address; behind an `exec` the kernel puts them elsewhere.
    """
    arguments = _read(f"/proc/{pid}/cmdline")
    if b".forkserver import" not in arguments:
        return False
    above, _, address = status(pid)
    return _read(f"/proc/{above}/cmdline") != arguments or status(above)[2] != address


def _read(path: str) -> bytes:
    """A file of `/proc`, empty if it is not there or not for us."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        _stack.pass_on(error)
        return b""
