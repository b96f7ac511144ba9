"""The table of failures and the tests that prove it name the same rows."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.compile(r"^\| (F\d+) \|", re.MULTILINE)
# Directly above the attribute that makes a Rust function a test: `// faults: F33, F40`.
IN_RUST = re.compile(r"^ *// faults: (F\d+(?:, F\d+)*)\n *#\[test\]", re.MULTILINE)


def proven() -> set[str]:
    """The rows named by `pytest.mark.faults(...)` in any test file, or above a test in Rust."""
    found: set[str] = set()
    for path in TESTS.parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.faults":
                found.update(ast.literal_eval(argument) for argument in node.args)
    for path in (TESTS.parents[1] / "rust").rglob("*.rs"):
        for rows in IN_RUST.findall(path.read_text()):
            found.update(rows.split(", "))
    return found


def test_each_row_of_the_table_has_a_test_and_each_test_a_row():
    table = TESTS.parents[1] / "docs" / "faults.md"
    rows = ROWS.findall(table.read_text())
    assert len(rows) == len(set(rows))
    assert set(rows) == proven()
