"""Processes are killed at random moments: what they counted stays, and nothing counts twice."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# A complete run kills 10,000 processes; on two busy cores that takes minutes.
PATIENCE_S = 1800.0

# What all programs here begin with: writers, each of which acknowledges its counts in a file of its
# own, after it counted. So at a kill the count is as high as the acknowledged one, or 1 higher.
WRITERS = """
    import mmap, multiprocessing, os, random, signal, sys, threading, time
    from pathlib import Path
    from mp_tqdm import mp_tqdm, report_progress

    def view(log):
        with open(log, "r+b") as file:
            return memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")

    def count(log, bar):
        log = view(log)
        log[1] = 1  # has begun
        number = 0
        while True:
            if bar is None:
                report_progress()
            else:
                bar.update()
            number += 1
            log[0] = number

    def spin(seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    def fork(log, bar):
        child = os.fork()
        if not child:
            count(log, bar)
        return child

    def spawn(log, bar):
        process = multiprocessing.get_context("spawn").Process(target=count, args=(log, bar))
        process.start()
        running.append(process)
        return process.pid

    running = []
    directory = Path(sys.argv[1])
    seed = time.time_ns()
    chance = random.Random(seed)

    def fresh_log(number):
        log = directory / f"log-{number}"
        log.write_bytes(bytes(16))
        return str(log)
"""

KILL_AND_COMPARE = (
    WRITERS
    + """
    def main():
        bar = mp_tqdm()
        acknowledged = lost = kills = 0
        began = time.monotonic()
        for start, wanted in ((fork, int(sys.argv[2])), (spawn, int(sys.argv[3]))):
            wanted += kills
            while kills < wanted:
                logs = [fresh_log(number) for number in range(chance.randrange(1, 4))]
                group = [start(log, chance.choice((None, bar))) for log in logs]
                views = [view(log) for log in logs]
                if chance.random() < 0.7:
                    while not any(one[0] for one in views):
                        pass
                spin(chance.random() * 0.004)
                for child in group:
                    os.kill(child, signal.SIGKILL)
                if start is fork:
                    for child in group:
                        os.waitpid(child, 0)
                while running:
                    running.pop().join()
                kills += len(group)
                acknowledged += sum(one[0] for one in views)
                in_flight = bar.n - acknowledged - lost
                assert 0 <= in_flight <= len(group), (in_flight, len(group), kills, seed)
                lost += in_flight
        print(f"{kills} kills: n {bar.n}, acknowledged {acknowledged},"
              f" {time.monotonic() - began:.0f} s")

    if __name__ == "__main__":
        main()
"""
)


@pytest.mark.slow
@pytest.mark.timeout(100)
@pytest.mark.faults("F1")
def test_what_killed_workers_counted_stays_but_for_one_update_in_flight_each(
    program: Program, rounds: Rounds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forks, spawns = rounds(140, 9700), rounds(10, 300)
    process = programs.run(
        program(KILL_AND_COMPARE, str(tmp_path), str(forks), str(spawns)),
        env=programs.environment(MP_TQDM_MODE="off"),
        timeout=PATIENCE_S,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    with capsys.disabled():
        sys.stdout.write(f"\n{process.stdout}")
    kills, n, acknowledged = map(int, re.findall(r"\d+", process.stdout)[:3])
    assert kills >= forks + spawns
    assert acknowledged > 10 * kills, "the workers died before they counted"
    assert 0 <= n - acknowledged <= kills


KILL_BEGINNERS_BESIDE_A_READER = (
    WRITERS
    + """
    def kill(kills, sums):
        # In a process of its own, so that the reader has one to itself.
        log = fresh_log(0)
        one = view(log)
        for number in range(kills):
            one[0] = one[1] = 0
            child = fork(log, None)
            while not one[1]:
                pass
            spin(chance.random() * 0.000_150)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            sums[0] += one[0]
            sums[1] += one[0] > 0

    def main():
        bar = mp_tqdm()
        sums = view(fresh_log("sums"))
        killer = os.fork()
        if not killer:
            kill(int(sys.argv[2]), sums)
            os._exit(0)
        reads = last = 0
        while os.waitpid(killer, os.WNOHANG) == (0, 0):
            for _ in range(100):
                n = bar.n
                assert n >= last, (n, last, seed)
                last = n
                reads += 1
        print(f"{sys.argv[2]} kills, {sums[1]} of them after a count: "
              f"n {bar.n}, acknowledged {sums[0]}, {reads} reads")

    if __name__ == "__main__":
        main()
"""
)


@pytest.mark.faults("F71")
@pytest.mark.timeout(100)
def test_n_never_falls_beside_workers_killed_in_their_first_150_microseconds(
    program: Program, rounds: Rounds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = programs.run(
        program(KILL_BEGINNERS_BESIDE_A_READER, str(tmp_path), str(rounds(300, 10_000))),
        env=programs.environment(MP_TQDM_MODE="off"),
        timeout=PATIENCE_S,
    )
    assert process.returncode == 0, process.stderr
    with capsys.disabled():
        sys.stdout.write(f"\n{process.stdout}")
    kills, _, n, acknowledged, reads = map(int, re.findall(r"\d+", process.stdout))
    assert 0 <= n - acknowledged <= kills
    assert reads > 1000
