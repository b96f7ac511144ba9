r"""Writes the measured tables and pictures of the documents from the JSON of a run.

    python -m mp_tqdm bench iterate update report postfix construct import first-frame \
        --json docs/figures.json
    python -m mp_tqdm bench memory segment terminal-bytes terminal-writes log-bytes log-writes \
        log-hour liveness unread exit pipe --json docs/display.json
    python -m mp_tqdm bench processes owner fork crew ray --json docs/processes.json
    python -m mp_tqdm bench training training-1ms dataloader tokenising halves tails \
        --json docs/loops.json
    python -m mp_tqdm bench prints print-bytes --json docs/prints.json
    python -m benches.noise --json docs/noise.json
    for each of PYTHONS: python3.X -m mp_tqdm bench update postfix construct import \
        --json docs/pythons/3.X.json
    python docs/figures.py

The first is for README.md and docs/benchmarks.md, the next three and those of the Pythons for the
latter, the others for docs/output.md. No figure in them is typed by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mp_tqdm.bench import markdown, plots

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
ROOT = HERE.parent

RUNS = ("figures", "display", "processes", "loops", "prints")
CAPTIONS = {
    "costs": "what one call costs, library by library",
    "processes": "what one report costs in so many processes",
    "output": "what an hour of a bar writes",
    "liveness": "how long after a slow-down a bar shows the true count",
}


# Measured on each of these, what its tables are called, and the rows of each.
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
ROWS = {
    "update": (
        "floor: C object.add(1)",
        "mp_tqdm bar.update(1)",
        "barflow bar.tick()",
        "barflow bar.advance(1)",
        "tqdm bar.update(1)",
    ),
    "postfix": ("floor: C object.keep(loss=x)", "mp_tqdm", "tqdm, refresh=False", "tqdm"),
    "construct": ("mp_tqdm, leave=False", "tqdm, leave=False"),
    "import": ("mp_tqdm", "barflow", "tqdm"),
}


def pythons() -> str:
    """The best of each row on each Python, a table for each suite that was measured."""
    runs = {version: load(f"pythons/{version}") for version in PYTHONS}
    tables = []
    for suite in runs[PYTHONS[0]]["suites"]:
        first, rows = runs[PYTHONS[0]]["suites"][suite], ROWS[suite]
        lines = [f"### {first['title']}, on each Python ({first['unit']}, best)", ""]
        lines += ["| | " + " | ".join(PYTHONS) + " |", "| --- |" + " --: |" * len(PYTHONS)]
        for row in rows:
            found = [run["suites"][suite]["figures"].get(row, {}) for run in runs.values()]
            cells = (markdown.text(figure.get("best")) for figure in found)
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


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


def replaced(page: str, mark: str, content: str) -> str:
    """The page with that between its markers.

    Raises:
        ValueError: It has no such markers.
    """
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    new, times = re.subn(
        pattern, lambda marks: f"{marks[1]}{content}\n{marks[2]}", page, flags=re.DOTALL
    )
    if times != 1:
        raise ValueError(f"the markers of {mark!r} are there {times} times")
    return new


def pages(drawn: Iterable[str] = CAPTIONS) -> dict[Path, str]:
    """What is to stand in each page.

    Args:
        drawn: The names of the pictures that there are.
    """
    run, display, processes, loops, prints, beside = map(load, (*RUNS, "noise"))
    shown = "\n\n".join(f"![{CAPTIONS[name]}](pictures/{name}.svg)" for name in drawn)
    benchmarks = (HERE / "benchmarks.md").read_text()
    for mark, content in (
        ("figures", markdown.tables(run)),
        ("display", markdown.tables(display)),
        ("pythons", pythons()),
        ("processes", markdown.tables(processes)),
        ("loops", markdown.tables(loops)),
        ("pictures", shown),
    ):
        benchmarks = replaced(benchmarks, mark, content)
    readme, page = ROOT / "README.md", HERE / "output.md"
    output = page.read_text()
    for mark, content in (("noise", noise(beside)), ("prints", markdown.tables(prints))):
        output = replaced(output, mark, content)
    return {
        readme: replaced(readme.read_text(), "figures", markdown.overview(run)),
        HERE / "benchmarks.md": benchmarks,
        page: output,
    }


def pictures() -> list[str]:
    """Draws what there are figures for; the names of the pictures."""
    runs = [load(name) for name in RUNS]
    together = {**runs[0], "suites": {}}
    for run in runs:
        together["suites"] |= run["suites"]
    return [path.stem for path in plots.draw(together, HERE / "pictures")]


def load(name: str) -> dict[str, Any]:
    """A run's document."""
    run: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return run


def take_samples_out(name: str) -> None:
    """What each round gave is not kept in a run's document."""
    run = load(name)
    for suite in run["suites"].values():
        for figure in suite["figures"].values():
            figure.pop("samples", None)
    (HERE / f"{name}.json").write_text(json.dumps(run, indent=1) + "\n")


if __name__ == "__main__":
    for run in (*RUNS, *(f"pythons/{version}" for version in PYTHONS)):
        take_samples_out(run)
    for page, content in pages(pictures()).items():
        page.write_text(content)
