"""A fork beside a live renderer: no warning, no deadlock; children count and never draw."""

import sys
from collections.abc import Callable

import pytest

from support.system_calls import trace
from support.terminal import Terminal

Program = Callable[..., list[str]]

# What CPython says from 3.12 on to who forks with threads alive.
STRICT = ("-W", "error::DeprecationWarning")

FORK_IN_EVERY_WAY = """
    import multiprocessing, os, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        report_progress(n)

    def main():
        with mp_tqdm(total=90) as bar:
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
        print("forked")

    if __name__ == "__main__":
        main()
"""


def test_a_fork_with_a_bar_that_is_drawn_warns_of_nothing(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, time, warnings
            from mp_tqdm import mp_tqdm
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                bar = mp_tqdm(total=10**9)
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


def test_a_fork_with_a_live_bar_warns_of_nothing(terminal: Terminal, program: Program) -> None:
    terminal.start(program(FORK_IN_EVERY_WAY, options=STRICT))
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "forked"
    assert "Warning" not in terminal.text()
    assert "100%|" in terminal.text()
    assert "| 90/90 [" in terminal.text()


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


def test_a_thousand_forks_beside_a_busy_renderer(terminal: Terminal, program: Program) -> None:
    terminal.start(program(FORK_OFTEN, "1000"))
    assert terminal.wait(timeout=28) == 0, terminal.text()
    assert terminal.lines()[-1] == "3000 0", terminal.text()
    assert "| 3000/3000 [" in terminal.lines()[-2], terminal.text()


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


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no warning before 3.12")
def test_a_pool_that_replaces_a_dead_worker_says_no_more_than_without_a_bar(
    terminal: Terminal, program: Program
) -> None:
    # With a thread of the pool's own alive the warning is CPython's and not about a bar: it has to
    # come with tqdm out of the way as well. A bare program is the measure.
    source = """
        import multiprocessing, os, sys, warnings

        def main():
            if sys.argv[1] == "bar":
                from mp_tqdm import mp_tqdm
                bar = mp_tqdm(total=10)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(3):
                    process = multiprocessing.get_context("fork").Process(target=int)
                    process.start()
                    process.join()
            print(len([one for one in caught if one.category is DeprecationWarning]), "warnings")

        if __name__ == "__main__":
            main()
    """
    for kind in ("bare", "bar"):
        terminal.start(program(source, kind))
    assert terminal.wait() == 0
    assert terminal.text().count("0 warnings") == 2, terminal.text()
