"""Measures how many lines that others print beside a live bar stay whole, ours and the peers'.

    python -m benches.noise                       a table
    python -m benches.noise --json FILE           the figures to a file, too

One program draws a bar on an emulated terminal while it and its children print texts of one to
four lines, each line in one call of `print` or all in one. A line is whole if it stands on the
screen, or scrolled off it, as it was printed and with nothing beside it. What stands there besides
is remains.

Needs the extras `test` and `bench`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mp_tqdm.bench.report import machine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import programs
from support.terminal import Terminal

# Texts that each process prints, and the seconds between two, on average.
TEXTS, PAUSE_S = 150, 0.012

# Prints and counts; `step()` counts one item.
_NOISE = f"""
import os, random, sys, time

def noise(name, step):
    chance = random.Random(name)
    for number in range({TEXTS}):
        lines = [f"{{name}}-{{number}}-{{part}} is whole" for part in range(chance.randint(1, 4))]
        if how == "C":
            os.write(1, ("\\n".join(lines) + "\\n").encode())
        elif number % 2:
            print("\\n".join(lines))
        else:
            for line in lines:
                print(*line.split())
        step()
        time.sleep(chance.uniform(0, {2 * PAUSE_S}))

how, processes = sys.argv[1], int(sys.argv[2])

def run(step):
    children = []
    for child in range(1, processes):
        pid = os.fork()
        if not pid:
            noise(f"p{{child}}", lambda: None)
            sys.stdout.flush()
            os._exit(0)
        children.append(pid)
    noise("p0", step)
    for pid in children:
        os.waitpid(pid, 0)
"""

SUBJECTS = {
    "no bar": "run(lambda: None)",
    "mp_tqdm": f"""
from mp_tqdm import mp_tqdm
with mp_tqdm(total={TEXTS}, desc="work") as bar:
    run(bar.update)
""",
    "tqdm": f"""
from tqdm import tqdm
with tqdm(total={TEXTS}, desc="work") as bar:
    run(bar.update)
""",
    "rich": f"""
from rich.progress import Progress
with Progress() as progress:
    task = progress.add_task("work", total={TEXTS})
    run(lambda: progress.advance(task))
""",
}


def printed(processes: int) -> set[str]:
    """The lines that a run prints."""
    import random

    lines = set()
    for name in (f"p{number}" for number in range(processes)):
        chance = random.Random(name)  # noqa: S311 - as the program draws them
        for number in range(TEXTS):
            parts = chance.randint(1, 4)
            chance.uniform(0, 1)
            lines |= {f"{name}-{number}-{part} is whole" for part in range(parts)}
    return lines


def measure(source: str, how: str, processes: int) -> dict[str, float]:
    """Runs one subject and judges its screen."""
    with tempfile.TemporaryDirectory() as directory, Terminal(rows=24, columns=80) as terminal:
        program = programs.python(_NOISE + source, how, str(processes), directory=Path(directory))
        terminal.start(program)
        assert terminal.wait(120) == 0, terminal.text()
        shown = terminal.lines()
        frames = terminal.frames(pause=0.005)
    expected = printed(processes)
    whole = expected & set(shown)
    remains = [line for line in shown if line and line not in expected]
    has_bar = ["work" in "\n".join(frame.lines[-3:]) for frame in frames]
    since = has_bar[has_bar.index(True) :] if any(has_bar) else [False]
    return {
        "lines": len(expected),
        "whole_percent": 100 * len(whole) / len(expected),
        # The bar's own last line is none.
        "remains": max(0, len(remains) - 1),
        "bar_seen_percent": 100 * sum(since) / len(since),
    }


def main() -> None:
    """Measure all subjects, print the table, and write the figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benches.noise")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    cases = [("print", 1), ("print", 3), ("C", 1), ("C", 3)]
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for how, processes in cases:
        of = "1 process" if processes == 1 else f"{processes} processes"
        case = f"`print` in {of}" if how == "print" else f"C code in {of}"
        figures[case] = {}
        print(f"{case}: whole lines in %, lines of remains, bar seen in %")
        for name, source in SUBJECTS.items():
            found = figures[case][name] = measure(source, how, processes)
            print(
                f"  {name:8} {found['whole_percent']:6.1f} {found['remains']:6.0f} "
                f"{found['bar_seen_percent']:6.1f}"
            )
    if options.json:
        document = {"machine": machine(), "noise": figures}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
