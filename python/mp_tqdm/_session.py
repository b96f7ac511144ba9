"""Lets a plain subprocess count into this job."""

# As whom this process attached is the package's own (SLF001).
# ruff: noqa: SLF001

from __future__ import annotations


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
    from mp_tqdm import _core, _env, _job

    if not _core.is_attached():
        try:
            _job.attach()
        except RuntimeError:  # no job to be had: the subprocess counts for itself, as this one does
            return {}
    if _job._identity is None or _job._place is None:
        return {}
    slot, incarnation, where = _job._place
    if where in ("memfd", "private"):
        return {}
    return {_env.SESSION_VARIABLE: _env.session_value(_job._identity, slot, incarnation)}
