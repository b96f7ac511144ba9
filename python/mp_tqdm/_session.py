"""Lets a plain subprocess count into this job."""

# As whom this process attached is the package's own (SLF001).
# ruff: noqa: SLF001

from mp_tqdm import _core, _forks, _job, _stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mp_tqdm._identity import Identity
    from mp_tqdm._job import Alone


def variables() -> dict[str, str]:
    """What `mp_tqdm.session_env` returns."""
    try:
        _core.join()
    except RuntimeError as error:
        if not _stack.is_own(error):
            raise
        return {}  # no job to be had: the subprocess counts for itself, as this one does
    from mp_tqdm import _streams

    _streams.redirect_worker()
    _core.expect_workers()
    if _job._identity is None or _job._place is None:
        return {}
    slot, incarnation, where = _job._place
    if where in _job.UNSHARED:
        return {}
    return {_forks.SESSION_VARIABLE: value(_job._identity, slot, incarnation)}


def value(identity: "Identity | Alone", slot: int, incarnation: int) -> str:
    """What makes a subprocess a worker of this process.

    It holds for whoever reads it first, behind any shell or wrapper, and for no other: the reader
    removes it from its environment (`publish`). A launcher started with it hands it to all its
    ranks, and they are workers of this process too: their bars add up.
    """
    return _forks.told(identity, slot, incarnation, "-")
