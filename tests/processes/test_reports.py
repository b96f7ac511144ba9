"""Which bar a report of another process reaches: a named one, else the nearest upwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.programs import printed
from support.ranks import Ranks

Program = Callable[..., list[str]]


REPORT_BY_NAME = """
    import multiprocessing, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(task):
        number, bar = task
        report_progress(bar="files")
        report_progress(number, bar="bytes read")
        report_progress(2, bar=bar)
        report_progress(1000)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with (
            context.Pool(2) as pool,
            mp_tqdm(key="files", desc="other words") as files,
            mp_tqdm(desc="bytes read") as size,
            mp_tqdm(desc="third") as third,
            mp_tqdm() as newest,
        ):
            pool.map(work, [(number, third) for number in range(100)])
            print(files.n, size.n, third.n, newest.n)
"""


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_workers_count_in_several_bars_at_once_by_name(program: Program, method: str) -> None:
    # Of those that no name is given for, the one with a key comes first.
    assert printed(program(REPORT_BY_NAME, method)) == ["100100 4950 200 0"]


def test_an_unknown_name_warns_once_and_its_reports_are_dropped(program: Program) -> None:
    process = programs.run(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm, report_progress

            def work(n):
                report_progress(n, bar="nobody")

            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(1) as pool, mp_tqdm() as bar:
                    pool.map(work, range(10))
                    print(bar.n)
        """),
        env=programs.environment(MP_TQDM_MODE="off"),
    )
    assert process.stdout == "0\n"
    assert process.stderr.count("RuntimeWarning") == 1, process.stderr
    assert "bar='nobody'" in process.stderr


def test_a_report_goes_to_the_nearest_bar_upwards_and_to_no_siblings(program: Program) -> None:
    lines = printed(
        program("""
            import multiprocessing
            from mp_tqdm import mp_tqdm, report_progress

            context = multiprocessing.get_context("fork")

            def child(target, *args):
                process = context.Process(target=target, args=args)
                process.start()
                return process

            def leaf():
                report_progress(1)

            def branch(opened, done):
                with mp_tqdm() as bar:
                    opened.wait()
                    child(leaf).join()
                    done.wait()
                    report_progress(10)
                    print(bar.n, bar.n_own, flush=True)

            def sibling(opened, done):
                opened.wait()
                report_progress(100)
                child(leaf).join()
                done.wait()

            opened, done = context.Barrier(3), context.Barrier(3)
            with mp_tqdm() as bar:
                children = [child(branch, opened, done), child(sibling, opened, done)]
                opened.wait()
                done.wait()
                for process in children:
                    process.join()
                print(bar.n)
        """)
    )
    # Of the branch: its own 10, and the 1 of its leaf, which its bar's handle did not count.
    assert lines == ["10 10", "101"]


def test_a_rank_without_a_bar_counts_in_the_owners_and_in_no_other_ranks(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm, report_progress
        from steps import rank, stop

        report_progress(1000)  # nobody's
        stop("dropped")
        bars = [mp_tqdm(key=f"of {rank}")] if rank == 1 else []
        stop("one open")
        if rank == 2:
            report_progress(100)  # nobody's: rank 1 is no owner
        stop("reported")
        bars += [mp_tqdm(key="of 0")] if rank == 0 else []
        stop("owner open")
        report_progress(rank + 1)
        stop("all reported")
        print(*[bar.n for bar in bars])
    """)
    with Ranks(tmp_path, command, 3) as ranks:
        ranks.pass_by("dropped", "one open", "reported", "owner open", "all reported")
        assert ranks.outputs() == ["4\n", "2\n", "\n"]


def test_ranks_share_a_job_counter_and_each_knows_its_own_part(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        import multiprocessing
        from mp_tqdm import mp_tqdm, report_progress
        from steps import rank, stop

        def work():
            report_progress(20)

        with mp_tqdm(total=10, reduce="sum") as shared, mp_tqdm(total=30, initial=5) as copies:
            report_progress(rank + 1)
            worker = multiprocessing.get_context("fork").Process(target=work)
            worker.start()
            worker.join()
            copies.update(2)
            stop("counted")
            print(shared.n, shared.n_own, shared.total, copies.n, copies.n_own)
            stop("read")
            if rank == 1:
                shared.n = 1000
                stop("set")
                print(shared.n)
            elif rank == 2:
                stop("set")
                print(shared.n)
                shared.n += 1
                print(shared.n)
    """)
    with Ranks(tmp_path, command, 3) as ranks:
        ranks.pass_by("counted", "read")
        ranks.arrive("set", [1, 2])
        ranks.go("set")
        outputs = [output.splitlines() for output in ranks.outputs()]
    assert [output[0] for output in outputs] == ["66 1 10 7 2", "66 2 10 7 2", "66 3 10 7 2"]
    # What one rank sets is the job's.
    assert outputs[1][1] in {"1000", "1001"}
    assert outputs[2][1:] == ["1000", "1001"]


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


@pytest.mark.timeout(120)
def test_a_bar_that_two_ranks_opened_in_the_same_moment_reads_the_same_in_both(
    program: Program, tmp_path: Path
) -> None:
    # Each may have made an entry for it, and the reports by name all go to one of them.
    source = """
        import multiprocessing, os, sys

        def run(rank, steps, variables):
            os.environ.update(variables)
            from mp_tqdm import mp_tqdm, report_progress

            def meet():
                steps[rank] += 1
                while steps[1 - rank] < steps[rank]:
                    os.sched_yield()

            found = set()
            for number in range(400):
                meet()
                with mp_tqdm(total=2, key=f"bar {number}") as bar:
                    meet()
                    report_progress(bar=f"bar {number}")
                    meet()
                    found.add(bar.n)
                    meet()
            print(found)

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")  # whose children end as programs do
            steps = context.RawArray("i", 2)
            variables = [dict(pair.split("=") for pair in text.split()) for text in sys.argv[1:]]
            ranks = [
                context.Process(target=run, args=(rank, steps, variables[rank]))
                for rank in range(2)
            ]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
    """
    variables = [programs.rank_variables(tmp_path, rank, 2) for rank in range(2)]
    texts = [" ".join(f"{name}={value}" for name, value in one.items()) for one in variables]
    assert printed(program(source, *texts), timeout=100) == ["{2}", "{2}"]
