"""The records the rules about jobs read and write: what is known of a process, and who it is."""

from __future__ import annotations

from mp_tqdm._forks import LAUNCH_VARIABLES

TYPE_CHECKING = False  # `typing` takes 12 ms to import, more than the whole package may
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar, NoReturn

    from typing_extensions import dataclass_transform

    from mp_tqdm._forks import Fingerprint, Role

else:

    def dataclass_transform(**_options: bool) -> Callable[[type], type]:
        """What type checkers know by this name; it does nothing."""
        return lambda kind: kind


# What is read of the environments of other processes.
COMPARED = frozenset((*LAUNCH_VARIABLES, "MASTER_PORT"))


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
        return type(other) is type(self) and other._asdict() == self._asdict()

    def __hash__(self) -> int:
        return hash(tuple(self._asdict().values()))

    def __repr__(self) -> str:
        values = (f"{field}={value!r}" for field, value in self._asdict().items())
        return f"{type(self).__name__}({', '.join(values)})"

    def _asdict(self) -> dict[str, Any]:
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


def _nothing(_pid: int, _start: int) -> None:
    """What can be seen of a process where nobody looks."""


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
        other_authkeys: Those of a first process's other packages of processes: each package gives
            its own key to its children.
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
        joined: Returns what the process with this pid and start, that works for this user, has
            joined, as can be seen from outside; asked only by a worker that was made before.
    """

    environ: Mapping[str, str]
    pid: int
    start: int
    ppid: int = 1
    uid: int = 0
    namespace: str = ""
    authkey: bytes | None = None
    other_authkeys: tuple[bytes, ...] = ()
    parents: tuple[tuple[int, int], ...] = ()
    lineage: tuple[tuple[int, int], ...] = ()
    generations: int = 0
    torch_group: tuple[int, int] | None = None
    spawn_index: int | None = None
    started_with: Fingerprint | None = None
    ancestors: Callable[[], tuple[Process, ...]] = tuple
    joined: Callable[[int, int], Published | None] = _nothing

    def name_of(self, pid: int, start: int) -> str:
        """A process of this node, as the name of a job has it."""
        return f"{pid}:{start}:{self.namespace}" if self.namespace else f"{pid}:{start}"


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
        rule: Which rule gave the job, for people: one of the names at the head of `_env`.
        role: `root` is the first process of a program without ranks.
        pid: The process.
        start: When it started, in clock ticks since boot.
        fallback_job: The job to go to if this rank's place is taken by a process not its parent.
        parent: The process that made this one, if it is in the same job.
        elsewhere: Jobs that workers of this one may have begun before it joined its own.
    """

    job: str
    rule: str
    role: Role
    pid: int
    start: int
    fallback_job: str
    parent: Published | None = None
    elsewhere: tuple[str, ...] = ()


def at(place: Place) -> dict[str, Any]:
    """The place alone, as arguments for a record that has more."""
    return {field: getattr(place, field) for field in Place._fields}
