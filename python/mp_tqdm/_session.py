"""Lets a plain subprocess count into this job."""

# As whom this process attached is the package's own (SLF001).
# ruff: noqa: SLF001

from __future__ import annotations

from mp_tqdm import _core, _env, _job, _stack


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
    if where in ("memfd", "private"):
        return {}
    return {_env.SESSION_VARIABLE: _env.session_value(_job._identity, slot, incarnation)}
