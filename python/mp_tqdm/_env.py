"""Decides to which job a process belongs, as which rank or worker, from what it can see of itself.

`read_facts` looks at the real process; all else are functions of the `Facts` that it returns.
The first rule that holds gives the job:

1. `session`: `MP_TQDM_SESSION`, put into a subprocess's environment on purpose.
2. `parent`: `MP_TQDM_PARENT`, which each process writes once it has joined a job, and which counts
   only in what the writer made by `multiprocessing`, `multiprocess` or `os.fork`.
3. `torchelastic`: torchrun and what builds on it.
4. `pmix`, `pmi`, `slurm`, `deepspeed`, `environment`: the other launchers.
5. `family`: the processes of one program know one `multiprocessing` authkey. A key under 16 bytes
   or of printable text is the user's own and may be known to a second program; then rule 6 is
   for the program's first process, and its children come to it by rule 2 or by its pid.
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

import os
import sys

TYPE_CHECKING = False  # `typing` takes 12 ms to import, more than the whole package may
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from typing import Any, ClassVar, Literal, NoReturn

    from typing_extensions import dataclass_transform

    Role = Literal["root", "rank", "worker"]
    Fingerprint = tuple[str | None, ...]
else:

    def dataclass_transform(**_options: bool) -> Callable[[type], type]:
        """What type checkers know by this name; it does nothing."""
        return lambda kind: kind


SESSION_VARIABLE = "MP_TQDM_SESSION"
PARENT_VARIABLE = "MP_TQDM_PARENT"

# The variables that name a launch and a rank of it. MASTER_ADDR and MASTER_PORT are left out:
# programs set them in any process that joins a group of its own.
_NAMING = (
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_ERROR_FILE",
    "TORCHELASTIC_RESTART_COUNT",
    "GROUP_RANK",
    "RANK",
    "LOCAL_RANK",
    "PMIX_NAMESPACE",
    "PMIX_RANK",
    "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_RANK",
    "PMI_RANK",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_PROCID",
)
# What is read of the environments of other processes.
_READ = frozenset((*_NAMING, "MASTER_PORT"))

# Rank, size, local rank and local size, as named by Open MPI, MVAPICH2, and hydra (MPICH, Intel).
_MPI = (
    (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    (
        "MV2_COMM_WORLD_RANK",
        "MV2_COMM_WORLD_SIZE",
        "MV2_COMM_WORLD_LOCAL_RANK",
        "MV2_COMM_WORLD_LOCAL_SIZE",
    ),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)
_SHORTEST_RANDOM_KEY = 16  # bytes; `multiprocessing` makes 32, people write fewer
_DEEPEST_CHAIN = 64  # ancestors looked at; a bound, not an expectation
_DIGITS = 9  # of a number that is believed; Slurm's numbers of batch and interactive steps have 10
_WORD = 20  # digits of 64 bits
_PUBLISHED_FIELDS = 12  # behind the version
# Indices of `ppid`, `starttime` and `arg_start` in `/proc/PID/stat`, counted behind the name.
_STATUS = (1, 19, 45)


class _FieldsAreSlots(type):
    """Makes slots of a class's annotations and keeps their defaults apart."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]
    ) -> _FieldsAreSlots:
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        inherited = bases[0] if bases else None
        namespace["__slots__"] = fields
        namespace["_fields"] = (*getattr(inherited, "_fields", ()), *fields)
        namespace["_defaults"] = getattr(inherited, "_defaults", {}) | defaults
        return super().__new__(cls, name, bases, namespace)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _Record(metaclass=_FieldsAreSlots):
    """An immutable value, as `dataclasses` makes them (15 ms to import); all by keyword."""

    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]
        _defaults: ClassVar[dict[str, object]]
    else:

        def __init__(self, **values: object) -> None:
            values = self._defaults | values
            if values.keys() != set(self._fields):
                wrong = sorted(values.keys() ^ set(self._fields))
                raise TypeError(f"{type(self).__name__}: missing or unknown: {wrong}")
            for field, value in values.items():
                object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values() == self._values()

    def __hash__(self) -> int:
        return hash(tuple(self._values().values()))

    def __repr__(self) -> str:
        values = (f"{field}={value!r}" for field, value in self._values().items())
        return f"{type(self).__name__}({', '.join(values)})"

    def _values(self) -> dict[str, Any]:
        return {field: getattr(self, field) for field in self._fields}


