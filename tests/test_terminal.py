"""What a person sees on a terminal while bars move, end and share it with other text."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Elapsed and remaining time and the rate are no two runs' the same.
FIGURES = re.compile(r"\[\d\d:\d\d.*?\]")


def shown(terminal: Terminal) -> list[str]:
    """All lines, without what the clock decides."""
    return [FIGURES.sub("[...]", line) for line in terminal.lines()]


def shown_by(source: str, package: str, program: Program, rows: int = 24) -> list[str]:
    """The lines that a program leaves, with `tqdm` imported from this package."""
    with Terminal(rows=rows) as window:
        window.start(program(f"from {package} import tqdm\n" + source))
        assert window.wait() == 0, window.text()
        return shown(window)


NESTED = {
    f"inner leave={inner} outer leave={outer}": f"""
import time
for _ in tqdm(range(3), desc="outer", leave={outer}):
    for _ in tqdm(range(4), desc="inner", leave={inner}):
        time.sleep(0.04)
print("end")
"""
    for inner in (True, False, None)
    for outer in (True, False, None)
}
SEQUENCES = {
    "an inner bar that is over before both were drawn": """
import time
with tqdm(total=1, desc="before") as bar:
    time.sleep(0.03)
    bar.update()
with tqdm(total=1, desc="outer") as outer:
    with tqdm(total=1, desc="inner", leave=None) as inner:
        time.sleep(0.03)
        inner.update()
    outer.update()
for number in range(3):
    with tqdm(total=1, desc=f"alone {number}", leave=None) as bar:
        time.sleep(0.03)
        bar.update()
""",
    "one after the other": """
import time
for number in range(3):
    with tqdm(total=5, desc=f"bar {number}") as bar:
        for _ in range(5):
            bar.update()
            time.sleep(0.03)
""",
    "closed before the total": """
import time
bar = tqdm(total=10, desc="half")
for _ in range(5):
    bar.update()
    time.sleep(0.03)
bar.close()
print("after")
""",
    "without a total": """
import time
for _ in tqdm(iter("abc"), desc="letters"):
    time.sleep(0.05)
print("after")
""",
    "print through write": """
import time
with tqdm(total=4, desc="work") as bar:
    for number in range(4):
        tqdm.write(f"line {number}")
        bar.update()
        time.sleep(0.12)
print("after")
""",
    "set n and refresh": """
import time
with tqdm(total=10) as bar:
    for n in (1, 4, 7):  # slow enough that the rate has one width at any speed
        bar.n = n
        bar.refresh()
        time.sleep(0.12)
print("after")
""",
    "a total that changes": """
import time
with tqdm(total=10) as bar:
    bar.update(4)
    time.sleep(0.15)
    bar.total = 8
    bar.update(4)
print("after")
""",
    "reset": """
import time
bar = tqdm(total=10, desc="again")
bar.update(10)
time.sleep(0.12)
bar.reset(total=4)
bar.update(2)
time.sleep(0.12)
bar.close()
print("after")
""",
    "an exception in the body": """
import time
try:
    for item in tqdm(range(10), desc="fails"):
        time.sleep(0.03)
        if item == 5:
            raise KeyError(item)
except KeyError as error:
    print("caught", error)
""",
    "a break": """
import time
for item in tqdm(range(10), desc="breaks"):
    time.sleep(0.03)
    if item == 5:
        break
