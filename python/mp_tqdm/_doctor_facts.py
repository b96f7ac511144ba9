"""What `doctor` reads of the machine and of its own process."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig

from mp_tqdm import _core, _defaults, _identity, _job, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, TypedDict

    from mp_tqdm._doctor_findings import Finding
    from mp_tqdm._doctor_jobs import JobFacts
    from mp_tqdm._identity import Identity

    class Versions(TypedDict):
        """What is installed where; `copies` are all directories that hold the package."""

        mp_tqdm: str
        module: str
        layout: int
        is_debug_build: bool
        copies: list[str]
        python: str
        has_gil: bool
        executable: str
        system: str
        libc: str

    class ProcessFacts(TypedDict):
        """Who this process is, by which rule; `problem`: why it could not attach."""

        pid: int
        role: str
        rule: str
        job: str
        rank: int
        local_world: int
        world: int
        node: int
        nodes: int
        parent: int | None
        problem: str

    class DirectoryFacts(TypedDict):
        """Where a segment may lie, in bytes; both 0 where the directory is not there."""

        path: str
        size: int
        free: int

    class SegmentFacts(TypedDict):
        """Where this process counts: a path, "memfd", "private", or empty for nowhere."""

        where: str
        size: int
        mode: str
        refusals: list[str]
        directories: list[DirectoryFacts]

    class RankFacts(TypedDict):
        """A rank of this node; its pid is None where it did not come."""

        rank: int
        pid: int | None
        stderr: str
        executable: str

    class TerminalFacts(TypedDict):
        """What stderr is, and how bars are drawn on it."""

        stderr: str
        is_terminal: bool
        encoding: str
        columns: int
        rows: int
        term: str
        drawn: Literal["live", "lines", "python", "off", "nowhere"]
        forced: str

    class Facts(TypedDict):
        """All that the page says."""

        versions: Versions
        process: ProcessFacts
        segment: SegmentFacts
        ranks: list[RankFacts]
        terminal: TerminalFacts
        environment: dict[str, str]
        patch: Literal["", "mp_tqdm", "tqdm", "none"]
        jobs: list[JobFacts]
        findings: list[Finding]


# Variables by which somebody says who a process is or how bars look.
_PREFIXES = (
    "MP_TQDM_", "TQDM_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "MPI_LOCAL",
    "SLURM_STEP_",
)  # fmt: skip
_VARIABLES = _identity.COMPARED | {
    "CROSS_RANK", "CROSS_SIZE", "GROUP_WORLD_SIZE", "LOCAL_SIZE", "LOCAL_WORLD_SIZE",
    "MASTER_ADDR", "NODE_RANK", "NO_COLOR", "PMI_SIZE", "SLURM_LOCALID", "SLURM_NNODES",
    "SLURM_NODEID", "SLURM_NTASKS", "TMPDIR", "WORLD_SIZE", "XDG_RUNTIME_DIR",
}  # fmt: skip

# Run by a fresh Python: whose bars tqdm's import gives.
_WHOSE = """
try:
    import tqdm
except ImportError:
    print("none")
else:
    homes = {base.__module__.partition(".")[0] for base in tqdm.tqdm.__mro__}
    print("mp_tqdm" if "mp_tqdm" in homes else "tqdm")
"""
_PATIENCE_S = 20


def versions() -> Versions:
    """What is installed."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)
    build = "debug build" if hasattr(sys, "gettotalrefcount") else "release build"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        build = f"free-threaded {build}"
    kernel = os.uname()
    return {
        "mp_tqdm": _core.__version__,
        "module": os.path.basename(_core.__file__ or ""),
        "layout": _core.LAYOUT_VERSION,
        "is_debug_build": _core.__debug_build__,
        "copies": _copies(),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {build}",
        "has_gil": bool(gil()),
        "executable": sys.executable or "",
        "system": f"{kernel.sysname} {kernel.release} {kernel.machine}",
        "libc": " ".join(platform.libc_ver()).strip() or "unknown libc",
    }


