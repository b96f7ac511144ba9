"""The tables of failures and the tests that prove them name each other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).parents[2]
TABLES = TREE / "docs" / "faults.md"
# Directly above the attribute that makes a Rust function a test: `// faults: F33, F40`.
IN_RUST = re.compile(r"^ *// faults: (F\d+(?:, F\d+)*)\n *#\[test\]", re.MULTILINE)
# A bar in a cell is written `\|`.
CELLS = re.compile(r"(?<!\\)\|")


def marked() -> dict[str, set[str]]:
    """By row, the files below tests/ and rust/ with a test that is marked with it."""
    found: dict[str, set[str]] = {}

    def note(path: Path, row: str) -> None:
        found.setdefault(row, set()).add(path.relative_to(TREE).as_posix().partition("/")[2])

    for path in (TREE / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.faults":
                for argument in node.args:
                    note(path, ast.literal_eval(argument))
    for path in (TREE / "rust").rglob("*.rs"):
        for rows in IN_RUST.findall(path.read_text()):
            for row in rows.split(", "):
                note(path, row)
    return found


def tabled() -> Iterator[tuple[str, str | None]]:
    """Each row, and what it names as its tests; None in a table without a column for them."""
    names_tests = False
    for line in TABLES.read_text().splitlines():
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        if cells[:1] == ["row"]:
            names_tests = cells[-1] == "tests"
        elif cells and re.fullmatch(r"F\d+", cells[0]):
            yield cells[0], ", ".join(cells[3:]) if names_tests else None


def test_each_row_of_the_table_has_a_test_and_each_test_a_row():
    rows = [row for row, _ in tabled()]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(marked())


def test_each_row_names_the_files_with_its_tests():
    files = marked()
    named = {row: cell for row, cell in tabled() if cell is not None}
    expected = {row: ", ".join(f"`{name}`" for name in sorted(files.get(row, ()))) for row in named}
    assert named == expected
