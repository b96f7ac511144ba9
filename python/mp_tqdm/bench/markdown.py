"""Tables in Markdown from the JSON document of a run, for `--markdown` and the project's pages."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

# What `report.document` makes, as JSON gives it back.
Document = Mapping[str, Any]

# From here on, the load before a run is said with its figures.
LOAD_OF_OTHERS = 0.3

# Suite, column title, and the subject of each library there.
COLUMNS = (
    (
        "iterate",
        "one item of a loop",
        {
            "floor, in C": "floor: C iterator",
            "mp_tqdm": "mp_tqdm",
            "barflow": "barflow track",
            "progressbar2[fast]": "progressbar2[fast]",
            "progressbar2": "progressbar2",  # in the other columns it is as with `fast`
            "rich": "rich track",
            "tqdm": "tqdm",
            "enlighten": "enlighten",
            "alive-progress": "alive-progress",
        },
    ),
    (
        "update",
        "`bar.update(1)`",
        {
            "floor, in C": "floor: C object.add(1)",
            "mp_tqdm": "mp_tqdm bar.update(1)",
            "barflow": "barflow bar.advance(1)",
            "progressbar2[fast]": "progressbar2 increment(1)",
            "rich": "rich advance(task)",
            "tqdm": "tqdm bar.update(1)",
            "enlighten": "enlighten update(1)",
            "alive-progress": "alive-progress bar(1)",
        },
    ),
    (
        "postfix",
        "`bar.set_postfix(loss=x)`",
        {
            "floor, in C": "floor: C object.keep(loss=x)",
            "mp_tqdm": "mp_tqdm",
            "rich": "rich update(task, loss=x)",
            "tqdm": "tqdm",
            "enlighten": "enlighten update(0, loss=x)",
            "alive-progress": "alive-progress bar.text = x",
        },
    ),
    (
        "import",
        "`import`",
        {
            "mp_tqdm": "mp_tqdm",
            "barflow": "barflow",
            "progressbar2[fast]": "progressbar2",
            "rich": "rich",
            "tqdm": "tqdm",
            "enlighten": "enlighten",
            "alive-progress": "alive-progress",
        },
    ),
)


def page(run: Document) -> str:
    """The whole of a run."""
    quick = "A quick run: a first impression, few rounds and short ones." if run["quick"] else ""
    parts = ["# What counting costs", quick, *_busy(run), overview(run), "## All suites"]
    return "\n\n".join(filter(None, [*parts, tables(run)])) + "\n"


def overview(run: Document) -> str:
    """Medians of the suites about one call, a row for each library; empty if none was run."""
    columns = [column for column in COLUMNS if run["suites"].get(column[0], {}).get("figures")]
    if not columns:
        return ""
    titles = [f"{title}, {run['suites'][suite]['unit']}" for suite, title, _ in columns]
    lines = ["| | " + " | ".join(titles) + " |", "| --- |" + " --: |" * len(titles)]
    for library in COLUMNS[0][2]:
        found = [
            run["suites"][suite]["figures"].get(subjects.get(library, ""))
            for suite, _, subjects in columns
        ]
        if any(found):
            name = f"**{library}**" if library == "mp_tqdm" else library
            cells = [text(figure["median"]) if figure else "" for figure in found]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(
        "Medians above the bare loop, each column in one run with the peers, drawn on a terminal "
        f"({_machine(run)})."
    )
    return "\n".join(lines)


def tables(run: Document) -> str:
    """All suites in full."""
    return "\n\n".join(_tables(run))


def _tables(run: Document) -> Iterator[str]:
    packages = run["machine"]["packages"].items()
    versions = ", ".join(f"{name} {version}" for name, version in packages if version)
    load = run["machine"]["load"]
    yield f"Measured on {_machine(run)} (load before: {load:.1f}), with {versions}."
    for suite in run["suites"].values():
        lines = [f"### {suite['title']} ({suite['unit']})", ""]
        titles = dict.fromkeys(chain.from_iterable(suite["figures"].values()))
        titles.pop("samples", None)
        if titles:
            lines += ["| | " + " | ".join(titles) + " |", "| --- |" + " --: |" * len(titles)]
        for subject, figure in suite["figures"].items():
            cells = (text(figure.get(title)) for title in titles)
            lines.append(f"| {subject} | " + " | ".join(cells) + " |")
        left_out = by_reason(suite.get("left_out", {}))
        lines += [""] if left_out and suite["figures"] else []
        lines += [f"* {subjects}: {reason}" for reason, subjects in left_out.items()]
        yield "\n".join(lines)


def by_reason(left_out: Mapping[str, str]) -> dict[str, str]:
    """What was left out for each reason."""
    subjects: dict[str, list[str]] = {}
    for subject, reason in left_out.items():
        subjects.setdefault(reason, []).append(subject)
    return {reason: "; ".join(names) for reason, names in subjects.items()}


def _busy(run: Document) -> Iterator[str]:
    if run["machine"]["load"] > LOAD_OF_OTHERS:
        yield (
            f"Other programs were running there (load {run['machine']['load']}): see the spread."
        )


def _machine(run: Document) -> str:
    """Where the run was made, in one sentence."""
    where = run["machine"]
    return f"{where['python']}, {where['system']}, {where['processor']}, {where['cores']} cores"


def text(value: float | Sequence[float] | None) -> str:
    """Three digits at most, and thousands apart; of an estimate its interval, too."""
    if value is None:
        return ""
    if isinstance(value, Sequence):
        estimate, low, high = value
        return f"{estimate:.2f} ({low:.2f} to {high:.2f})"
    digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}"
