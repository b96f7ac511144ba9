"""Reads what a process tells those that it starts, in the environment: which job it joined."""

from __future__ import annotations

from mp_tqdm._forks import PARENT_VARIABLE, SESSION_VARIABLE
from mp_tqdm._identity import Place, Published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mp_tqdm._identity import Facts, Process

_WORD = 20  # digits of 64 bits
_PUBLISHED_FIELDS = 12  # behind the version


def read_session(facts: Facts) -> Published | None:
    """What the process that gave this one a session told, or None."""
    return _decode(facts.environ.get(SESSION_VARIABLE))


def read_published(facts: Facts) -> Published | None:
    """What the process that made this one published, or None.

    The environment reaches any process that the writer starts, and those started by these: only
    the pid, with the start where it can be read, tells a child from a stranger.
    """
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    if published is not None:
        for pid, start in (*facts.parents, *facts.lineage):
            if pid == published.pid and _same_start(start, published.start):
                return published
    return None


def read_above(facts: Facts) -> Published | None:
    """What the nearest maker above tells: by its environment, else by the memory it has open.

    To a process that was made before the maker joined a job the environment says nothing.
    """
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    if published is not None and any(
        process.pid == published.pid and _same_start(process.start, published.start)
        for process in makers_above(facts)
    ):
        return published
    makers = (*facts.parents, *facts.lineage)
    found = next(filter(None, (_joined(facts, *maker) for maker in makers)), None)
    if found is not None:
        return found
    above = ((process.pid, process.start) for process in makers_above(facts))
    return next(filter(None, (_joined(facts, *maker) for maker in above)), None)


def makers_above(facts: Facts) -> list[Process]:
    """From the maker's to the program's first process; none where `/proc` does not show the line.

    A process that the first one made knows it without.
    """
    if facts.generations <= 1:
        return []
    above = [process for process in facts.ancestors() if process.python][: facts.generations]
    makers = {pid for pid, _ in (*facts.parents, *facts.lineage)}
    return above if above and above[0].pid in makers else []


def _joined(facts: Facts, pid: int, start: int) -> Published | None:
    # A younger process has the pid of one that is dead.
    return facts.joined(pid, start) if 0 < start <= facts.start else None


def read_starter(facts: Facts) -> Published | None:
    """What was published by the Python process that started this program."""
    published = _decode(facts.environ.get(PARENT_VARIABLE))
    above = next((process for process in facts.ancestors() if process.python), None)
    if published is None or above is None or published.pid != above.pid:
        return None
    return published if _same_start(published.start, above.start) else None


def _same_start(one: int, other: int) -> bool:
    return one == other or not (one and other)


def _decode(text: str | None) -> Published | None:
    """What `told` made; None for anything else, as another version's."""
    version, *fields = (text or "").split(" ", _PUBLISHED_FIELDS)
    if version != "1" or len(fields) != _PUBLISHED_FIELDS:
        return None
    *texts, role, fingerprint, job = fields
    usable = all(text.isascii() and text.isdigit() and len(text) <= _WORD for text in texts)
    if not usable or role not in {"root", "rank", "worker"} or not job:
        return None
    names = ("pid", "start", "slot", "incarnation", *Place._fields)
    values: dict[str, Any] = dict(zip(names, map(int, texts), strict=True))
    return Published(**values | {"role": role, "fingerprint": fingerprint, "job": job})
