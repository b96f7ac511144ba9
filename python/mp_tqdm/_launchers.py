"""The launchers: what each writes into the environment of a rank, read as a place in a launch."""

from __future__ import annotations

from mp_tqdm._identity import Place, at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mp_tqdm._identity import Facts, Process

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
# The variables that count the ranks of all nodes; a launch has one of them among its `named`.
_NUMBERS = ("RANK", "PMIX_RANK", *(names[0] for names in _MPI), "SLURM_PROCID")
_DIGITS = 9  # of a number that is believed; Slurm's numbers of batch and interactive steps have 10


class Launch(Place):
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

    def carriers(self, facts: Facts) -> int:
        """How many Python processes above this one were started with the variables of the rank.

        To a worker, one for each generation up to the rank. One more means that the program's first
        process has the rank above itself, and so was started there as a program of its own.
        """
        above = facts.ancestors()
        return sum(process.python and _carries(process, facts, self.named) for process in above)

    def number(self, facts: Facts) -> int:
        """Which rank this is among those of all nodes, from 0: as the launcher counts them."""
        given = _number(facts.environ, *(name for name in _NUMBERS if name in self.named))
        return self.node * self.local_world + self.rank if given is None else given


def find_launch(facts: Facts) -> Launch | None:
    """The first launcher of whose ranks this process is one, or a worker of one."""
    for rule in (_torchelastic, _pmix, _mpi, _slurm, _pmi, _deepspeed, _environment):
        launch = rule(facts)
        if launch is not None and launch.carriers(facts) <= facts.generations:
            return launch
    return None


def bare_place(facts: Facts) -> Place | None:
    """The place of a child that set its rank and no more, as those of Lightning do."""
    rank = _number(facts.environ, "LOCAL_RANK")
    rank = _number(facts.environ, "RANK") if rank is None else rank
    if rank is None:
        return None
    size = facts.torch_group[1] if facts.torch_group else 0
    world = max(_size(facts.environ, "WORLD_SIZE") or size, rank + 1)
    return Place(rank=rank, local_world=world, world=world)


def _torchelastic(facts: Facts) -> Launch | None:
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


def _pmix(facts: Facts) -> Launch | None:
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


def _mpi(facts: Facts) -> Launch | None:
    """MPICH, Intel MPI, MVAPICH2 and old Open MPI: no name of the launch, only its process."""
    for names in _MPI:
        if names[2] in facts.environ:
            place = _mpi_place(facts.environ, names)
            return _behind_launcher(facts, "pmi", place, names[:1])
    return None


def _pmi(facts: Facts) -> Launch | None:
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


def _slurm(facts: Facts) -> Launch | None:
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


def _deepspeed(facts: Facts) -> Launch | None:
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


def _environment(facts: Facts) -> Launch | None:
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
    return Launch(
        **at(_filled_in_turn(local, local_world, world, node)),
        rule="environment",
        job=f"environment:{environ.get('MASTER_ADDR', '')}:{port}:node={node}",
        named=("RANK", "LOCAL_RANK", "MASTER_PORT"),
        certain=False,
    )


def _behind_launcher(
    facts: Facts, rule: str, place: Place | None, named: tuple[str, ...]
) -> Launch | None:
    """A launch that has no name but its process on this node: the nearest above that is no rank.

    A shell or another wrapper around the rank has the rank's variables and is passed over.
    """
    if place is not None:
        for process in facts.ancestors():
            if not _carries(process, facts, named):
                launcher = facts.name_of(process.pid, process.start)
                return _launch_of(rule, launcher, place, named)
    return None


def _carries(process: Process, facts: Facts, named: tuple[str, ...]) -> bool:
    return all(process.environ.get(name) == facts.environ.get(name) for name in named)


def _launch_of(rule: str, job: str, place: Place, named: tuple[str, ...]) -> Launch:
    return Launch(**at(place), rule=rule, job=f"{rule}:{job}", named=named)


def _filled_in_turn(rank: int, local_world: int, world: int, node: int) -> Place:
    nodes = max(-(-world // local_world), node + 1)
    return Place(rank=rank, local_world=local_world, world=world, node=node, nodes=nodes)


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
