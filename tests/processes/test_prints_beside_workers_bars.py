"""What a program prints while only its workers have bars: whole lines, in the order of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

# The root prints bursts once the file `live` is there, lets the workers end, and prints results.
PRINTS = """
    import multiprocessing, os, subprocess, sys, time
    from mp_tqdm import mp_tqdm, session_env

    way, place = sys.argv[1:]

    def await_file(name):
        while not os.path.exists(f"{place}/{name}"):
            time.sleep(0.01)

    def work(number=0):
        with mp_tqdm(total=10, desc="part") as bar:
            await_file("go")
            bar.update(10)

    def burst():
        await_file("live")
        for number in range(5):
            print("burst", number)
        sys.stderr.write("a warning\\n")
        open(place + "/go", "x").close()

    def main():
        if way == "worker":
            return work()
        if way == "session":
            command = [sys.executable, __file__, "worker", place]
            environment = os.environ | session_env()
            crew = [subprocess.Popen(command, env=environment) for _ in range(2)]
            burst()
            for process in crew:
                process.wait()
        elif way == "os.fork":
            crew = [os.fork() or work() or os._exit(0) for _ in range(2)]
            burst()
            for process in crew:
                os.waitpid(process, 0)
        elif way == "executor":
            from concurrent.futures import ProcessPoolExecutor

            with ProcessPoolExecutor(2) as pool:
                running = [pool.submit(work) for _ in range(2)]
                burst()
                for future in running:
                    future.result()
        else:
            with multiprocessing.get_context(way).Pool(2) as pool:
                running = pool.map_async(work, range(2))
                burst()
                running.get()
        for number in range(3):
            print("result", number)

    if __name__ == "__main__":
        main()
"""
PRINTED = [*(f"burst {number}" for number in range(5)), "a warning"]
RESULTS = [f"result {number}" for number in range(3)]


@pytest.mark.faults("F134")
@pytest.mark.faults("F139")
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "executor", "session", "os.fork"])
def test_the_programs_own_text_is_whole_and_follows_the_line_of_workers_that_are_gone(
    terminal: Terminal, program: Callable[..., list[str]], tmp_path: Path, way: str
) -> None:
    terminal.start(program(PRINTS, way, str(tmp_path)))
    terminal.wait_for(lambda screen: "0/20 [" in screen.text())
    (tmp_path / "live").touch()
    assert terminal.wait() == 0, terminal.text()
    *printed, line, first, second, third = terminal.lines()
    assert printed == PRINTED, terminal.text()
    assert line.startswith("part: 100%|"), terminal.text()
    assert "| 20/20 [" in line
    assert [first, second, third] == RESULTS


@pytest.mark.once
@pytest.mark.faults("F134")
def test_a_stream_of_the_programs_own_making_is_left_alone(
    program: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "live").touch()
    done = programs.run(program(PRINTS, "fork", str(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*PRINTED[:-1], *RESULTS]
