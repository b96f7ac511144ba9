"""What a text beside a bar adds to what is written, and where the bar is meanwhile."""

import os
import subprocess
import threading
from collections.abc import Callable

import pytest

from support.programs import environment
from support.terminal import Terminal

Program = Callable[..., list[str]]


def written(command: list[str]) -> int:
    """How many bytes come out at a terminal that is read as fast as can be."""
    master, slave = os.openpty()
    program = subprocess.Popen(
        command, env=environment(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    count = 0

    def read() -> None:
        nonlocal count
        try:
            while data := os.read(master, 1 << 16):
                count += len(data)
        except OSError:
            pass  # the program has ended

    reader = threading.Thread(target=read)
    reader.start()
    assert program.wait(60) == 0
    reader.join()
    os.close(master)
    return count


@pytest.mark.once
@pytest.mark.faults("F132")
def test_texts_beside_a_bar_take_less_than_twice_their_bytes(program: Program) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        with mp_tqdm(total=3, desc="work") as bar:
            for _ in range(10_000):
                print("a line of 50 characters, as programs print them...")
    """)
    # A program that does not get the processor has pauses, in which the bar is drawn.
    assert min(written(command) for _ in range(3)) < 2 * 10_000 * 52


@pytest.mark.faults("F132")
def test_the_bar_comes_back_behind_many_texts(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import ctypes
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, desc="work", mininterval=3600) as bar:
                input()
                for part in range(2):
                    for number in range(30):
                        print("text", part, number)
                    # C code that holds the GIL.
                    ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(9), 9)
        """)
    )
    terminal.wait_for(lambda screen: "work:" in screen.text())
    terminal.press(b"\n")
    for part in range(2):
        last = [f"text {part} 28", f"text {part} 29", ""]
        terminal.wait_for(
            lambda screen, last=last: (  # type: ignore[misc]
                screen.lines()[-4:-1] == last and screen.lines()[-1].startswith("work:")
            )
        )
        terminal.press(b"\n")
    assert terminal.wait() == 0, terminal.text()
