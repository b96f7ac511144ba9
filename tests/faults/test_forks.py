"""Forks, spawns and execs beside a live renderer: children count, never draw, and nobody warns."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.system_calls import trace
from support.terminal import Terminal

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# What CPython says from 3.12 on to who forks with threads alive.
STRICT = ("-W", "error::DeprecationWarning")

FORK_IN_EVERY_WAY = """
    import multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        report_progress(n)

    def main():
        with mp_tqdm(total=150) as bar:
            for _ in range(10):
                child = os.fork()
                if not child:
                    report_progress()
                    os._exit(0)
                os.waitpid(child, 0)
            context = multiprocessing.get_context("fork")
            for _ in range(10):
                process = context.Process(target=work, args=(2,))
                process.start()
                process.join()
            assert bar.n == 30, bar.n
            # Pool starts its threads after its processes, so it warns by itself once one dies.
            with context.Pool(3) as pool:
                pool.map(work, [10] * 6, chunksize=1)
            assert bar.n == 90, bar.n
            with ProcessPoolExecutor(3, mp_context=context) as executor:
                list(executor.map(work, [10] * 6))
            assert bar.n == 150, bar.n
        print("forked")

    if __name__ == "__main__":
        main()
"""


# Hooks in Python run behind this package's, where CPython 3.13 has not yet counted the threads.
HOOKS = {
    "no other hook": "",
    "a hook in Python": "os.register_at_fork(after_in_parent=lambda: sum(map(int, '1234')))",
    "a hook that takes long": "os.register_at_fork(after_in_parent=lambda: time.sleep(0.05))",
    "a hook that forks": "os.register_at_fork(after_in_parent=fork_once)",
}


@pytest.mark.faults("F20")
@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_fork_with_a_bar_that_is_drawn_warns_of_nothing(
    terminal: Terminal, program: Program, hook: str
) -> None:
    terminal.start(
        program(f"""
            import os, time, warnings
            from mp_tqdm import mp_tqdm
            inside = []
            def fork_once():
                if not inside:
                    inside.append(1)
                    child = os.fork()
                    if not child:
                        os._exit(0)
                    os.waitpid(child, 0)
                    inside.clear()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                bar = mp_tqdm(total=10**9)
                bar.update()
                {hook}
                for _ in range(10):
                    while not bar.update():  # until a frame was drawn
                        pass
                    child = os.fork()
                    if not child:
                        os._exit(0)
                    os.waitpid(child, 0)
            bar.close()
            print(len(caught), "warnings")
        """)
    )
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "0 warnings"


@pytest.mark.faults("F20")
def test_a_fork_with_a_live_bar_warns_of_nothing(terminal: Terminal, program: Program) -> None:
    terminal.start(program(FORK_IN_EVERY_WAY, options=STRICT))
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "forked"
    assert "Warning" not in terminal.text()
    assert "100%|" in terminal.text()
    assert "| 150/150 [" in terminal.text()


@pytest.mark.parametrize("call", ["fork()", "thread = threading.Thread(target=fork)"])
def test_a_bar_goes_on_after_a_fork(terminal: Terminal, program: Program, call: str) -> None:
    terminal.start(
        program(f"""
            import os, threading, warnings
            from mp_tqdm import mp_tqdm
            warnings.simplefilter("ignore")
            thread = threading.Thread()
            bar = mp_tqdm(total=100)
            bar.update(10)
            def fork():
                child = os.fork()
                if not child:
                    os._exit(0)
                os.waitpid(child, 0)
            {call}
            thread.start()
            thread.join()
            bar.update(32)
            input()
        """)
    )
    terminal.wait_for(lambda screen: "| 42/100 [" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0


FORK_OFTEN = """
    import os, sys
    from mp_tqdm import mp_tqdm, report_progress

    forks = int(sys.argv[1])
    bar = mp_tqdm(total=3 * forks, mininterval=0.005)
    bad = 0
    for _ in range(forks):
        child = os.fork()
        if not child:
            bar.update()
            report_progress()
            # The thread that forked is the only one, and stays so.
            os._exit(len(os.listdir("/proc/self/task")) - 1)
        bar.update()
        bad += os.waitpid(child, 0)[1] != 0
    n = bar.n
    bar.close()
    print(n, bad)