class Place(_Record):
    """Where a process stands in its launch; the defaults are those of a program started alone.

    Attributes:
        rank: Local rank: counts the ranks of one node from 0.
        local_world: How many ranks this node has; all of them where the launcher does not say.
        world: How many ranks the launch has.
        node: Counts the nodes from 0, as the launcher does, else as if they were filled in turn.
        nodes: How many nodes the launch has.
    """

    rank: int = 0
    local_world: int = 1
    world: int = 1
    node: int = 0
    nodes: int = 1


class Process(_Record):
    """An ancestor, as `/proc` shows it.

    Attributes:
        pid: Its process id.
        start: When it started, in clock ticks since boot; 0 where that cannot be read.
        python: Whether it runs a program in Python; a forkserver does not.
        environ: The variables that it was started with, not those it set later: of them only what
            the rules compare. Empty for a process of another user.
    """

    pid: int
    start: int
    python: bool
    environ: Mapping[str, str]


class Facts(_Record):
    """Everything that the rules look at.

    Attributes:
        environ: The environment as it is now.
        pid: This process.
        start: When it started, in clock ticks since boot.
        ppid: Its parent, as the kernel has it.
        uid: Its user, to whom the job's name is private.
        namespace: Number of the pid namespace, without which pids name nothing where containers
            share memory; empty if unknown.
        authkey: The key of `multiprocessing`, None if that is not loaded.
        parents: Pid and start of the processes that made this one, as `multiprocessing` and
            `multiprocess` know them (`ppid` is the forkserver, where there is one).
        lineage: Pid and start of the living processes whose memory this one inherited by forks,
            the nearest first.
        generations: How many times a process made another by either package or by `os.fork`
            between the program's first process and this one; 0 in the first.
        torch_group: Rank and size of the default process group of `torch.distributed`, if torch is
            loaded already and this process, not one it was forked from, joined that group.
        spawn_index: This process's number among those of one `torch.multiprocessing.spawn`.
        started_with: The launcher's variables at the start of this process (at the fork for a
            forked one); None if unknown, and in a first process.
        ancestors: Returns parent, grandparent and so on; asked only where a launcher is about.
    """

    environ: Mapping[str, str]
    pid: int
    start: int
    ppid: int = 1
    uid: int = 0
    namespace: str = ""
    authkey: bytes | None = None
    parents: tuple[tuple[int, int], ...] = ()
    lineage: tuple[tuple[int, int], ...] = ()
    generations: int = 0
    torch_group: tuple[int, int] | None = None
    spawn_index: int | None = None
    started_with: Fingerprint | None = None
    ancestors: Callable[[], tuple[Process, ...]] = tuple


class Published(Place):
    """What a process that has joined a job tells those that it starts.

    Attributes:
        job: The job it joined.
        role: What it is there.
        slot: Its place in the segment.
        incarnation: Tells it from others that had the slot before.
        pid: The process.
        start: When it started, in clock ticks since boot.
        fingerprint: Digest of its `launcher_fingerprint`, `-` in a session's value.
    """

    job: str
    role: Role
    slot: int
    incarnation: int
    pid: int
    start: int
    fingerprint: str


class Identity(Place):
    """Who a process is; a worker stands at the place of its rank, where that is known.

    Attributes:
        job: Names the job, in words: processes of one user that agree in it are one job.
        rule: Which rule gave the job, for people: one of the names at the head of this file.
        role: `root` is the first process of a program without ranks.
        pid: The process.
        start: When it started, in clock ticks since boot.
        fallback_job: The job to go to if this rank's place is taken by a process not its parent.
        parent: The process that made this one, if it is in the same job.
    """

    job: str
    rule: str
    role: Role
    pid: int
    start: int
    fallback_job: str
    parent: Published | None = None


class _Launch(Place):
    """A rank that a launcher named in the environment.

    Attributes:
        rule: The rule's name.
        job: What tells this launch from others.
        named: The variables that a launcher sets to values that it did not have itself.
        certain: Whether a launcher must be behind the variables. If not, the process itself may
            have set them, or a person.
    """

    rule: str
    job: str
    named: tuple[str, ...]
    certain: bool = True


