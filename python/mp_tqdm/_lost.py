"""Says at the end of a job how many reports found no bar: they are dropped, but not silently."""

from __future__ import annotations

import contextlib
import os
import sys

from mp_tqdm import _core, _job, _proc, _streams
from mp_tqdm._errors import TqdmWarning
from mp_tqdm._together import Aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def name() -> None:
    """Warns once for the whole job: in its root, or in local rank 0, at the end of that process.

    Says nothing where the display is forced off, or where a bar of this process was off
    (`disable=True`): then nobody waits for a number. Never raises, also under `-W error`.
    """
    identity, lost = _job._identity, _core.lost_reports()  # noqa: SLF001 - our own
    if identity is None or identity.role == "worker" or identity.rank != 0 or lost is None:
        return
    items, processes, is_off = lost
    if not items or is_off or _streams.mode() == "off":
        return
    _core.end_lines()
    with contextlib.suppress(Exception):  # a stream that cannot be written to must not matter
        _warn(in_words(items, processes))


def name_below(bar: Any) -> None:
    """Warns where processes below this one reported, but as jobs of their own.

    They are no children that are known to belong here: tasks of Ray, or plain subprocesses. Asked
    when a bar closed to which nothing was counted, as long as these processes live.
    """
    from mp_tqdm import _doctor_jobs

    items: float = 0
    processes = 0
    for job in _doctor_jobs.running(os.environ):
        alive = [process["pid"] for process in job["processes"] if process["is_alive"]]
        if job["lost_items"] and any(map(_is_below, alive)) and os.getpid() not in alive:
            items += job["lost_items"]
            processes += job["lost_processes"]
    if processes:
        import warnings

        warnings.warn(
            f"nothing was counted in {bar.desc.rstrip(': ') or 'this bar'!r}, but "
            f"{_amount(items, processes)} below this one, as jobs of their own. Start them with "
            "the variables of session_env(); for Ray: "
            "ray.init(runtime_env={'env_vars': session_env()}).",
            TqdmWarning,
            stacklevel=4,
        )


def _is_below(pid: int) -> bool:
    """Whether this process is among those that a process comes from."""
    for _ in range(_proc.DEEPEST_CHAIN):
        if pid in (0, os.getpid()):
            break
        pid = _proc.status(pid)[0]
    return pid != 0


def _warn(text: str) -> None:
    """Warns by the program's filters, but leaves nothing in the buffer of stderr.

    What is in there and cannot be written, as on a full disk, would change the exit code.
    """
    import io
    import warnings

    stream, shown = sys.stderr, io.StringIO()
    sys.stderr = shown if stream is not None else stream
    try:
        # Nobody's line of code: shown as `sys`, as Python shows what it warns of at exit.
        warnings.warn(text, TqdmWarning, stacklevel=5)
    except TqdmWarning:
        # Nothing can be stopped any more by an exception: the text is what is left of it.
        shown.write(f"TqdmWarning: {text}\n")
    finally:
        sys.stderr = stream
    if stream is None or _streams.is_lost(stream) or not shown.getvalue():
        return
    from mp_tqdm._bar import mp_tqdm

    with Aside(mp_tqdm, stream, nolock=True):
        stream.flush()
        place = _streams.descriptor(stream)
        if place is None:
            stream.write(shown.getvalue())
        else:
            os.write(place[0], shown.getvalue().encode(stream.encoding, "backslashreplace"))


def in_words(items: float, processes: int) -> str:
    """What was lost, and how not to lose it."""
    return (
        f"{_amount(items, processes)} found no open bar and were dropped. Open the bar, without an "
        "iterable, before work is handed out, and close it when all of it is done."
    )


def _amount(items: float, processes: int) -> str:
    what = f"{items:,} item" if isinstance(items, int) else f"{items:,g} item"
    what += "" if items == 1 else "s"
    who = "1 process" if processes == 1 else f"{processes:,} processes"
    return f"{what} reported by {who}"
