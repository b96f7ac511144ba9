"""Tables for the terminal and a document for programs, from the figures of one run."""

import os
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mp_tqdm
from mp_tqdm.bench import markdown
from mp_tqdm.bench.estimate import Column, Interval
from mp_tqdm.bench.measure import Measured
from mp_tqdm.bench.targets import Verdict

PACKAGES = (
    "mp-tqdm",
    "alive-progress",
    "barflow",
    "enlighten",
    "mqdm",
    "progressbar2",
    "progressbardistributed",
    "ray",
    "rich",
    "speedups",
    "torch",
    "tqdm",
)


def header(machine: dict[str, object]) -> Iterator[str]:
    """Where the run is made and with what, in two lines, and whether something else runs there."""
    packages = machine["packages"]
    assert isinstance(packages, dict), "as `machine` makes it"
    yield ", ".join(f"{name} {found}" for name, found in packages.items() if found)
    yield (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"{machine['python']}, {machine['compiler']}"
    )
    load = machine["load"]
    assert isinstance(load, float), "as `machine` makes it"
    if load > markdown.LOAD_OF_OTHERS:
        yield f"Other programs are running here (load {load:.1f}): see the spread."


def table(measured: Measured) -> Iterator[str]:
    """The lines of a suite's table: the columns that its summary makes, and ratios of the best."""
    suite, figures = measured.suite, measured.figures
    yield f"{suite.title} ({suite.unit})"
    rows = {
        name: {title: _cell(column) for title, column in figure.columns.items()}
        for name, figure in figures.items()
    }
    for title, other in (("x floor", suite.floor), ("x ours", suite.ours)):
        if other is not None and other in figures and "best" in figures[other].columns:
            for name in figures.keys() - {suite.baseline}:
                rows[name][title] = _ratio(
                    figures[name].value("best"), figures[other].value("best")
                )
    first = max(map(len, figures), default=0)
    titles = list(dict.fromkeys(title for row in rows.values() for title in row))
    widths = [max(9, *(len(row.get(title, title)) for row in rows.values())) for title in titles]
    if figures:
        header = (f"{title:>{width}}" for title, width in zip(titles, widths, strict=True))
        yield " ".join([" " * first, *header])
    for name, row in rows.items():
        cells = (
            f"{row.get(title, ''):>{width}}" for title, width in zip(titles, widths, strict=True)
        )
        yield f"{name:{first}} {' '.join(cells)}".rstrip()
    for reason, names in markdown.by_reason(measured.left_out).items():
        yield f"{names} - {reason}"


def _cell(column: Column) -> str:
    if isinstance(column, Interval):
        return f"{column.value:.2f} [{column.low:.2f}, {column.high:.2f}]"
    return f"{column:.2f}"


def _ratio(figure: float, other: float) -> str:
    """Noise can take a figure near the baseline to zero and below: no ratio means anything then."""
    return f"{figure / other:.2f}" if other > 0 and figure > 0 else "-"


def verdict_lines(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """One line for each target."""
    for verdict in verdicts:
        target = verdict.target
        word = "kept  " if verdict.holds else "BROKEN"
        yield (
            f"{word} {target.suite}: {target.subject} at most {target.promise}:"
            f" {verdict.measured:.2f}, limit {verdict.limit:.2f}"
        )


def document(
    machine: dict[str, object],
    suites: Iterable[Measured],
    verdicts: Iterable[Verdict],
    *,
    is_quick: bool,
) -> dict[str, object]:
    """Everything that was measured, and where, for JSON."""
    return {
        "machine": machine,
        "quick": is_quick,
        "suites": {
            measured.suite.name: {
                "title": measured.suite.title,
                "unit": measured.suite.unit,
                "baseline": measured.suite.baseline,
                "figures": {
                    subject: {**figure.columns, "samples": list(figure.samples)}
                    for subject, figure in measured.figures.items()
                },
                "left_out": dict(measured.left_out),
            }
            for measured in suites
        },
        "targets": [
            {
                "suite": verdict.target.suite,
                "subject": verdict.target.subject,
                "promise": verdict.target.promise,
                "measured": verdict.measured,
                "limit": verdict.limit,
                "holds": verdict.holds,
            }
            for verdict in verdicts
        ],
    }


def machine() -> dict[str, object]:
    """What figures depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    if package == "mp-tqdm":
        return mp_tqdm.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None
