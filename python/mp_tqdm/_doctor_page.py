"""Lays out what `doctor` found as a page of plain text, to be read and pasted into a report."""

from __future__ import annotations

import textwrap

from mp_tqdm import _core, _doctor_findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mp_tqdm._doctor_facts import Facts
    from mp_tqdm._doctor_jobs import JobFacts

_WIDTH = 79
_LABEL = 13  # columns of what stands to the left
_MOST_PIDS = 8
_MOST_JOBS = 10

_RULES = {
    "session": "its environment has a session that process {parent} gave (session_env())",
    "parent": "process {parent} made it, and told it so",
    "torchelastic": "torchrun started it, or something built on it",
    "pmix": "a launcher of PMIx started it: Open MPI, or srun --mpi=pmix",
    "pmi": "a launcher of PMI started it: MPICH, Intel MPI, or an older one",
    "slurm": "srun started it",
    "deepspeed": "DeepSpeed's launcher started it",
    "environment": "RANK or LOCAL_RANK, WORLD_SIZE and MASTER_PORT are set, by no known launcher",
    "family": "no launcher: a program, and what it starts by multiprocessing",
    "process": "no launcher: a program on its own",
}
_DRAWN = {
    "live": "as a live line",
    "lines": "as whole lines, now and then",
    "python": "by the loop itself, as tqdm draws",
    "off": "not at all",
    "nowhere": "nowhere",
}


def page(facts: Facts, *, has_style: bool = False) -> str:
    """The page.

    Args:
        facts: What it says.
        has_style: Whether titles are bold.
    """
    sections: list[tuple[str, Iterable[str]]] = [
        ("Versions", _versions(facts)),
        ("This process", _process(facts)),
        ("Terminal", _terminal(facts)),
        ("Environment", _environment(facts)),
        ("Running jobs", _jobs(facts)),
        (_verdict(facts), _findings(facts)),
    ]
    bold, plain = ("\x1b[1m", "\x1b[0m") if has_style else ("", "")
    blocks = ["\n".join([f"{bold}{title}{plain}", *lines]) for title, lines in sections]
    return "\n\n".join(blocks)


def _row(label: str, text: str) -> str:
    """A label and what belongs to it, its further lines below the first."""
    return textwrap.fill(
        _core.harmless(text) or "-",
        _WIDTH,
        initial_indent=f"  {_core.harmless(label):<{_LABEL - 2}}",
        subsequent_indent=" " * _LABEL,
        break_on_hyphens=False,
        break_long_words=False,  # a path can be copied whole
    )


def _versions(facts: Facts) -> Iterator[str]:
    versions = facts["versions"]
    build = "debug build" if versions["is_debug_build"] else "release build"
    yield _row(
        "mp_tqdm", f"{versions['mp_tqdm']}, {build}, {versions['module']}, layout "
        f"{versions['layout']}"
    )  # fmt: skip
    yield _row("", versions["copies"][0])
    yield _row("Python", f"{versions['python']}, GIL {'on' if versions['has_gil'] else 'off'}")
    yield _row("", versions["executable"])
    yield _row("system", f"{versions['system']}, {versions['libc']}")


def _process(facts: Facts) -> Iterator[str]:
    process, segment = facts["process"], facts["segment"]
    who = f"{process['role']}, pid {process['pid']}"
    if process["role"] == "rank":
        who = f"local rank {process['rank']} of {process['local_world']}, pid {process['pid']}"
        if process["nodes"] > 1:
            who += f"; node {process['node']} of {process['nodes']}, {process['world']} ranks"
    yield _row("who", who)
    rule = _RULES.get(process["rule"], "").format(parent=process["parent"])
    yield _row("rule", f"{process['rule']}: {rule}")
    yield _row("job", process["job"])
    yield _row("counts in", _segment(facts))
    for refusal in segment["refusals"]:
        yield _row("", f"refused: {refusal}")
    for directory in segment["directories"]:
        if directory["size"]:
            free, size = _size(directory["free"]), _size(directory["size"])
            yield _row("room", f"{directory['path']}: {free} of {size} free")
        else:
            yield _row("room", f"{directory['path']}: not there")
    for rank in facts["ranks"]:
        seen = f"pid {rank['pid']}, stderr {rank['stderr'] or '?'}"
        if rank["executable"] != facts["ranks"][0]["executable"]:
            seen += f", {rank['executable'] or '?'}"
        yield _row(f"rank {rank['rank']}", "missing" if rank["pid"] is None else seen)


def _segment(facts: Facts) -> str:
    segment = facts["segment"]
    if segment["where"] == "memfd":
        return "memory without a name (memfd), which fork children alone find"
    if segment["where"] == "private":
        return "private memory, which no other process sees"
    if not segment["where"]:
        return "nothing"
    rung = "" if not segment["refusals"] else ", not the best place"
    return f"{segment['where']} ({_size(segment['size'])}, mode {segment['mode']}{rung})"


def _size(size: int) -> str:
    return _core.format_sizeof(size, "iB", 1024)


