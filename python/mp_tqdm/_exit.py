"""At exit: ends what workers left to one that never counted itself, and names what was lost."""

from __future__ import annotations

import atexit
import os
import sys

from mp_tqdm import _core


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
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is not None or _core.is_attached():
        return
    from mp_tqdm import _env, _job

    identity = _env.identify(_env.read_facts())
    if identity.role == "worker":
        return
    name = _job.segment_name(identity.job)
    places = _job.directories(os.environ)
    if any(os.path.lexists(os.path.join(place, name)) for place in places):
        _job.attach(follows_workers=True)