def identify(facts: Facts) -> Identity:
    """Apply the rules.

    Ask at first use, and again in a process that was forked: it may have got variables of its own.
    """
    session = _decode(facts.environ.get(SESSION_VARIABLE))
    if session is not None:
        return _worker(facts, session, "session")
    launch = _launch(facts)
    if facts.generations:
        return _child(facts, launch, read_published(facts))
    if launch is None:
        return _on_its_own(facts, "root", Place())
    starter = None if launch.certain else _starter(facts)
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
    values = identity._values() | _at(Place())  # noqa: SLF001 - the same file
    return Identity(**values | {"job": identity.fallback_job, "rule": "process", "role": "root"})


def publish(
    environ: MutableMapping[str, str], identity: Identity, slot: int, incarnation: int
) -> None:
    """Tell the children of this process, from now on, which job it joined and where it is there.

    A worker does it too, so that a worker of it knows the nearest. The session variable was
    meant for this process alone and goes: the children that `multiprocessing` makes stay in the
    job by what is written here, the programs that `subprocess` starts are free of it again.

    Args:
        environ: `os.environ`.
        identity: Who this process is.
        slot: Its place in the segment.
        incarnation: Tells it from others that had the slot before.
    """
    fingerprint = _digest(launcher_fingerprint(environ))
    environ[PARENT_VARIABLE] = _encode(identity, slot, incarnation, fingerprint)
    environ.pop(SESSION_VARIABLE, None)


def read_published(facts: Facts) -> Published | None:
    """What the process that made this one published, or None.

    The environment reaches any process that the writer starts, and those started by these: only
    the pid, with the start where it can be read, tells a child from a stranger.
    """
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    if published is not None:
        for pid, start in (*facts.parents, *facts.lineage):
            if pid == published.pid and _same_start(start, published.start):
                return published
    return None


def session_value(identity: Identity, slot: int, incarnation: int) -> str:
    """The value of `MP_TQDM_SESSION` that makes a subprocess a worker of this process.

    It holds for whoever reads it first, behind any shell or wrapper, and for no other: the reader
    removes it from its environment (`publish`). A launcher started with it hands it to all its
    ranks, and they are workers of this process too: their bars add up.
    """
    return _encode(identity, slot, incarnation, "-")


def launcher_fingerprint(environ: Mapping[str, str]) -> Fingerprint:
    """The variables that name a launch and a rank of it: unchanged means the same rank."""
    return tuple(environ.get(name) for name in _NAMING)


def read_facts() -> Facts:
    """The facts of this process, by at most ten small reads of `/proc`, ancestors apart."""
    pid = os.getpid()
    if pid != _memory.pid:  # forked by C code, or by `_Fork`, which runs no hooks
        _memory.note_fork(exact=False)
    ppid, start, _ = _status(pid)
    packages = _packages()
    generations = _memory.generations(_depth())
    # What was forked by its maker has the maker's keys, and must choose among them as that does.
    forked_by = {pid for pid, _ in _memory.forks}
    keys = [own.authkey for own, maker in packages if maker and maker.pid not in forked_by]
    keys += [own.authkey for own, _ in packages]
    makers = [maker.pid for _, maker in packages if maker]
    return Facts(
        environ=os.environ,
        pid=pid,
        start=start,
        ppid=ppid,
        uid=os.getuid(),
        namespace=_namespace(),
        authkey=bytes(keys[0]) if keys else None,
        parents=tuple((maker, _status(maker)[1]) for maker in makers),
        lineage=_memory.lineage(start),
        generations=generations,
        torch_group=None if _memory.had_group else _torch_group(),
        spawn_index=_spawn_index(packages),
        started_with=_started_with(pid) if generations else None,
        ancestors=_reader(ppid),
    )


# The rules but the launchers'.


def _child(facts: Facts, launch: _Launch | None, parent: Published | None) -> Identity:
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


def _worker_of_unknown(facts: Facts, launch: _Launch | None) -> Identity:
    """A worker that was made before its parent joined a job: it finds what the parent will find."""
    if launch is not None and launch.certain:
        return _identity(facts, launch.job, launch.rule, role="worker", place=launch)
    # In the middle may be a rank that `multiprocessing` made.
    place = launch or (_bare_place(facts) if facts.generations > 1 else None)
    above = _published_above(facts)
    if above is not None:
        place = place or above
        return _identity(facts, above.job, "parent", role="worker", place=place, parent=above)
    # Variables that a process below the first one set for itself are no launch; see `_child`.
    if launch is None or _carriers(facts, launch) < facts.generations - 1:
        return _on_its_own(facts, "worker", place or Place())
    return _identity(facts, launch.job, launch.rule, role="worker", place=launch)


