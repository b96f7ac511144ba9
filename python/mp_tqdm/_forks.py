"""Does what a fork needs, remembers those that made a process, notices what it starts and tells it.

From the import of the package on. Whoever starts workers is in the job before they are, looks for
the bars that they open, and prints above them. To all that it starts a process tells which job it
joined, by environment variables.
"""

import os
import sys
from _thread import get_ident

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from types import ModuleType
    from typing import Any, Literal

    from mp_tqdm._identity import Identity
    from mp_tqdm._job import Alone

    Role = Literal["root", "rank", "worker"]
    Fingerprint = tuple[str | None, ...]


_MOST_FORKS = 64  # a bound, not an expectation

# Pid and depth of the processes whose memory this one has by forks, the nearest first.
makers: list[tuple[int, int]] = []
# Whether the nearest of them was in a process group of `torch.distributed`, as this memory says.
had_group = False
# The launcher's variables at the fork that made this process, if somebody looked then.
at_fork: "Fingerprint | None" = None
# The standard streams that the process began with: what comes later is its own.
streams: "list[Any]" = [sys.stdout, sys.stderr]
children: list[None] = []  # not empty once this process made one by a fork
_pid = os.getpid()


def is_known() -> bool:
    """Whether the forks up to here were noted: those by C code, or by `_Fork`, run no hooks."""
    return _pid == os.getpid()


def note_fork(*, is_late: bool = False) -> None:
    """Called in the child: at once, or when it may have gone on already, and changed variables."""
    global _pid, had_group, at_fork
    known = None if is_late else launcher_fingerprint(os.environ)
    makers.insert(0, (_pid, depth()))
    del makers[_MOST_FORKS:]
    children.clear()
    _followed.clear()
    _pid, had_group, at_fork = os.getpid(), group_exists(), known
    streams[:] = sys.stdout, sys.stderr
    _begin_beside()


def _note_child() -> None:
    children[:] = [None]
    if _core.is_attached():
        prepare()
    elif not makers:
        from mp_tqdm import _streams

        _streams.redirect_worker()  # it attaches before it prints, if children have begun


def forget_half_imports(*, own: bool = False) -> None:
    """Has modules that are half made imported anew when they are needed.

    In a fork child those that another thread was importing: they stay half made there, and locked
    for ever. With `own`, called below a signal handler, those that this thread is importing: the
    import that was interrupted goes on, and takes the whole module that it finds then. The package
    itself is left as it is: at its import it may count already (`MP_TQDM_PATCH`).
    """
    locks = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {})
    for name, reference in list(locks.items()):
        if name.partition(".")[0] != "mp_tqdm" and name not in _LATER:
            continue
        is_own = getattr(reference(), "owner", None) == get_ident()
        if is_own is not own or (own and name == "mp_tqdm"):
            continue
        if not own:
            locks.pop(name, None)
        if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
            del sys.modules[name]


# Of the standard library, what the package imports when it is first needed.
_LATER = {
    "__future__",
    "_blake2",
    "_socket",
    "collections",
    "contextlib",
    "copy",
    "difflib",
    "hashlib",
    "itertools",
    "numbers",
    "pickle",
    "warnings",
}
# CPython 3.13 counts the threads after these hooks and warns of any: there the renderer comes back
# right behind the fork. No function in Python may stand between: the running frame has to be the
# one that forks.
_resume = _core.after_fork_in_parent
if sys.version_info >= (3, 13) and sys.version_info < (3, 14):
    _resume = _core.resume_behind_fork

os.register_at_fork(after_in_parent=_note_child, after_in_child=note_fork)
os.register_at_fork(
    before=_core.before_fork,
    after_in_parent=_resume,
    after_in_child=_core.after_fork_in_child,
)
os.register_at_fork(after_in_child=forget_half_imports)


def packages() -> "list[tuple[Any, Any]]":
    """The current and the parent process, as each loaded package of processes has them."""
    modules = (sys.modules.get(name) for name in _PACKAGES)
    # One that lacks the last name of the module is being imported by another thread.
    loaded = (module for module in modules if module and hasattr(module, "_dangling"))
    return [(module.current_process(), module.parent_process()) for module in loaded]


def depth() -> int:
    """How many generations of `multiprocessing` are between the first process and this one."""
    return max((len(getattr(own, "_identity", ())) for own, _ in packages()), default=0)


def group_exists() -> bool:
    """Whether `torch.distributed` says that there is a default process group."""
    distributed = sys.modules.get("torch.distributed")
    try:
        return bool(distributed and distributed.is_available() and distributed.is_initialized())
    except AttributeError:  # another thread is importing it
        return False


# --- the processes that this one starts ----------------------------------------------------------

