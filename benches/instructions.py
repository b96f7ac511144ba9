"""Counts the instructions of the hot paths and compares them with what was committed.

    python -m benches.instructions           fails if a path takes more than instructions.json says
    python -m benches.instructions --write   writes it anew, for the commit that changes a path

Times are too noisy to guard a nanosecond, instructions are not: valgrind counts those that run in
the native module, so that they depend on its source and its compiler alone, and not on the Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BASELINE = Path(__file__).with_suffix(".json")
REPETITIONS = 50_000
# The start of a process takes some thousand instructions more or less: a tenth of one for each
# repetition. One more on the path is a whole one.
LEEWAY = 0.5
# Another compiler may lay out a path a little differently.
OTHER_COMPILER = 1.1

# Each counts something so many times, in a module's top level: slower, and of no concern here.
_LOOPS = {
    "iterate": "for _ in mp_tqdm(repeat(None, count), total=count): pass",
    "update()": "for _ in repeat(None, count): update()",
    "update(1)": "for _ in repeat(None, count): update(1)",
    "update(n)": "for n in range(count): update(n)",
    "bar.update(1)": "for _ in repeat(None, count): bar.update(1)",
    "bar.set_postfix(loss=x)": "for x in map(float, range(count)): bar.set_postfix(loss=x)",
    "report_progress()": "for _ in repeat(None, count): report_progress()",
    "report_progress(1)": "for _ in repeat(None, count): report_progress(1)",
}
# `MP_TQDM_MODE=off` keeps the renderer away, whose instructions nobody can foresee.
_PROGRAM = """
import sys
from itertools import repeat
from mp_tqdm import mp_tqdm, report_progress
bar = mp_tqdm(total=10)
update = bar.update
update(); update(1); update(70_000); bar.set_postfix(loss=0.5)
report_progress(); report_progress(1)
count = int(sys.argv[1])
{loop}
"""


def counted(loop: str, count: int) -> int:
    """Instructions that ran in the native module."""
    with tempfile.TemporaryDirectory() as directory:
        profile = Path(directory, "profile")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
        program = [sys.executable, "-c", _PROGRAM.format(loop=loop), str(count)]
        environment = os.environ | {"MP_TQDM_MODE": "off", "PYTHONHASHSEED": "0"}
        run = subprocess.run(
            valgrind + program, env=environment, capture_output=True, text=True, check=False
        )
        if run.returncode:
            sys.exit(f"{' '.join(program)} under valgrind:\n{run.stderr}")
        return instructions_in(profile.read_text(), "/mp_tqdm/_core.")


def instructions_in(profile: str, wanted: str) -> int:
    """The own cost of all functions of one object, from callgrind's output.

    Names are written once, `ob=(3) /path`, and by number after that. A line that begins with a
    digit, `+`, `-` or `*` is a cost, but for the one behind `calls=`, which is that of a call.
    """
    objects: dict[str, str] = {}
    total, is_wanted, is_call = 0, False, False
    for line in profile.splitlines():
        if named := re.match(r"ob=\((\d+)\)(?: (.+))?", line):
            number, path = named.groups()
            objects[number] = path or objects[number]
            is_wanted = wanted in objects[number]
        elif named := re.match(r"cob=\((\d+)\) (.+)", line):
            objects[named[1]] = named[2]
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in set("0123456789+-*"):
            total += int(line.split()[1]) if is_wanted and not is_call else 0
            is_call = False
    return total


def each(loop: str) -> float:
    """Instructions of one repetition: what a longer loop takes more than a shorter one."""
    return (counted(loop, 2 * REPETITIONS) - counted(loop, REPETITIONS)) / REPETITIONS


def compiler() -> str:
    """What the module was built with."""
    rustc = shutil.which("rustc")
    if rustc is None:
        return "unknown"
    return subprocess.check_output([rustc, "--version"], text=True).strip()


def main() -> int:
    """Count, and compare or write; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benches.instructions")
    parser.add_argument("--write", action="store_true", help="make what is counted the baseline")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 0
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(_LOOPS, pool.map(each, _LOOPS.values()), strict=True))
    if options.write:
        rounded = {name: round(instructions, 1) for name, instructions in found.items()}
        document = {"compiler": compiler(), "instructions": rounded}
        BASELINE.write_text(json.dumps(document, indent=1) + "\n")
        return 0
    baseline = json.loads(BASELINE.read_text())
    factor = 1.0 if baseline["compiler"] == compiler() else OTHER_COMPILER
    is_more = False
    for name, instructions in found.items():
        known = baseline["instructions"][name]
        more = instructions > known * factor + LEEWAY
        is_more |= more
        print(f"{name:20} {instructions:7.2f}  was {known:7.2f}{'  MORE' if more else ''}")
    return int(is_more)


if __name__ == "__main__":
    sys.exit(main())
