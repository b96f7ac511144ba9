"""Bars that workers open themselves: all tasks of one place are one line, exact to the item."""

import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.polling import wait_until
from support.ranks import Ranks
from support.terminal import Terminal

Program = Callable[..., list[str]]


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


@pytest.mark.parametrize("method", programs.START_METHODS)
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
    process = programs.run(
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
        """),
        env=programs.environment(MP_TQDM_MODE="off"),
    )
    assert process.stdout == "[13, 23, 33, 43]\n", process.stderr


OPEN_IN_64_WORKERS_AT_ONCE = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm

    def work(number, barrier):
        with mp_tqdm(total=10, desc="part") as bar:
            bar.update(number % 10)
            barrier.wait()
            barrier.wait()
            bar.update(10 - number % 10)

    if __name__ == "__main__":
        context = multiprocessing.get_context("fork")
        barrier = context.Barrier(65)
        workers = [context.Process(target=work, args=(n, barrier)) for n in range(64)]
        for worker in workers:
            worker.start()
        barrier.wait()
        sys.stdin.readline()
        barrier.wait()
        for worker in workers:
            worker.join()
"""


@pytest.mark.once
def test_64_workers_with_a_bar_each_at_once_are_one_summed_line(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program(OPEN_IN_64_WORKERS_AT_ONCE))
    counted = sum(number % 10 for number in range(64))
    terminal.wait_for(lambda screen: f"| {counted}/640 [" in screen.text())
    assert terminal.text().count("part:") == 1, terminal.text()
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "part: 100%|" in terminal.text()
    assert "| 640/640 [" in terminal.text()
    assert all("".join(frame.lines).count("part:") <= 1 for frame in terminal.frames())


@pytest.mark.once
def test_2000_pool_tasks_that_open_a_bar_are_one_line(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm

            def task(number):
                for _ in mp_tqdm(range(number % 7), desc=f"task {number}"):
                    pass

            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(4) as pool:
                    pool.map(task, range(2000), chunksize=5)
        """)
    )
    assert terminal.wait() == 0
    items = sum(number % 7 for number in range(2000))
    lines = [line for line in terminal.lines() if line]
    assert len(lines) == 1, terminal.text()
    # What their descs have in common.
    assert re.match(rf"task: 100%.*\| {items}/{items} \[", lines[0]), lines
    assert all("".join(frame.lines).count("task") <= 1 for frame in terminal.frames())


@pytest.mark.once
def test_a_line_of_workers_ends_two_seconds_after_the_last_one_closed(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    command = program("""
        import multiprocessing
        from mp_tqdm import mp_tqdm
        from steps import stop

        def task(number):
            for _ in mp_tqdm(range(10), desc="items"):
                pass

        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                for phase in range(2):
                    pool.map(task, range(4), chunksize=1)
                    pool.map(task, range(4), chunksize=1)
                    stop(f"phase {phase}")
    """)
    with Ranks(tmp_path, command, 1, terminal) as ranks:
        ranks.arrive("phase 0")
        terminal.wait_for(lambda screen: "| 80/80 [" in screen.text())
        # A live line is drawn at least once a second, for its clock.
        wait_until(lambda: time.monotonic() - terminal.recording[-1].time > 2.5, "the line's end")
        ranks.go("phase 0")
        ranks.arrive("phase 1")
        terminal.wait_for(lambda screen: screen.text().count("| 80/80 [") == 2)
        ranks.go("phase 1")
        assert terminal.wait() == 0
        assert terminal.text().count("items: 100%|") == 2, terminal.text()


@pytest.mark.faults("F70")
@pytest.mark.parametrize("method", programs.START_METHODS)
def test_what_workers_counted_outlives_them_while_their_program_lives(
    terminal: Terminal, program: Program, method: str
) -> None:
    # Every job that starts on the machine removes the memory that nobody uses any more.
    another_job = program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)")
    command = program(
        """
        import multiprocessing, subprocess, sys
        from mp_tqdm import mp_tqdm

        def work():
            for _ in mp_tqdm(range(20), desc="work"):
                pass

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            for _ in range(3):
                worker = context.Process(target=work)
                worker.start()
                worker.join()
                assert worker.exitcode == 0
                subprocess.run(sys.argv[2:], check=True)
        """,
        method,
        *another_job,
    )
    terminal.start(command)
    assert terminal.wait() == 0
    assert re.match(r"work: 100%.*\| 60/60 \[", terminal.lines()[-1]), terminal.text()


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_the_first_bar_of_a_program_goes_on_where_its_workers_were(
    terminal: Terminal, program: Program, method: str
) -> None:
    terminal.start(
        program(
            """
            import multiprocessing, os, signal, sys
            from mp_tqdm import mp_tqdm, report_progress

            def work(number):
                report_progress(5)
                for item in mp_tqdm(range(20), desc="work"):
                    pass
                os.kill(os.getpid(), signal.SIGKILL)  # as a pool ends its workers

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[1])
                for number in range(3):
                    worker = context.Process(target=work, args=(number,))
                    worker.start()
                    worker.join()
                with mp_tqdm(total=7, desc="own") as bar:
                    bar.update(3)
                    worker = context.Process(target=report_progress, args=(4,))
                    worker.start()
                    worker.join()
                assert bar.n == 7, bar.n
            """,
            method,
        )
    )
    assert terminal.wait() == 0, terminal.text()
    work, own, *lost = terminal.lines()
    assert re.match(r"work: 100%.*\| 60/60 \[", work), terminal.text()
    assert re.match(r"own: 100%.*\| 7/7 \[", own), terminal.text()
    assert "15" in " ".join(lost), terminal.text()


@pytest.mark.once
@pytest.mark.faults("F139")
def test_n_and_total_of_a_line_never_fall_while_workers_come_go_and_are_killed(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import multiprocessing, os, signal, time
            from mp_tqdm import mp_tqdm

            def task(number):
                bar = mp_tqdm(total=10, desc="tasks")
                for _ in range(10):
                    bar.update()
                    time.sleep(0.002)
                if number % 4 == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                bar.close()

            if __name__ == "__main__":
                context = multiprocessing.get_context("fork")
                for _ in range(10):
                    crew = [context.Process(target=task, args=(number,)) for number in range(4)]
                    for worker in crew:
                        worker.start()
                    for worker in crew:
                        worker.join()
        """)
    )
    assert terminal.wait() == 0
    seen = [
        tuple(map(int, found))
        for frame in terminal.frames()
        for found in re.findall(r"\| (\d+)/(\d+) \[", "\n".join(frame.lines))
    ]
    assert seen[-1] == (400, 400), terminal.text()
    assert all(
        n <= after_n and total <= after_total
        for (n, total), (after_n, after_total) in itertools.pairwise(seen)
    ), seen
