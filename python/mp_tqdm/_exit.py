"""At exit: ends what workers left to one that never counted itself, and names what was lost."""

from __future__ import annotations

import atexit

from mp_tqdm import _core, _forks


@atexit.register
def _at_exit() -> None:
    try:
        _end_for_workers()
        lost = _core.lost_reports()
        if lost is not None and lost[0]:
            from mp_tqdm import _lost

            _lost.name()
    except Exception:  # noqa: BLE001, S110 - no descriptor may be left to read a module by, say
        pass


def _end_for_workers() -> None:
    """Attaches at exit where workers of this process counted, so that it is the last one out.

    A pool ends its workers by a signal. They can neither draw a last line then nor remove the
    segment, and the process that started them, which only imported the package, is not attached.
    """
    makers = [maker for _, maker in _forks.packages()]
    if _core.is_attached() or not (makers or _forks.children) or any(makers):
        return
    from mp_tqdm import _job

    identity = _job.who()
    if identity.role != "worker" and _job.segment(identity.job) is not None:
        _job.attach(follows_workers=True)
