"""Processes that print beside a bar and never count: their lines are whole as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.meeting import MEETING
from support.programs import environment, rank_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

# Three lines in one write: with nothing done about it, the bar shows through in the second one.
PRINTS = """
import time

def speak(name):
    for number in range(40):
        print("\\n".join(f"{name} {number} {part} is whole" for part in range(3)))
        time.sleep(0.01)
"""

WORKERS = {
    "pool": """
    context = multiprocessing.get_context(method)
    with mp_tqdm(total=2, desc="work", mininterval=0.02) as bar, context.Pool(2) as pool:
        for _ in pool.imap_unordered(speak, "ab"):
            bar.update()
    """,
    "started before the bar": """
    context = multiprocessing.get_context(method)
    go = context.Event()
    crew = [context.Process(target=speak_later, args=(go, name)) for name in "ab"]
    for process in crew:
        process.start()
    with mp_tqdm(total=2, desc="work", mininterval=0.02) as bar:
        go.set()
        for process in crew:
            process.join()
            bar.update()
    """,
    "executor": """
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context(method)
    with mp_tqdm(total=2, desc="work", mininterval=0.02) as bar:
        with ProcessPoolExecutor(2, context) as pool:
            for _ in pool.map(speak, "ab"):
                bar.update()
    """,
}
MAIN = """
import multiprocessing, os, subprocess, sys
from mp_tqdm import mp_tqdm, session_env

def speak_later(go, name):
    go.wait()
    speak(name)

if __name__ == "__main__":
    method = sys.argv[1]
"""


def check(terminal: Terminal, processes: int) -> None:
    """All lines are whole, but for the bar's last one."""
    lines = [line for line in terminal.lines() if line]
    others = [line for line in lines if not line.endswith(" is whole")]
    assert len(others) == 1, terminal.text()
    assert others[0].startswith("work: 100%|"), terminal.text()
    assert len(lines) == processes * 40 * 3 + 1


@pytest.mark.faults("F134")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("source", WORKERS.values(), ids=WORKERS)
def test_of_workers(
    source: str, method: str, terminal: Terminal, program: Callable[..., list[str]]
) -> None:
    terminal.start(program(PRINTS + MAIN + source, method))
    assert terminal.wait() == 0, terminal.text()
    check(terminal, 2)


@pytest.mark.once
@pytest.mark.faults("F134")
def test_of_a_child_by_fork_from_before_the_bar(
    terminal: Terminal, program: Callable[..., list[str]]
) -> None:
    terminal.start(
        program(
            PRINTS
            + MAIN
            + """
    open_, write = os.pipe()
    if not os.fork():
        os.read(open_, 1)
        speak("child")
        os._exit(0)
    with mp_tqdm(total=1, desc="work", mininterval=0.02) as bar:
        os.write(write, b"x")
        os.wait()
        bar.update()
            """,
            "",
        )
    )
    assert terminal.wait() == 0, terminal.text()
    check(terminal, 1)


@pytest.mark.once
@pytest.mark.faults("F134")
def test_of_programs_in_a_session(terminal: Terminal, program: Callable[..., list[str]]) -> None:
    crew = program("import mp_tqdm, sys\n" + PRINTS + "\nspeak('program')\n")
    terminal.start(
        program(
            MAIN
            + """
    with mp_tqdm(total=1, desc="work", mininterval=0.02) as bar:
        subprocess.run(sys.argv[1:], env=os.environ | session_env(), check=True)
        bar.update()
            """,
            *crew,
        )
    )
    assert terminal.wait() == 0, terminal.text()
    check(terminal, 1)


@pytest.mark.once
@pytest.mark.faults("F134")
@pytest.mark.parametrize(
    "others", ["mp_tqdm(range(40), disable=True)", "range(40)"], ids=["bar is off", "no bar"]
)
def test_of_other_ranks(
    others: str, terminal: Terminal, program: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = program(
        MEETING
        + f"""
    is_first = os.environ["RANK"] == "0"
    if not is_first:
        meet("opened", 2)
        for number in {others}:
            print("\\n".join(f"rank {{number}} {{part}} is whole" for part in range(3)))
            time.sleep(0.01)
        meet("done", 2)
    else:
        with mp_tqdm(total=1, desc="work", mininterval=0.02) as bar:
            meet("opened", 2)
            meet("done", 2)
            bar.update()
    """
    )
    for rank in range(2):
        variables = rank_variables(tmp_path, rank, 2)
        terminal.start(command, env=environment(MEETING_PLACE=str(tmp_path), **variables))
    assert terminal.wait() == 0, terminal.text()
    check(terminal, 1)
