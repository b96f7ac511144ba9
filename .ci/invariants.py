"""Checks the invariants of the architecture that no compiler and no linter keeps.

I1  pyo3 is a dependency of rust/python and of nothing else.
I2  `unsafe` stands in the files named below and nowhere else.
I3  Atomic types are taken from the standard library (or loom) in one file only.
I8  The counters and the renderer do not know each other.
And each source file says in its first sentence what it is responsible for.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

UNSAFE_FILES = {
    "rust/counters/src/shm.rs",
    "rust/python/src/hot.rs",
    "rust/python/src/hot/call.rs",
    "rust/python/src/hot/counting.rs",
    "rust/python/src/hot/crash.rs",
    "rust/python/src/hot/iterator.rs",
    "rust/python/src/hot/make.rs",
    "rust/python/src/hot/outward.rs",
    "rust/python/src/hot/postfix.rs",
    "rust/python/src/hot/report.rs",
}
ATOMIC_FILES = {"rust/counters/src/sync.rs"}

# What is no code: comments (the block ones nest at most once here), raw strings, strings, and the
# character literals that could be mistaken for the start of one.
NOT_CODE = re.compile(
    r"""//[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/|r(\#*)".*?"\1|"(?:\\.|[^"\\])*"|'\\?"'""",
    re.DOTALL,
)


def main() -> None:
    """Print every breach and exit with 1 if there is one."""
    breaches = [*dependencies(), *rust_sources(), *python_sources()]
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


def dependencies() -> Iterator[str]:
    """I1 and I8, of every kind of dependency, as cargo sees them."""
    command = ["cargo", "metadata", "--no-deps", "--format-version=1", "--locked"]
    metadata = json.loads(subprocess.check_output(command, cwd=ROOT))
    for package in metadata["packages"]:
        name = package["name"]
        needs = {dependency["name"] for dependency in package["dependencies"]}
        if name != "mp-tqdm-python" and any(need.startswith("pyo3") for need in needs):
            yield f"I1: {name} depends on pyo3"
        if name in {"mp-tqdm-counters", "mp-tqdm-render"}:
            yield from (f"I8: {name} depends on {need}" for need in needs if "mp-tqdm" in need)


def rust_sources() -> Iterator[str]:
    """I2, I3 and the first line of every Rust file."""
    for path in sources("*.rs"):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        if not text.startswith("//! "):
            yield f"{name}:1: starts without `//!` saying what it is responsible for"
        code = NOT_CODE.sub(lambda match: "\n" * match[0].count("\n"), text)
        for number, line in enumerate(code.splitlines(), 1):
            if name not in UNSAFE_FILES and re.search(r"\bunsafe\b", line):
                yield f"I2: {name}:{number}: unsafe"
            if name not in ATOMIC_FILES and re.search(r"\bsync\s*::\s*atomic\b", line):
                yield f"I3: {name}:{number}: atomics come from mp_tqdm_counters::sync"


def python_sources() -> Iterator[str]:
    """The docstring of every Python file."""
    for path in sources("*.py"):
        if ast.get_docstring(ast.parse(path.read_text())) is None:
            yield f"{path.relative_to(ROOT)}:1: has no docstring saying what it is responsible for"


def sources(pattern: str) -> Iterator[Path]:
    """Every file of that kind in the tree, in order, without what tools left there."""
    for top in (".ci", "benches", "docs", "examples", "python", "rust", "tests"):
        yield from sorted((ROOT / top).rglob(pattern))


if __name__ == "__main__":
    main()
