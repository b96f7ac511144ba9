"""How the ranks of a bar become one line, under each `reduce=`."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ranks import Ranks
from support.terminal import Terminal

pytestmark = pytest.mark.once

Program = Callable[..., list[str]]

# Each rank counts what its place in the first argument says, of the total in the second.
COUNT = """
    import sys
    from mp_tqdm import mp_tqdm
    from steps import rank, stop

    counts, totals, how = sys.argv[1:]
    n, total = int(counts.split(",")[rank]), int(totals.split(",")[rank])
    iterable = range(total) if how.endswith("loop") else None
    reduce = how.split()[0]
    bar = mp_tqdm(iterable, desc="work", total=total, reduce=reduce)
    bar.update(n)
    stop("counted")
    bar.close()
    stop("closed")
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        # Copies of one loop: the mean, rounded down; of totals that differ, the share.
        pytest.param(["30,11,40", "100,100,100", "auto"], "27% 27/100", id="auto"),
        pytest.param(["3,4,8", "10,10,10", "auto loop"], "50% 5/10", id="auto over a loop"),
        pytest.param(["3,3", "3,4", "mean"], "67% 2/3", id="uneven shards"),
        pytest.param(["0,30", "10,50", "mean"], "50% 15/30", id="mean"),
        pytest.param(["30,11,40", "100,50,100", "min"], "22% 11/50", id="min"),
        pytest.param(["30,11,40", "100,50,80", "max"], "50% 40/80", id="max"),
        pytest.param(["30,11,40", "200,50,80", "rank"], "15% 30/200", id="rank"),
        # Without an iterable one counter of the job, whose total is given once: the largest.
        pytest.param(["30,11,40", "90,162,90", "sum"], "50% 81/162", id="sum"),
        pytest.param(["30,11,40", "90,30,42", "sum loop"], "50% 81/162", id="sum over a loop"),
    ],
)
def test_a_line_of_ranks(
    program: Program, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    command = program(COUNT, *arguments)
    count = arguments[0].count(",") + 1
    percentage, numbers = shown.split()
    with (
        Terminal(columns=120) as terminal,
        Ranks(tmp_path, command, count, terminal) as ranks,
    ):
        ranks.arrive("counted")
        pattern = rf"^work: +{percentage}\|.*\| {numbers} \["
        terminal.wait_for(lambda screen: re.search(pattern, screen.text(), re.MULTILINE))
        ranks.go("counted")
        ranks.pass_by("closed")
        assert terminal.wait() == 0
        # One line, for the whole job.
        lines = [line for line in terminal.lines() if "work" in line and "Warning" not in line]
        assert len(lines) == 1, terminal.text()


def test_ranks_that_report_into_a_bar_are_one_counter_of_the_job(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm, report_progress
        from steps import rank, stop

        bar = mp_tqdm(desc="work", total=100, initial=20)
        stop("open")
        report_progress(10 * (rank + 1))
        stop("counted")
        bar.close()
        stop("closed")
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("open")
        ranks.arrive("counted")
        # The initial count is the job's as well, given once: 20 and 10 + 20 + 30.
        terminal.wait_for(lambda screen: "work:  80%|" in screen.text())
        assert "| 80/100 [" in terminal.text()
        ranks.go("counted")
        ranks.pass_by("closed")
        assert terminal.wait() == 0


def test_the_time_left_is_that_of_the_slowest_rank(program: Program, tmp_path: Path) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        if rank == 0:
            stop("slowest counted")
        for _ in (bar := mp_tqdm(range(1000), desc="work", smoothing=0)):
            if bar.n == (2 if rank else 200):
                stop("counted")
                break
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        # The line's clock begins with the first bar: that of the rank whose time is looked at.
        ranks.arrive("counted", [1])
        ranks.go("slowest counted")
        ranks.arrive("counted")
        line = re.compile(r"work: +10%\|.*\| 101/1000 \[00:([0-9][1-9])<(?:(\d+):)?(\d+):(\d+), ")
        terminal.wait_for(lambda screen: line.search(screen.text()))
        found = line.search(terminal.text())
        assert found is not None
        elapsed_s, hours, minutes, seconds = map(int, found.groups(default="0"))
        # By the mean 899/101 times what passed, by the slowest rank 998/2 times.
        assert hours * 3600 + minutes * 60 + seconds >= 400 * elapsed_s, terminal.text()
        ranks.go("counted")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("reduce", "total", "better"),
    [
        # The job's total, given to copies of one loop; a rank's, given to a counter of the job.
        pytest.param("auto", 100, "sum", id="mean"),
        pytest.param("sum", 50, "mean", id="sum"),
        pytest.param("auto", 50, None, id="met"),
        pytest.param("sum", 100, None, id="met by the sum"),
        pytest.param("auto", 1000, None, id="met by neither"),
    ],
)
def test_a_line_that_another_reduction_would_have_completed_says_so_once(
    program: Program, tmp_path: Path, reduce: str, total: int, better: str | None
) -> None:
    command = program(
        """
        import sys
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(desc="samples", total=int(sys.argv[2]), reduce=sys.argv[1])
        bar.update(50)
        stop("counted")
        if rank:
            bar.close()
            stop("others closed")
        else:
            stop("close")
            bar.close()
        """,
        reduce,
        str(total),
    )
    with Ranks(tmp_path, command, 2) as ranks:
        ranks.pass_by("counted")
        ranks.arrive("others closed", [1])
        ranks.go("close")
        ranks.go("others closed")
        said = "".join(ranks.outputs())
    assert said.count("far from its total") == (better is not None), said
    if better:
        assert f"'samples' ended far from its total {total}" in said
        assert f"reduce='{better}'" in said


def test_on_one_of_several_machines_a_job_counter_shows_its_share(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import stop

        for reduce in ("sum", "mean"):
            bar = mp_tqdm(desc=reduce, total=400, reduce=reduce)
            bar.update(30)
            stop(reduce)
            bar.close()
    """)
    second_of_four = {"GROUP_RANK": "1", "GROUP_WORLD_SIZE": "4", "WORLD_SIZE": "8"}
    with (
        Terminal(columns=120) as terminal,
        Ranks(tmp_path, command, 2, terminal, **second_of_four) as ranks,
    ):
        ranks.arrive("sum")
        # 60 of 400 * 2 / 8.
        terminal.wait_for(
            lambda screen: re.search(r"sum:  60%\|.*\| 60/100 \[.*node 1/4", screen.text())
        )
        ranks.go("sum")
        ranks.arrive("mean")
        terminal.wait_for(lambda screen: re.search(r"mean: +8%\|.*\| 30/400 \[", screen.text()))
        assert terminal.text().count("node") == 1
        ranks.go("mean")
        assert terminal.wait() == 0


def test_a_line_of_workers_is_no_reduction_of_ranks(program: Program, tmp_path: Path) -> None:
    # The workers of all ranks are shards of one loop: two ranks with two workers each.
    command = program("""
        import multiprocessing
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        def task(items):
            for item in mp_tqdm(range(items), desc="shards"):
                if not item:
                    stop(f"open {items}")
            stop(f"worker {items}")

        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            workers = [context.Process(target=task, args=(10 * rank + n,)) for n in (1, 2)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        workers = (("1", 0), ("2", 0), ("11", 1), ("12", 1))
        # A line of workers that nobody has open ends after two seconds.
        for name, rank in workers:
            ranks.arrive(f"open {name}", [rank])
        for name, _ in workers:
            ranks.go(f"open {name}")
        for name, rank in workers:
            ranks.arrive(f"worker {name}", [rank])
        terminal.wait_for(lambda screen: "| 26/26 [" in screen.text())
        for name, _ in workers:
            ranks.go(f"worker {name}")
        assert terminal.wait() == 0
        assert terminal.text().count("shards:") == 1, terminal.text()
