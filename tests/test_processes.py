"""What processes of a job count together is exact, however they were started."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

START_METHODS = ["fork", "spawn", "forkserver"]


def printed(command: list[str]) -> list[str]:
    """What a program printed, line by line; it has to end well and to say nothing of errors."""
    process = programs.run(command, env=programs.environment(MP_TQDM_MODE="off"))
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout.splitlines()


REPORT_TO_A_BAR_THAT_IS_OPEN = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        for _ in range(n):
            report_progress()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with mp_tqdm(total=6400) as bar, context.Pool(2) as pool:
            list(pool.imap_unordered(work, [100] * 64))
            print(bar.n, bar.n_own, bar.total)
        print(bar.n)
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_reports_of_a_pool_reach_the_bar_of_its_parent(program: Program, method: str) -> None:
    assert printed(program(REPORT_TO_A_BAR_THAT_IS_OPEN, method)) == ["6400 0 6400", "6400"]


REPORT_FROM_A_POOL_THAT_WAS_THERE_BEFORE = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        for _ in range(n):
            report_progress()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(2) as pool:
            for tasks in (10, 30):
                with mp_tqdm(total=100 * tasks) as bar:
                    pool.map(work, [100] * tasks)
                    print(bar.n)
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_a_pool_that_outlives_a_bar_reaches_the_one_that_is_open_now(
    program: Program, method: str
) -> None:
    assert printed(program(REPORT_FROM_A_POOL_THAT_WAS_THERE_BEFORE, method)) == ["1000", "3000"]


REPORT_FROM_AN_EXECUTOR = """
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        report_progress(n)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with ProcessPoolExecutor(2, mp_context=context) as pool, mp_tqdm(total=4950) as bar:
            list(pool.map(work, range(100)))
            print(bar.n)
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_reports_of_an_executor_reach_the_bar(program: Program, method: str) -> None:
    assert printed(program(REPORT_FROM_AN_EXECUTOR, method)) == ["4950"]


REPORT_FROM_GRANDCHILDREN = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def leaf():
        for _ in range(1000):
            report_progress()

    def branch(method):
        context = multiprocessing.get_context(method)
        leaves = [context.Process(target=leaf) for _ in range(2)]
        for process in leaves:
            process.start()
        report_progress(7)
        for process in leaves:
            process.join()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with mp_tqdm() as bar:
            branches = [context.Process(target=branch, args=sys.argv[1:]) for _ in range(2)]
            for process in branches:
                process.start()
            for process in branches:
                process.join()
            print(bar.n)
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_reports_of_grandchildren_reach_the_bar(program: Program, method: str) -> None:
    assert printed(program(REPORT_FROM_GRANDCHILDREN, method)) == ["4014"]


PICKLE_A_BAR = """
    import multiprocessing, pickle, sys
    from mp_tqdm import mp_tqdm

    def work(bar):
        with bar:
            for _ in range(100):
                bar.update()
            own = bar.n_own
        return own

    def leave(bar):
        bar.update(5)
        sys.exit(0)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        bar = mp_tqdm(total=1000)
        bar.update(50)
        with context.Pool(2) as pool:
            pool.map(work, [bar] * 8)
        process = context.Process(target=leave, args=(bar,))
        process.start()
        process.join()
        print(process.exitcode, bar.n, bar.n_own, bar.disable)
        bar.update(45)
        print(bar.n)
        bar.close()
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_a_pickled_bar_adds_to_the_same_bar_and_ends_with_its_copy(
    program: Program, method: str
) -> None:
    assert printed(program(PICKLE_A_BAR, method)) == ["0 855 50 False", "900"]


OPEN_IN_WORKERS = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm

    def task(number):
        for _ in mp_tqdm(range(10), desc="tasks"):
            pass
        return number

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(4) as pool:
            assert pool.map(task, range(64), chunksize=1) == list(range(64))
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_64_tasks_that_open_a_bar_in_workers_are_one_line(
    terminal: Terminal, program: Program, method: str
) -> None:
    terminal.start(program(OPEN_IN_WORKERS, method))
    assert terminal.wait() == 0
    lines = terminal.lines()
    assert len(lines) == 1, terminal.text()
    assert lines[0].startswith("tasks: 100%|"), terminal.text()
    assert "| 640/640 [" in lines[0]


OPEN_IN_WORKERS_BELOW_A_BAR = """
    import multiprocessing, sys, time
    from mp_tqdm import mp_tqdm

    def task(number):
        for _ in mp_tqdm(range(10), desc="items", total=10):
            time.sleep(0.005)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(4) as pool:
            for _ in mp_tqdm(pool.imap_unordered(task, range(64)), total=64, desc="tasks"):
                pass
        print("end")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_line_of_workers_ends_with_the_bar_around_it(
    terminal: Terminal, program: Program, method: str
) -> None:
    terminal.start(program(OPEN_IN_WORKERS_BELOW_A_BAR, method))
    assert terminal.wait() == 0
    text = terminal.text()
    assert text.count("tasks:") == 1, text
    assert text.count("items:") == 1, text
    assert "| 64/64 [" in text, text
    assert "| 640/640 [" in text, text
    assert terminal.lines()[-1] == "end", text