def _terminal(facts: Facts) -> Iterator[str]:
    terminal = facts["terminal"]
    kind = "a terminal" if terminal["is_terminal"] else "no terminal"
    parts = [terminal["stderr"], kind, terminal["encoding"]]
    if terminal["is_terminal"]:
        parts += [f"{terminal['columns']} x {terminal['rows']}", f"TERM={terminal['term']}"]
    yield _row("stderr", ", ".join(filter(None, parts)))
    forced = f"MP_TQDM_MODE={terminal['forced']}" if terminal["forced"] else "MP_TQDM_MODE not set"
    yield _row("bars", f"drawn {_DRAWN[terminal['drawn']]} ({forced})")


def _environment(facts: Facts) -> Iterator[str]:
    if not facts["environment"]:
        yield "  none of ours, tqdm's or a launcher's"
    for name, value in facts["environment"].items():
        # A value holds anything; on the page it is one line of printable text.
        line = f"  {name}={value}"
        line = "".join(char if char.isprintable() else "?" for char in line)
        yield line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."


def _jobs(facts: Facts) -> Iterator[str]:
    jobs = facts["jobs"]
    if not jobs:
        yield "  none of this user on this machine"
    for number, job in enumerate(jobs[:_MOST_JOBS]):
        if number:
            yield ""
        yield from _job(job)
    if len(jobs) > _MOST_JOBS:
        yield f"\n  and {len(jobs) - _MOST_JOBS} more; all are in `doctor --json`"


def _job(job: JobFacts) -> Iterator[str]:
    program = _doctor_findings.program_of(job)
    yield _row(_cut(program, _LABEL - 3) if program else "?", job["path"])
    if job["error"]:
        yield _row("", job["error"])
        return
    if job["is_in_use"]:
        yield _row("  drawn", _drawn(job))
    yield _row("  members", _members(job))
    for bar in job["bars"] if job["is_in_use"] else ():
        name = bar["desc"].rstrip(": ") or bar["key"] or "(no desc)"
        how = {"job": "job counter"}.get(bar["reduction"], bar["reduction"])
        parts = [how, _plural(bar["counting"], "process", "es")]
        if bar["openers"]:
            parts.append(f"open in {_pids(bar['openers'])}")
        total = "?" if bar["total"] is None else _number(bar["total"])
        yield _row("  bar", f"{name}: {_number(bar['n'])}/{total} ({', '.join(parts)})")
    if job["lost_items"]:
        items = _plural(job["lost_items"], "item")
        yield _row("  dropped", f"{items} of {_plural(job['lost_processes'], 'process', 'es')}")


def _drawn(job: JobFacts) -> str:
    if job["owner"] is None or not job["frames"]:
        return "nothing yet" if not job["frames"] else "by nobody now"
    # Without an open bar nobody looks.
    ago = f", {job['owner_silent_s']:.1f} s ago" if job["bars"] else ""
    return f"by {job['owner']}{ago}; {_plural(job['frames'], 'frame')} so far"


def _members(job: JobFacts) -> str:
    if not job["is_in_use"] and job["awaited_by"] is not None:
        return f"gone; their program, process {job['awaited_by']}, may start others"
    if not job["is_in_use"]:
        return "all killed; the next job that starts removes this"
    parts, processes = [], job["processes"]
    alive = [process for process in processes if process["is_alive"]]
    for process in alive:
        if process["role"] != "worker":
            who = f"rank {process['rank']}" if process["role"] == "rank" else "root"
            state = f" ({process['state']})" if process["state"] in ("stopped", "zombie") else ""
            parts.append(f"{who} {process['pid']}{state}")
    workers = [process["pid"] for process in alive if process["role"] == "worker"]
    if workers:
        parts.append(f"{_plural(len(workers), 'worker')} {_pids(workers)}")
    if len(alive) < len(processes):
        parts.append("others ended")
    return "; ".join(parts) or "none"


def _pids(pids: list[int]) -> str:
    shown = " ".join(map(str, pids[:_MOST_PIDS]))
    return f"{shown} and {len(pids) - _MOST_PIDS} more" if len(pids) > _MOST_PIDS else shown


def _plural(count: float, noun: str, ending: str = "s") -> str:
    return f"{_number(count)} {noun}" if count == 1 else f"{_number(count)} {noun}{ending}"


def _number(count: float) -> str:
    return f"{count:,}" if isinstance(count, int) else f"{count:,g}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."


def _verdict(facts: Facts) -> str:
    problems = sum(finding["is_problem"] for finding in facts["findings"])
    notes = len(facts["findings"]) - problems
    if not problems and not notes:
        return "No problem found"
    found = _plural(problems, "problem") if problems else "No problem"
    return f"{found}, {_plural(notes, 'note')}" if notes else found


def _findings(facts: Facts) -> Iterator[str]:
    for finding in facts["findings"]:
        mark = "!" if finding["is_problem"] else "-"
        yield textwrap.fill(
            _core.harmless(finding["text"]),
            _WIDTH,
            initial_indent=f"  {mark} ",
            subsequent_indent="    ",
            break_on_hyphens=False,
            break_long_words=False,
        )
