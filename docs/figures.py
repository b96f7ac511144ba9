"""Writes the measured tables of the documents from the JSON of a run.

    python -m mp_tqdm bench --json docs/figures.json
    python -m mp_tqdm bench processes owner fork crew --json docs/processes.json
    python -m benches.noise --json docs/noise.json
    python docs/figures.py

The first is for README.md and docs/benchmarks.md, the second for the latter, the third for
docs/output.md. No figure in them is typed by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent

# Suite, column title, and the subject of each library there.
COLUMNS = (
    (
        "iterate",
        "one item of a loop",
        {
            "floor, in C": "floor: C iterator",
            "mp_tqdm": "mp_tqdm",
            "progressbar2[fast]": "progressbar2[fast]",
            "rich": "rich track",
            "tqdm": "tqdm",
            "alive-progress": "alive-progress",
        },
    ),
    (
        "update",
        "`update(1)`",
        {
            "floor, in C": "floor: C add(1)",
            "mp_tqdm": "mp_tqdm update(1)",
            "progressbar2[fast]": "progressbar2 increment(1)",
            "rich": "rich advance(task)",
            "tqdm": "tqdm update(1)",
            "alive-progress": "alive-progress bar(1)",
        },
    ),
    (
        "postfix",
        "`set_postfix(loss=x)`",
        {
            "mp_tqdm": "mp_tqdm",
            "rich": "rich update(task, loss=x)",
            "tqdm": "tqdm",
            "alive-progress": "alive-progress bar.text = x",
        },
    ),
    (
        "import",
        "`import`",
        {
            "mp_tqdm": "mp_tqdm",
            "progressbar2[fast]": "progressbar2",
            "rich": "rich",
            "tqdm": "tqdm",
            "alive-progress": "alive-progress",
        },
    ),
)


def text(value: float) -> str:
    """Three digits at most, and thousands apart."""
    digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}"


def machine(run: dict[str, Any]) -> str:
    """Where the run was made, in one sentence."""
    where = run["machine"]
    return f"{where['python']}, {where['system']}, {where['processor']}, {where['cores']} cores"


def overview(run: dict[str, Any]) -> str:
    """The README's table: medians of all suites, a row for each library."""
    units = [run["suites"][suite]["unit"] for suite, _, _ in COLUMNS]
    titles = [f"{title}, {unit}" for (_, title, _), unit in zip(COLUMNS, units, strict=True)]
    lines = ["| | " + " | ".join(titles) + " |", "| --- |" + " --: |" * len(titles)]
    for library in COLUMNS[0][2]:
        cells = []
        for suite, _, subjects in COLUMNS:
            figures = run["suites"][suite]["figures"]
            found = figures.get(subjects.get(library, ""))
            cells.append(text(found["median"]) if found else "")
        name = f"**{library}**" if library == "mp_tqdm" else library
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(
        "Medians above the bare loop, in one run with the peers, drawn on a terminal "
        f"({machine(run)})."
    )
    return "\n".join(lines)


def tables(run: dict[str, Any]) -> str:
    """All suites in full."""
    parts = [
        f"Measured on {machine(run)}, with "
        + ", ".join(f"{name} {version}" for name, version in run["machine"]["packages"].items())
        + "."
    ]
    for suite in run["suites"].values():
        lines = [f"### {suite['title']} ({suite['unit']})", ""]
        lines += ["| | best | median | spread |", "| --- | --: | --: | --: |"]
        for subject, figure in suite["figures"].items():
            cells = (figure[name] for name in ("best", "median", "spread"))
            lines.append(f"| {subject} | " + " | ".join(map(text, cells)) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


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


if __name__ == "__main__":
    run = json.loads((HERE / "figures.json").read_text())
    replace(ROOT / "README.md", overview(run))
    replace(HERE / "benchmarks.md", tables(run))
    processes = json.loads((HERE / "processes.json").read_text())
    replace(HERE / "benchmarks.md", tables(processes), "processes")
    replace(HERE / "output.md", noise(json.loads((HERE / "noise.json").read_text())), "noise")
