"""Measures mp_tqdm beside a floor in C and its peers, and prints one table for each suite.

    python -m mp_tqdm bench                          all suites, some minutes
    python -m mp_tqdm bench iterate update --quick   two of them, roughly
    python -m mp_tqdm bench --json FILE --check      figures to a file; fails on a broken promise

The extra `bench` brings the libraries that it compares with. Nothing else should be running. Bars
draw on a terminal of their own that somebody reads.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from mp_tqdm.bench import report
from mp_tqdm.bench.available import DebugBuildError, why_missing
from mp_tqdm.bench.measure import measure
from mp_tqdm.bench.subject import Suite
from mp_tqdm.bench.suites import SUITES
from mp_tqdm.bench.targets import Figures, verdicts
from mp_tqdm.bench.terminal import drained_terminal

# Many short rounds: the shorter one is, the likelier it meets no other process. A bar's cost is the
# same in rounds of 0.05 and 0.25 s. Fewer than ten rounds are no basis for a claim.
ROUNDS, ROUND_S = 50, 0.1
QUICK_ROUNDS, QUICK_ROUND_S = 10, 0.05


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; return the exit status."""
    options = _parser().parse_args(arguments)
    # A shell's idea of its window is not the size of the terminal here.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    os.environ["TERM"] = "xterm-256color"
    try:
        # One terminal for all suites: some bars keep the stream that they found at their import.
        with drained_terminal() as shown:
            measured = _measured(
                [SUITES[name] for name in options.suites or SUITES], options, shown
            )
    except DebugBuildError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    judged = list(verdicts({suite.name: figures for suite, figures in measured}))
    print(*report.verdict_lines(judged), sep="\n")
    if options.json:
        text = json.dumps(report.document(measured, judged), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.check and not judged:
        print("nothing to check: mp_tqdm was not measured", file=sys.stderr)
        return 2
    return int(options.check and not all(verdict.holds for verdict in judged))


def _measured(
    suites: Sequence[Suite], options: argparse.Namespace, shown: TextIO
) -> list[tuple[Suite, Figures]]:
    """Run the suites, each less the subjects that are not installed, and show their tables."""
    measured = []
    for suite in suites:
        reasons = {subject: why_missing(subject.package) for subject in suite.subjects}
        subjects = [subject for subject, reason in reasons.items() if not reason]
        if subjects:
            figures = measure(
                suite,
                subjects,
                rounds=QUICK_ROUNDS if options.quick else ROUNDS,
                round_s=QUICK_ROUND_S if options.quick else ROUND_S,
                tell=partial(print, file=shown) if options.verbose else None,
            )
            measured.append((suite, figures))
            print(*report.table(suite, figures), sep="\n", file=shown)
        print(*sorted(set(reasons.values()) - {""}), "", sep="\n", file=shown)
    return measured


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mp_tqdm bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "suites",
        nargs="*",
        choices=[*SUITES, []],
        metavar="SUITE",
        help=f"which to run: {', '.join(SUITES)}; all if none is named",
    )
    parser.add_argument("--quick", action="store_true", help="short rounds: a first impression")
    parser.add_argument("--check", action="store_true", help="fail if a promise is broken")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--verbose", action="store_true", help="tell what is being run")
    return parser
