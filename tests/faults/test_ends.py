"""A process ends roughly or is interrupted: its counts are in, it ends as it would without us."""

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from support import programs

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

PATIENCE_S = 1800.0
# Hundreds of forks take their time on a busy machine.
WATCHDOG_S = 90

END_AT_RANDOM = """
    import faulthandler, mmap, os, random, signal, sys, time
    from mp_tqdm import mp_tqdm, report_progress

    faulthandler.disable()
    seed = time.time_ns()
    chance = random.Random(seed)
    log = memoryview(mmap.mmap(-1, 8)).cast("Q")
    bar = mp_tqdm()

    def count(end, limit):
        while True:
            if log[0] % 2:
                report_progress()
            else:
                bar.update()
            log[0] += 1
            if log[0] == limit:
                end()

    def interrupted():
        try:
            count(None, None)
        except KeyboardInterrupt:
            os._exit(5)

    own = {
        "os._exit": (lambda: os._exit(3), 3),
        "abort": (os.abort, -signal.SIGABRT),
        "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), -signal.SIGTERM),
    }
    acknowledged = sent = 0
    for _ in range(int(sys.argv[1])):
        for end, code in own.values():
            log[0] = 0
            child = os.fork()
            if not child:
                count(end, chance.randrange(1, 2000))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, seed
            acknowledged += log[0]
        for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 5)):
            log[0] = 0
            child = os.fork()
            if not child:
                interrupted()
            while not log[0]:
                pass
            time.sleep(chance.random() * 0.002)
            os.kill(child, number)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, seed
            acknowledged += log[0]
            sent += 1
        # Only a signal from outside may come between a count and its acknowledgement.
        assert 0 <= bar.n - acknowledged <= sent, (bar.n, acknowledged, sent, seed)
    print("all counts are in")
"""


@pytest.mark.faults("F7")
@pytest.mark.timeout(WATCHDOG_S + 10)
def test_counts_of_a_process_that_ends_roughly_are_in_the_sum(
    program: Program, rounds: Rounds
) -> None:
    process = programs.run(
        program(END_AT_RANDOM, str(rounds(25, 2000))),
        env=programs.environment(MP_TQDM_MODE="off"),
        timeout=rounds(WATCHDOG_S, int(PATIENCE_S)),
    )
    assert process.stdout == "all counts are in\n", process.stderr


# A timer sends what ^C sends. What swallows it leaves the work to go on until the limit.
INTERRUPT_AT_RANDOM = """
    import importlib, os, random, signal, sys, time
    from mp_tqdm import mp_tqdm, report_progress

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    seed = time.time_ns()
    chance = random.Random(seed)

    def work(seconds=3):
        limit = time.monotonic() + seconds
        while True:
            with mp_tqdm(total=10, desc="opened", key="one") as bar:
                bar.set_postfix(loss=0.25)
                for _ in range(5):
                    bar.update()
                report_progress()
            for _ in mp_tqdm(range(20), desc="iterated"):
                pass
            if time.monotonic() > limit:
                return

    def is_interrupted(within_s):
        delay = chance.random() * within_s + 1e-6
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            work()
        except KeyboardInterrupt:
            return True
        return False

    def children(number):
        # Each of them attaches: the interrupt may come at its first steps.
        lost = 0
        for _ in range(number):
            child = os.fork()
            if not child:
                os._exit(not is_interrupted(0.003))
            lost += os.waitpid(child, 0)[1] != 0
        return lost

    def import_what_children_will():
        # CPython itself swallows an interrupt that comes at the end of an import. What one child
        # imports here may have the next one import something else.
        names = ["os"]
        while names:
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                before = set(sys.modules)
                work(0)
                os.write(writer, " ".join(sys.modules.keys() - before).encode())
                os._exit(0)
            os.close(writer)
            names = os.read(reader, 1 << 16).decode().split()
            os.waitpid(child, 0)
            for name in names:
                importlib.import_module(name)

    import_what_children_will()
    number = int(sys.argv[1])
    lost_by_children = children(number)
    lost = sum(not is_interrupted(0.003) for _ in range(number))
    import_what_children_will()  # those of an attached process do other things
    lost_by_children += children(number)
    print(lost, "of", number, "and of", 2 * number, "children", lost_by_children)
"""


@pytest.mark.faults("F7")
@pytest.mark.timeout(WATCHDOG_S + 10)
@pytest.mark.parametrize("mode", ["off", "tty"])
def test_a_keyboard_interrupt_is_seen_once_whenever_it_comes(
    program: Program, rounds: Rounds, mode: str
) -> None:
    number = rounds(200, 10_000)
    process = programs.run(
        program(INTERRUPT_AT_RANDOM, str(number)),
        env=programs.environment(MP_TQDM_MODE=mode),
        timeout=rounds(WATCHDOG_S, int(PATIENCE_S)),
    )
    assert process.stdout == f"0 of {number} and of {2 * number} children 0\n", process.stderr
    assert "Exception ignored" not in process.stderr
    assert "KeyboardInterrupt" not in process.stderr


WAIT = """
    import os, sys, time
    if sys.argv[1] == "bar":
        from mp_tqdm import mp_tqdm
        bar = mp_tqdm(total=10)
        bar.update()
    try:
        print("here", flush=True)
        if sys.argv[2] == "os._exit":
            sys.stdin.read(1)
            os._exit(0)
        time.sleep(60)
    except KeyboardInterrupt:
        raise SystemExit(7) from None
"""


@pytest.mark.parametrize("end", ["os._exit", "SIGTERM", "SIGINT", "SIGABRT"])
@pytest.mark.faults("F7")
def test_a_program_with_a_bar_ends_as_soon_as_without(program: Program, end: str) -> None:
    def seconds(kind: str) -> float:
        with subprocess.Popen(
            program(WAIT, kind, end),
            env=programs.environment(MP_TQDM_MODE="tty", PYTHONFAULTHANDLER=None),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"here\n"
            began = time.monotonic()
            if end == "os._exit":
                process.stdin.write(b"x")
                process.stdin.flush()
                code = 0
            else:
                process.send_signal(getattr(signal, end))
                code = 7 if end == "SIGINT" else -getattr(signal, end)
            assert process.wait() == code
            return time.monotonic() - began

    # Of several runs the fastest, which a busy machine delays least.
    bare = min(seconds("bare") for _ in range(3))
    assert any(seconds("bar") - bare < 0.5 for _ in range(10))
    sweep = "import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"
    assert programs.run(program(sweep)).returncode == 0
