"""One progress bar for a whole training or data job, at a cost nobody can measure in their loop.

    from mp_tqdm import mp_tqdm, trange, report_progress

`mp_tqdm` is a drop-in for `tqdm`. Every process of a job (DDP ranks, DataLoader workers, process
pools) counts into shared memory, and one process draws one line for all of them.
"""

import atexit
import os

# `_job` here, not at the first count: a signal handler might come while it is half imported.
from mp_tqdm import _core, _forks, _job  # noqa: F401
from mp_tqdm._bar import mp_tqdm, trange
from mp_tqdm._core import __debug_build__, __version__, report_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mp_tqdm._errors import (
        TqdmDeprecationWarning,
        TqdmExperimentalWarning,
        TqdmKeyError,
        TqdmMonitorWarning,
        TqdmSynchronisationWarning,
        TqdmTypeError,
        TqdmWarning,
    )

__all__ = [
    "TqdmDeprecationWarning",
    "TqdmExperimentalWarning",
    "TqdmKeyError",
    "TqdmMonitorWarning",
    "TqdmSynchronisationWarning",
    "TqdmTypeError",
    "TqdmWarning",
    "__version__",
    "mp_tqdm",
    "patch",
    "report_progress",
    "session_env",
    "tqdm",
    "trange",
    "unpatch",
]

tqdm = mp_tqdm


def __getattr__(name: str) -> "Any":
    """The names of warnings and errors: few programs need them."""
    if name in __all__:
        from mp_tqdm import _errors

        return getattr(_errors, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def session_env() -> dict[str, str]:
    """The environment variables that make a plain subprocess a worker of this process.

    Without them a program that `subprocess` starts is a job of its own. Merge them into what it is
    started with: `subprocess.run(command, env=os.environ | session_env())`. The subprocess counts
    as a pool's worker does: its `report_progress` reaches this process's bars, and bars that it
    opens are shown among them.

    The variables hold for each program that reads them first, behind any shell or wrapper: the
    children of `multiprocessing` of such a program stay in the job, the plain subprocesses that it
    starts in turn are jobs of their own. A launcher hands them to all its ranks, and each of them
    is a worker of this process. They hold while this process lives: after its end they mean
    nothing, and a program that still has them is a job of its own.

    Attaches this process to its job if nothing was counted here yet. May be called from any thread
    and in any process, also in a fork child, whose variables are its own.

    Returns:
        The variables by name; empty where this machine has no shared memory that another program
        could find (a warning said so).
    """
    from mp_tqdm import _session

    return _session.variables()


def patch() -> bool:
    """Makes `tqdm.tqdm`, `tqdm.auto.tqdm` and so on this package's bar, until `unpatch`.

    Names that modules have imported from tqdm already are bound anew. Classes that were derived
    from tqdm's before are not changed: call it before importing such a library. `report_progress`
    does not reach bars that are made so. Children by fork are patched with their parent.

    Returns:
        Whether tqdm is there; without it, nothing is done.
    """
    from mp_tqdm import _patch

    return _patch.patch()


def unpatch() -> None:
    """Gives tqdm's names back, but to modules that took them meanwhile. Bars stay open."""
    from mp_tqdm import _patch

    _patch.unpatch()


_forks.begin()


@atexit.register
def _at_exit() -> None:
    """Ends what workers left to a process that never counted itself, and names what was lost."""
    try:
        _forks.follow_workers()
        lost = _core.lost_reports()
        if lost is not None and lost[0]:
            from mp_tqdm import _lost

            _lost.name()
        _core.stop_drawing()
    except Exception:  # noqa: BLE001, S110 - no descriptor may be left to read a module by, say
        pass


if "MP_TQDM_PATCH" in os.environ:
    from mp_tqdm import _patch

    _patch.patch_at_import()

if __debug_build__:
    import warnings

    from mp_tqdm._errors import TqdmWarning

    warnings.warn(
        "mp_tqdm was built without optimisation: its counts cost ten times what they should, and "
        "no figure measured with it means anything. Install a wheel, or build with --release.",
        TqdmWarning,
        stacklevel=2,
    )

del TYPE_CHECKING
