"""Forks that no handler hears of, forks in a loop's body, and forks of several threads at once."""

import re
from collections.abc import Callable

import pytest

from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# The ways to fork; behind the last two no hook of Python's and no handler of the C library's runs.
FORKS = """
    import ctypes, os, platform, signal, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from mp_tqdm import mp_tqdm, report_progress

    libc = ctypes.PyDLL(None)

    def clone():
        number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
        return libc.syscall(number, int(signal.SIGCHLD), 0, 0, 0, 0)

    forks = {"os.fork": os.fork, "fork": libc.fork, "_Fork": libc._Fork, "clone": clone}

    def threads():
        return len(os.listdir("/proc/self/task"))

    def reap(child):
        status = os.waitpid(child, 0)[1]
        assert status == 0, status
"""

COUNT_IN_CHILDREN = (
    FORKS
    + """
    fork, rounds = forks[sys.argv[1]], int(sys.argv[2])
    bar = mp_tqdm(total=60 * rounds, desc="forks", mininterval=0.02)
    bar.update()
    report_progress(2)
    for _ in range(rounds):
        child = fork()
        if not child:
            signal.alarm(10)  # where it hangs
            for _ in range(10):
                bar.update()
                report_progress()
            for _ in mp_tqdm(range(20), desc="its own"):
                report_progress(bar=bar)
            bar.close()
            # The thread that forked is the only one still.
            os._exit(threads() - 1)
        reap(child)
        bar.update(5)
    n = bar.n
    bar.close()
    print("counted", n, "of", 3 + 45 * rounds)
"""
)


@pytest.mark.faults("F68")
@pytest.mark.parametrize("fork", ["os.fork", "fork", "_Fork", "clone"])
def test_children_of_every_kind_of_fork_count_and_have_no_renderer(
    terminal: Terminal, program: Program, rounds: Rounds, fork: str
) -> None:
    number = rounds(60, 3000)
    terminal.start(program(COUNT_IN_CHILDREN, fork, str(number)))
    assert terminal.wait(rounds(20, 600)) == 0, terminal.text()
    found = re.search(r"counted (\d+) of (\d+)", terminal.text())
    assert found is not None, terminal.text()
    assert found[1] == found[2] == str(3 + 45 * number)
    # A child that drew would have left a line, or a second copy of the parent's.
    assert terminal.text().count("forks:") == 1, terminal.text()


FORK_IN_THE_BODY = (
    FORKS
    + """
    fork = forks[sys.argv[1]]
    parent = os.getpid()
    bar = mp_tqdm(range(100), desc="loop")
    child = None
    for item in bar:
        if item == 49:
            child = fork()
    if child == 0:
        # The child was handed item 49 as well and finishes it: 49 to 99.
        os._exit(0 if (bar.n_own, threads()) == (51, 1) else 1)
    reap(child)
    print("own", bar.n_own, "all", bar.n)
    number = int(sys.argv[2])
    children = []
    bar = mp_tqdm(range(number), desc="again")
    for item in bar:
        child = fork()
        if not child:
            bar.update(3)
            os._exit(0)
        reap(child)
        assert bar.n == 4 * item + 3, (item, bar.n)
    print("all of", number, "are", bar.n)
"""
)


@pytest.mark.faults("F68")
@pytest.mark.parametrize("fork", ["os.fork", "_Fork", "clone"])
def test_a_fork_in_the_body_of_a_loop_counts_each_item_once_in_each_process(
    terminal: Terminal, program: Program, rounds: Rounds, fork: str
) -> None:
    number = rounds(50, 3000)
    terminal.start(program(FORK_IN_THE_BODY, fork, str(number)))
    assert terminal.wait(rounds(20, 600)) == 0, terminal.text()
    # The child's 51 are in as far as they were there when the parent's loop, and so its bar, ended.
    found = re.search(r"own 100 all (\d+)", terminal.text())
    assert found is not None, terminal.text()
    assert 100 <= int(found[1]) <= 151
    assert f"all of {number} are {4 * number}" in terminal.text()


FORK_FROM_TWO_THREADS = (
    FORKS
    + """
    number = int(sys.argv[1])
    bar = mp_tqdm(total=8 * number, desc="threads", mininterval=0.02)

    def work():
        for _ in range(number):
            child = os.fork()
            if not child:
                signal.alarm(10)
                bar.update()
                report_progress(2)
                os._exit(threads() - 1)
            reap(child)
            report_progress()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("counted", bar.n)
    bar.close()
"""
)


@pytest.mark.faults("F68")
def test_two_threads_that_fork_together_have_children_without_a_renderer(
    terminal: Terminal, program: Program, rounds: Rounds
) -> None:
    number = rounds(60, 5000)
    terminal.start(program(FORK_FROM_TWO_THREADS, str(number)))
    assert terminal.wait(rounds(20, 600)) == 0, terminal.text()
    assert f"counted {8 * number}" in terminal.text()