def _copies() -> list[str]:
    """Every directory of this package that `sys.path` leads to; the first one is imported."""
    own = os.path.realpath(os.path.dirname(__file__))
    found = [os.path.join(entry or os.curdir, "mp_tqdm") for entry in sys.path]
    whole = (path for path in found if os.path.isfile(os.path.join(path, "__init__.py")))
    return list(dict.fromkeys([own, *map(os.path.realpath, whole)]))


def process(identity: Identity, problem: str) -> ProcessFacts:
    """Who this process is."""
    return {
        "pid": identity.pid,
        "role": identity.role,
        "rule": identity.rule,
        "job": identity.job,
        "rank": identity.rank,
        "local_world": identity.local_world,
        "world": identity.world,
        "node": identity.node,
        "nodes": identity.nodes,
        "parent": identity.parent.pid if identity.parent else None,
        "problem": problem,
    }


def segment() -> SegmentFacts:
    """Where this process counts, and what stood in the way of better places."""
    place = _job._place  # noqa: SLF001 - our own
    where = place[2] if place is not None else ""
    try:
        status = os.stat(where) if os.path.isabs(where) else None
    except OSError:
        status = None
    return {
        "where": where,
        "size": status.st_size if status else 0,
        "mode": f"{status.st_mode & 0o7777:04o}" if status else "",
        "refusals": list(_job._refusals),  # noqa: SLF001 - our own
        "directories": [_directory(path) for path in _job.directories(os.environ)],
    }


def _directory(path: str) -> DirectoryFacts:
    try:
        status = os.statvfs(path)
    except OSError:
        return {"path": path, "size": 0, "free": 0}
    size, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    return {"path": path, "size": size, "free": free}


def rank(number: int, pid: int | None) -> RankFacts:
    """A rank of this node, as `/proc` shows it; that knows it only in our own pid namespace."""
    known = pid is not None
    return {
        "rank": number,
        "pid": pid,
        "stderr": _link(f"/proc/{pid}/fd/2") if known else "",
        "executable": _link(f"/proc/{pid}/exe") if known else "",
    }


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def terminal() -> TerminalFacts:
    """What stderr is, and how it is drawn on."""
    stream: Any = sys.stderr
    forced = os.environ.get("MP_TQDM_MODE", "")
    place = _streams.descriptor(stream) if stream is not None else None
    is_terminal = stream is not None and _streams.is_terminal(stream)
    columns = rows = 0
    name = "closed" if stream is None else f"an object of {type(stream).__name__}"
    try:
        number = stream.fileno()
        name = _link(f"/proc/self/fd/{number}") or name
        columns, rows = os.get_terminal_size(number) if is_terminal else (0, 0)
    except (AttributeError, OSError, ValueError):
        pass
    drawn: Literal["live", "lines", "python", "off", "nowhere"]
    if _streams.mode() == "off":
        drawn = "off"
    elif stream is None or _streams.is_lost(stream):
        drawn = "nowhere"
    elif place is None:
        drawn = "python"
    else:
        drawn = "live" if place[1] else "lines"
    return {
        "stderr": name,
        "is_terminal": is_terminal,
        "encoding": str(getattr(stream, "encoding", None) or ""),
        "columns": columns,
        "rows": rows,
        "term": os.environ.get("TERM", ""),
        "drawn": drawn,
        "forced": forced,
    }


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Which of the variables are set that matter here."""
    names = (name for name in environ if name in _VARIABLES or name.startswith(_PREFIXES))
    return {name: environ[name] for name in sorted(names)}


def patch(environ: Mapping[str, str]) -> Literal["", "mp_tqdm", "tqdm", "none"]:
    """Whose bars a Python has that starts as this one did, "none" without tqdm.

    Empty where `MP_TQDM_PATCH` asks for nothing, or where no Python could be asked.
    """
    if _defaults.means_no(environ.get("MP_TQDM_PATCH", "")) or not sys.executable:
        return ""
    import subprocess

    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    command = [sys.executable, *flags, "-c", _WHOSE]
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said: Any = done.stdout.strip()
    return said if said in ("mp_tqdm", "tqdm", "none") else ""
