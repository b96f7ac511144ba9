"""What plain functions report in pools of every kind lands in the bar that is open, exactly."""

from collections.abc import Callable

import pytest

from support import programs
from support.programs import printed

Program = Callable[..., list[str]]


# `run(function, tasks)` has each task done by a worker; the workers live as long as the context.
# They report once before any bar is open: those reports are nobody's.
REPORT_FROM_POOLS = """
    import contextlib, multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing.pool import ThreadPool
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        for _ in range(n):
            report_progress(1)

    def work_on(tasks):
        while (task := tasks.get()) is not None:
            work(task)
            tasks.task_done()

    @contextlib.contextmanager
    def pool(context):
        with context.Pool(2) as pool:
            yield lambda tasks: list(pool.imap_unordered(work, tasks))

    @contextlib.contextmanager
    def processes(context):
        queue = context.JoinableQueue()
        workers = [context.Process(target=work_on, args=(queue,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        def run(tasks):
            for task in tasks:
                queue.put(task)
            queue.join()
        yield run
        for worker in workers:
            queue.put(None)
        for worker in workers:
            worker.join()

    @contextlib.contextmanager
    def executor(context):
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            yield lambda tasks: list(pool.map(work, tasks))

    @contextlib.contextmanager
    def threads(context):
        with ThreadPoolExecutor(2) as pool:
            yield lambda tasks: list(pool.map(work, tasks))

    @contextlib.contextmanager
    def thread_pool(context):
        with ThreadPool(2) as pool:
            yield lambda tasks: list(pool.imap_unordered(work, tasks))

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        for start in (pool, processes, executor, threads, thread_pool):
            with mp_tqdm(total=640) as bar, start(context) as run:
                run([10] * 64)
                found = [bar.n, bar.n_own]
            with start(context) as run:
                run([1] * 8)
                # A pool kept alive reaches the bar that is open now.
                for tasks in (10, 30):
                    with mp_tqdm(total=100 * tasks) as bar:
                        run([100] * tasks)
                        found.append(bar.n)
                    run([1] * 8)
            print(start.__name__, *found, bar.n)
"""


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_reports_of_workers_land_in_the_bar_that_is_open(program: Program, method: str) -> None:
    assert printed(program(REPORT_FROM_POOLS, method)) == [
        "pool 640 0 1000 3000 3000",
        "processes 640 0 1000 3000 3000",
        "executor 640 0 1000 3000 3000",
        "threads 640 640 1000 3000 3000",
        "thread_pool 640 640 1000 3000 3000",
    ]


@pytest.mark.timeout(120)
def test_reports_of_every_backend_of_joblib_land_in_the_bar(program: Program) -> None:
    source = """
        from joblib import Parallel, delayed
        from mp_tqdm import mp_tqdm, report_progress

        def work(n):
            for _ in range(n):
                report_progress(1)

        if __name__ == "__main__":
            for backend in ("loky", "multiprocessing", "threading"):
                tasks = [delayed(work)(10) for _ in range(32)]
                with mp_tqdm(total=320) as bar:
                    Parallel(n_jobs=2, backend=backend)(tasks)
                    found = [bar.n]
                with Parallel(n_jobs=2, backend=backend) as parallel:
                    parallel(tasks)
                    for times in (1, 3):
                        with mp_tqdm(total=320 * times) as bar:
                            parallel(tasks * times)
                            found.append(bar.n)
                print(backend, *found)
    """
    assert printed(program(source), timeout=100) == [
        "loky 320 320 960",
        "multiprocessing 320 320 960",
        "threading 320 320 960",
    ]


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


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_reports_of_grandchildren_reach_the_bar(program: Program, method: str) -> None:
    assert printed(program(REPORT_FROM_GRANDCHILDREN, method)) == ["4014"]


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