print("after")
""",
}


@pytest.mark.once
@pytest.mark.parametrize(
    "source", [*NESTED.values(), *SEQUENCES.values()], ids=[*NESTED, *SEQUENCES]
)
def test_the_lines_that_stay_are_those_that_tqdm_leaves(source: str, program: Program) -> None:
    assert shown_by(source, "mp_tqdm", program) == shown_by(source, "tqdm", program)


def test_nested_bars_stand_below_each_other(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            bars = [mp_tqdm(total=10, desc=desc) for desc in ("one", "two", "three")]
            for number, bar in enumerate(bars):
                bar.update(number + 1)
            input()
        """)
    )
    expected = ["one:  10", "two:  20", "three:  30"]
    terminal.wait_for(
        lambda screen: [line.split("%")[0] for line in screen.lines() if line] == expected
    )
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_positions_order_the_lines(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            low = mp_tqdm(total=10, desc="low", position=1)
            high = mp_tqdm(total=10, desc="high", position=0)
            low.update()
            high.update()
            input()
        """)
    )
    terminal.wait_for(
        lambda screen: "low:  10%|" in screen.text() and "high:  10%|" in screen.text()
    )
    lines = [line for line in terminal.lines() if line]
    assert [line.split(":")[0] for line in lines] == ["high", "low"]
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_more_bars_than_rows_say_how_many_are_hidden(program: Program) -> None:
    with Terminal(rows=6) as terminal:
        terminal.start(
            program("""
                from mp_tqdm import mp_tqdm
                bars = [mp_tqdm(total=10, desc=f"bar {number}") for number in range(9)]
                for bar in bars:
                    bar.update()
                input()
                for bar in bars:
                    bar.close()
                print("end")
            """)
        )
        terminal.wait_for(lambda screen: "(5 more hidden)" in screen.text())
        lines = [line for line in terminal.visible() if line]
        assert [line.split(":")[0] for line in lines[:4]] == [f"bar {n}" for n in range(4)]
        assert "(5 more hidden)" in lines[4]
        terminal.press(b"\n")
        assert terminal.wait() == 0
        left = [line.split(":")[0] for line in terminal.lines() if line]
        assert left == [*(f"bar {n}" for n in range(9)), "end"]


def drawn_and_slow(terminal: Terminal, tmp_path: Path) -> tuple[set[str], set[str]]:
    """The bars "short NUMBER" that were drawn, and those that were held up for a frame's time."""
    drawn = re.findall(r"short (\d+)", terminal.output().decode())
    return set(drawn), set((tmp_path / "slow").read_text().split())


def test_short_lived_bars_that_leave_nothing_are_never_drawn(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.start(
        program(
            """
            import sys, time
            from mp_tqdm import mp_tqdm
            with open(sys.argv[1], "w") as slow:
                for number in range(300):
                    begin = time.monotonic()
                    for _ in mp_tqdm(range(10), desc=f"short {number}", leave=False):
                        pass
                    if time.monotonic() - begin >= 0.1:
                        print(number, file=slow)
            """,
            str(tmp_path / "slow"),
        )
    )
    assert terminal.wait() == 0
    drawn, slow = drawn_and_slow(terminal, tmp_path)
    assert drawn <= slow
    assert slow or terminal.output() == b""


def test_short_lived_bars_below_a_long_one_do_not_flicker(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.start(
        program(
            """
            import sys, time
            from mp_tqdm import mp_tqdm
            with open(sys.argv[1], "w") as slow:
                for number in mp_tqdm(range(30), desc="outer"):
                    begin = time.monotonic()
                    for _ in mp_tqdm(range(10), desc=f"short {number}", leave=False):
                        time.sleep(0.001)
                    if time.monotonic() - begin >= 0.1:
                        print(number, file=slow)
            """,
            str(tmp_path / "slow"),
        )
    )
    assert terminal.wait() == 0
    drawn, slow = drawn_and_slow(terminal, tmp_path)
    assert drawn <= slow
    assert len(slow) < 30, "the machine is too slow for this test"
    assert "100%|" in terminal.text()


def test_a_bar_that_stays_is_shown_however_short_it_was(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            for number in range(20):
                for _ in mp_tqdm(range(10), desc=f"bar {number}"):
                    pass
        """)
    )
    assert terminal.wait() == 0
    lines = terminal.lines()
    assert [line.split("%")[0] for line in lines] == [f"bar {n}: 100" for n in range(20)]
    assert all("| 10/10 [" in line for line in lines)


def test_what_is_printed_after_a_close_comes_after_the_last_line(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            for number in range(40):
                with mp_tqdm(total=3, desc=f"bar {number}") as bar:
                    bar.update(3)
                print("after", number, flush=True)
        """)
    )
    assert terminal.wait() == 0
    expected = [text for n in range(40) for text in (f"bar {n}", f"after {n}")]
    assert [line.split(":")[0] for line in terminal.lines()] == expected


def test_prints_beside_a_live_bar_stay_whole(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(range(60), desc="work", mininterval=0.02)
            for number in bar:
                print(f"line {number} is whole")
                time.sleep(0.05)
        """)
    )
    assert terminal.wait() == 0
    lines = terminal.lines()
    assert [line for line in lines if "whole" in line] == [f"line {n} is whole" for n in range(60)]
    assert lines[-1].startswith("work: 100%|")
    assert sum("work:" in line for line in lines) == 1, terminal.text()


@pytest.mark.faults("F56")
def test_the_cursor_is_never_hidden_and_the_terminal_left_clean(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, time
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, desc="killed")
            bar.update()
            time.sleep(60)
        """)
    )
    terminal.wait_for(lambda screen: "killed:  10%|" in screen.text())
    terminal.programs[0].kill()
    terminal.wait()
    programs.sweep()
    output = terminal.output()
    assert b"\x1b[?25l" not in output
    assert b"\x1b[?1049" not in output
    # Of those that move things only these: down, up, erase, save and restore.
    escapes = set(re.findall(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[^\[])", output))
    assert {re.sub(rb"\d", b"", escape) for escape in escapes} <= {
        b"\x1bD", b"\x1b", b"\x1b[A", b"\x1b[K", b"\x1b[J", b"\x1b[B",
    }  # fmt: skip


def test_a_narrow_window_shows_a_line_that_fits(program: Program) -> None:
    with Terminal(rows=10, columns=30) as terminal:
        terminal.start(
            program("""
                from mp_tqdm import mp_tqdm
                bar = mp_tqdm(total=10, desc="a description that is longer than the window")
                bar.update(3)
                input()
            """)
        )
        terminal.wait_for(lambda screen: re.search(r"a desc.*…:  30%\|", screen.text()))
        assert len([line for line in terminal.lines() if line]) == 1
        terminal.resize(10, 100)
        terminal.wait_for(lambda screen: "| 3/10 [" in screen.text())
        assert len([line for line in terminal.lines() if line]) == 1, terminal.text()
        terminal.press(b"\n")
        assert terminal.wait() == 0


def test_the_first_bar_of_a_program_is_drawn_before_its_constructor_returns(
    terminal: Terminal, program: Program
) -> None:
    source = """
    import os
    from mp_tqdm import mp_tqdm
    bar = mp_tqdm(total=10, desc="first")
    os.write(2, b"MARK")
    bar.close()
    """
    terminal.start(program(source))
    assert terminal.wait() == 0, terminal.text()
    before, mark, _ = terminal.output().partition(b"MARK")
    assert mark
    assert b"first:   0%" in before
