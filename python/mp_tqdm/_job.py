"""Attaches this process to its job, at first use and again after a fork."""

from __future__ import annotations

import os
import sys

from mp_tqdm import _core, _env, _path, _streams
from mp_tqdm._errors import TqdmWarning

# The identity this process attached with, for the doctor and for `session_env`.
_identity: _env.Identity | None = None
_place: tuple[int, int, str] | None = None


def attach(*, follows_workers: bool = False) -> None:
    """Attaches this process; called by the native module when something is counted first.

    Who belongs together is decided by `_env`. A process that finds its local rank taken by
    somebody else is no part of that job (a plain subprocess inherits the launcher's variables): it
    is a job of its own.

    Args:
        follows_workers: Whether to go on in what workers left that are gone, where a first process
            would begin afresh.
    """
    identity = _env.identify(_env.read_facts())
    answer = _enter(identity, follows_workers)
    if isinstance(answer, int):
        identity = _env.fall_back(identity)
        answer = _enter(identity, follows_workers)
    if isinstance(answer, int):
        message = f"local rank {identity.rank} is counted by process {answer} already"
        raise RuntimeError(message)  # noqa: TRY004 - an int is the answer "taken"
    slot, incarnation, place, refusals = answer
    _env.publish(os.environ, identity, slot, incarnation)
    global _identity, _place
    _identity, _place = identity, (slot, incarnation, place)
    if place in ("memfd", "private"):
        import warnings

        reach = "fork children of this process" if place == "memfd" else "this process"
        warnings.warn(
            f"mp_tqdm found no place for shared memory ({'; '.join(refusals)}). Counting works, "
            f"but a line shows {reach} only. Make /dev/shm writable, or set TMPDIR to a local "
            "directory.",
            TqdmWarning,
            stacklevel=2,
        )


def _enter(identity: _env.Identity, follows_workers: bool) -> int | tuple[int, int, str, list[str]]:
    job = job_hash(identity.job)
    inherited = _core.inherited()
    parent = identity.parent
    return _core.attach(
        job,
        "follower" if follows_workers else identity.role,
        identity.rank,
        parent=(parent.slot, parent.incarnation) if parent else None,
        directories=directories(os.environ),
        world=(identity.local_world, identity.world, identity.node, identity.nodes),
        stream=_streams.descriptor(sys.stderr) if _streams.mode() != "off" else None,
        interactive=hasattr(sys, "ps1") or bool(sys.flags.interactive),
        inherit=inherited is not None and inherited[3] == job,
    )


def job_hash(job: str) -> int:
    """The 64 bits that name a job's segment; another user's job of the same name is another one."""
    return _path.hash64(f"{os.getuid()}\0{job}")


def directories(environ: os._Environ[str]) -> list[str]:
    """Where a segment may lie, best first: memory file systems, then the temporary directory."""
    found = ["/dev/shm"]  # noqa: S108 - the point is that all processes of the job find it
    found += [environ[name] for name in ("XDG_RUNTIME_DIR", "TMPDIR") if environ.get(name)]
    return found


# CPython 3.13 counts the threads after these hooks and warns of any: there the renderer comes back
# right behind the fork. No function in Python may stand between: the running frame has to be the
# one that forks.
_resume = _core.after_fork_in_parent
if sys.version_info >= (3, 13) and sys.version_info < (3, 14):
    import functools

    _resume = functools.partial(_core.after_fork_in_parent, later=True)

os.register_at_fork(
    before=_core.before_fork,
    after_in_parent=_resume,
    after_in_child=_core.after_fork_in_child,
)
