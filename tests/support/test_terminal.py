"""The terminal behaves towards programs as a real one does."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest

from support.polling import wait_until
from support.screen import Screen
from support.terminal import Chunk, Terminal

Program = Callable[..., list[str]]


def test_output_is_complete_when_the_program_has_ended(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program("for n in range(5000): print(n)"))
    assert terminal.wait() == 0
    assert terminal.lines() == [str(n) for n in range(5000)]


def test_a_program_sees_a_terminal_of_its_size(program: Program) -> None:
    with Terminal(rows=7, columns=33) as terminal:
        terminal.start(
            program("""
                import os
                print([os.isatty(n) for n in range(3)], *os.get_terminal_size())
            """)
        )
        assert terminal.wait() == 0
        assert terminal.lines() == ["[True, True, True] 33 7"]


def test_the_exit_code_is_the_programs(terminal: Terminal, program: Program) -> None:
    terminal.start(program("import sys; sys.exit(7)"))
    assert terminal.wait() == 7


def test_the_screen_can_be_waited_for_while_the_program_runs(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program("print('ready'); input(); print('done')"))
    terminal.wait_for(lambda screen: "ready" in screen.text())
    terminal.press(b"go\n")
    terminal.wait()
    assert terminal.lines() == ["ready", "go", "done"]


def test_control_c_interrupts_the_program(terminal: Terminal, program: Program) -> None:
    terminal.start(program("print('ready')\nwhile True: pass"))
    terminal.wait_for(lambda screen: "ready" in screen.text())
    terminal.press(b"\x03")
    assert terminal.wait() == -signal.SIGINT
    assert terminal.lines()[-1] == "KeyboardInterrupt"


def test_a_resize_reaches_the_program(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import os, signal
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
            print("ready")
            signal.sigwait({signal.SIGWINCH})
            print(*os.get_terminal_size())
        """)
    )
    terminal.wait_for(lambda screen: "ready" in screen.text())
    terminal.resize(10, 40)
    terminal.wait()
    assert terminal.lines() == ["ready", "40 10"]


def test_an_unread_terminal_blocks_its_writer(terminal: Terminal, program: Program) -> None:
    terminal.stop_reading()
    # Twice what a kernel holds. Lines that scroll would take the emulated screen seconds.
    writer = terminal.start(program(r"for n in range(20_000): print(n, end='\r')"))
    wait_until(lambda: _state(writer) == "S", "the writer to sleep")
    assert terminal.lines() == []
    terminal.read_on()
    assert terminal.wait() == 0
    assert terminal.lines() == ["19999"]


def test_a_hang_up_ends_the_program(terminal: Terminal, program: Program) -> None:
    victim = terminal.start(program("print('ready')\nwhile True: pass"))
    terminal.wait_for(lambda screen: "ready" in screen.text())
    terminal.hang_up()
    assert victim.wait(20) == -signal.SIGHUP


def test_a_program_can_be_stopped_and_continued(terminal: Terminal, program: Program) -> None:
    sleeper = terminal.start(program("print('ready')\nwhile True: pass"))
    terminal.wait_for(lambda screen: "ready" in screen.text())
    terminal.send_signal(signal.SIGSTOP)
    wait_until(lambda: _state(sleeper) == "T", "the program to stop")
    terminal.send_signal(signal.SIGCONT)
    wait_until(lambda: _state(sleeper) == "R", "the program to go on")
    terminal.send_signal(signal.SIGKILL)
    assert terminal.wait() == -signal.SIGKILL


def test_two_programs_share_a_terminal(terminal: Terminal, program: Program) -> None:
    terminal.start(program("print('first')"))
    terminal.start(program("print('second')"))
    terminal.wait()
    assert sorted(terminal.lines()) == ["first", "second"]


def test_frames_are_the_screens_that_could_be_seen(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import sys
            for n in range(3):
                print(f"\\r{n}/3", end="", flush=True)
                sys.stdin.readline()
        """)
    )
    for n in range(3):
        terminal.wait_for(partial(_shows, f"{n}/3"))
        terminal.press(b"\n")
    terminal.wait()
    frames = terminal.frames(pause=0)
    assert [frame.lines[-1] for frame in frames] == ["0/3", "1/3", "2/3"]
    assert [frame.time for frame in frames] == sorted(frame.time for frame in frames)


def test_a_drawing_that_arrives_in_pieces_is_one_frame() -> None:
    with Terminal() as terminal:
        pieces = [(0.0, b"1/3"), (0.1, b"\r2/3\n"), (0.101, b"more"), (0.2, b"\x1b[A\r3/3")]
        terminal.recording = [Chunk(time, data) for time, data in pieces]
        frames = terminal.frames()
    assert [frame.lines for frame in frames] == [["1/3"], ["2/3", "   more"], ["3/3", "   more"]]


def test_each_whole_drawing_is_a_frame_however_late_it_is_read() -> None:
    with Terminal() as terminal:
        first, second, third = (b"\x1b7\r\n%d/3\x1b8" % n for n in (1, 2, 3))
        pieces = [(0.0, first + second + third[:6]), (0.5, third[6:]), (0.505, b"end")]
        terminal.recording = [Chunk(time, data) for time, data in pieces]
        frames = terminal.frames()
    assert [frame.lines[1] for frame in frames] == ["1/3", "2/3", "3/3"]
    assert [frame.time for frame in frames] == [0.0, 0.0, 0.505]


def test_a_test_can_write_from_its_own_process(terminal: Terminal) -> None:
    with open(terminal.path, "w", encoding="utf-8") as file:
        file.write("進捗\r\n")
    terminal.settle()
    assert terminal.lines() == ["進捗"]
    assert terminal.output() == "進捗\r\r\n".encode()


def test_a_failed_wait_shows_the_screen(terminal: Terminal, program: Program) -> None:
    terminal.start(program("print('something else')"))
    terminal.wait()
    with pytest.raises(AssertionError, match="something else"):
        terminal.wait_for(lambda screen: "100%" in screen.text(), timeout=0.1)


def test_closing_kills_what_runs_with_its_children(program: Program) -> None:
    with Terminal() as terminal:
        terminal.start(
            program(f"""
                import subprocess
                children = [subprocess.Popen([{sys.executable!r}, "-c", "input()"],
                            stdin=subprocess.PIPE) for _ in range(2)]
                print("ready")
                children[0].wait()
            """)
        )
        terminal.wait_for(lambda screen: "ready" in screen.text())
    assert terminal.programs[0].returncode == -signal.SIGKILL


def _shows(text: str, screen: Screen) -> bool:
    return text in screen.text()


def _state(process: subprocess.Popen[bytes]) -> str:
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_no_mark_is_in_the_recording_even_when_it_arrives_in_pieces() -> None:
    with Terminal() as terminal:
        for piece in (b"a\x1b", b"_ma", b"rk\x1b", b"\\b\x1b_other\x1b\\"):
            terminal._take(piece)
        assert terminal.output() == b"ab\x1b_other\x1b\\"
        os.write(terminal._slave, b"c")
        terminal.settle()
        assert terminal.output() == b"ab\x1b_other\x1b\\c"