def test_a_bar_in_a_worker_reads_its_own_task(program: Program) -> None:
    # As in tqdm, where each worker has a bar of its own.
    lines = printed(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm

            def task(items):
                bar = mp_tqdm(range(items), initial=3)
                for _ in bar:
                    pass
                return bar.n

            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(pool.map(task, [10, 20, 30, 40], chunksize=1))
        """)
    )
    assert lines == ["[13, 23, 33, 43]"]


def test_fork_children_of_every_kind_count(program: Program) -> None:
    lines = printed(
        program("""
            import ctypes, os
            from mp_tqdm import mp_tqdm, report_progress

            libc = ctypes.PyDLL(None)
            forks = [os.fork, libc.fork, libc._Fork]
            bar = mp_tqdm()
            bar.update()
            report_progress(2)
            for fork in forks:
                for _ in range(20):
                    child = fork()
                    if not child:
                        for _ in range(10):
                            bar.update()
                            report_progress()
                        os._exit(0)
                    assert os.waitpid(child, 0)[1] == 0
                print(bar.n, bar.n_own)
        """)
    )
    assert lines == ["403 3", "803 3", "1203 3"]


def test_a_fork_in_a_loop_body_counts_what_each_process_does(program: Program) -> None:
    lines = printed(
        program("""
            import ctypes, os
            from mp_tqdm import mp_tqdm

            for fork in (os.fork, ctypes.PyDLL(None)._Fork):
                bar = mp_tqdm(range(100))
                child = None
                for item in bar:
                    if item == 49:
                        child = fork()
                if child == 0:
                    print(bar.n_own, flush=True)
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                print(bar.n_own, bar.n, flush=True)
        """)
    )
    # The child was handed item 49 as well and finishes it: 49 to 99. The parent's bar is over when
    # its loop is, whether the child is behind or ahead.
    assert lines[0::2] == ["51", "51"]
    assert [line.split()[0] for line in lines[1::2]] == ["100", "100"]


def test_forks_in_every_body_of_a_loop_leave_its_count_exact(program: Program) -> None:
    lines = printed(
        program("""
            import os
            from mp_tqdm import mp_tqdm

            bar = mp_tqdm(range(100))
            children = []
            seen = []
            for item in bar:
                child = os.fork()
                if not child:
                    bar.update(3)
                    os._exit(0)
                os.waitpid(child, 0)
                seen.append(bar.n)
            print(seen == [4 * item + 3 for item in range(100)], bar.n)
        """)
    )
    assert lines == ["True 400"]


def test_two_threads_that_fork_together_have_no_renderer_at_any_fork(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, threading, warnings
            from pathlib import Path

            alive = []
            def look():
                names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
                alive.append(sum(name.startswith("mp-tqdm") for name in names))
            # Registered first, so called last before a fork.
            os.register_at_fork(before=look)

            from mp_tqdm import mp_tqdm
            warnings.simplefilter("ignore", DeprecationWarning)
            bar = mp_tqdm(total=100, mininterval=0.01)

            def fork():
                for _ in range(50):
                    child = os.fork()
                    if not child:
                        bar.update()
                        os._exit(0)
                    assert os.waitpid(child, 0)[1] == 0

            threads = [threading.Thread(target=fork) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            n = bar.n
            bar.close()
            print(len(alive), sum(alive), n)
        """)
    )
    assert terminal.wait() == 0
    assert terminal.lines()[-1] == "100 0 100"


