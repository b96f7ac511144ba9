"""Decides to which job a process belongs, as which rank or worker, from what it can see of itself.

`read_facts` looks at the real process; the rules are functions of the `Facts` that it returns.
The first rule that holds gives the job:

1. `session`: `MP_TQDM_SESSION`, put into a subprocess's environment on purpose.
2. `parent`: `MP_TQDM_PARENT`, which each process writes once it has joined a job, and which counts
   only in what the writer made by `multiprocessing`, `multiprocess` or `os.fork`. What was made
   before the writer joined finds its job by the memory that it has open, in `/proc`.
3. `torchelastic`: torchrun and what builds on it.
4. `pmix`, `pmi`, `slurm`, `deepspeed`, `environment`: the other launchers.
5. `family`: the processes of one program know one `multiprocessing` authkey. A key under 16 bytes
   or of printable text is the user's own and may be known to a second program; then rule 6 is
   for the program's first process, and its children come to it by rule 2 or by its pid. Where
   both packages are loaded each has a key of its own: `Identity.elsewhere` is what the children of
   the other may have begun.
6. `process`: a job of its own.

Launchers name a rank by environment variables, which everything below the rank inherits too:

* A process made by `multiprocessing` is a worker of its rank, unless it set such variables itself,
  has others than its parent had, or joined a process group itself: then it is a rank.
* A program started in a rank by `subprocess` is none of the launcher's. The Python process nearest
  above it was started with the same variables, which no launcher does. The launcher's rule is
  passed over, and the next ones are asked. What this misses (a rank that set its variables when it
  was running already) shows in the segment: the rank's place is taken by a process that is not the
  parent, and the caller goes to `Identity.fallback_job`.
"""

from __future__ import annotations

