r"""Writes the measured tables and pictures of the documents from the JSON of a run.

    python -m mp_tqdm bench --json docs/figures.json
    python -m mp_tqdm bench processes owner fork crew ray --json docs/processes.json
    python -m mp_tqdm bench training training-1ms dataloader tokenising halves tails \
        --json docs/loops.json
    python -m benches.noise --json docs/noise.json
    python docs/figures.py

The first is for README.md and docs/benchmarks.md, the next two for the latter, the last for
docs/output.md. No figure in them is typed by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mp_tqdm.bench import markdown, plots

HERE = Path(__file__).parent
ROOT = HERE.parent

CAPTIONS = {
    "costs": "what one call costs, library by library",
    "processes": "what one report costs in so many processes",
    "output": "what an hour of a bar writes",
    "liveness": "how long after a slow-down a bar shows the true count",
}


def noise(run: dict[str, Any]) -> str:
    """What became of the lines that others printed, a row for each library."""
    lines = ["| | | whole lines | remains of bars | bar seen |", "| --- | --- | --: | --: | --: |"]
    for case, subjects in run["noise"].items():
        title = case
        for subject, found in subjects.items():
            seen = "" if subject == "no bar" else f"{found['bar_seen_percent']:.0f} %"
            lines.append(
                f"| {title} | {subject} | {found['whole_percent']:.1f} % "
                f"| {found['remains']:.0f} | {seen} |"
            )
            title = ""
    return "\n".join(lines)


def replace(path: Path, content: str, mark: str = "figures") -> None:
    """Puts `content` between the markers of a page."""
    page = path.read_text()
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    path.write_text(
        re.sub(pattern, lambda marks: f"{marks[1]}{content}\n{marks[2]}", page, flags=re.DOTALL)
    )


def pictures(runs: list[dict[str, Any]]) -> str:
    """Draws what there are figures for; the lines that show it."""
    together = {**runs[0], "suites": {}}
    for run in runs:
        together["suites"] |= run["suites"]
    drawn = plots.draw(together, HERE / "pictures")
    return "\n\n".join(f"![{CAPTIONS[path.stem]}](pictures/{path.name})" for path in drawn)


def without_samples(path: Path) -> dict[str, Any]:
    """A run's document; what each round gave is taken out of the file."""
    run: dict[str, Any] = json.loads(path.read_text())
    for suite in run["suites"].values():
        for figure in suite["figures"].values():
            figure.pop("samples", None)
    path.write_text(json.dumps(run, indent=1) + "\n")
    return run


if __name__ == "__main__":
    run = without_samples(HERE / "figures.json")
    processes = without_samples(HERE / "processes.json")
    replace(ROOT / "README.md", markdown.overview(run))
    replace(HERE / "benchmarks.md", markdown.tables(run))
    replace(HERE / "benchmarks.md", markdown.tables(processes), "processes")
    loops = without_samples(HERE / "loops.json")
    replace(HERE / "benchmarks.md", markdown.tables(loops), "loops")
    replace(HERE / "benchmarks.md", pictures([run, processes]), "pictures")
    replace(HERE / "output.md", noise(json.loads((HERE / "noise.json").read_text())), "noise")
