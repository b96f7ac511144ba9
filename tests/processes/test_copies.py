"""Copies of a bar, pickled or inherited: they count into the same bar and end with themselves."""

from collections.abc import Callable

import pytest

from support import programs
from support.programs import printed

Program = Callable[..., list[str]]


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


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_a_pickled_bar_adds_to_the_same_bar_and_ends_with_its_copy(
    program: Program, method: str
) -> None:
    assert printed(program(PICKLE_A_BAR, method)) == ["0 855 50 False", "900"]


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


def test_a_copy_reads_what_its_rank_did_and_what_it_did_itself(program: Program) -> None:
    lines = printed(
        program("""
            import multiprocessing, os
            from mp_tqdm import mp_tqdm

            def read(bar, counted, go):
                before = bar.n, bar.n_own
                bar.update(3)
                own = bar.n_own
                counted.set()
                go.wait()
                print(*before, own, bar.n, bar.n_own, flush=True)

            if __name__ == "__main__":
                bar = mp_tqdm(total=100, initial=7)
                bar.update(10)
                # The second one goes on in the memory of the first.
                for method in ("fork", "fork", "spawn"):
                    context = multiprocessing.get_context(method)
                    counted, go = context.Event(), context.Event()
                    process = context.Process(target=read, args=(bar, counted, go))
                    process.start()
                    counted.wait()
                    bar.update(10)
                    go.set()
                    process.join()
                    print(bar.n, bar.n_own, flush=True)
                # A fork inherits the bar itself.
                if not (child := os.fork()):
                    print(bar.n, bar.n_own, flush=True)
                    bar.update()
                    print(bar.n, bar.n_own, flush=True)
                    os._exit(0)
                os.waitpid(child, 0)
                print(bar.n, bar.n_own)
        """)
    )
    assert lines == [
        *("17 0 3 30 3", "30 20"),
        *("30 0 3 43 3", "43 30"),
        *("43 0 3 56 3", "56 40"),
        *("56 0", "57 1", "57 40"),
    ]


def test_a_copy_of_a_workers_bar_reads_its_own_count(program: Program) -> None:
    # As the bar itself does, whatever other workers count in the same line.
    lines = printed(
        program("""
            import multiprocessing, pickle
            from mp_tqdm import mp_tqdm

            def task(number):
                bar = mp_tqdm(total=10)
                bar.update(number)
                before = bar.n
                copy = pickle.loads(pickle.dumps(bar))
                copy.update()
                return before, bar.n, bar.n_own

            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(pool.map(task, [2, 4, 6], chunksize=1))
        """)
    )
    assert lines == ["[(2, 3, 3), (4, 5, 5), (6, 7, 7)]"]


def test_eight_tasks_with_one_pickled_bar_leave_it_open(program: Program) -> None:
    lines = printed(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm

            def close(bar):
                with bar:
                    bar.update(2)
                return bar.disable

            def loop(bar):
                for _ in range(5):
                    bar.update()
                del bar

            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(4) as pool, mp_tqdm(total=100) as bar:
                    print(pool.map(close, [bar] * 8, chunksize=1) == [True] * 8, bar.disable, bar.n)
                    pool.map(loop, [bar] * 8, chunksize=1)
                    bar.update(44)
                    print(bar.disable, bar.n)
                print(bar.n)
                # The bar is over now: what its copies count goes nowhere.
                with multiprocessing.get_context("fork").Pool(2) as pool, mp_tqdm() as other:
                    pool.map(loop, [bar] * 2)
                    print(bar.n, other.n)
        """)
    )
    assert lines == ["True False 16", "False 100", "100", "100 0"]


def test_a_copy_in_another_job_counts_in_nobodys_bar(program: Program) -> None:
    inner = program("""
        import pickle, sys
        from mp_tqdm import mp_tqdm, report_progress

        own = mp_tqdm(total=10)
        stranger = pickle.load(sys.stdin.buffer)
        stranger.update(5)
        report_progress(3, bar=stranger)
        print(own.n, flush=True)
    """)
    lines = printed(
        program(
            """
            import pickle, subprocess, sys
            from mp_tqdm import mp_tqdm

            bar = mp_tqdm(total=10)
            bar.update()
            subprocess.run(sys.argv[1:], input=pickle.dumps(bar), check=True)
            print(bar.n)
            """,
            *inner,
        )
    )
    assert lines == ["0", "1"]


def test_a_reset_starts_the_next_number_for_all(program: Program) -> None:
    # Reports reach the new one; copies belong to the old one, which is over.
    lines = printed(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm, report_progress

            def work(bar, turns):
                for _ in iter(turns.get, None):
                    report_progress(3)
                    bar.update(50)
                    turns.task_done()

            if __name__ == "__main__":
                context = multiprocessing.get_context("fork")
                turns = context.JoinableQueue()
                with mp_tqdm(total=10) as bar:
                    worker = context.Process(target=work, args=(bar, turns))
                    worker.start()
                    for _ in range(3):
                        turns.put(1)
                        turns.join()
                        print(bar.n)
                        bar.reset()
                    turns.put(None)
                    worker.join()
        """)
    )
    assert lines == ["53", "3", "3"]
