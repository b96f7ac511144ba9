"""Tables for people and a document for programs, from the figures of one run."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mp_tqdm
from mp_tqdm.bench.measure import Figure
from mp_tqdm.bench.subject import Suite
from mp_tqdm.bench.targets import Verdict

PACKAGES = ("mp-tqdm", "alive-progress", "progressbar2", "rich", "speedups", "tqdm")


def table(suite: Suite, figures: Mapping[str, Figure]) -> Iterator[str]:
    """The lines of a suite's table: best, median and spread above the baseline, and ratios."""
    width = max(map(len, figures))
    yield f"{suite.title} ({suite.unit})"
    columns = ["best", "median", "spread"]
    columns += ["x floor"] if suite.floor in figures else []
    columns += ["x ours"] if suite.ours in figures else []
    yield " ".join([" " * width, *(f"{column:>9}" for column in columns)])
    for name, figure in figures.items():
        cells = [f"{figure.best:9.2f}", f"{figure.median:9.2f}", f"{figure.spread:9.2f}"]
        if name != suite.baseline:
            cells += [
                f"{figure.best / figures[other].best:9.2f}"
                for other in (suite.floor, suite.ours)
                if other is not None and other in figures
            ]
        yield f"{name:{width}} {' '.join(cells)}".rstrip()


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
    suites: Iterable[tuple[Suite, Mapping[str, Figure]]], verdicts: Iterable[Verdict]
) -> dict[str, object]:
    """Everything that was measured, and where, for JSON."""
    return {
        "machine": machine(),
        "suites": {
            suite.name: {
                "title": suite.title,
                "unit": suite.unit,
                "baseline": suite.baseline,
                "figures": {
                    subject: {
                        "best": figure.best,
                        "median": figure.median,
                        "spread": figure.spread,
                        "samples": list(figure.samples),
                    }
                    for subject, figure in figures.items()
                },
            }
            for suite, figures in suites
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
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def _version(package: str) -> str | None:
    if package == "mp-tqdm":
        return mp_tqdm.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None
