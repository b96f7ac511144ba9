"""What `doctor` sees of the jobs that this user runs on this machine; it disturbs none of them."""

from __future__ import annotations

import os

from mp_tqdm import _core, _job, _stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypedDict

    class JobProcess(TypedDict):
        """A process of a job; `state` and `program` are empty where `/proc` does not show it."""

        slot: int
        pid: int
        role: str
        rank: int
        is_alive: bool
        state: str
        program: str

    class JobBar(TypedDict):
        """An open bar: `openers` are the pids of those that have it open."""

        desc: str
        key: str
        n: int | float
        total: int | float | None
        reduction: str
        openers: list[int]
        counting: int

    class JobFacts(TypedDict):
        """A segment; where it could not be read, `error` says why and the rest is empty."""

        path: str
        error: str
        is_in_use: bool
        awaited_by: int | None
        owner: int | None
        owner_silent_s: float
        frames: int
        local_world: int
        processes: list[JobProcess]
        bars: list[JobBar]
        lost_items: int | float
        lost_processes: int


_DIGITS = 16  # of a segment's name, behind the user
_MOST_LOOKED_UP = 256  # processes that `/proc` is asked about, of one job


def running(environ: Mapping[str, str]) -> list[JobFacts]:
    """Every segment of this user in the directories where one may lie."""
    prefix = f"mp_tqdm-{os.getuid()}-"
    paths = []
    for directory in dict.fromkeys(map(os.path.realpath, _job.directories(environ))):
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            _stack.pass_on(error)
            continue
        # What is being made has another name until it is whole.
        whole = (name for name in names if len(name) == len(prefix) + _DIGITS)
        paths += [os.path.join(directory, name) for name in whole if name.startswith(prefix)]
    found = map(job_at, paths)
    # A job may have ended between the two looks.
    there = [job for job in found if not job["error"] or os.path.lexists(job["path"])]
    return sorted(there, key=lambda job: (bool(job["error"]), not job["is_in_use"]))


def job_at(path: str) -> JobFacts:
    """What stands in a segment."""
    seen = _core.observe(path)
    job: JobFacts = {
        "path": path,
        "error": seen if isinstance(seen, str) else "",
        "is_in_use": False,
        "awaited_by": None,
        "owner": None,
        "owner_silent_s": 0.0,
        "frames": 0,
        "local_world": 0,
        "processes": [],
        "bars": [],
        "lost_items": 0,
        "lost_processes": 0,
    }
    if isinstance(seen, str):
        return job
    job["is_in_use"], job["awaited_by"] = seen["in_use"], seen["awaited_by"]
    job["frames"] = seen["frames"]
    job["local_world"] = seen["local_world"]
    job["lost_items"], job["lost_processes"] = seen["lost"]
    file = _file_of(path)
    pids = {process[0][0]: process[1] for process in seen["processes"]}
    for (slot, _), pid, role, rank, is_alive in seen["processes"]:
        look = is_alive and len(job["processes"]) < _MOST_LOOKED_UP
        state, program = _shown(pid, file) if look else ("", "")
        process: JobProcess = {
            "slot": slot, "pid": pid, "role": role, "rank": rank, "is_alive": is_alive,
            "state": state, "program": program,
        }  # fmt: skip
        job["processes"].append(process)
    owner = seen["owner"]
    if owner is not None and any(
        process[0] == owner[:2] and process[4] for process in seen["processes"]
    ):
        job["owner"] = pids.get(owner[0])
        job["owner_silent_s"] = owner[2] / 1000
    for bar in seen["bars"]:
        openers = sorted({pids[slot] for slot in bar["openers"] if slot in pids})
        job["bars"].append({**bar, "openers": openers})
    return job


def _file_of(path: str) -> list[str]:
    """Device and inode as `/proc` has them; to the process that made a segment it has no name."""
    try:
        status = os.stat(path)
    except OSError as error:
        _stack.pass_on(error)
        return []
    device = status.st_dev
    return [f"{os.major(device):02x}:{os.minor(device):02x}", str(status.st_ino)]


def _shown(pid: int, mapped: list[str]) -> tuple[str, str]:
    """State and program of a process that has this file mapped.

    One that has not is another process of that id, in another pid namespace.
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            if not any(line.split()[3:5] == mapped for line in file):
                return "", ""
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            letter = file.read().rpartition(")")[2].split()[0]
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            arguments = file.read().rstrip("\0").split("\0")
    except (OSError, IndexError) as error:
        _stack.pass_on(error)
        return "", ""
    state = {"T": "stopped", "t": "traced", "Z": "zombie", "D": "waiting"}.get(letter, "running")
    return state, _program(arguments)


def _program(arguments: list[str]) -> str:
    """What a person would call a program, by its arguments: `train.py`, `-m package`, or `-c`."""
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-m":
            return f"-m {next(rest, '')}"
        if argument == "-c" or not argument.startswith("-"):
            return os.path.basename(argument)
        if argument in ("-W", "-X"):
            next(rest, None)
    return os.path.basename(arguments[0])
