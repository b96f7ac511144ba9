"""Pictures of a run, as SVG: cost of a call, cost by processes, output of an hour, and liveness.

Drawn from the JSON document, so that the pictures of the project's pages come from its figures.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mp_tqdm.bench.bench_processes import PROCESSES, WAYS, by
from mp_tqdm.bench.markdown import COLUMNS, Document, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OURS, _OTHER, _FLOOR = "#1a7f5a", "#9aa4b1", "#d9b44a"
# Text stays text, and a picture of the same figures is the same file.
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mp_tqdm",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(run: Document, directory: Path) -> Iterator[Path]:
    """Draw the pictures for which there are figures.

    Args:
        run: What was measured.
        directory: Where they go; it is made if need be.

    Yields:
        Each file that was written.
    """
    mpl: Any = importlib.import_module("matplotlib")

    pictures = {
        "costs": _costs,
        "processes": _processes,
        "output": _output,
        "liveness": _liveness,
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        with mpl.rc_context(_STYLE):
            figure = picture(run)
            if figure is not None:
                path = directory / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None, "Creator": None})
                yield path


def _costs(run: Document) -> Any:
    """The medians of all libraries, a panel for each kind of call."""
    panels = {}
    for suite, title, subjects in COLUMNS:
        found = _medians(run, suite)
        bars = {library: found[name] for library, name in subjects.items() if name in found}
        if bars:
            unit = run["suites"][suite]["unit"]
            panels[f"{title.replace('`', '')}, {unit}"] = bars
    found = _medians(run, "report")
    found = {name: value for name, value in found.items() if name != "empty loop"}
    if found:
        panels["one report from another process, ns"] = {
            name.replace("mp_tqdm report_progress()", "mp_tqdm"): value
            for name, value in found.items()
            if name != "mp_tqdm report_progress(1)"
        }
    return _panels(panels)


def _output(run: Document) -> Any:
    """What an hour of a bar writes, at the pace of the run."""
    kib = 3600 / 1024
    terminal = {name: value * kib for name, value in _medians(run, "terminal-bytes").items()}
    panels = {
        "an hour on a terminal, KiB": terminal,
        "an hour in a log, KiB": _medians(run, "log-hour"),
    }
    return _panels({title: bars for title, bars in panels.items() if bars})


def _liveness(run: Document) -> Any:
    """Seconds from a slow-down to the truth."""
    bars = _medians(run, "liveness")
    title = "seconds from a slow-down to the first true frame, as far as was waited"
    return _panels({title: bars} if bars else {})


def _processes(run: Document) -> Any:
    """The cost of a report in so many processes, a line for each way to report."""
    found = _medians(run, "processes")
    lines: dict[str, list[tuple[int, float]]] = {
        name: [
            (processes, found[by(name, processes)])
            for processes in PROCESSES
            if found.get(by(name, processes), 0) > 0
        ]
        for name, *_ in WAYS
    }
    if not any(lines.values()):
        return None
    figure, axes = _figure(3.6)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    for name, points in lines.items():
        if points:
            color = _OURS if name == "mp_tqdm" else None
            axes.plot(*zip(*points, strict=True), marker="o", label=name, color=color)
    axes.set_xticks(PROCESSES, [str(processes) for processes in PROCESSES])
    axes.set_xlabel("processes that report")
    axes.set_ylabel("ns of processor time for one report")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panels(panels: Mapping[str, Mapping[str, float]]) -> Any:
    """Horizontal bars on logarithmic axes, panels one below the other; None if there are none."""
    if not panels:
        return None
    from matplotlib.figure import Figure

    heights = [len(bars) + 1.6 for bars in panels.values()]
    figure = Figure(figsize=(7.0, 0.24 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for ax, (title, bars) in zip(axes, panels.items(), strict=True):
        _bars(ax, title, bars)
    return figure


def _bars(axes: Any, title: str, bars: Mapping[str, float]) -> None:
    """One panel: the least on top, each with its figure behind it."""
    ordered = sorted(bars.items(), key=lambda bar: -bar[1])
    positive = [value for _, value in ordered if value > 0]
    # What is at zero, or by noise below, has a bar of no length.
    least = min(positive, default=1.0) / 2
    names = [name for name, _ in ordered]
    colors = [
        _OURS if name == "mp_tqdm" else _FLOOR if "floor" in name else _OTHER for name in names
    ]
    drawn = axes.barh(
        names, [max(value, least) - least for _, value in ordered], left=least, color=colors
    )
    axes.set_xscale("log")
    axes.set_xlim(least, max(positive, default=1.0) * 4)
    axes.bar_label(drawn, [text(value) for _, value in ordered], padding=3)
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axes.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    axes.tick_params(axis="y", length=0)
    axes.spines[["bottom", "left"]].set_visible(False)


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, height), layout="constrained")
    return figure, figure.subplots()


def _medians(run: Document, suite: str) -> dict[str, float]:
    figures = run["suites"].get(suite, {}).get("figures", {})
    return {name: figure["median"] for name, figure in figures.items()}
