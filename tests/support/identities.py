"""Facts to ask the rules about, and identities to compare their answers with."""

from collections.abc import Mapping
from typing import Any

from mp_tqdm import _env
from mp_tqdm._identity import Facts, Identity, Place, Process, Published
from mp_tqdm._published import read_published

Environ = Mapping[str, str]

KEY = bytes(range(200, 232))
SHELL = Process(pid=90, start=9, python=False, environ={})


def facts(environ: Environ | None = None, *above: Process, **changes: Any) -> Facts:
    """Process 1000, started at 500, with a key, under process 90."""
    known: dict[str, Any] = {"environ": environ or {}, "pid": 1000, "start": 500, "authkey": KEY}
    return Facts(**known | {"ancestors": lambda: (*above, SHELL)} | changes)


def child(environ: Environ | None = None, *above: Process, **changes: Any) -> Facts:
    """The same as a process that process 900 made by `multiprocessing`."""
    known: dict[str, Any] = {"parents": ((900, 400),), "generations": 1}
    variables = _env.launcher_fingerprint(environ or {})
    return facts(environ, *above, **known | {"started_with": variables} | changes)


def parent_process(environ: Environ | None = None, **changes: Any) -> Process:
    known: dict[str, Any] = {"pid": 900, "start": 400, "python": True, "environ": environ or {}}
    return Process(**known | changes)


def identity(
    job: str, rule: str, role: str, place: Place | None = None, **changes: Any
) -> Identity:
    known: dict[str, Any] = {
        "job": job,
        "rule": rule,
        "role": role,
        "pid": 1000,
        "start": 500,
        "fallback_job": "process:1000:500",
    }
    at = {name: getattr(place or Place(), name) for name in Place._fields}
    return Identity(**known | at | changes)


def published(environ: Environ | None = None, **changes: Any) -> Published:
    """What process 900 publishes, started with these variables."""
    read = read_published(child(told(environ, **changes), pid=1001))
    assert read is not None
    return read


def told(environ: Environ | None = None, **changes: Any) -> dict[str, str]:
    """The environment that process 900 gives to its children after it has published."""
    known: dict[str, Any] = {"job": "family:other", "rule": "family", "role": "root"}
    known |= {"pid": 900, "start": 400}
    writer = Identity(**{"fallback_job": "process:900:400", **known, **changes})
    written = dict(environ or {})
    _env.publish(written, writer, 7, 12345)
    return written
