"""Bars that workers open while their program has none: they are drawn all the same, and at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import programs
from support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

pytestmark = [pytest.mark.faults("F114"), pytest.mark.faults("F110")]

# The workers work until the file `go` is there: a line that is seen before is seen live.
WORKERS = """
    import ctypes, multiprocessing, os, subprocess, sys, time
    from mp_tqdm import mp_tqdm, session_env

    way, before, place = sys.argv[1:]

    def work(number=0):
        with mp_tqdm(total=10, desc="part", mininterval=0.2) as bar:
            while not os.path.exists(place + "/go"):
                time.sleep(0.01)
            bar.update(10)

    def two(start):
        workers = [start() for _ in range(2)]
        for end in workers:
            end()

    def process():
        worker = multiprocessing.get_context(way).Process(target=work)
        worker.start()
        return worker.join

    def forked(fork=os.fork):
        child = fork()
        if not child:
            work()
            os._exit(0)
        return lambda: os.waitpid(child, 0)

    def unnoticed():
        return forked(ctypes.PyDLL(None).fork)

    def program():
        command = [sys.executable, __file__, "worker", "none", place]
        return subprocess.Popen(command, env=os.environ | session_env()).wait

    def main():
        if before != "none":
            for _ in mp_tqdm(range(5), desc="own", disable=before == "disabled"):
                time.sleep(0.02)
        if before == "idle":
            while len(os.listdir("/proc/self/task")) > 1:  # until the thread that drew has ended
                time.sleep(0.01)
        if way == "worker":
            work()
        elif way == "executor":
            from concurrent.futures import ProcessPoolExecutor

            with ProcessPoolExecutor(2) as pool:
                list(pool.map(work, range(2)))
        elif way == "joblib":
            from joblib import Parallel, delayed

            Parallel(n_jobs=2)(delayed(work)(number) for number in range(2))
        else:
            starts = {"os.fork": forked, "unnoticed": unnoticed, "session": program}
            two(starts.get(way, process))

    if __name__ == "__main__":
        main()
"""

WAYS = ["fork", "spawn", "forkserver", "executor", "joblib", "os.fork", "session"]
CASES = [
    *((way, "ended") for way in WAYS),
    *((way, "disabled") for way in ("fork", "spawn", "os.fork", "session")),
    *((way, "idle") for way in ("fork", "spawn", "os.fork", "session")),
    *((way, "none") for way in ("fork", "spawn", "os.fork", "session")),
    # One of the workers draws.
    *(("unnoticed", before) for before in ("idle", "none")),
]


@pytest.mark.parametrize(("way", "before"), CASES)
def test_bars_of_workers_are_live_whatever_their_program_had_before(
    terminal: Terminal, program: Callable[..., list[str]], tmp_path: Path, way: str, before: str
) -> None:
    if way == "joblib":
        programs.needs_package("joblib")
    terminal.start(program(WORKERS, way, before, str(tmp_path)))
    terminal.wait_for(lambda screen: "part:   0%" in screen.text() and "0/20" in screen.text())
    (tmp_path / "go").touch()
    assert terminal.wait() == 0, terminal.text()
    assert terminal.text().count("part:") == 1, terminal.text()
    assert "| 20/20 [" in terminal.text()
    assert terminal.text().count("own:") == (before in ("ended", "idle"))


@pytest.mark.parametrize(("way", "before"), [("fork", "ended"), ("spawn", "disabled")])
def test_they_are_also_in_a_log(
    terminal: Terminal, program: Callable[..., list[str]], tmp_path: Path, way: str, before: str
) -> None:
    log = tmp_path / "log"
    into_log = ["sh", "-c", 'exec "$@" 2> "$0"', str(log)]
    terminal.start([*into_log, *program(WORKERS, way, before, str(tmp_path))])
    wait_until(lambda: log.exists() and "0/20" in log.read_text(), "a line of the workers")
    (tmp_path / "go").touch()
    assert terminal.wait() == 0, terminal.text()
    assert "| 20/20 [" in log.read_text().splitlines()[-1]
