"""Programs whose processes count, wait for each other, and tell what they found."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from support.terminal import Terminal

# `meet(name, count)` returns once so many processes called it by that name. `tell(label, bar)` adds
# a line to what the test reads by `told`: who the process is to its job, and what its bar reads.
MEETING = """
    import json, os, sys, time
    from mp_tqdm import mp_tqdm, report_progress, _job

    PLACE = os.environ["MEETING_PLACE"]

    def meet(name, count):
        place = os.path.join(PLACE, "meeting." + name)
        os.makedirs(place, exist_ok=True)
        open(os.path.join(place, str(os.getpid())), "x").close()
        while len(os.listdir(place)) < count:
            time.sleep(0.005)

    def tell(label, bar=None, **more):
        found = _job._identity
        fields = ("job", "rule", "role", "rank", "local_world", "world", "node", "nodes", "pid")
        line = {"label": label} | {field: getattr(found, field) for field in fields} | more
        line["segment"] = _job._place[2]
        if bar is not None:
            line |= {"n": bar.n, "own": bar.n_own, "total": bar.total}
        with open(os.path.join(PLACE, "told.jsonl"), "a") as file:
            file.write(json.dumps(line) + "\\n")

"""

# A rank: counts, has workers that count, starts a program of its own, and waits for the others.
RANK = (
    MEETING
    + """
    import multiprocessing, subprocess
    from mp_tqdm.torch import get_local_rank, get_rank, get_world_size, is_main_process

    METHODS = ("fork", "spawn", "forkserver")

    def work():
        report_progress(100)
        tell("worker")

    if __name__ == "__main__":
        bar = mp_tqdm(total=1000, desc="job", reduce="sum")
        if sys.argv[1] == "program":
            report_progress(3)
            tell("program", bar)
        else:
            ranks = int(sys.argv[1])
            report_progress(10)
            for method in METHODS[:1 if ranks > 2 else 3]:
                worker = multiprocessing.get_context(method).Process(target=work)
                worker.start()
                worker.join()
            subprocess.run(
                [sys.executable, __file__, "program"], stderr=subprocess.DEVNULL, check=True
            )
            meet("counted", ranks)
            stands = [get_rank(), get_local_rank(), get_world_size(), is_main_process()]
            tell("rank", bar, stands=stands)
            meet("told", ranks)
        bar.close()
"""
)


class Told(NamedTuple):
    """What the processes told, by label, ordered by rank."""

    ranks: list[dict[str, Any]]
    workers: list[dict[str, Any]]
    programs: list[dict[str, Any]]


def told(place: Path) -> list[dict[str, Any]]:
    """The lines that the processes told, in that order."""
    return [json.loads(line) for line in (place / "told.jsonl").read_text().splitlines()]


def check_ranks(place: Path, rule: str, ranks: int) -> Told:
    """Assert that the ranks of one launch, running `RANK`, and what they started are in order.

    Args:
        place: Where they met.
        rule: By which rule they should have found each other.
        ranks: How many there should have been.
    """
    lines = sorted(told(place), key=lambda line: line["rank"])
    found = Told(*([line for line in lines if line["label"] == label] for label in _LABELS))
    methods = 1 if ranks > 2 else 3
    n = ranks * (10 + methods * 100)
    assert [line["rank"] for line in found.ranks] == list(range(ranks))
    assert {line["role"] for line in found.ranks} == {"rank"}
    stands = [[rank, rank, ranks, rank == 0] for rank in range(ranks)]
    assert [line["stands"] for line in found.ranks] == stands
    assert {line["rule"] for line in found.ranks} == {rule}
    assert {(line["local_world"], line["world"]) for line in found.ranks} == {(ranks, ranks)}
    assert {line["job"] for line in found.ranks + found.workers} == {found.ranks[0]["job"]}
    assert {(line["n"], line["own"]) for line in found.ranks} == {(n, 10)}
    # The workers are those of their rank.
    assert [line["rank"] for line in found.workers] == sorted(methods * list(range(ranks)))
    assert {line["role"] for line in found.workers} == {"worker"}
    # Each program counts for itself, in a job that no other process of all these is in.
    assert [(line["role"], line["n"]) for line in found.programs] == ranks * [("root", 3)]
    assert {line["rank"] for line in found.programs} == {0}
    jobs = {line["job"] for line in found.programs} | {found.ranks[0]["job"]}
    assert len(jobs) == ranks + 1
    return found


def left_lines(terminal: Terminal) -> list[int]:
    """The count of each line that a job running `RANK` left on its terminal."""
    left = re.findall(r"job: +\d+%\|.*?\| *(\d+)/1000 \[", terminal.text())
    return [int(n) for n in left]


_LABELS = ("rank", "worker", "program")
