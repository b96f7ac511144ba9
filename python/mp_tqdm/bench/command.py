"""`python -m mp_tqdm bench`: measures what counting costs here, beside a floor in C and the peers.

Each suite is a table; in each, all libraries are measured in one run and in turns, each in a
process of its own, with its bar on a terminal that somebody reads.
"""

import argparse
import difflib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from mp_tqdm.bench import markdown, plots, prepared, report
from mp_tqdm.bench.available import DebugBuildError, why_missing
from mp_tqdm.bench.measure import Effort, Measured, measure
from mp_tqdm.bench.subject import Subject, Suite
from mp_tqdm.bench.suites import SUITES
from mp_tqdm.bench.targets import Verdict, verdicts
from mp_tqdm.bench.terminal import drained_terminal

_EXAMPLES = """examples:
  python -m mp_tqdm bench --quick                    a first impression, within 90 seconds
  python -m mp_tqdm bench iterate update             two suites in full
  python -m mp_tqdm bench --markdown costs.md --plots costs --json costs.json
                                                     everything, and tables, plots and figures of it

`pip install "mp-tqdm[bench]"` brings the libraries to compare with, and matplotlib for the plots;
"mp-tqdm[bench-ray]" brings Ray. What is not installed is left out, and so is the floor without a C
compiler. A whole run takes the better part of an hour. Nothing else should be running.
"""

# Many short rounds: the shorter one is, the likelier it meets no other process. A bar's cost is the
# same in rounds of 0.05 and 0.25 s. Fewer than ten rounds are no basis for a claim.
ROUNDS, ROUND_S = 50, 0.1
QUICK_ROUNDS, QUICK_ROUND_S = 10, 0.05

# A quick run ends within 90 s: no round is begun that would end later than the first of these, what
# is still running at the second is ended, and the rest is for tables and plots.
QUICK_SOFT_S, QUICK_HARD_S = 68.0, 82.0
# Of these, a suite gets what its subjects need, in shares of a suite with short calls.
_SHARES = {
    "liveness": 3.0,
    "report": 2.0,
    "processes": 3.0,
    "crew": 2.0,
    "tails": 2.0,
    "training": 3.0,
    "dataloader": 3.0,
    "tokenising": 2.0,
}


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for.

    Returns:
        The exit status: 0, 1 where a subject failed or, with `--check`, a promise is broken.
    """
    begin = time.monotonic()
    options = _options(arguments)
    if options.list:
        width = max(map(len, SUITES))
        print(*(f"{name:{width}}  {suite.title}" for name, suite in SUITES.items()), sep="\n")
        return 0
    # A shell's idea of its window is not the size of the terminal here.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    os.environ["TERM"] = "xterm-256color"
    machine = report.machine()
    print(*report.header(machine), "", sep="\n")
    measured: list[Measured] = []
    judged: list[Verdict] = []
    try:
        with drained_terminal() as shown:
            for found in _measured(options, begin, shown):
                measured.append(found)
                print(*report.table(found), "", sep="\n", file=shown, flush=True)
    except DebugBuildError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    finally:
        prepared.close()
        # Also of a run that was interrupted: what it has measured took its time.
        if measured:
            judged += verdicts({one.suite.name: one.figures for one in measured})
            _write(report.document(machine, measured, judged, is_quick=options.quick), options)
    failed = any(one.failed for one in measured)
    if not options.check:
        return int(failed)
    print(*report.verdict_lines(judged), sep="\n")
    if not judged:
        print("nothing to check: mp_tqdm was not measured", file=sys.stderr)
        return 2
    return int(failed or not all(verdict.holds for verdict in judged))


def _measured(options: argparse.Namespace, begin: float, shown: TextIO) -> Iterator[Measured]:
    """Run the suites."""
    left = [SUITES[name] for name in options.suites or SUITES]
    if options.quick and not options.suites:
        # What imports PyTorch takes most of the time: it has what the others leave.
        left.sort(key=lambda suite: bool(suite.prepare))
    while left:
        effort = _quick_effort(left, begin) if options.quick else Effort(ROUNDS, ROUND_S)
        suite = left.pop(0)
        reasons = {
            subject.name: _why_left_out(suite, subject, options) for subject in suite.subjects
        }
        if time.monotonic() > effort.soft_end:
            reasons = dict.fromkeys(reasons, "there was no time left for this suite")
        subjects = [subject for subject in suite.subjects if not reasons[subject.name]]
        missing = {name: reason for name, reason in reasons.items() if reason}
        found = Measured(suite)
        if {subject.name for subject in subjects} - {suite.baseline}:
            tell = partial(print, file=shown) if options.verbose else lambda _: None
            found = measure(suite, subjects, effort, tell)
        yield Measured(suite, found.figures, missing | {**found.left_out}, found.failed)


def _why_left_out(suite: Suite, subject: Subject, options: argparse.Namespace) -> str:
    if subject.is_slow and options.quick and not options.suites:
        return "left out of a quick run: name the suite to have it"
    return why_missing(suite.package) or why_missing(subject.package)


def _quick_effort(left: Sequence[Suite], begin: float) -> Effort:
    """The part that the first of the suites that are left has of the time that is left."""
    now = time.monotonic()
    shares = [_SHARES.get(suite.name, 1.0) for suite in left]
    part_s = (begin + QUICK_SOFT_S - now) * shares[0] / sum(shares)
    soft_end = now + part_s
    # On a busy machine one round takes longer than the part; it shall not take that of all others.
    hard_end = min(begin + QUICK_HARD_S, now + 3 * part_s + 5.0)
    return Effort(QUICK_ROUNDS, QUICK_ROUND_S, True, soft_end, hard_end)


def _write(document: dict[str, object], options: argparse.Namespace) -> None:
    """Write the files that were asked for."""
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown.page(document), encoding="utf-8")
    if options.plots:
        for path in plots.draw(document, options.plots):
            print(path)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for; wrong arguments end the program with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m mp_tqdm bench",
        description="Measures what counting costs on this machine, beside other progress bars.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "suites", nargs="*", metavar="SUITE", help="which to run; all if none is named"
    )
    parser.add_argument("--list", action="store_true", help="say which suites there are")
    parser.add_argument("--quick", action="store_true", help="a first impression, within 90 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw SVG pictures there")
    parser.add_argument("--check", action="store_true", help="fail if a promise is broken")
    parser.add_argument("--verbose", action="store_true", help="tell what is being run")
    options = parser.parse_args(arguments)
    for name in options.suites:
        if name not in SUITES:
            near = difflib.get_close_matches(name, SUITES, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            parser.error(f"no suite is called {name!r}: {hint}`--list` says which there are")
    for path in (options.json, options.markdown):
        if path and not path.parent.is_dir():
            parser.error(f"{path} cannot be written: {path.parent} is no directory")
    if options.plots and (reason := why_missing("matplotlib")):
        parser.error(f"--plots: {reason}")
    return options