from mp_tqdm._facts import read_facts
from mp_tqdm._forks import digest, launcher_fingerprint, names_a_rank, publish
from mp_tqdm._identity import Identity, Place, at
from mp_tqdm._published import (
    makers_above,
    read_above,
    read_published,
    read_session,
    read_starter,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mp_tqdm._forks import Role
    from mp_tqdm._identity import Facts, Published
    from mp_tqdm._launchers import Launch

__all__ = [
    "Identity",
    "fall_back",
    "first_process",
    "identify",
    "launcher_fingerprint",
    "publish",
    "read_facts",
]

_SHORTEST_RANDOM_KEY = 16  # bytes; `multiprocessing` makes 32, people write fewer


def identify(facts: Facts) -> Identity:
    """Apply the rules.

    Ask at first use, and again in a process that was forked: it may have got variables of its own.
    """
    session = read_session(facts)
    if session is not None:
        return _worker(facts, session, "session")
    launch = _launch(facts)
    if facts.generations:
        return _child(facts, launch, read_published(facts))
    if launch is None:
        return _on_its_own(facts, "root", Place())
    starter = None if launch.certain else read_starter(facts)
    if starter is not None and ("RANK" not in facts.environ or starter.role != "root"):
        if starter.rank == launch.rank:
            return _on_its_own(facts, "root", Place())
        if "RANK" not in facts.environ:
            # Lightning's launcher is rank 0 itself. It starts the others by `subprocess`, and may
            # have joined a job before it set, for itself and for them, all variables but RANK.
            return _identity(facts, starter.job, "parent", role="rank", place=launch)
    return _identity(facts, launch.job, launch.rule, role="rank", place=launch)


def fall_back(identity: Identity) -> Identity:
    """What a rank is whose place in the segment is taken: a program of its own."""
    values = identity._asdict() | at(Place())
    return Identity(**values | {"job": identity.fallback_job, "rule": "process", "role": "root"})


def _launch(facts: Facts) -> Launch | None:
    """The launch of which this process is a rank, or a worker of one.

    Most programs have no launcher, and do not pay for the import of all.
    """
    if not names_a_rank(facts.environ):
        return None
    from mp_tqdm._launchers import find_launch

    return find_launch(facts)


def _child(facts: Facts, launch: Launch | None, parent: Published | None) -> Identity:
    """A process that `multiprocessing` or a fork made: a worker, or a rank by its own doing."""
    place = _place_of_its_own(facts, launch, parent)
    if place is None:
        return _worker(facts, parent, "parent") if parent else _worker_of_unknown(facts, launch)
    if launch is not None and launch.certain:
        return _identity(facts, launch.job, launch.rule, role="rank", place=place)
    if parent is not None:
        return _identity(facts, parent.job, "parent", role="rank", place=place, parent=parent)
    return _on_its_own(facts, "rank", place)


def _worker(facts: Facts, parent: Published, rule: str) -> Identity:
    return _identity(facts, parent.job, rule, role="worker", place=parent, parent=parent)


def _worker_of_unknown(facts: Facts, launch: Launch | None) -> Identity:
    """A worker that was made before its parent joined a job: it finds what the parent will find."""
    if launch is not None and launch.certain:
        return _identity(facts, launch.job, launch.rule, role="worker", place=launch)
    # In the middle may be a rank that `multiprocessing` made.
    place = launch or (_bare_place(facts) if facts.generations > 1 else None)
    above = read_above(facts)
    if above is not None:
        place = place or above
        return _identity(facts, above.job, "parent", role="worker", place=place, parent=above)
    # Variables that a process below the first one set for itself are no launch; see `_child`.
    if launch is None or launch.carriers(facts) < facts.generations - 1:
        return _on_its_own(facts, "worker", place or Place())
    return _identity(facts, launch.job, launch.rule, role="worker", place=launch)


def _bare_place(facts: Facts) -> Place | None:
    """The place of a child that set its rank and no more, as those of Lightning do."""
    if not names_a_rank(facts.environ):
        return None
    from mp_tqdm._launchers import bare_place

    return bare_place(facts)


def _place_of_its_own(
    facts: Facts, launch: Launch | None, parent: Published | None
) -> Place | None:
    """Where a child stands that is a rank, None for a worker."""
    variables = launcher_fingerprint(facts.environ)
    if facts.started_with is not None and facts.started_with != variables:
        place = launch or _bare_place(facts)
        if place is not None:
            return place
    # Set by the parent for this child. (The variables alone say nothing: the parent may have set
    # its own late. The rank alone neither: in a session the parent's is another.)
    differs = parent is not None and parent.fingerprint != digest(variables)
    if launch is not None and parent is not None and differs and parent.rank != launch.rank:
        return launch
    if facts.torch_group is None or (launch is not None and launch.certain):
        return None
    if parent is not None and parent.role != "root":
        return None
    if launch is not None and launch.number(facts) == facts.torch_group[0]:
        return launch
    return _group_place(facts.torch_group, facts.spawn_index)


def _group_place(group: tuple[int, int], index: int | None) -> Place | None:
    """The place in a process group, which does not tell the nodes."""
    rank, world = group
    local = rank if index is None else index
    return Place(rank=local, local_world=world, world=world) if 0 <= local < world else None


def _on_its_own(facts: Facts, role: Role, place: Place) -> Identity:
    """Rules 5 and 6."""
    (job, rule), *others = (_job_by(facts, key) for key in (facts.authkey, *facts.other_authkeys))
    elsewhere = tuple(other for other, _ in others if other != job)
    return _identity(facts, job, rule, role=role, place=place, elsewhere=elsewhere)


def _job_by(facts: Facts, authkey: bytes | None) -> tuple[str, str]:
    """Job and rule of a program by the key that one package of processes gives to its children."""
    if authkey is not None and _is_random(authkey):
        return f"family:{digest(authkey)}", "family"
    return _of_process(facts, *first_process(facts)), "process"


def first_process(facts: Facts) -> tuple[int, int]:
    """Pid and start of the program's first process, as far as this one knows; else its own.

    Those below know it as the last of their makers, a child as the one that made it, a forked one
    as the first whose memory it has.
    """
    if facts.generations:
        above = makers_above(facts)[facts.generations - 1 :]
        known = (*((one.pid, one.start) for one in above), *facts.parents[:1], *facts.lineage[-1:])
        # Without `/proc` no start is known, one's own neither.
        return next(
            (entry for entry in known if entry[1] or not facts.start), (facts.pid, facts.start)
        )
    return facts.pid, facts.start


def _identity(
    facts: Facts,
    job: str,
    rule: str,
    *,
    role: Role,
    place: Place,
    parent: Published | None = None,
    elsewhere: tuple[str, ...] = (),
) -> Identity:
    return Identity(
        **at(place),
        job=job.encode("utf-8", "backslashreplace").decode(),  # the environment holds any bytes
        rule=rule,
        role=role,
        pid=facts.pid,
        start=facts.start,
        fallback_job=_of_process(facts, facts.pid, facts.start),
        parent=parent,
        elsewhere=elsewhere,
    )


def _is_random(authkey: bytes) -> bool:
    text = authkey.isascii() and authkey.decode("ascii").isprintable()
    return len(authkey) >= _SHORTEST_RANDOM_KEY and not text


def _of_process(facts: Facts, pid: int, start: int) -> str:
    return f"process:{facts.name_of(pid, start)}"
