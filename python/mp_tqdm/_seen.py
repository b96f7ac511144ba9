"""Finds out from outside which job a process has joined: by the memory that it has open."""

from __future__ import annotations

import os

from mp_tqdm import _core, _job, _stack
from mp_tqdm._identity import Published


def joined(pid: int, start: int) -> Published | None:
    """What a living process of this user has joined, None if nothing is seen.

    A fork child has its parent's segment open, too: it is in the one where it has a place.
    """
    for path in _segments(pid):
        seen = _core.observe(path)
        if not isinstance(seen, dict):
            continue
        for (slot, incarnation), own, role, rank, is_alive in seen["processes"]:
            if own == pid and is_alive:
                ranks = max(seen["local_world"], rank + 1)
                return Published(
                    rank=rank,
                    local_world=ranks,
                    world=ranks,
                    job=_job.OPEN_JOB + path.rpartition("-")[2],
                    role=role,
                    slot=slot,
                    incarnation=incarnation,
                    pid=pid,
                    start=start,
                    fingerprint="-",
                )
    return None


def _segments(pid: int) -> list[str]:
    """The segments that a process has open, by path.

    Found by their inodes: the one that made a segment opened it before it had its name.
    """
    directories = tuple(_job.directories(os.environ))
    # Nothing else is touched: it may lie on a file system that does not answer.
    opened = (path for path in _entries(f"/proc/{pid}/fd") if _target(path).startswith(directories))
    inodes = set(filter(None, map(_inode, opened)))
    if not inodes:
        return []
    ours = f"mp_tqdm-{os.getuid()}-"
    files = (path for directory in directories for path in _entries(directory, ours))
    return [path for path in files if _inode(path) in inodes]


# Whatever is looked at may end meanwhile, or not be for this process to look at.


def _entries(directory: str, prefix: str = "") -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError as error:
        _stack.pass_on(error)
        return []
    return [os.path.join(directory, name) for name in names if name.startswith(prefix)]


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError as error:
        _stack.pass_on(error)
        return ""


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError as error:
        _stack.pass_on(error)
        return None
    return status.st_dev, status.st_ino