def _published_above(facts: Facts) -> Published | None:
    """What was published by the maker of the maker, or above, but not above the first process."""
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    if published is None or facts.generations <= 1:
        return None
    above = [process for process in facts.ancestors() if process.python][: facts.generations]
    makers = {pid for pid, _ in (*facts.parents, *facts.lineage)}
    if not above or above[0].pid not in makers:
        return None  # `/proc` does not show the line
    known = any(
        process.pid == published.pid and _same_start(process.start, published.start)
        for process in above
    )
    return published if known else None


def _place_of_its_own(
    facts: Facts, launch: _Launch | None, parent: Published | None
) -> Place | None:
    """Where a child stands that is a rank, None for a worker."""
    variables = launcher_fingerprint(facts.environ)
    if facts.started_with is not None and facts.started_with != variables:
        place = launch or _bare_place(facts)
        if place is not None:
            return place
    # Set by the parent for this child. (The variables alone say nothing: the parent may have set
    # its own late. The rank alone neither: in a session the parent's is another.)
    differs = parent is not None and parent.fingerprint != _digest(variables)
    if launch is not None and parent is not None and differs and parent.rank != launch.rank:
        return launch
    if facts.torch_group is None or (launch is not None and launch.certain):
        return None
    if parent is not None and parent.role != "root":
        return None
    if launch is not None and _number(facts.environ, "RANK") == facts.torch_group[0]:
        return launch
    return _group_place(facts.torch_group, facts.spawn_index)


def _bare_place(facts: Facts) -> Place | None:
    """The place of a child that set its rank and no more, as those of Lightning do."""
    rank = _number(facts.environ, "LOCAL_RANK")
    rank = _number(facts.environ, "RANK") if rank is None else rank
    if rank is None:
        return None
    size = facts.torch_group[1] if facts.torch_group else 0
    world = max(_size(facts.environ, "WORLD_SIZE") or size, rank + 1)
    return Place(rank=rank, local_world=world, world=world)


def _group_place(group: tuple[int, int], index: int | None) -> Place | None:
    """The place in a process group, which does not tell the nodes."""
    rank, world = group
    local = rank if index is None else index
    return Place(rank=local, local_world=world, world=world) if 0 <= local < world else None


def _on_its_own(facts: Facts, role: Role, place: Place) -> Identity:
    """Rules 5 and 6."""
    if facts.authkey is not None and _is_random(facts.authkey):
        job = f"family:{_digest(facts.authkey)}"
        return _identity(facts, job, "family", role=role, place=place)
    # Without a key the first process is known by pid: to a child as the one that made it, to a
    # forked one as the first whose memory it has.
    first = (facts.pid, facts.start)
    if facts.generations:
        known = (*facts.parents[:1], *facts.lineage[-1:])
        first = next((entry for entry in known if entry[1]), first)
    return _identity(facts, _of_process(facts, *first), "process", role=role, place=place)


def _identity(
    facts: Facts, job: str, rule: str, *, role: Role, place: Place, parent: Published | None = None
) -> Identity:
    return Identity(
        **_at(place),
        job=job.encode("utf-8", "backslashreplace").decode(),  # the environment holds any bytes
        rule=rule,
        role=role,
        pid=facts.pid,
        start=facts.start,
        fallback_job=_of_process(facts, facts.pid, facts.start),
        parent=parent,
    )


# The launchers.


def _launch(facts: Facts) -> _Launch | None:
    """The first launcher of whose ranks this process is one, or a worker of one."""
    for rule in (_torchelastic, _pmix, _mpi, _slurm, _pmi, _deepspeed, _environment):
        launch = rule(facts)
        if launch is not None and _carriers(facts, launch) <= facts.generations:
            return launch
    return None


def _carriers(facts: Facts, launch: _Launch) -> int:
    """How many Python processes above this one were started with the variables of the rank.

    To a worker, one for each generation up to the rank. One more means that the program's first
    process has the rank above itself, and so was started there as a program of its own.
    """
    above = facts.ancestors()
    return sum(process.python and _carries(process, facts, launch.named) for process in above)


