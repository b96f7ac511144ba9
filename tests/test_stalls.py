"""What the line shows while nothing is counted, or while Python cannot run."""

import re
from collections.abc import Callable

import pytest

from support import programs
from support.screen import Screen
from support.terminal import Terminal

Program = Callable[..., list[str]]


def test_the_line_moves_while_a_c_call_holds_the_gil(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import ctypes, os, time
            from mp_tqdm import mp_tqdm, report_progress
            bar = mp_tqdm(total=1_000_000, bar_format="{n}")
            child = os.fork()
            if not child:
                while True:
                    report_progress()
                    time.sleep(0.002)
            while not bar.n:
                pass
            os.write(1, b"held\\n")
            ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)
            os.write(1, b"done\\n")
            os.kill(child, 9)
            os.waitpid(child, 0)
            os._exit(0)
        """)
    )
    terminal.wait_for(lambda screen: "held" in screen.text())
    seen: set[str] = set()

    def has_moved(screen: Screen) -> bool:
        seen.add(screen.text())
        return len(seen) > 10

    terminal.wait_for(has_moved)
    assert "done" not in terminal.text()
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "done" in terminal.text()
    programs.sweep()


def test_the_clock_ticks_in_a_stall(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10)
            bar.update()
            input()
        """)
    )
    clocks: set[str] = set()

    def has_ticked(screen: Screen) -> bool:
        clocks.update(re.findall(r"\[(\d\d:\d\d)<", screen.text()))
        return len(clocks) > 2

    terminal.wait_for(has_ticked)
    terminal.press(b"\n")
    assert terminal.wait() == 0


@pytest.mark.once
@pytest.mark.slow
def test_in_a_stall_rate_and_time_left_are_unknown_until_it_goes_on(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            around = mp_tqdm(total=9, desc="around", mininterval=0.02)
            for _ in range(4):
                around.update()
                time.sleep(0.1)
            bar = mp_tqdm(total=10_000, desc="work", mininterval=0.02)
            frames = 0
            for number in (20, 40):
                while frames < number or bar.n < 2 * number:
                    frames += bar.update() is True
                    time.sleep(0.02)
                input()
        """)
    )
    figures = r"/10000 \[00:\d\d<\?, \?it/s, nothing for \d+s\]"
    terminal.wait_for(lambda screen: re.search(figures, screen.text()) is not None)
    # What counts inside a bar is its work.
    around = r"around: .* 4/9 \[00:\d\d<\d\d:\d\d, [^,?]*(it/s|s/it)\]"
    assert re.search(around, terminal.text())
    terminal.press(b"\n")
    figures = r"/10000 \[00:\d\d<\d+:\d\d(:\d\d)?, +\d+\.\d\d(it/s|s/it)\]"
    terminal.wait_for(lambda screen: re.search(figures, screen.text()) is not None)
    terminal.press(b"\n")
    assert terminal.wait() == 0
