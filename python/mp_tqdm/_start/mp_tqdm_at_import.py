"""Replaces tqdm's bars behind tqdm's import, without importing this package any sooner.

`sitecustomize` loads this file from its own directory, where no package is imported yet. What is
imported here costs each start of a Python, so annotations are quoted instead of postponed. Pythons
from 3.6 on read it: those that the package is not for say so, should they import tqdm.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# The number of a rank on its node, by launcher. Only the first rank warns.
_RANKS = (
    "LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"
)  # fmt: skip


_IS_FOR_US = sys.version_info >= (3, 10) and sys.implementation.name == "cpython"


class TqdmFinder:
    """Replaces tqdm's bars behind its import, before anybody can take a name from it."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """What the other finders find, for tqdm alone."""
        if name != "tqdm":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        finds = filter(None, (getattr(finder, "find_spec", None) for finder in others))
        spec: Any = next(filter(None, (find(name, path, target) for find in finds)), None)
        if hasattr(getattr(spec, "loader", None), "exec_module"):
            spec.loader = _Loader(spec.loader, self)
        return spec


class PackageFinder:
    """Finds this package for a program whose own path does not lead to it."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":  # noqa: ARG002
        """The package beside this file."""
        if name != "mp_tqdm":
            return None
        from importlib.machinery import PathFinder

        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return PathFinder.find_spec(name, [os.path.dirname(package)])


class _Loader:
    """Another loader, which is the module's loader again once the module is loaded."""

    def __init__(self, loader: "Any", finder: TqdmFinder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def create_module(self, spec: "Any") -> "Any":
        """As the other loader does."""
        create = getattr(self._loader, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: "ModuleType") -> None:
        """As the other loader does; then replaces the bars."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            _patch()


def prepare() -> None:
    """Makes this process ready; called once, where Python starts."""
    if _IS_FOR_US:
        sys.meta_path.append(PackageFinder())
    if "tqdm" in sys.modules:
        _patch()
    else:
        sys.meta_path.insert(0, TqdmFinder())


def _patch() -> None:
    """Replaces the bars, or warns; whatever goes wrong, the program goes on with tqdm's."""
    if not _IS_FOR_US:
        _warn("mp_tqdm is for CPython 3.10 or newer")
        return
    try:
        import mp_tqdm

        reason = "" if mp_tqdm.patch() else "this version of tqdm is too old"
    except Exception as error:  # noqa: BLE001 - a package that does not load must not stop tqdm
        raised = sys.modules.get("mp_tqdm._stack")
        if raised is not None:
            raised.pass_on(error)  # a timeout, say, by a signal handler of the program
        reason = f"{type(error).__name__}: {error}"
    if reason:
        _warn(reason)


def _warn(reason: str) -> None:
    """One warning for a job: not in the other ranks, nor in what this process starts."""
    value = os.environ.get("MP_TQDM_PATCH")
    ranks = [os.environ[name] for name in _RANKS if name in os.environ]
    if value == "quiet" or any(rank != "0" for rank in ranks[:1]):
        return
    os.environ["MP_TQDM_PATCH"] = "quiet"
    import contextlib
    import warnings

    with contextlib.suppress(RuntimeWarning):  # as an error it would stop the import
        warnings.warn(
            f"mp_tqdm cannot replace tqdm's bars in {sys.executable}: {reason}. They stay tqdm's.",
            RuntimeWarning,
            stacklevel=4,  # whose import of tqdm it is
        )