@pytest.mark.slow
@pytest.mark.once
def test_short_processes_one_after_the_other_leave_an_exact_sum(program: Program) -> None:
    lines = printed(
        program("""
            import os
            from mp_tqdm import mp_tqdm, report_progress

            bar = mp_tqdm()
            report_progress()
            from mp_tqdm import _job
            segment = _job._place[2]
            size = os.stat(segment).st_size
            for _ in range(3000):
                child = os.fork()
                if not child:
                    report_progress()
                    os._exit(0)
                os.waitpid(child, 0)
            print(bar.n, os.stat(segment).st_size == size)
        """)
    )
    assert lines == ["3001 True"]


def test_a_bar_of_a_parent_is_not_closed_by_a_child(program: Program) -> None:
    lines = printed(
        program("""
            import gc, multiprocessing, os, sys
            from mp_tqdm import mp_tqdm

            bars = [mp_tqdm(total=10), mp_tqdm(total=10)]

            def closes():
                bars[0].update()
                bars[0].close()

            def collects():
                bars[1].update()
                bars.clear()
                gc.collect()

            def exits():
                with bars[0]:
                    bars[0].update()
                    sys.exit(3)

            context = multiprocessing.get_context("fork")
            codes = []
            for target in (closes, collects, exits):
                process = context.Process(target=target)
                process.start()
                process.join()
                codes.append(process.exitcode)
            print(codes, [bar.n for bar in bars], [bar.disable for bar in bars])
            for bar in bars:
                bar.update()
            print([bar.n for bar in bars])
        """)
    )
    assert lines == ["[0, 0, 3] [2, 1] [False, False]", "[3, 2]"]


def test_a_program_that_is_started_by_another_is_a_job_of_its_own(program: Program) -> None:
    inner = program("""
        from mp_tqdm import mp_tqdm, report_progress
        bar = mp_tqdm()
        report_progress(5)
        print(bar.n)
    """)
    lines = printed(
        program(
            """
            import subprocess, sys
            from mp_tqdm import mp_tqdm, report_progress
            bar = mp_tqdm()
            report_progress(2)
            inner = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)
            print(inner.stdout.decode().strip())
            print(bar.n)
            """,
            *inner,
        )
    )
    assert lines == ["5", "2"]


def test_setting_n_beside_counting_workers_loses_nothing(program: Program) -> None:
    lines = printed(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm, report_progress

            def work():
                for _ in range(100_000):
                    report_progress()

            with mp_tqdm() as bar:
                processes = [multiprocessing.get_context("fork").Process(target=work)
                             for _ in range(2)]
                for process in processes:
                    process.start()
                for _ in range(1000):
                    bar.n += 1
                for process in processes:
                    process.join()
                print(bar.n)
        """)
    )
    assert lines == ["201000"]


RANKS = """
    import os, sys
    from mp_tqdm import mp_tqdm, report_progress
    with mp_tqdm(total=10, reduce="sum") as bar:
        report_progress(int(os.environ["RANK"]) + 1)
        print("counted", flush=True)
        input()
        print(bar.n, bar.n_own, bar.total)
"""


def test_ranks_share_a_job_counter(program: Program, tmp_path: Path) -> None:
    command = program(RANKS)
    ranks = [
        subprocess.Popen(
            command,
            env=programs.environment(
                MP_TQDM_MODE="off", **programs.rank_variables(tmp_path, rank, 3)
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(3)
    ]
    for rank in ranks:
        assert rank.stdout is not None
        assert rank.stdout.readline() == "counted\n"
    outputs = [rank.communicate("\n", timeout=20)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0, 0], outputs
    # Those that ended before leave what they counted.
    assert outputs == ["6 1 10\n", "6 2 10\n", "6 3 10\n"]