_PACKAGES = ("multiprocessing.process", "multiprocess.process")
PARENT_VARIABLE = "MP_TQDM_PARENT"
SESSION_VARIABLE = "MP_TQDM_SESSION"
# The variables that name a launch and a rank of it. MASTER_ADDR and MASTER_PORT are left out:
# programs set them in any process that joins a group of its own.
LAUNCH_VARIABLES = (
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


def launcher_fingerprint(environ: "Mapping[str, str]") -> "Fingerprint":
    """The variables that name a launch and a rank of it: unchanged means the same rank."""
    return tuple(environ.get(name) for name in LAUNCH_VARIABLES)


def names_a_rank(environ: "Mapping[str, str]") -> bool:
    """Whether any of them is set; without, no launcher named this process."""
    return any(name in environ for name in LAUNCH_VARIABLES)


def digest(value: "bytes | Fingerprint") -> str:
    """128 bits that do not tell the value: an authkey is a secret.

    `hashlib` takes the function from `_blake2`: 0.2 ms to import, against 4.5 with its OpenSSL.
    """
    if isinstance(value, tuple) and value.count(None) == len(value):
        return "0"  # no launcher, as in most programs: no hash is needed
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    data = value if isinstance(value, bytes) else ascii(value).encode()
    return blake2b(data, digest_size=16, person=b"mp_tqdm").hexdigest()


def publish(
    environ: "MutableMapping[str, str]",
    identity: "Identity | Alone",
    slot: int,
    incarnation: int,
) -> None:
    """Tells the children of this process, from now on, which job it joined and where it is there.

    A worker does it too, so that a worker of it knows the nearest. The session variable was
    meant for this process alone and goes: the children that `multiprocessing` makes stay in the
    job by what is written here, the programs that `subprocess` starts are free of it again.

    Args:
        environ: `os.environ`.
        identity: Who this process is.
        slot: Its place in the segment.
        incarnation: Tells it from others that had the slot before.
    """
    fingerprint = digest(launcher_fingerprint(environ))
    environ[PARENT_VARIABLE] = told(identity, slot, incarnation, fingerprint)
    environ.pop(SESSION_VARIABLE, None)


def told(identity: "Identity | Alone", slot: int, incarnation: int, fingerprint: str) -> str:
    """What is told of a process; `_published` reads it."""
    place = (identity.rank, identity.local_world, identity.world, identity.node, identity.nodes)
    numbers = (identity.pid, identity.start, slot, incarnation, *place)
    return " ".join(("1", *map(str, numbers), identity.role, fingerprint, identity.job))


def prepare() -> None:
    """Makes this process the one that draws for the workers it starts, unless it is one itself."""
    try:
        if not _core.is_attached():
            if makers or any(maker for _, maker in packages()):
                return
            _core.join()
        from mp_tqdm import _streams

        _streams.redirect_worker()
    except Exception as error:
        from mp_tqdm import _stack

        if not _stack.is_own(error):
            raise
        # The workers start all the same, and count.


# By one of these a launcher, or who gave a session, named this process.
_NAMED_BY = (
    "LOCAL_RANK",
    "MP_TQDM_SESSION",
    "MV2_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "RANK",
    "SLURM_PROCID",
)
# The job beside whose lines this process prints, once that was asked for.
_beside: list[str] = []
_is_beside = False


def begin() -> None:
    """At import: one that is not alone in its job prints above the lines of the others."""
    is_child = any(maker or _is_being_made(own) for own, maker in packages())
    if is_child or any(name in os.environ for name in _NAMED_BY):
        _begin_beside()


def _begin_beside() -> None:
    from mp_tqdm import _streams

    global _is_beside  # noqa: PLW0603 - of this process
    _is_beside = True
    _beside.clear()
    _streams.redirect_worker()


def end_beside() -> None:
    """This process is alone in its job after all: its streams are replaced for its own bars."""
    global _is_beside  # noqa: PLW0603 - of this process
    if _is_beside and not children:
        from mp_tqdm import _streams

        _is_beside = False
        _streams.leave_worker()


def _is_being_made(own: "Any") -> bool:
    """Whether a spawned child imports the program, and does not know its maker yet."""
    return hasattr(own, "_inheriting")


def before_text() -> None:
    """Before a text of a process that is not attached: looks whether lines are drawn there."""
    if children or not _is_beside:
        follow_workers()
    if not _is_beside or _core.is_attached() or any(_is_being_made(own) for own, _ in packages()):
        return
    from mp_tqdm import _job

    if not _beside:
        _beside.append(_job.who().job)
    path = _job.segment(_beside[0])
    if path is not None:
        _core.print_beside(path)


# The job that children of this process would begin, once it was asked for; empty in a worker.
_followed: list[str] = []


def follow_workers() -> None:
    """Attaches where workers counted that this process did not attach before, if there are some.

    It draws their lines then, and is the last one out. Before it prints, and at exit: a pool ends
    its workers by a signal, and they can neither draw a last line nor remove the segment.
    """
    parents = [parent for _, parent in packages()]
    if _core.is_attached() or not (parents or children) or any(parents):
        return
    from mp_tqdm import _job

    if not _followed:
        identity = _job.who()
        _followed.append("" if identity.role == "worker" else identity.job)
    if _followed[0] and _job.segment(_followed[0]) is not None:
        _core.join(follows_workers=True)
        _core.expect_workers()


def has_children() -> bool:
    """Whether a process of these packages was started and not joined yet."""
    return any(getattr(sys.modules.get(name), "_children", ()) for name in _PACKAGES)


def _notice(module: "ModuleType") -> None:
    """Has each `start` of the package's processes noticed, whatever they are started by."""
    start: Callable[[Any], None] = module.BaseProcess.start

    def noticed(self: "Any") -> None:
        prepare()
        start(self)
        _core.expect_workers()

    noticed.__name__, noticed.__qualname__ = "start", start.__qualname__
    noticed.__doc__ = start.__doc__
    module.BaseProcess.start = noticed


class _Finder:
    """Notices a package of processes right behind its import."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """What the other finders find; of others than these packages nothing."""
        if name not in _PACKAGES:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        loader: Any = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def exec_module(module: "ModuleType") -> None:
                execute(module)
                _notice(module)

            loader.exec_module = exec_module
        return spec


for _name in _PACKAGES:
    if hasattr(sys.modules.get(_name), "_dangling"):
        _notice(sys.modules[_name])
sys.meta_path.insert(0, _Finder())
