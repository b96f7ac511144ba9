"""`python -m mp_tqdm doctor`: one page about this process, its job, and the jobs that run here."""

from __future__ import annotations

import os
import sys
import time

from mp_tqdm import _core, _doctor_facts, _doctor_findings, _doctor_jobs, _doctor_page, _job
from mp_tqdm._identity import Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mp_tqdm._doctor_facts import Facts, RankFacts

_POLL_S = 0.01


def main(*, as_json: bool, patience_s: float) -> int:
    """Looks around and prints the page; of the ranks that see each other the first one, for all.

    Looks first and attaches then, because the first process of a job sweeps what killed ones left.

    Args:
        as_json: Print everything that the page is made from, as JSON.
        patience_s: Seconds for which the ranks of this node wait for each other; who has not come
            by then is named as missing.

    Returns:
        1 if the page names a problem, else 0. Always 0 in a rank: a launcher takes any other code
        for a crash, and would bury the page under a report of its own.
    """
    environ = dict(os.environ)
    jobs = _doctor_jobs.running(environ)
    identity, problem = _attach()
    ranks = _wait_for_ranks(identity, patience_s)
    if any(rank["pid"] is not None and rank["rank"] < identity.rank for rank in ranks):
        return 0
    facts: Facts = {
        "versions": _doctor_facts.versions(),
        "process": _doctor_facts.process(identity, problem),
        "segment": _doctor_facts.segment(),
        "ranks": ranks,
        "terminal": _doctor_facts.terminal(),
        "environment": _doctor_facts.variables(environ),
        "patch": _doctor_facts.patch(environ),
        "jobs": _with_own(jobs, identity),
        "findings": [],
    }
    facts["findings"] = _doctor_findings.of(facts, environ)
    if as_json:
        import json

        text = json.dumps(facts, indent=2)
    else:
        text = _doctor_page.page(facts, has_style=_has_style())
    _print(text)
    is_ill = any(finding["is_problem"] for finding in facts["findings"])
    return 1 if is_ill and identity.role != "rank" else 0


def _attach() -> tuple[Identity, str]:
    """Who this process is, and what went wrong on the way; the page says what a warning would."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _core.join()
    except RuntimeError as error:
        return _job.who(), str(error)
    known = _job._identity  # noqa: SLF001 - our own
    return (known if isinstance(known, Identity) else _job.who()), ""


def _wait_for_ranks(identity: Identity, patience_s: float) -> list[RankFacts]:
    """The ranks of this node, each of which runs this command and attaches; missing ones, too.

    All of them wait for all: who left earlier would leave its slot to the next one, unseen.
    """
    place = _job._place  # noqa: SLF001 - our own
    if identity.role != "rank" or identity.local_world == 1 or place is None:
        return []
    deadline = time.monotonic() + patience_s
    while True:
        seen = _core.observe(place[2])
        processes = seen["processes"] if isinstance(seen, dict) else []
        pids = {process[3]: process[1] for process in processes if process[2] == "rank"}
        pids.setdefault(identity.rank, os.getpid())  # where there is no file to find others in
        if len(pids) >= identity.local_world or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    ranks = range(max(identity.local_world, max(pids) + 1))
    return [_doctor_facts.rank(number, pids.get(number)) for number in ranks]


def _with_own(jobs: list[_doctor_jobs.JobFacts], identity: Identity) -> list[_doctor_jobs.JobFacts]:
    """The jobs without this command's own, unless it was let into another program's job."""
    place = _job._place  # noqa: SLF001 - our own
    own = place[2] if place is not None else ""
    others = [job for job in jobs if job["path"] != own]
    if identity.role == "worker" and os.path.isabs(own):
        others.insert(0, _doctor_jobs.job_at(own))
    return others


def _print(text: str) -> None:
    """Writes to stdout; who reads may have had enough, as `head` has."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would say at exit that it could not write what is still in the buffer.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _has_style() -> bool:
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and not os.environ.get("NO_COLOR")
    )
