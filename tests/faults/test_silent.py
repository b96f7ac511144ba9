"""A rank that hangs is named in the line, with count and seconds; one that has a reason is not."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ranks import Ranks
from support.screen import Screen
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.slow]

Program = Callable[..., list[str]]

# Each rank counts on, but for the one that waits in a collective, say.
COUNT_OR_WAIT = """
    import sys, time
    from mp_tqdm import mp_tqdm
    from steps import may_go, rank, stop

    with mp_tqdm(total=1_000_000, desc="train") as bar:
        stop("open")
        while not may_go("end"):
            bar.update()
            time.sleep(0.01)
            if bar.n == 20:
                stop("counted")
                if rank == 1 and sys.argv[1] == "stuck":
                    stop("end")
"""


def names(rank: int, seconds: str) -> Callable[[Screen], bool]:
    """Whether the line calls a rank silent that stopped at 20, for so many seconds."""
    said = re.compile(rf"train: .*, rank {rank} silent for {seconds}s at 20\b")
    return lambda screen: said.search(screen.text()) is not None


@pytest.mark.faults("F9")
@pytest.mark.parametrize("how", ["stopped", "stuck"])
def test_a_rank_that_hangs_is_named_with_its_count_and_seconds(
    program: Program, tmp_path: Path, how: str
) -> None:
    command = program(COUNT_OR_WAIT, how)
    with Terminal(columns=140) as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("open")
        ranks.arrive("counted")
        if how == "stopped":
            terminal.send_signal(signal.SIGSTOP, 1)
        ranks.go("counted")
        terminal.wait_for(names(1, "[5-9]"))
        # The two at work may be called slow: one of them has less of a busy machine.
        assert not re.search("rank [02] silent", terminal.text())
        # The seconds go on.
        terminal.wait_for(names(1, r"(?!5)\d+"))
        if how == "stopped":
            terminal.send_signal(signal.SIGCONT, 1)
            terminal.wait_for(lambda screen: "rank 1 silent" not in screen.text())
        ranks.go("end")
        assert terminal.wait() == 0


@pytest.mark.faults("F9")
def test_a_rank_that_hangs_when_the_others_are_nearly_through_is_named(
    program: Program, tmp_path: Path
) -> None:
    # The line of all is open as long as rank 0 has it open.
    command = program("""
        import time
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        with mp_tqdm(total=40, desc="train") as bar:
            stop("open")
            while bar.n < 40:
                bar.update()
                time.sleep(0.01)
                if rank == 0 and bar.n == 20:
                    stop("end")
        stop("end")
    """)
    with Terminal(columns=140) as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("open")
        ranks.arrive("end")
        terminal.wait_for(names(0, r"\d+"))
        assert not re.search("rank [12] silent", terminal.text())
        ranks.go("end")
        assert terminal.wait() == 0
        assert "silent" not in terminal.text()
        assert "| 40/40 [" in terminal.text()


@pytest.mark.faults("F9")
def test_ranks_that_wait_for_one_that_works_elsewhere_are_not_silent(
    program: Program, tmp_path: Path
) -> None:
    # Rank 0 validates alone; the others wait for it, one of them an item behind.
    command = program("""
        import time
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        with mp_tqdm(total=100, desc="train") as bar:
            bar.update(20 + rank)
            stop("counted")
            if rank == 0:
                end = time.monotonic() + 8
                for _ in mp_tqdm(range(10_000), desc="validate", leave=False):
                    time.sleep(0.01)
                    if time.monotonic() > end:
                        break
            stop("validated")
            bar.update(80 - rank)
            stop("trained")
    """)
    with Terminal(columns=140) as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("counted")
        # Eight seconds of its work, in which it is the one with the lowest count.
        ranks.pass_by("validated", "trained")
        assert terminal.wait() == 0
        said = [line for frame in terminal.frames() for line in frame.lines]
        assert any("validate:" in line for line in said)
        assert not [line for line in said if re.search(r"rank \d", line)]
        assert "| 100/100 [" in terminal.text()


def test_a_rank_that_the_others_will_wait_for_is_named_slow(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        import time
        from mp_tqdm import mp_tqdm
        from steps import may_go, rank, stop

        with mp_tqdm(total=10_000, desc="shard") as bar:
            stop("open")
            while not may_go("end"):
                bar.update()
                time.sleep(0.05 if rank == 2 else 0.02)
    """)
    with Terminal(columns=140) as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("open")
        terminal.wait_for(lambda screen: re.search(r"shard: .*, rank 2 slow at \d+", screen.text()))
        assert not re.search(r"rank [01]", terminal.text())
        ranks.go("end")
        assert terminal.wait() == 0
