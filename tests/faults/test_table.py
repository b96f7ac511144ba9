"""The table of failures and the tests that prove it name the same rows."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.compile(r"^\| (F\d+) \|", re.MULTILINE)


def proven() -> set[str]:
    """The rows named by `pytest.mark.faults(...)` in any test file."""
    found: set[str] = set()
    for path in TESTS.parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.faults":
                found.update(ast.literal_eval(argument) for argument in node.args)
    return found


def test_each_row_of_the_table_has_a_test_and_each_test_a_row():
    table = TESTS.parents[1] / "docs" / "faults.md"
    rows = ROWS.findall(table.read_text())
    assert len(rows) == len(set(rows))
    assert set(rows) == proven()
