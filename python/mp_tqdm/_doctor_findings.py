"""What `doctor` finds wrong or worth knowing, each with what to do about it."""

from __future__ import annotations

import os
import signal
import sys

from mp_tqdm import _lost, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypedDict

    from mp_tqdm._doctor_facts import Facts
    from mp_tqdm._doctor_jobs import JobFacts

    class Finding(TypedDict):
        """One sentence or two; a problem changes the exit code, a note does not."""

        is_problem: bool
        text: str


_SILENT_S = 5.0  # by then the renderer has replaced an owner that was stopped
_SEGMENT_BYTES = 1 << 20
_OTHER_LAYOUT = "layout version"  # in what the native module says of such a segment


def of(facts: Facts, environ: Mapping[str, str]) -> list[Finding]:
    """Everything that is found, problems first."""
    problems = [*_installation(facts), *_memory(facts), *_ranks(facts, environ)]
    problems += [*_mode_problems(facts), *_patch_problems(facts)]
    for job in facts["jobs"]:
        problems += _job_problems(job)
    notes = [*_drawing(facts)]
    if facts["patch"] == "none":
        notes.append("MP_TQDM_PATCH is set, and tqdm is not installed for this Python.")
    notes += _leftovers(facts["jobs"])
    found: list[Finding] = [{"is_problem": True, "text": text} for text in problems]
    found += [{"is_problem": False, "text": text} for text in notes]
    return found


def _installation(facts: Facts) -> Iterator[str]:
    versions = facts["versions"]
    if versions["is_debug_build"]:
        yield (
            "This is a debug build: a count costs ten times what it should. Install a wheel, or "
            "build with --release."
        )
    if len(versions["copies"]) > 1:
        first, *others = versions["copies"]
        yield (
            f"sys.path leads to more than one copy of mp_tqdm: {first} is used, not "
            f"{', '.join(others)}. Processes that use different ones do not count together."
        )


def _memory(facts: Facts) -> Iterator[str]:
    segment, process = facts["segment"], facts["process"]
    if process["problem"]:
        yield f"This process could not attach to its job: {process['problem']}."
    if segment["where"] in ("memfd", "private"):
        reach = "its fork children" if segment["where"] == "memfd" else "nobody else"
        yield (
            f"No place for shared memory: a process counts with {reach} alone. Make /dev/shm "
            "writable, or set TMPDIR to a directory on this machine."
        )
    elif segment["refusals"]:
        yield f"A better place was refused; {segment['where']} is used."
    for directory in segment["directories"][:1]:
        if directory["size"] and directory["free"] < _SEGMENT_BYTES:
            yield (
                f"{directory['path']} is full: a job takes 1 MiB of it. Remove what is not needed, "
                "or give the container more (--shm-size)."
            )


def _ranks(facts: Facts, environ: Mapping[str, str]) -> Iterator[str]:
    process = facts["process"]
    missing = [str(rank["rank"]) for rank in facts["ranks"] if rank["pid"] is None]
    if missing:
        which = "rank" if len(missing) == 1 else "ranks"
        yield (
            f"{which.capitalize()} {', '.join(missing)} of this node did not show up in time: not "
            "started, slow to start (--wait), or without the /dev/shm that the others share "
            "(a container each: start them with --ipc=host, or in one)."
        )
    named = [name for name in ("RANK", "LOCAL_RANK") if name in environ]
    is_alone = environ.get("WORLD_SIZE") == "1"
    if named and not is_alone and process["rule"] in ("family", "process"):
        yield (
            f"{' and '.join(named)} in the environment, but this process is no rank: either it "
            "was started inside one, or the rest is missing that makes a launch (WORLD_SIZE, "
            "MASTER_PORT, a launcher's own). Then each rank is a job of its own, with a line of "
            "its own."
        )


def _mode_problems(facts: Facts) -> Iterator[str]:
    forced = facts["terminal"]["forced"].strip().lower()
    if forced and forced not in _streams.MODES:
        yield f"MP_TQDM_MODE={forced} means nothing; it can be {', '.join(_streams.MODES)}."


