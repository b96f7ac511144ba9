"""Does what a fork needs, remembers those that made a process, and notices what it starts.

From the import of the package on. Whoever starts workers is in the job before they are, looks for
the bars that they open, and prints above them.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_MOST_FORKS = 64  # a bound, not an expectation

# Pid and depth of the processes whose memory this one has by forks, the nearest first.
makers: list[tuple[int, int]] = []
# Whether the nearest of them was in a process group of `torch.distributed`, as this memory says.
had_group = False
# The standard streams that the process began with: what comes later is its own.
streams: list[Any] = [sys.stdout, sys.stderr]
children: list[None] = []  # not empty once this process made one by a fork
_pid = os.getpid()


def is_known() -> bool:
    """Whether the forks up to here were noted: those by C code, or by `_Fork`, run no hooks."""
    return _pid == os.getpid()


def note_fork() -> None:
    """Called in the child: at once, or when it may have gone on already."""
    global _pid, had_group
    makers.insert(0, (_pid, depth()))
    del makers[_MOST_FORKS:]
    children.clear()
    _followed.clear()
    _pid, had_group = os.getpid(), group_exists()
    streams[:] = sys.stdout, sys.stderr


def _note_child() -> None:
    children[:] = [None]
    if _core.is_attached():
        prepare()
    elif not makers:
        from mp_tqdm import _redirect

        _redirect.begin_worker()  # it attaches before it prints, if children have begun


def _forget_half_imports() -> None:
    """What another thread was importing stays half made in the child, and locked for ever."""
    locks = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {})
    for name, reference in list(locks.items()):
        if name.partition(".")[0] != "mp_tqdm" and name not in _LATER:
            continue
        if getattr(reference(), "owner", None) == get_ident():
            continue
        locks.pop(name, None)
        if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
            del sys.modules[name]


# Of the standard library, what the package imports when it is first needed.
_LATER = ("_blake2", "collections", "difflib", "hashlib", "itertools", "numbers", "warnings")
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
os.register_at_fork(after_in_child=_forget_half_imports)


def packages() -> list[tuple[Any, Any]]:
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


def prepare() -> None:
    """Makes this process the one that draws for the workers it starts, unless it is one itself."""
    try:
        if not _core.is_attached():
            if makers or any(maker for _, maker in packages()):
                return
            _core.join()
        from mp_tqdm import _redirect

        _redirect.begin_worker()
    except Exception as error:
        from mp_tqdm import _raised

        if not _raised.is_own(error):
            raise
        # The workers start all the same, and count.


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


def _notice(module: ModuleType) -> None:
    """Has each `start` of the package's processes noticed, whatever they are started by."""
    start: Callable[[Any], None] = module.BaseProcess.start

    def noticed(self: Any) -> None:
        prepare()
        start(self)
        _core.expect_workers()

    noticed.__name__, noticed.__qualname__ = "start", start.__qualname__
    noticed.__doc__ = start.__doc__
    module.BaseProcess.start = noticed


class _Finder:
    """Notices a package of processes right behind its import."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders find; of others than these packages nothing."""
        if name not in _PACKAGES:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        loader: Any = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _notice(module)

            loader.exec_module = exec_module
        return spec


for _name in _PACKAGES:
    if hasattr(sys.modules.get(_name), "_dangling"):
        _notice(sys.modules[_name])
sys.meta_path.insert(0, _Finder())
