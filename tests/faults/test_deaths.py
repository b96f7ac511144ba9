"""A process dies inside this package: in the rest of the job bars work as before."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

PATIENCE_S = 1800.0

# Goes through the package as much as can be, until it is killed.
WORK_IN_THE_PACKAGE = """
    def work_in_the_package():
        import itertools
        for number in itertools.count():
            with mp_tqdm(total=10, desc=f"bar {number % 7}", key=f"key {number % 5}") as bar:
                bar.set_postfix(loss=0.5, text="x" * (number % 50))
                bar.update(3)
                bar.set_description("another")
                report_progress()
                bar.total = 20
                bar.reset()
                bar.update()
            for _ in mp_tqdm(range(3), leave=False):
                pass
            mp_tqdm(total=3, disable=True).close()
"""

KILL_WORKERS_IN_THE_PACKAGE = f"""
    import os, random, signal, sys, time
    from mp_tqdm import mp_tqdm, report_progress
{WORK_IN_THE_PACKAGE}
    def use_it():
        with mp_tqdm(total=10, desc="new") as bar:
            for _ in range(5):
                bar.update()
            report_progress(5)
            assert bar.n == 10, bar.n
        for disable in (True, False):
            assert sum(mp_tqdm(range(10), disable=disable)) == 45

    seed = time.time_ns()
    chance = random.Random(seed)
    outer = mp_tqdm(iter(()), total=1000, desc="outer")
    for _ in range(int(sys.argv[1])):
        victim = os.fork()
        if not victim:
            work_in_the_package()
        time.sleep(chance.random() * 0.01)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        use_it()
        other = os.fork()
        if not other:
            use_it()
            os._exit(0)
        assert os.waitpid(other, 0)[1] == 0, seed
        outer.update()
    print(outer.n)
"""


@pytest.mark.faults("F4")
@pytest.mark.timeout(100)
@pytest.mark.parametrize("mode", ["off", "tty"])
def test_bars_work_at_once_after_a_worker_died_inside_the_package(
    program: Program, rounds: Rounds, mode: str
) -> None:
    deaths = rounds(60, 5000)
    process = programs.run(
        program(KILL_WORKERS_IN_THE_PACKAGE, str(deaths)),
        env=programs.environment(MP_TQDM_MODE=mode),
        timeout=PATIENCE_S if deaths > 60 else 90,
    )
    assert process.stdout == f"{deaths}\n", process.stderr
    assert process.returncode == 0


DIE_AS_THE_OWNER = f"""
    import os
    from pathlib import Path
    from mp_tqdm import mp_tqdm, report_progress
{WORK_IN_THE_PACKAGE}
    print("begun", flush=True)
    work_in_the_package()
"""
SURVIVE = """
    import sys
    from mp_tqdm import mp_tqdm, report_progress
    bar = mp_tqdm(total=1000)
    print("here", flush=True)
    for line in sys.stdin:
        bar.update()
        with mp_tqdm(total=10, reduce="rank") as inner:
            inner.update(4)
            assert inner.n == 4, inner.n
        for disable in (True, False):
            assert sum(mp_tqdm(range(10), disable=disable)) == 45
        print("works", flush=True)
"""


@pytest.mark.faults("F4")
@pytest.mark.timeout(100)
def test_bars_of_other_ranks_work_at_once_after_the_owner_died_inside_the_package(
    program: Program, rounds: Rounds, tmp_path: Path
) -> None:
    victim, survivor = program(DIE_AS_THE_OWNER), program(SURVIVE)
    with subprocess.Popen(
        survivor,
        env=programs.environment(**programs.rank_variables(tmp_path, 1, 2), MP_TQDM_MODE="tty"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as survived:
        assert survived.stdin is not None
        assert survived.stdout is not None
        try:
            assert survived.stdout.readline() == "here\n"
            for death in range(rounds(12, 500)):
                with Terminal() as terminal:
                    terminal.start(
                        victim,
                        env=programs.environment(**programs.rank_variables(tmp_path, 0, 2)),
                    )
                    terminal.wait_for(lambda screen: "begun" in screen.text())
                    time.sleep(death % 12 * 0.002)
                    terminal.send_signal(signal.SIGKILL)
                    terminal.programs[0].wait()
                survived.stdin.write("go\n")
                survived.stdin.flush()
                assert survived.stdout.readline() == "works\n"
            survived.stdin.close()
            assert survived.wait() == 0
        finally:
            if survived.poll() is None:
                programs.kill_session(survived.pid)