"""


@pytest.mark.faults("F19")
def test_forks_beside_a_busy_renderer_count_and_never_hang(
    terminal: Terminal, program: Program, rounds: Rounds
) -> None:
    forks = rounds(300, 10_000)
    terminal.start(program(FORK_OFTEN, str(forks)))
    assert terminal.wait(timeout=rounds(28, 1800)) == 0, terminal.text()
    assert terminal.lines()[-1] == f"{3 * forks} 0", terminal.text()
    assert f"| {3 * forks}/{3 * forks} [" in terminal.lines()[-2], terminal.text()


@pytest.mark.faults("F19")
@pytest.mark.once
def test_children_never_write_to_the_display(program: Program) -> None:
    traced = trace(
        program(
            """
            import os
            from mp_tqdm import mp_tqdm, report_progress
            master, slave = os.openpty()
            file = open(slave, "w", encoding="utf-8")
            bar = mp_tqdm(total=40, mininterval=0.02, file=file)
            os.path.exists("/mark/begin")
            for _ in range(20):
                child = os.fork()
                if not child:
                    for _ in mp_tqdm(range(100), file=file):
                        bar.update()
                    bar.set_postfix(loss=1.0)
                    bar.refresh()
                    bar.close()
                    os._exit(0)
                os.waitpid(child, 0)
            print(bar.n)
            os.path.exists("/mark/end")
            """
        )
    )
    assert traced.process.stdout == "2000\n", traced.process.stderr
    root = traced.calls[0].thread
    mains = {call.thread for call in traced.calls if call.name in ("clone", "clone3", "fork")}
    assert mains == {root}, "a child started a thread or a process"
    # strace numbers threads: the children are those that neither are the root nor were made with
    # CLONE_THREAD by it.
    threads = {
        int(call.text.rpartition("=")[2].split()[0])
        for call in traced.calls
        if call.name in ("clone", "clone3") and "CLONE_THREAD" in call.text
    }
    drawn_by = {
        call.thread
        for call in traced.calls
        if call.name in ("write", "writev", "pwrite64") and r"\33D" in call.text
    }
    assert drawn_by <= threads | {root}
    assert drawn_by & threads


def test_a_child_that_runs_on_does_not_draw_the_bar_of_its_parent(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, time
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=100, desc="parent")
            bar.update(10)
            child = os.fork()
            if not child:
                with bar:
                    for _ in range(5):
                        bar.update()
                        bar.refresh()
                os._exit(0)
            os.waitpid(child, 0)
            bar.close()
            print("end")
        """)
    )
    assert terminal.wait() == 0
    lines = terminal.lines()
    assert len(lines) == 2, terminal.text()
    assert lines[0].startswith("parent:  15%|"), terminal.text()
    assert lines[1] == "end"


FORK_FROM = """
    import multiprocessing, os, sys, threading, warnings

    def fork():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

    def from_a_thread():
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()

    def beside_a_thread():
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        fork()
        end.set()
        thread.join()

    def by_multiprocessing():
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        process.join()

    def main():
        if sys.argv[1] == "bar":
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10**9)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(5):
                while sys.argv[1] == "bar" and not bar.update():  # until a frame was drawn
                    pass
                globals()[sys.argv[2]]()
        print(sys.argv[1], len(caught), "warnings")

    if __name__ == "__main__":
        main()
"""


@pytest.mark.faults("F20")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="no warning before 3.12")
@pytest.mark.parametrize("how", ["from_a_thread", "beside_a_thread", "by_multiprocessing"])
def test_a_bar_adds_no_warning_to_those_that_cpython_gives_anyway(
    terminal: Terminal, program: Program, how: str
) -> None:
    # Two threads of Python's own are warned of, whoever forks: a program without a bar tells.
    for kind in ("bare", "bar"):
        terminal.start(program(FORK_FROM, kind, how))
    assert terminal.wait() == 0
    expected = 0 if how == "by_multiprocessing" else 5
    for kind in ("bare", "bar"):
        assert f"{kind} {expected} warnings" in terminal.text(), terminal.text()


COUNT_IN_CHILDREN = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        report_progress(n)

    def main():
        context = multiprocessing.get_context(sys.argv[1])
        if sys.argv[2] == "bar first":
            bar = mp_tqdm(total=60)
        with context.Pool(2) as pool:
            pool.map(abs, range(8))
            if sys.argv[2] == "pool first":
                bar = mp_tqdm(total=60)
            pool.map(work, [10] * 3, chunksize=1)
            process = context.Process(target=work, args=(30,))
            process.start()
            process.join()
        print(bar.n)
        bar.close()

    if __name__ == "__main__":
        main()
"""


@pytest.mark.faults("F21")
@pytest.mark.parametrize("method", programs.START_METHODS)
@pytest.mark.parametrize("order", ["bar first", "pool first"])
def test_children_count_whether_the_bar_or_the_pool_was_first(
    terminal: Terminal, program: Program, method: str, order: str
) -> None:
    terminal.start(program(COUNT_IN_CHILDREN, method, order))
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[0].startswith("60"), terminal.text()
    assert "| 60/60 [" in terminal.text()


BECOME_ANOTHER = """
    import os, sys
    from mp_tqdm import mp_tqdm

    bar = mp_tqdm(total=20, reduce="sum", key="job", mininterval=0.05)
    if os.environ["RANK"] == "0":
        bar.update()
        while bar.n < 13:
            pass
    elif sys.argv[1:]:
        bar.update(7)
    else:
        # Alone, it would leave a segment that nobody has open, and counts of which die with it.
        while bar.n < 1:
            pass
        bar.update(5)
        # Without an end: no atexit, no close.
        os.execv(sys.executable, [sys.executable, __file__, "again"])
    print("rank", os.environ["RANK"], bar.n)
"""


@pytest.mark.faults("F21")
@pytest.mark.once
def test_a_rank_that_execs_itself_is_that_rank_again(program: Program, tmp_path: Path) -> None:
    command = program(BECOME_ANOTHER)
    with Terminal() as terminal:
        for rank in range(2):
            variables = programs.rank_variables(tmp_path, rank, 2)
            terminal.start(command, env=programs.environment(**variables))
        assert terminal.wait() == 0, terminal.text()
        assert terminal.programs[1].returncode == 0, terminal.text()
        assert "rank 0 13" in terminal.text()
