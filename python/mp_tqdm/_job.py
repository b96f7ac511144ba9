"""Attaches this process to its job, at first use and again after a fork."""

import os
import sys

from mp_tqdm import _core, _forks, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mp_tqdm._forks import Role
    from mp_tqdm._identity import Facts, Identity, Published

# As whom and where this process attached, for the doctor and for `session_env`: slot, incarnation,
# and the segment's path, "memfd" or "private" (set by `_core.attach`); and why better places were
# refused.
_identity: "Identity | Alone | None" = None
_place: tuple[int, int, str] | None = None
_refusals: list[str] = []
_hashes: dict[str, int] = {}
_lookers = 0  # calls of `_look` that have not returned
UNSHARED = ("memfd", "private")  # what no other program finds
OPEN_JOB = "open:"  # begins the name of a job that was found by its memory: the number follows


class Alone:
    """Who the first process of a program is that no launcher started, and a child that it forked.

    Most programs are one, and load no package of processes. `_env` would come to the same
    `Identity`, but its rules and its records take longer to import than all the rest of a
    program's first bar; and a child may come when no file of the package can be reached any more.
    """

    __slots__ = (
        "fallback_job",
        "incarnation",
        "job",
        "parent",
        "pid",
        "role",
        "rule",
        "slot",
        "start",
    )
    rank, local_world, world, node, nodes = 0, 1, 1, 0, 1
    elsewhere = ()
    if TYPE_CHECKING:
        job: str
        slot: int
        incarnation: int

    def __init__(self, maker: "Alone | None") -> None:
        self.pid = os.getpid()
        self.start, namespace = _core.own_start()
        name = f"process:{self.pid}:{self.start}"
        self.fallback_job = f"{name}:{namespace}" if namespace else name
        self.job = maker.job if maker else self.fallback_job
        self.rule = "parent" if maker else "process"
        self.role: Role = "worker" if maker else "root"
        self.parent = maker


def alone() -> "Alone | None":
    """This process as one of those, if it is one at first sight."""
    if (
        not _forks.is_known()
        or _forks.packages()
        or _forks.SESSION_VARIABLE in os.environ
        or _forks.names_a_rank(os.environ)
    ):
        return None
    if not _forks.makers:
        return Alone(None)
    # What this memory says of the process that it was copied from, which has to live.
    maker = _identity
    if (
        not isinstance(maker, Alone)
        or _place is None
        or not (maker.pid == _forks.makers[0][0] == os.getppid())
        or maker.parent is not None
        or _forks.at_fork is None
        or any(value is not None for value in _forks.at_fork)
        or _forks.PARENT_VARIABLE not in os.environ
    ):
        return None
    maker.slot, maker.incarnation, _ = _place
    return Alone(maker)


def attach(follows_workers: bool) -> list[str]:
    """Attaches this process; called by `_core.join` alone, for one thread at a time.

    Who belongs together is decided by `_env`. A process that finds its local rank taken by
    somebody else is no part of that job (a plain subprocess inherits the launcher's variables): it
    is a job of its own.

    Signal handlers run meanwhile, and may attach this process themselves: then nothing is left to
    be done here.

    Args:
        follows_workers: Whether to go on in what workers left that are gone, also where they did
            not note this process as the first of their program.

    Returns:
        What the user has to be warned of.
    """
    known, first = alone(), None
    warnings: list[str] = []
    found: Identity | Alone
    if known is not None:
        found = known
    else:
        found, facts = _look()
        warnings = [_TWO_JOBS] if len(_begun(found)) > 1 else []
        first = _awaited(found, facts)
    global _identity  # noqa: PLW0603 - of this process
    _identity = found  # beforehand, as `_place`
    answer = _enter(found, first, follows_workers)
    if isinstance(answer, int):
        from mp_tqdm import _env

        _identity = found = _env.fall_back(who() if isinstance(found, Alone) else found)
        answer = _enter(found, first, follows_workers)
    if answer is None:
        return []
    if isinstance(answer, int):
        message = f"local rank {found.rank} is counted by process {answer} already"
        raise RuntimeError(message)  # noqa: TRY004 - an int is the answer "taken"
    (slot, incarnation, where), (refused, is_apart), lost = answer
    if refused or where not in UNSHARED:  # else a fork child knows why from its parent
        _refusals[:] = refused
    _forks.publish(os.environ, found, slot, incarnation)
    if found.role == "worker":
        # It prints beside the bars of others, and may never open one.
        _streams.redirect_worker()
    elif found.local_world > 1:
        _streams.keep_redirected()
    else:
        _forks.end_beside()
    # Where a job's name may come again, a leftover is taken for another run's.
    if lost[0] and found.rule != "environment":
        _core.add_lost(*lost)
    if is_apart or where in UNSHARED:
        from mp_tqdm import _said

        warnings.append(_said.of_place(where, _refusals))
    return warnings


def warn(texts: list[str]) -> None:
    """Warns of what `attach` returned, in the name of who counted first; once in a job."""
    for text in texts:
        import warnings

        from mp_tqdm import _said
        from mp_tqdm._errors import TqdmWarning

        if _said.is_first(text.partition("(")[0]):  # the reasons differ
            warnings.warn(text, TqdmWarning, stacklevel=2)