def _carries(process: Process, facts: Facts, named: tuple[str, ...]) -> bool:
    return all(process.environ.get(name) == facts.environ.get(name) for name in named)


def _starter(facts: Facts) -> Published | None:
    """What was published by the Python process that started this program."""
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    above = next((process for process in facts.ancestors() if process.python), None)
    if published is None or above is None or published.pid != above.pid:
        return None
    return published if _same_start(published.start, above.start) else None


def _behind_launcher(
    facts: Facts, rule: str, place: Place | None, named: tuple[str, ...]
) -> _Launch | None:
    """A launch that has no name but its process on this node: the nearest above that is no rank.

    A shell or another wrapper around the rank has the rank's variables and is passed over.
    """
    if place is not None:
        for process in facts.ancestors():
            if not _carries(process, facts, named):
                launcher = _numbers(facts, process.pid, process.start)
                return _launch_of(rule, launcher, place, named)
    return None


def _launch_of(rule: str, job: str, place: Place, named: tuple[str, ...]) -> _Launch:
    return _Launch(**_at(place), rule=rule, job=f"{rule}:{job}", named=named)


def _torchelastic(facts: Facts) -> _Launch | None:
    """The variables of torchrun, and of everything else that starts ranks by its agent."""
    environ = facts.environ
    run = environ.get("TORCHELASTIC_RUN_ID")
    world, local_world = _size(environ, "WORLD_SIZE"), _size(environ, "LOCAL_WORLD_SIZE")
    nodes = _size(environ, "GROUP_WORLD_SIZE")
    node, number = _below(environ, "GROUP_RANK", nodes), _below(environ, "RANK", world)
    if run is None or node is None or number is None or not 0 < local_world <= world:
        return None
    # .../attempt_N/LOCAL RANK/error.json: random for each agent, N counts the restarts after a
    # failure, but not those after a change of members. The run id may be the literal `none`.
    directory, own, file = ("", "", *environ.get("TORCHELASTIC_ERROR_FILE", "").rsplit("/", 2))[-3:]
    if file != "error.json":
        directory = own = ""
    rank = _below(environ, "LOCAL_RANK", local_world)
    if not rank:  # `--virtual-local-rank` sets it to 0 in all
        even = world == nodes * local_world
        candidates = (_natural(own), number - node * local_world if even else None, rank)
        rank = next((r for r in candidates if r is not None and 0 <= r < local_world), None)
    if rank is None:
        return None
    if not directory:
        address = f"{environ.get('MASTER_ADDR', '')}:{environ.get('MASTER_PORT', '')}"
        directory = f"{run}:{address}:restart={environ.get('TORCHELASTIC_RESTART_COUNT', '')}"
    place = Place(rank=rank, local_world=local_world, world=world, node=node, nodes=nodes)
    named = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_RESTART_COUNT", "RANK")
    return _launch_of("torchelastic", f"{directory}:group={node}:world={world}", place, named)


def _pmix(facts: Facts) -> _Launch | None:
    """Open MPI, and Slurm with `--mpi=pmix`: a namespace for each launch."""
    environ = facts.environ
    namespace = environ.get("PMIX_NAMESPACE")
    if not namespace or _number(environ, "PMIX_RANK") is None:
        return None
    for names in _MPI:
        place = _mpi_place(environ, names) if names[2] in environ else None
        if place is not None:
            break
    else:
        place = _slurm_place(environ)
    if place is None:
        return None
    return _launch_of("pmix", namespace, place, ("PMIX_NAMESPACE", "PMIX_RANK"))


def _mpi(facts: Facts) -> _Launch | None:
    """MPICH, Intel MPI, MVAPICH2 and old Open MPI: no name of the launch, only its process."""
    for names in _MPI:
        if names[2] in facts.environ:
            place = _mpi_place(facts.environ, names)
            return _behind_launcher(facts, "pmi", place, names[:1])
    return None


def _pmi(facts: Facts) -> _Launch | None:
    """A launcher that sets PMI's variables and no local rank: taken to be on one node."""
    if any(names[2] in facts.environ for names in _MPI):
        return None  # it is there and makes no sense
    place = _mpi_place(facts.environ, ("PMI_RANK", "PMI_SIZE", "", "MPI_LOCALNRANKS"))
    return _behind_launcher(facts, "pmi", place, ("PMI_RANK",))


