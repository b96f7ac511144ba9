"""A terminal that its user stops by ^S, and lets go on by ^Q."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.polling import wait_until
from support.terminal import Terminal

Program = Callable[..., list[str]]

STOP, GO_ON = b"\x13", b"\x11"

PROGRAM = """
    import os, sys, time
    from mp_tqdm import mp_tqdm
    here = os.path.dirname(__file__)
    def wait_for(name):
        while not os.path.exists(os.path.join(here, name)):
            time.sleep(0.005)
    bar = mp_tqdm(total=10, desc="work", mininterval=0.02)
    bar.update(3)
    wait_for("stopped")
    bar.update(7)
    bar.close()
    open(os.path.join(here, "closed"), "x").close()
    END
"""

ENDS = {
    # It goes on, and so does the thread.
    "works on": "wait_for('seen')",
    # The terminal takes this text once it goes on, and the process ends at once.
    "prints": "print('the end')",
    "exits": "sys.stderr.write('the end\\n'); sys.exit()",
}


@pytest.mark.faults("F130")
@pytest.mark.parametrize("end", ENDS)
def test_the_last_line_comes_once_a_stopped_terminal_goes_on(
    terminal: Terminal, program: Program, tmp_path: Path, end: str
) -> None:
    terminal.start(program(PROGRAM.replace("END", ENDS[end])))
    terminal.wait_for(lambda screen: "| 3/10 [" in screen.text())
    terminal.press(STOP)
    (tmp_path / "stopped").touch()
    wait_until((tmp_path / "closed").exists, "the bar to close")
    assert "100%" not in terminal.text()
    terminal.press(GO_ON)
    terminal.wait_for(lambda screen: "100%" in screen.text())
    (tmp_path / "seen").touch()
    terminal.wait()
    lines = [line for line in terminal.lines() if line]
    # What is printed after the bar was closed stands below it, as ever.
    expected = [r"work: 100%.*/10 \[.*", *(["the end"] if "the end" in ENDS[end] else [])]
    assert len(lines) == len(expected), terminal.text()
    assert all(map(re.fullmatch, expected, lines)), terminal.text()


@pytest.mark.faults("F130")
def test_a_program_ends_on_a_stopped_terminal(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.start(program(PROGRAM.replace("END", "")))
    terminal.wait_for(lambda screen: "| 3/10 [" in screen.text())
    terminal.press(STOP)
    (tmp_path / "stopped").touch()
    assert terminal.programs[0].wait(20) == 0
    terminal.press(GO_ON)


def test_nothing_is_drawn_from_a_background_that_is_to_stop(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.start(
        program("""
            import os, signal, sys, termios, time
            here = os.path.dirname(__file__)
            def wait_for(name):
                while not os.path.exists(os.path.join(here, name)):
                    time.sleep(0.005)
            modes = termios.tcgetattr(0)
            modes[3] |= termios.TOSTOP
            termios.tcsetattr(0, termios.TCSANOW, modes)
            job = os.fork()
            if job == 0:
                os.setpgid(0, 0)
                from mp_tqdm import mp_tqdm
                with mp_tqdm(total=4, desc="work", mininterval=0.02) as bar:
                    for _ in range(2):
                        bar.update()
                        time.sleep(0.1)
                    open(os.path.join(here, "counted"), "x").close()
                    wait_for("fetched")
                    bar.update(2)
                sys.exit()
            print("shell", flush=True)
            wait_for("looked")
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, job)
            os.waitpid(job, 0)
            os.tcsetpgrp(0, os.getpgrp())
            print("shell again")
        """)
    )
    wait_until((tmp_path / "counted").exists, "the bar to count")
    terminal.settle()
    assert terminal.lines() == ["shell"]
    (tmp_path / "looked").touch()
    terminal.wait_for(lambda screen: "| 2/4 [" in screen.text())
    (tmp_path / "fetched").touch()
    assert terminal.wait() == 0
    first, line, last = terminal.lines()
    assert (first, last) == ("shell", "shell again")
    assert line.startswith("work: 100%|")
