"""IPython works as ever beside bars that move."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = pytest.mark.once


def whole_lines(terminal: Terminal) -> list[str]:
    """What is on the screen, without empty lines and without what the clock decides of bars."""
    return [re.sub(r"\|.*", "", line) for line in terminal.lines() if line]


# Three lines in one piece: with nothing done about it, the bar shows through in the second one.
CELLS = """
    import time
    from mp_tqdm import mp_tqdm

    def work(name):
        for number in mp_tqdm(range(10), desc=name, mininterval=0.02):
            print(*[f"{name} {number} {part} is whole" for part in "abc"], sep="\\n")
            time.sleep(0.02)
"""


def test_cells_of_ipython_print_above_their_bars_and_its_prompts_stay_whole(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    programs.needs_package("IPython")
    terminal.resize(90, 120)
    cells = [
        "work('first')",
        "bar = mp_tqdm(total=4, desc='open'); _ = bar.update()",  # stays open at the prompt
        "work('second')",
        "bar.update(); bar.close()",
        # What IPython keeps of a cell's text has nothing of the bars in it.
        "''.join(get_ipython().history_manager.outputs[1][0].bundle['stream'])[:20]",
        "exit",
    ]
    shell = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor"]
    options = ["--no-confirm-exit", "--HistoryManager.enabled=False", "-i"]
    # This terminal says nothing of where its cursor is; the prompt would wait for that.
    env = programs.environment(PROMPT_TOOLKIT_NO_CPR="1", IPYTHONDIR=str(tmp_path / "settings"))
    terminal.start([*shell, *options, program(CELLS)[-1]], env=env)
    for number, cell in enumerate(cells, 1):
        terminal.wait_for(lambda screen, prompt=f"In [{number}]:": prompt in screen.text())
        terminal.press(cell.encode() + b"\r")
    assert terminal.wait() == 0, terminal.text()
    texts = {
        name: [f"{name} {number} {part} is whole" for number in range(10) for part in "abc"]
        for name in ("first", "second")
    }
    assert whole_lines(terminal) == [
        f"In [1]: {cells[0]}",
        *texts["first"],
        "first: 100%",
        f"In [2]: {cells[1]}",
        f"In [3]: {cells[2]}",
        *texts["second"],
        "second: 100%",
        f"In [4]: {cells[3]}",
        "open:  50%",
        f"In [5]: {cells[4]}",
        "Out[5]: 'first 0 a is whole\\nf'",
        "In [6]: exit",
    ]
