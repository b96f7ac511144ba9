"""Each mixture of a root's bar, ways to have workers, their work, outputs and prints is right.

Whatever they are, a line is there while the workers wait, texts are whole, and the end has it all.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from support import programs
from support.matrix import Cell, Run, covering_cells, every_cell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.faults("F110", "F114", "F115", "F134"),
]

# They mostly wait: so many run at once.
AT_ONCE = 6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_complete = metafunc.config.getoption("--complete")
    cells = every_cell() if is_complete else covering_cells()
    groups = [cells[start : start + AT_ONCE] for start in range(0, len(cells), AT_ONCE)]
    metafunc.parametrize("cells", groups, ids=[f"from {group[0]}" for group in groups])


def test_lines_are_live_whole_and_right_at_the_end(cells: list[Cell], tmp_path: Path) -> None:
    programs.needs_package("joblib")
    with contextlib.ExitStack() as stack:
        runs = []
        for number, cell in enumerate(cells):
            runs.append(Run(cell, tmp_path / str(number)))
            stack.callback(runs[-1].close)
        for run in runs:
            run.check_live()
        for run in runs:
            run.check_end()
