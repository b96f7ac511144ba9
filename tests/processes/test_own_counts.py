"""Several bars of one line in one worker: each reads its own count, the line has all."""

from collections.abc import Callable

import pytest

from support import layout, programs
from support.programs import printed

pytestmark = pytest.mark.faults("F105")

Program = Callable[..., list[str]]

# What a worker does, and what the program then sees of its lines.
IN_A_WORKER = """
    import os, pickle, sys, threading, time
    from mp_tqdm import _core, _job, mp_tqdm, report_progress

    def bar(**options):
        return mp_tqdm(total=100, key="line", **options)

    def in_worker(work):
        with mp_tqdm(total=1, desc="the program's"):
            child = os.fork()
            if not child:
                try:
                    work()
                except BaseException as error:
                    print(repr(error))
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)
            return [line for line in _core.observe(_job._place[2])["bars"]
                    if line["desc"] != "the program's"]
"""


def worker(program: Program, work: str, *arguments: str) -> list[str]:
    """What a program prints whose only worker does `work`, and the sums of the lines after it."""
    body = "\n".join(f"        {line}" for line in work.splitlines())
    source = f"{IN_A_WORKER}\n    def work():\n{body}\n"
    source += '\n    for line in in_worker(work):\n        print("line", line["n"])\n'
    return printed(program(source, *arguments))


def test_each_of_several_bars_reads_its_own_count(program: Program) -> None:
    assert worker(
        program,
        """
        bars = [bar(initial=number) for number in range(3)]
        bars[0].update(10)
        bars[2].update(5)
        print([one.n for one in bars], [one.n_own for one in bars])
        bars[1].n = 8
        bars[2].n += 2
        print([one.n for one in bars])
        bars[0].close()
        bars[1].update()
        print([one.n for one in bars])
        """,
    ) == ["[10, 1, 7] [10, 0, 5]", "[10, 8, 9]", "[10, 9, 9]", "line 28"]


def test_threads_of_a_worker_count_to_the_end_of_their_own_bars(program: Program) -> None:
    assert worker(
        program,
        """
        done = []
        def task():
            one, items = bar(), 0
            while one.n < 100:
                one.update()
                items += 1
                time.sleep(0)
            one.close()
            done.append((items, one.n))
        mp_tqdm(disable=True)
        for _ in range(3):
            threads = [threading.Thread(target=task) for _ in range(6)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        print(set(done), len(done))
        """,
    ) == ["{(100, 100)} 18", "line 1800"]


def test_a_bar_begins_at_zero_where_another_one_of_the_worker_ended(program: Program) -> None:
    assert worker(
        program,
        """
        for _ in range(3):
            first, second = bar(), bar()
            first.update(4)
            second.update(2)
            first.reset()
            first.update()
            print(first.n, second.n, first.receipt()["n"])
            first.close()
            print(first.n, second.n)
            second.close()
        """,
    ) == ["1 2 7", "1 2", "1 2 14", "1 2", "1 2 21", "1 2", "line 21"]


def test_a_copy_adds_to_the_bar_that_it_was_made_of(program: Program) -> None:
    assert worker(
        program,
        """
        bars = [bar(), bar()]
        copies = [pickle.loads(pickle.dumps(one)) for one in bars]
        bars[0].update(3)
        copies[0].update(4)
        copies[1].update(5)
        print([one.n for one in bars], flush=True)
        child = os.fork()
        if not child:
            bars[0].update(10)
            copies[0].update(10)
            print(bars[0].n, bars[0].n_own, bars[1].n, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        bars[0].close()
        later = bar()
        copies[0].update()
        later.update()
        print(bars[0].n, bars[1].n, later.n)
        """,
    ) == ["[7, 5]", "20 20 20", "7 5 1", "line 34"]


def test_reports_reach_the_newest_bar_of_the_worker_or_the_one_named(program: Program) -> None:
    assert worker(
        program,
        """
        def reads():
            print([one.n for one in bars])
        bars = [bar()]
        report_progress(1)
        bars.append(bar())
        report_progress(2)
        report_progress(3, bar=bars[0])
        reads()
        bars.pop().close()
        report_progress(4)
        reads()
        """,
    ) == ["[4, 2]", "[8]", "line 10"]


@pytest.mark.once
@pytest.mark.slow
def test_bars_beyond_the_cells_read_their_own_count_still(program: Program) -> None:
    # 4,096 cells is all that a job has; the last 256 are shared, one by all of a line.
    assert worker(
        program,
        """
        bars = [bar() for _ in range(3900)]
        for number, one in enumerate(bars):
            one.update(number)
            one.update(0.5)
            one.n += 1
        print(all(one.n == number + 1.5 for number, one in enumerate(bars)))
        print(sum(one.n_own for one in bars) == 3900 * 3899 / 2 + 3900 * 1.5)
        for one in bars[-10:] + bars[:10]:
            one.close()
        again = bar()
        again.update()
        print(again.n == 1, again.n_own == 1)
        """,
    ) == ["True", "True", "True True", f"line {3900 * 3899 / 2 + 3900 * 1.5 + 1}"]


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_bars_in_pool_workers_take_no_more_cells_than_are_open(
    program: Program, method: str
) -> None:
    lines = printed(
        program(
            """
            import multiprocessing, os, struct, sys
            from mp_tqdm import _core, _job, mp_tqdm

            def task(number):
                bars = [mp_tqdm(total=5) for _ in range(3)]
                for one in bars:
                    one.update(5)
                reads = [one.n for one in bars]
                for one in bars:
                    one.close()
                return reads

            if __name__ == "__main__":
                bar = mp_tqdm(total=1, desc="the program's")
                context = multiprocessing.get_context(sys.argv[1])
                with context.Pool(2, maxtasksperchild=5) as pool:
                    assert pool.map(task, range(60), chunksize=1) == [[5, 5, 5]] * 60
                with open(os.open(_job._place[2], os.O_RDONLY), "rb", closefd=False) as segment:
                    used, = struct.unpack_from("I", segment.read(), int(sys.argv[2]))
                # Of those two workers each, and of those that take their place meanwhile.
                print(used <= 1 + 2 * 2 * 3)
                print(*[line["n"] for line in _core.observe(_job._place[2])["bars"]])
            """,
            method,
            str(layout.CELLS_USED_AT),
        )
    )
    assert lines == ["True", "0 900"]