def _mpi_place(environ: Mapping[str, str], names: tuple[str, str, str, str]) -> Place | None:
    rank_name, world_name, local_name, local_world_name = names
    world = _size(environ, world_name)
    rank = _below(environ, rank_name, world)
    local_world = _size(environ, local_world_name) if local_world_name in environ else world
    if rank is None or not 0 < local_world <= world:
        return None
    local = _below(environ, local_name, local_world) if local_name else rank % local_world
    if local is None:
        return None
    return _filled_in_turn(local, local_world, world, rank // local_world)


def _slurm(facts: Facts) -> _Launch | None:
    """A step of `srun`. A batch script has most of the variables too, but no step."""
    place = _slurm_place(facts.environ)
    if place is None:
        return None
    names = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")
    job, step, restart = (facts.environ.get(name, "0") for name in names)
    key = f"{job}.{step}:restart={restart}:node={place.node}"
    return _launch_of("slurm", key, place, ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID"))


def _slurm_place(environ: Mapping[str, str]) -> Place | None:
    if _number(environ, "SLURM_JOB_ID") is None or _number(environ, "SLURM_STEP_ID") is None:
        return None
    tasks = _size(environ, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
    nodes = _size(environ, "SLURM_STEP_NUM_NODES", "SLURM_NNODES") or 1
    node = _below(environ, "SLURM_NODEID", nodes) or 0
    if tasks <= 1:  # `srun --pty bash` is a shell, no launch
        return None
    here = _slurm_tasks(environ.get("SLURM_STEP_TASKS_PER_NODE", ""), node)
    local_world = min(here or tasks, tasks)
    rank = _below(environ, "SLURM_LOCALID", local_world)
    if rank is None:
        return None
    return Place(rank=rank, local_world=local_world, world=tasks, node=node, nodes=nodes)


def _slurm_tasks(text: str, node: int) -> int | None:
    """The tasks of a node, by a list like `4(x2),3`: 4 on each of two nodes, 3 on the next."""
    for part in text.split(","):
        tasks, _, times = part.partition("(x")
        nodes = _natural(times.rstrip(")") or "1")
        if nodes is None or node < nodes:
            return None if nodes is None else _natural(tasks)
        node -= nodes
    return None


def _deepspeed(facts: Facts) -> _Launch | None:
    """DeepSpeed's own launcher, also behind `accelerate launch`."""
    environ = facts.environ
    world, local_world = _size(environ, "WORLD_SIZE"), _size(environ, "LOCAL_SIZE")
    nodes = _size(environ, "CROSS_SIZE")
    node, rank = _below(environ, "CROSS_RANK", nodes), _below(environ, "LOCAL_RANK", local_world)
    number = _below(environ, "RANK", world)
    if node is None or rank is None or number is None or not 0 < local_world <= world:
        return None
    place = Place(rank=rank, local_world=local_world, world=world, node=node, nodes=nodes)
    return _behind_launcher(facts, "deepspeed", place, ("RANK", "LOCAL_RANK", "MASTER_PORT"))


def _environment(facts: Facts) -> _Launch | None:
    """PyTorch's variables and no launcher that is known: Lightning's, Ray Train's, a script's.

    A single rank has nobody to share with, and people leave the variables of such a run in their
    shells: it is no launch.
    """
    environ = facts.environ
    world, port = _size(environ, "WORLD_SIZE"), _number(environ, "MASTER_PORT")
    local_world = _size(environ, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environ else world
    rank = _below(environ, "RANK", world)
    if port is None or world <= 1 or not 0 < local_world <= world:
        return None
    local = None if rank is None else rank % local_world
    if "LOCAL_RANK" in environ:
        local = _below(environ, "LOCAL_RANK", local_world)
    if local is None or ("RANK" in environ and rank is None):
        return None
    node = _number(environ, "NODE_RANK", "GROUP_RANK") or 0
    return _Launch(
        **_at(_filled_in_turn(local, local_world, world, node)),
        rule="environment",
        job=f"environment:{environ.get('MASTER_ADDR', '')}:{port}:node={node}",
        named=("RANK", "LOCAL_RANK", "MASTER_PORT"),
        certain=False,
    )


def _filled_in_turn(rank: int, local_world: int, world: int, node: int) -> Place:
    nodes = max(-(-world // local_world), node + 1)
    return Place(rank=rank, local_world=local_world, world=world, node=node, nodes=nodes)


# Values.


def _natural(text: str) -> int | None:
    usable = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if usable else None


def _number(environ: Mapping[str, str], *names: str) -> int | None:
    """The first of these variables that is set; None if it is no natural number."""
    return next((_natural(environ[name]) for name in names if name in environ), None)


def _size(environ: Mapping[str, str], *names: str) -> int:
    """The same, and 0 where `_number` gives None."""
    return _number(environ, *names) or 0


def _below(environ: Mapping[str, str], name: str, limit: int) -> int | None:
    number = _number(environ, name)
    return None if number is None or number >= limit else number


def _is_random(authkey: bytes) -> bool:
    text = authkey.isascii() and authkey.decode("ascii").isprintable()
    return len(authkey) >= _SHORTEST_RANDOM_KEY and not text


def _same_start(one: int, other: int) -> bool:
    return one == other or not (one and other)


def _of_process(facts: Facts, pid: int, start: int) -> str:
    return f"process:{_numbers(facts, pid, start)}"


def _numbers(facts: Facts, pid: int, start: int) -> str:
    return f"{pid}:{start}:{facts.namespace}" if facts.namespace else f"{pid}:{start}"


def _at(place: Place) -> dict[str, Any]:
    return {field: getattr(place, field) for field in Place._fields}


def _digest(value: bytes | Fingerprint) -> str:
    """128 bits that do not tell the value: an authkey is a secret.

    `hashlib` takes the function from `_blake2`: 0.2 ms to import, against 4.5 with its OpenSSL.
    """
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    data = value if isinstance(value, bytes) else ascii(value).encode()
    return blake2b(data, digest_size=16, person=b"mp_tqdm").hexdigest()


def _encode(identity: Identity, slot: int, incarnation: int, fingerprint: str) -> str:
    place = (identity.rank, identity.local_world, identity.world, identity.node, identity.nodes)
    numbers = (identity.pid, identity.start, slot, incarnation, *place)
    return " ".join(("1", *map(str, numbers), identity.role, fingerprint, identity.job))


def _decode(text: str | None) -> Published | None:
    """What `_encode` wrote; None for anything else, as another version's."""
    version, *fields = (text or "").split(" ", _PUBLISHED_FIELDS)
    if version != "1" or len(fields) != _PUBLISHED_FIELDS:
        return None
    *texts, role, fingerprint, job = fields
    usable = all(text.isascii() and text.isdigit() and len(text) <= _WORD for text in texts)
    if not usable or role not in {"root", "rank", "worker"} or not job:
        return None
    names = ("pid", "start", "slot", "incarnation", *Place._fields)
    values: dict[str, Any] = dict(zip(names, map(int, texts), strict=True))
    return Published(**values | {"role": role, "fingerprint": fingerprint, "job": job})


# The real process.


class _Memory:
    """What a process knows of those whose memory it has by forks."""

    __slots__ = ("fingerprint", "forks", "had_group", "pid")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.forks: tuple[tuple[int, int], ...] = ()  # pid and depth of each, the nearest first
        self.fingerprint: Fingerprint | None = None  # at the last fork
        self.had_group = False  # at the last fork

    def note_fork(self, *, exact: bool = True) -> None:
        """Called in the child: at once, or (not `exact`) when it may have gone on already."""
        self.forks = ((self.pid, _depth()), *self.forks)[:_DEEPEST_CHAIN]
        self.pid = os.getpid()
        self.fingerprint = launcher_fingerprint(os.environ) if exact else None
        self.had_group = _group_exists()

    def generations(self, depth: int) -> int:
        """The depth, and the forks that did not add to it, as those of `multiprocessing` do."""
        from itertools import pairwise

        depths = (depth, *(at_fork for _, at_fork in self.forks))
        return depth + sum(after == before for after, before in pairwise(depths))

    def lineage(self, start: int) -> tuple[tuple[int, int], ...]:
        """`Facts.lineage`; a younger process has the pid of one that is dead."""
        known = [(pid, _status(pid)[1]) for pid, _ in self.forks]
        return tuple(entry for entry in known if 0 < entry[1] <= start)


_memory = _Memory()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_memory.note_fork)


def _packages() -> list[tuple[Any, Any]]:
    """The current and the parent process, as each loaded package of processes has them."""
    modules = (sys.modules.get(f"{name}.process") for name in ("multiprocessing", "multiprocess"))
    # One that lacks the last name of the module is being imported by another thread.
    loaded = (module for module in modules if module and hasattr(module, "_dangling"))
    return [(module.current_process(), module.parent_process()) for module in loaded]


def _depth() -> int:
    """How many generations of `multiprocessing` are between the first process and this one."""
    return max((len(getattr(own, "_identity", ())) for own, _ in _packages()), default=0)


def _spawn_index(packages: list[tuple[Any, Any]]) -> int | None:
    """The first argument that `torch.multiprocessing.spawn` gives to this process's function."""
    for own, _ in packages:
        function = getattr(own, "_target", None)
        if getattr(function, "__module__", "") == "torch.multiprocessing.spawn":
            return next((n for n in getattr(own, "_args", ()) if isinstance(n, int)), None)
    return None


def _group_exists() -> bool:
    distributed = sys.modules.get("torch.distributed")
    try:
        return bool(distributed and distributed.is_available() and distributed.is_initialized())
    except AttributeError:  # another thread is importing it
        return False


def _torch_group() -> tuple[int, int] | None:
    if not _group_exists():
        return None
    distributed = sys.modules["torch.distributed"]
    try:
        return distributed.get_rank(), distributed.get_world_size()
    except (AttributeError, RuntimeError, ValueError):  # destroyed meanwhile
        return None


def _started_with(pid: int) -> Fingerprint | None:
    """The launcher's variables at the start of this process, None if that is overwritten.

    `/proc` keeps the environment of the start, which `os.environ` does not change (but setproctitle
    writes over it).
    """
    if _memory.forks:
        return _memory.fingerprint
    environ = _environ(pid)
    return None if environ is None else launcher_fingerprint(environ)


def _environ(pid: int) -> Mapping[str, str] | None:
    pairs = [pair for pair in _read(f"/proc/{pid}/environ").split(b"\0") if b"=" in pair]
    if not pairs:
        return None
    decoded = (os.fsdecode(pair).partition("=") for pair in pairs)
    return {name: value for name, _, value in decoded if name in _READ}


def _status(pid: int) -> tuple[int, int, int]:
    """Parent, start and the address of the arguments, fields 4, 22 and 48 of `stat`; else zeros.

    Counted behind the last parenthesis, as the name in front may hold anything.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if len(fields) <= max(_STATUS):
        return 0, 0, 0
    above, start, address = (int(fields[index]) for index in _STATUS)
    return above, start, address


def _reader(pid: int) -> Callable[[], tuple[Process, ...]]:
    """`Facts.ancestors`, from the parent on; read at the first call."""
    chain: list[Process] = []

    def ancestors() -> tuple[Process, ...]:
        if not chain:
            chain.extend(_ancestors(pid))
        return tuple(chain)

    return ancestors


def _ancestors(pid: int) -> list[Process]:
    chain: list[Process] = []
    while pid and len(chain) < _DEEPEST_CHAIN:
        above, start, _ = _status(pid)
        environ, python = _environ(pid) or {}, _is_python(pid)
        chain.append(Process(pid=pid, start=start, python=python, environ=environ))
        pid = above
    return chain


def _is_python(pid: int) -> bool:
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        named = os.path.basename(program).startswith(("python", "pypy"))
        if not named and program != os.readlink("/proc/self/exe"):  # as of a frozen program
            return False
    except OSError:
        return False
    return not _is_forkserver(pid)


def _is_forkserver(pid: int) -> bool:
    """Whether this is one, and not a process that it forked and that has its arguments too.

    A fork has them at the same address; behind an `exec` the kernel puts them elsewhere.
    """
    arguments = _read(f"/proc/{pid}/cmdline")
    if b".forkserver import" not in arguments:
        return False
    above, _, address = _status(pid)
    return _read(f"/proc/{above}/cmdline") != arguments or _status(above)[2] != address


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""


def _read(path: str) -> bytes:
    """A file of `/proc`, empty if it is not there or not for us."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
