"""What is said once for a whole job, whichever of its processes comes to say it first."""

from __future__ import annotations

import os

from mp_tqdm import _core, _job, _stack

# Names in the kernel, held open by descriptors: processes without shared memory have no other place
# to note what was said. Fork children hold them, too.
_names: list[int] = []
# What this process said itself, which Python's own rules show again or not, with its pid.
_own: dict[str, int] = {}
_LOWEST_DESCRIPTOR = 64  # programs and C libraries have their own ideas about lower ones


def is_first(text: str) -> bool:
    """Whether no other process of this job has said it yet; this one says it now.

    Attaches this process to its job, if nothing was counted here yet.
    """
    pid, text_hash = os.getpid(), _core.hash64(text)
    if _own.get(text) == pid:
        return True
    if not _core.note_said(text_hash) or not _is_first_without_memory(text_hash):
        return False
    _own[text] = pid
    return True


def _is_first_without_memory(text_hash: int) -> bool:
    place, identity = _job._place, _job._identity  # noqa: SLF001 - our own
    if identity is None or place is None or place[2] not in _job.UNSHARED:
        return True
    return _take_name(f"{_job.segment_name(identity.job)}-{text_hash:016x}")


def _take_name(name: str) -> bool:
    """Takes a name that one process at a time can have; True also where there are no such names."""
    import errno
    import fcntl

    try:
        import _socket

        taker = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        try:
            taker.bind(f"\0{name}".encode())
            lowest = _LOWEST_DESCRIPTOR
            _names.append(fcntl.fcntl(taker.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest))
        finally:
            taker.close()
    except ImportError:
        return True
    except OSError as error:
        _stack.pass_on(error)
        return error.errno != errno.EADDRINUSE
    return True


def of_place(where: str, refused: list[str]) -> str:
    """What is said where this job's counts are not all in one place, and what still works."""
    why = "; ".join(refused)
    if where not in _job.UNSHARED:
        return (
            f"mp_tqdm counts in {where}, as a better place was refused ({why}). Processes that "
            "count there are not in this line."
        )
    reach = "fork children of this process" if where == "memfd" else "this process"
    return (
        f"mp_tqdm found no place for shared memory ({why}). Counting works, but a line shows "
        f"{reach} only. Make /dev/shm writable, or set TMPDIR to a local directory."
    )