def who() -> "Identity":
    """Who this process is by the rules, and by what there is.

    A session whose giver is gone is none, and is forgotten. A first process goes to its workers,
    where these have begun in a job that they name otherwise.
    """
    return _look()[0]


def _look() -> "tuple[Identity, Facts]":
    """As `who`, and the facts by which it was decided.

    The rules are imported here, which takes milliseconds: a signal handler that comes meanwhile may
    need them whole.
    """
    global _lookers  # noqa: PLW0603 - of this process
    if _lookers:
        _forks.forget_half_imports(own=True)
    _lookers += 1
    try:
        return _decide()
    finally:
        _lookers -= 1


def _decide() -> "tuple[Identity, Facts]":
    from mp_tqdm import _env

    facts = _env.read_facts()
    found = _env.identify(facts)
    if found.rule == "session" and found.parent is not None and not _is_there(found.parent):
        os.environ.pop(_forks.SESSION_VARIABLE, None)
        found = _env.identify(facts)  # their environment is the one changed here
    begun = _begun(found)
    if begun and found.job not in begun:
        found = _env.Identity(**found._asdict() | {"job": begun[0], "elsewhere": ()})
    return found, facts


def _begun(found: "Identity") -> list[str]:
    """In which of the jobs that may be a first process's own something was counted already."""
    if not found.elsewhere:
        return []
    return [job for job in (found.job, *found.elsewhere) if segment(job) is not None]


_TWO_JOBS = (
    "mp_tqdm: workers of multiprocessing and of multiprocess counted before this process opened "
    "its first bar, and are two jobs. Only the former count here. Open a bar before the workers "
    "start."
)


def segment(job: str) -> str | None:
    """The path of a job's segment, if there is one."""
    name = segment_name(job)
    paths = (os.path.join(directory, name) for directory in directories(os.environ))
    return next((path for path in paths if os.path.lexists(path)), None)


def _is_there(giver: "Published") -> bool:
    """Whether the process that gave a session is in its segment, and alive.

    Names of jobs come again (a launcher's port), and so do slots, their lives and pids: all four
    together do not.
    """
    for directory in directories(os.environ):
        seen = _core.observe(os.path.join(directory, segment_name(giver.job)))
        if isinstance(seen, dict):
            id_ = (giver.slot, giver.incarnation)
            return any(
                process[0] == id_ and process[1] == giver.pid and process[4]
                for process in seen["processes"]
            )
    return False


def _enter(
    identity: "Identity | Alone", first: tuple[int, int] | None, follows_workers: bool
) -> int | tuple[tuple[int, int, str], tuple[list[str], bool], tuple[float, int]] | None:
    job = job_hash(identity.job)
    inherited = _core.inherited()
    parent = identity.parent
    mode = _streams.mode()
    # Where the lines of all go, a worker knows by what it began with.
    stderr = _forks.streams[1] if identity.role == "worker" else sys.stderr
    is_off = mode == "off" or _streams.is_lost(stderr)
    return _core.attach(
        job,
        "follower" if follows_workers else identity.role,
        identity.rank,
        parent=(parent.slot, parent.incarnation) if parent else None,
        directories=directories(os.environ),
        world=(identity.local_world, identity.world, identity.node, identity.nodes),
        stream=None if is_off else _streams.descriptor(stderr, mode),
        log="json" if mode == "json" else "lines",
        colours=_streams.has_colours(),
        interactive=hasattr(sys, "ps1") or bool(sys.flags.interactive),
        inherit=inherited is not None and inherited[3] == job,
        first=first,
    )


def _awaited(identity: "Identity", facts: "Facts") -> tuple[int, int] | None:
    """The first process of the program, where its worker came before it, and knows it."""
    if identity.role != "worker" or identity.parent is not None:
        return None
    from mp_tqdm import _env

    first = _env.first_process(facts)
    return None if first == (identity.pid, identity.start) else first


def job_hash(job: str) -> int:
    """The 64 bits that name a job's segment; another user's job of the same name is another one.

    It stays what it was where a process takes another user's id, and so for its fork children.
    """
    if job.startswith(OPEN_JOB):
        return int(job[len(OPEN_JOB) :], 16)
    if job not in _hashes:
        _hashes[job] = _core.hash64(f"{os.getuid()}\0{job}")
    return _hashes[job]


def segment_name(job: str) -> str:
    """The name of a job's segment, in whatever directory."""
    return f"mp_tqdm-{os.getuid()}-{job_hash(job):016x}"


def directories(environ: "Mapping[str, str]") -> list[str]:
    """Where a segment may lie, best first: memory file systems, then temporary directories."""
    named = (environ.get(name) for name in ("XDG_RUNTIME_DIR", "TMPDIR"))
    found = ("/dev/shm", *named, "/tmp")  # noqa: S108 - all processes of the job have to find it
    return list(dict.fromkeys(path for path in found if path))
