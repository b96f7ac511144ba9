"""Bars that workers open on files of their own: these get the lines, the terminal gets none."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from support.polling import wait_until
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.faults("F115")

# Each of two workers counts 3 of 10, and the rest once the file `go` is there.
WORKERS = """
    import contextlib, io, multiprocessing, os, sys, subprocess, time
    from mp_tqdm import mp_tqdm, session_env

    way, how, root, place = sys.argv[1:5]

    def count(file=None):
        with mp_tqdm(total=10, desc="part", file=file, mininterval=0.2) as bar:
            bar.update(3)
            while not os.path.exists(place + "/go"):
                time.sleep(0.01)
            bar.update(7)

    def work(number):
        if how == "string":
            text = io.StringIO()
            count(text)
            with open(f"{place}/{number}", "w") as file:
                file.write(text.getvalue())
            return
        with open(f"{place}/{number}", "w") as file:
            if how == "given":
                count(file)
            elif how == "replaced":
                sys.stderr = file
                count()
            elif how == "redirected":
                with contextlib.redirect_stderr(file):
                    count()
            elif how == "descriptor":
                os.dup2(file.fileno(), 2)
                count()

    def process(number):
        worker = multiprocessing.get_context(way).Process(target=work, args=(number,))
        worker.start()
        return worker.join

    def forked(number):
        child = os.fork()
        if not child:
            work(number)
            os._exit(0)
        return lambda: os.waitpid(child, 0)

    def program(number):
        with open(f"{place}/{number}", "w") as file:
            command = [sys.executable, __file__, "worker", how, "none", place]
            return subprocess.Popen(command, env=os.environ | session_env(), stderr=file).wait

    def main():
        if way == "worker":
            return count()
        bar = mp_tqdm(total=5, desc="own") if root == "bar" else None
        start = {"os.fork": forked, "session": program}.get(way, process)
        for end in [start(number) for number in range(2)]:
            end()
        if bar is not None:
            bar.close()
        print("end")

    if __name__ == "__main__":
        main()
"""

HOWS = ["given", "replaced", "redirected", "descriptor"]
CASES = [
    *(("fork", how, "none") for how in [*HOWS, "string"]),
    *((way, how, "bar") for way in ("fork", "spawn") for how in ("given", "replaced", "string")),
    *(("os.fork", how, "none") for how in ("given", "replaced")),
    *(("session", "inherited", root) for root in ("none", "bar")),
]


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_workers_file_gets_its_lines_and_the_terminal_none(
    terminal: Terminal,
    program: Callable[..., list[str]],
    tmp_path: Path,
    case: tuple[str, str, str],
) -> None:
    terminal.start(program(WORKERS, *case, str(tmp_path)))
    files = [tmp_path / str(number) for number in range(2)]

    def is_live(file: Path) -> bool:
        return file.exists() and "| 3/10 [" in file.read_text()

    if "string" not in case:
        wait_until(lambda: all(map(is_live, files)), "lines in the workers' files")
    (tmp_path / "go").touch()
    assert terminal.wait() == 0, terminal.text()
    for file in files:
        last = re.split(r"[\r\n]", file.read_text().rstrip())[-1]
        assert re.match(r"part: 100%\|.*\| 10/10 \[", last), file.read_text()
    assert "part" not in terminal.text(), terminal.text()
    assert terminal.lines()[-1] == "end"


@pytest.mark.once
def test_a_worker_draws_live_lines_on_another_terminal(
    terminal: Terminal, program: Callable[..., list[str]], tmp_path: Path
) -> None:
    source = WORKERS.replace('open(f"{place}/{number}", "w")', 'open(os.environ["OTHER"], "w")')
    with Terminal() as other:
        environment = {**os.environ, "OTHER": other.path}
        terminal.start(program(source, "fork", "given", "none", str(tmp_path)), env=environment)
        other.wait_for(lambda screen: screen.text().count("| 3/10 [") == 1)
        (tmp_path / "go").touch()
        assert terminal.wait() == 0, terminal.text()
        other.wait_for(lambda screen: screen.text().count("| 10/10 [") >= 1)
        assert b"\x1b7" in other.output()
    assert terminal.lines() == ["end"]


@pytest.mark.once
def test_what_a_killed_worker_drew_itself_makes_room_for_others(
    program: Callable[..., list[str]], terminal: Terminal
) -> None:
    # There is room for 128 bars.
    terminal.start(
        program("""
            import multiprocessing, os, signal
            from mp_tqdm import mp_tqdm

            def work():
                bars = [mp_tqdm(total=1, file=open(os.devnull, "w")) for _ in range(50)]
                os.kill(os.getpid(), signal.SIGKILL)

            if __name__ == "__main__":
                for _ in range(4):
                    worker = multiprocessing.get_context("fork").Process(target=work)
                    worker.start()
                    worker.join()
                for _ in mp_tqdm(range(7), desc="own"):
                    pass
        """)
    )
    assert terminal.wait() == 0
    assert re.match(r"own: 100%.*\| 7/7 \[", terminal.lines()[-1]), terminal.text()
