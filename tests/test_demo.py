"""`python -m mp_tqdm`: the demo on a terminal and in a pipe, interrupted, and the other answers."""

from __future__ import annotations

import re
import signal
import sys
import termios
from typing import TYPE_CHECKING, NamedTuple

import pytest

import mp_tqdm
from support import leaks, programs
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE = [sys.executable, "-m", "mp_tqdm"]
DEMO = [*MODULE, "demo"]
# It takes ten seconds on an idle machine, and as long as it takes on a busy one.
WATCHDOG_S = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(WATCHDOG_S + 30)]


def number(pattern: str, text: str) -> int:
    """The number that the first group of the pattern finds, which must be there once."""
    found = re.findall(pattern, text)
    assert len(found) == 1, f"{pattern} is {len(found)} times in:\n{text}"
    return int(found[0].replace(",", ""))


def check_figures(text: str) -> None:
    """What the demo says agrees with itself and with what is promised."""
    counted = number(r"counted ([\d,]+) of", text)
    done = number(r"counted [\d,]+ of ([\d,]+) items done", text)
    assert done - 1 <= counted <= done
    assert number(r"the kill lost (\d)$", text.partition("\n\nA held GIL")[0]) == done - counted
    assert number(r"counts lost +([\d,]+)", text) == done - counted
    # The processes' items, the steps of the nested loop, and those counted beside the C call.
    assert number(r"items counted +([\d,]+)", text) == counted + 1500 + 2500
    shown, total = re.findall(r"8 processes: .*\| (\d+)/(\d+) \[", text)[-1]
    assert (int(shown), int(total)) == (counted, done)
    survived = number(r"got SIGKILL after ([\d,]+) items", text)
    assert done / 16 <= survived <= done / 8
    assert re.search(r"processes +11, 1 of them killed", text)
    assert re.search(r"bar\.update\(1\) +[\d.]+ ns", text)


class Played(NamedTuple):
    """What a demo that was played to its end left on a terminal."""

    lines: list[str]
    cursor: tuple[int, int]
    output: bytes

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture(scope="module")
def played() -> Played:
    """The demo on a terminal: it ends with 0 and leaves nothing behind."""
    token = leaks.token_of("demo")
    before = leaks.belongings(token)
    with Terminal(40, 80) as terminal:
        settings = termios.tcgetattr(terminal._slave)
        terminal.start(DEMO, env=programs.environment(**{leaks.TEST_VARIABLE: token}))
        assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        assert termios.tcgetattr(terminal._slave) == settings
        played = Played(terminal.lines(), terminal.cursor, terminal.output())
    assert leaks.left_behind(before, token) == []
    return played


def test_on_a_terminal_its_figures_agree(played: Played):
    check_figures(played.text)


def test_what_stays_on_the_terminal_is_text_and_one_line_a_bar(played: Played):
    bars = [line.partition(":")[0] for line in played.lines if "%|" in line]
    assert bars == ["epochs", "8 processes", "GIL held"]
    assert all("100%" in line for line in played.lines if "%|" in line)
    assert played.lines[-1].startswith("mean rate")
    assert played.cursor[1] == 0
    assert b"\x1b[?" not in played.output  # the cursor was never hidden


def test_no_text_is_too_long_for_eighty_columns(played: Played):
    assert not [line for line in played.lines if len(line) >= 80 and "%|" not in line]


def test_the_line_moves_while_a_c_call_holds_the_gil(played: Played):
    text = " ".join(played.lines)
    held_s = float(re.findall(r"Python threads waiting for ([\d.]+) s", text)[0])
    assert held_s > 1
    # Ten a second, where the renderer gets the processor as often; none where it waits for the GIL.
    assert number(r"in these (\d+) frames were drawn", text) >= 3
    # A person saw the line move, and its clock. A frame that is as the one before is not written:
    # those after the last count, where the counting process was through before the C call.
    shown = re.findall(r"GIL held: .*?\| (\d+)/2500 \[(\d\d:\d\d)<", played.output.decode())
    assert len({int(n) for n, _ in shown if 0 < int(n) < 2500}) >= 3
    assert len({clock for _, clock in shown}) > held_s / 2
    assert 0 < number(r"moved by ([\d,]+) items", text) <= 2500


def test_the_killed_process_stops_nothing(played: Played):
    _, _, after = played.output.decode().partition("got SIGKILL")
    counts = [int(n) for n in re.findall(r"8 processes: .*?\| (\d+)/", after)]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3


def test_the_inner_line_is_seen_with_its_postfix_and_goes(played: Played):
    inner = re.compile(r"epochs: .*\nepoch \d: .*step/s, error=\d")
    assert inner.search(played.output.decode())
    assert "error=" not in played.text


@pytest.mark.once
def test_in_a_pipe_it_writes_whole_lines_and_no_escapes():
    result = programs.run(DEMO, timeout=WATCHDOG_S)
    assert result.returncode == 0, result.stderr
    for output in (result.stdout, result.stderr):
        assert "\x1b" not in output
        assert "\r" not in output
        assert output.endswith("\n")
    check_figures(result.stdout + result.stderr)
    # Two seconds at a line each half second, less one for a busy machine, and the final one.
    held = re.findall(r"GIL held: .*\| (\d+)/2500", result.stderr)
    assert len(held) >= 3
    assert held[-1] == "2500"


@pytest.mark.once
@pytest.mark.parametrize(
    "scene",
    [r"step/s, error=", r"8 processes: .*\| [1-9]", r"got SIGKILL", r"GIL held: .*\| [1-9]"],
)
def test_an_interrupt_ends_it_quietly(terminal: Terminal, scene: str):
    settings = termios.tcgetattr(terminal._slave)
    terminal.start(DEMO)
    terminal.wait_for(lambda screen: re.search(scene, screen.text()) is not None, WATCHDOG_S)
    terminal.press(b"\x03")
    assert terminal.wait(WATCHDOG_S) == 128 + signal.SIGINT
    assert "Traceback" not in terminal.text()
    assert "Error" not in terminal.text()
    assert terminal.cursor[1] == 0
    assert termios.tcgetattr(terminal._slave) == settings


def test_the_version():
    result = programs.run([*MODULE, "--version"])
    assert (result.returncode, result.stdout) == (0, f"mp_tqdm {mp_tqdm.__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], []], ids=["help", "nothing"])
def test_the_help_names_the_demo(arguments: list[str]):
    result = programs.run([*MODULE, *arguments])
    assert result.returncode == 0
    assert result.stdout.startswith("usage: python -m mp_tqdm")
    assert "demo" in result.stdout


def test_an_unknown_command_is_refused():
    result = programs.run([*MODULE, "dmeo"])
    assert result.returncode == 2
    assert "dmeo" in result.stderr


def test_importing_the_package_imports_no_command(program: Callable[..., list[str]]):
    source = """
        import sys
        import mp_tqdm

        print([name for name in sys.modules if name.startswith(("mp_tqdm._cli", "mp_tqdm._demo"))])
    """
    assert programs.run(program(source)).stdout == "[]\n"