def _patch_problems(facts: Facts) -> Iterator[str]:
    if facts["patch"] != "tqdm":
        return
    text = "MP_TQDM_PATCH is set, but a program that does not import mp_tqdm keeps tqdm's bars: "
    options = {"isolated": "I", "ignore_environment": "E", "no_site": "S"}
    given = [letter for name, letter in options.items() if getattr(sys.flags, name)]
    if given:
        yield f"{text}with -{given[0]} Python does not read it at its start. Leave that out."
    elif "mp_tqdm_at_import" in sys.modules:
        yield f"{text}this version of tqdm is too old."
    else:
        yield (
            f"{text}nothing reads it where this Python starts. Start the program by `python -m "
            "mp_tqdm run COMMAND`."
        )


def _job_problems(job: JobFacts) -> Iterator[str]:
    name = name_of(job)
    if job["error"] and _OTHER_LAYOUT not in job["error"]:
        yield (
            f"{job['path']} is no segment: {job['error']}. Jobs of that name go to another place; "
            "remove it, if nobody needs it."
        )
    if job["lost_items"]:
        lost = _lost.in_words(job["lost_items"], job["lost_processes"])
        yield f"{name}: {lost} A bar that is off (disable=True) is not open."
    silent_s = job["owner_silent_s"]
    if job["bars"] and job["frames"] and job["owner"] is not None and silent_s >= _SILENT_S:
        owner = next((p for p in job["processes"] if p["pid"] == job["owner"]), None)
        is_stopped = owner is not None and owner["state"] == "stopped"
        why = (
            f"it was stopped ({signal.SIGSTOP.name} or ^Z): continue it by `kill -CONT "
            f"{job['owner']}`, or `fg`"
            if is_stopped
            else "it is held up, or its bar has a long mininterval"
        )
        yield (
            f"{name}: process {job['owner']}, which draws, has not looked for {silent_s:.0f} s; "
            f"{why}. Counting goes on everywhere else."
        )


def _drawing(facts: Facts) -> Iterator[str]:
    terminal = facts["terminal"]
    if terminal["drawn"] == "off":
        yield "MP_TQDM_MODE=off: nothing is drawn; everything is counted."
    elif terminal["drawn"] == "nowhere":
        yield "stderr is closed: a bar without file= is drawn nowhere; everything is counted."
    elif terminal["drawn"] == "lines" and not terminal["is_terminal"]:
        yield (
            "stderr is no terminal: a bar writes a whole line after 10, 20, 40, 60, 120, 180 ... "
            "seconds, and its last one. mininterval= sets another pace."
        )
    elif terminal["drawn"] == "python":
        yield (
            "stderr is no plain file of Python's own in UTF-8, ASCII or Latin-1: the loop itself "
            "draws on it, as tqdm does, and a line stands still while the loop does (PYTHONUTF8=1 "
            "may help)."
        )
    if terminal["forced"] and terminal["drawn"] in ("live", "lines"):
        yield f"MP_TQDM_MODE={terminal['forced']} decides how bars are drawn, not the file."


def _leftovers(jobs: list[JobFacts]) -> Iterator[str]:
    if any(_OTHER_LAYOUT in job["error"] for job in jobs):
        yield (
            "Another version of mp_tqdm runs here, too: its processes and those of this version do "
            "not count together."
        )
    left = sum(
        not (job["error"] or job["is_in_use"] or job["awaited_by"] is not None) for job in jobs
    )
    if left == 1:
        yield (
            "A segment was left by processes that were killed. It does no harm: the next job that "
            "starts removes it."
        )
    elif left:
        yield (
            f"{left} segments were left by processes that were killed. They do no harm: the next "
            "job that starts removes them."
        )


def name_of(job: JobFacts) -> str:
    """What to call a job: its program, or else its file."""
    return program_of(job) or os.path.basename(job["path"])


def program_of(job: JobFacts) -> str:
    """The program of a job's first process that shows it, empty if none does."""
    heads = [process for process in job["processes"] if process["role"] != "worker"]
    programs = (process["program"] for process in (*heads, *job["processes"]))
    return next(filter(None, programs), "")
