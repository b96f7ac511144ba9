"""What a person sees who types into a session in which bars are open."""

import re
import sys
import time
from collections.abc import Callable

import pytest

from support.polling import wait_until
from support.terminal import Terminal

Program = Callable[..., list[str]]

OPEN = ("from mp_tqdm import mp_tqdm", "bar = mp_tqdm(total=10)", "bar.update(3)")


def prompts(terminal: Terminal) -> int:
    """How many prompts stand on the screen."""
    return sum(line.startswith((">>>", "...")) for line in terminal.lines())


def session(terminal: Terminal, program: Program, *lines: str) -> None:
    """A Python session on the terminal, in which these lines were typed."""
    terminal.start([program("")[0], "-q", "-i"])
    for number, line in enumerate(lines, 1):
        terminal.wait_for(lambda _, number=number: prompts(terminal) >= number)  # type: ignore[misc]
        terminal.press(line.encode() + b"\n")


def is_at_prompt(terminal: Terminal) -> bool:
    """Whether the cursor stands behind a prompt at which nothing is typed yet."""
    row, column = terminal.cursor
    return terminal.visible()[row] == ">>>" and column == 4


def leave(terminal: Terminal) -> None:
    """Ends the session; a ^D that comes before the prompt is lost."""
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    terminal.press(b"\x04")
    assert terminal.wait() == 0


def is_quiet(terminal: Terminal, seconds: float = 0.5) -> bool:
    """Whether nothing was written for so long; by default that is five frames."""
    return bool(terminal.recording) and time.monotonic() - terminal.recording[-1].time > seconds


def test_in_a_session_a_bar_that_does_not_move_is_not_drawn_again(
    terminal: Terminal, program: Program
) -> None:
    session(terminal, program, *OPEN)
    terminal.wait_for(lambda screen: "| 3/10 [" in screen.text())
    # A clock would tick meanwhile.
    wait_until(lambda: is_quiet(terminal, 2.2), "a session in which nothing moves to be quiet")
    terminal.press(b"bar.update(4)\n")
    terminal.wait_for(lambda screen: "| 7/10 [" in screen.text())
    terminal.press(b"bar.close()\n")
    terminal.wait_for(lambda _: is_quiet(terminal))
    terminal.press(b"print('al' + 'ive')\n")
    terminal.wait_for(lambda screen: "\nalive" in screen.text())
    leave(terminal)


BAR = re.compile(r"\| \d+/\d+ \[")


def bars(terminal: Terminal) -> list[str]:
    """The lines on the screen that have something of a bar."""
    return [line for line in terminal.lines() if BAR.search(line)]


def code(terminal: Terminal) -> list[str]:
    """The others."""
    return [line for line in terminal.lines() if line and not BAR.search(line)]


def test_each_prompt_stands_on_a_line_of_its_own_above_the_bars(
    terminal: Terminal, program: Program
) -> None:
    session(terminal, program, *OPEN, "x = 1", "bar.update(x)", "1 / 0")
    terminal.wait_for(lambda screen: "\nZeroDivisionError" in screen.text())
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    assert [line[:4] for line in bars(terminal)] == [" 40%"], terminal.text()
    assert terminal.lines()[-1] == bars(terminal)[0]
    lines = code(terminal)
    assert lines[:3] == [f">>> {line}" for line in OPEN]
    assert lines[3:8] == ["True", ">>> x = 1", ">>> bar.update(x)", "True", ">>> 1 / 0"]
    if sys.version_info < (3, 13):  # the `input` of this shell does not flush
        terminal.press(b"_ = input('name? ')\n")
        terminal.wait_for(lambda screen: "\nname?" in screen.text())
        terminal.press(b"me\n")
        terminal.wait_for(lambda _: is_at_prompt(terminal))
        assert code(terminal)[-2:] == ["name? me", ">>>"]
        assert len(bars(terminal)) == 1
    terminal.press(b"import sys; bar.close(); print(vars(sys.stdout))\n")
    # With the last bar the streams are as they were.
    terminal.wait_for(lambda screen: "{'mode': 'w'}" in screen.text())
    leave(terminal)


@pytest.mark.faults("F75")
def test_what_is_typed_stays_while_a_bar_moves(terminal: Terminal, program: Program) -> None:
    session(
        terminal,
        program,
        "import threading, time; from mp_tqdm import mp_tqdm",
        "bar = mp_tqdm(total=10000)",
        "count = lambda: [time.sleep(0.02) or bar.update() for _ in range(3000)]",
        "threading.Thread(target=count, daemon=True).start()",
    )

    def moves_on(seconds: float = 0.5) -> None:
        def counts() -> list[str]:
            return re.findall(r"\| (\d+)/10000 \[", terminal.text())

        before, since = counts(), time.monotonic()
        wait_until(
            lambda: counts() not in ([], before) and time.monotonic() - since > seconds,
            "the bar to move at the prompt",
        )

    moves_on()
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    terminal.press(b"'half ' + 'of a line'" + b"\x02" * 12)  # back by a character, in every shell
    terminal.wait_for(lambda _: terminal.cursor[1] == len(">>> 'half ' + 'of a line'") - 12)
    moves_on()
    assert code(terminal)[-1] == ">>> 'half ' + 'of a line'", terminal.text()
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: "\n'half of a line'" in screen.text())
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    terminal.press(b"bar.close()\n")
    terminal.wait_for(lambda _: is_quiet(terminal))
    leave(terminal)


@pytest.mark.faults("F75")
def test_control_c_in_a_loop_leaves_the_prompt_alone(terminal: Terminal, program: Program) -> None:
    session(
        terminal,
        program,
        "import time; from mp_tqdm import mp_tqdm",
        "for i in mp_tqdm(range(1000)): time.sleep(0.01)",
        "",
    )
    terminal.wait_for(lambda screen: "%|" in screen.text() and "| 0/1000" not in screen.text())
    terminal.press(b"\x03")
    terminal.wait_for(lambda screen: "KeyboardInterrupt" in screen.text())
    wait_until(lambda: is_quiet(terminal, 2.2), "a session after an interrupt to be quiet")
    terminal.press(b"print('al' + 'ive')\n")
    terminal.wait_for(lambda screen: "\nalive" in screen.text())
    # A new bar works.
    terminal.press(b"for i in mp_tqdm(range(7)): pass\n\n")
    terminal.wait_for(lambda screen: "| 7/7 [" in screen.text())
    leave(terminal)


@pytest.mark.faults("F75")
def test_control_c_at_a_prompt_with_a_bar_open_leaves_the_prompt_alone(
    terminal: Terminal, program: Program
) -> None:
    session(terminal, program, *OPEN)
    terminal.wait_for(lambda screen: "| 3/10 [" in screen.text())
    wait_until(lambda: is_quiet(terminal), "a session in which nothing moves to be quiet")
    terminal.press(b"half a line\x03")
    terminal.wait_for(lambda screen: "KeyboardInterrupt" in screen.text())
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    wait_until(lambda: is_quiet(terminal, 2.2), "a session after an interrupt to be quiet")
    # The bar that was open and a new one work.
    terminal.press(b"bar.update(4)\n")
    terminal.wait_for(lambda screen: "| 7/10 [" in screen.text())
    terminal.wait_for(lambda _: is_at_prompt(terminal))
    terminal.press(b"sum(mp_tqdm(range(9)))\n")
    terminal.wait_for(lambda screen: "| 9/9 [" in screen.text())
    terminal.wait_for(lambda screen: re.search(r"^36$", screen.text(), re.MULTILINE) is not None)
    leave(terminal)
