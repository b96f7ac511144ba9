"""What a line of ranks says where they differ: late, missing, ahead, done, each with its line."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ranks import Ranks
from support.screen import Screen
from support.terminal import Terminal

pytestmark = pytest.mark.once

Program = Callable[..., list[str]]


# How the ranks differ, in as many words as there is room for.
SPREAD = r"(?:[\d.]+ to|\d ranks at) [\d.]+it/s\]"
CLOCK = re.compile(r"/10 \[(\d\d:\d\d)<")


def shows(pattern: str) -> Callable[[Screen], bool]:
    """Whether a line of the screen begins like that."""
    lines = re.compile(f"^{pattern}", re.MULTILINE)
    return lambda screen: lines.search(screen.text()) is not None


def test_ranks_that_did_not_open_a_bar_are_told_once_half_of_them_have(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        with mp_tqdm(total=1) as _:
            stop("all there")
        for number in range(3):
            if rank == number:
                bar = mp_tqdm(range(10), desc="work", key="work", total=10)
                bar.update(number + 1)
            stop(f"open {number}")
        if rank < 3:
            bar.close()
    """)
    with Terminal(columns=120) as terminal, Ranks(tmp_path, command, 4, terminal) as ranks:
        ranks.pass_by("all there")
        ranks.arrive("open 0")
        terminal.wait_for(shows(r"work:  10%.* 1/10 \[[^]]*\]$"))
        ranks.go("open 0")
        ranks.arrive("open 1")
        terminal.wait_for(shows(r"work:  10%.* 1/10 \[.*2/4 ranks"))
        ranks.go("open 1")
        ranks.arrive("open 2")
        terminal.wait_for(shows(r"work:  20%.* 2/10 \[.*3/4 ranks"))
        ranks.go("open 2")
        assert terminal.wait() == 0
        # Rank 0 in the middle of the first frames was alone, and nobody was missed.
        assert not any("1/4 ranks" in line for frame in terminal.frames() for line in frame.lines)


def test_the_owner_ends_the_line_and_says_how_many_are_done(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(desc="epoch", total=8)
        bar.update(8 if rank in (0, 1) else 5)
        stop("counted")
        if rank == 1:
            bar.close()
            stop("one closed")
        if rank == 0:
            stop("close")
            bar.close()  # would not return, if it waited for all others
            print("after")
            stop("owner closed")
            stop("end")
        if rank > 1:
            stop("go on")
            bar.update(3)
            stop("went on")
            print(f"[{bar.n}]")
            bar.close()
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 4, terminal) as ranks:
        ranks.pass_by("counted")
        ranks.arrive("one closed", [1])
        ranks.go("close")
        ranks.arrive("owner closed", [0])
        terminal.wait_for(shows("after"))
        # The owner's own numbers, and what they leave out.
        assert shows(r"epoch: 100%.* 8/8 \[.*\(2 of 4 ranks done\)")(terminal._screen)
        assert [line for line in terminal.lines() if line][-1] == "after"
        written = len(terminal.output())
        ranks.go("go on")
        ranks.arrive("went on", [2, 3])
        ranks.go("went on")
        for name in ("one closed", "owner closed", "end"):
            ranks.go(name)
        assert terminal.wait() == 0
        # The others counted on, and nothing was drawn of it.
        assert terminal.text().count("[8]") == 2, terminal.text()
        assert terminal.text().count("epoch") == 1, terminal.text()
        assert b"epoch" not in terminal.output()[written:]


@pytest.mark.faults("F125")
def test_a_line_is_completed_when_the_last_rank_ends_shortly_after_the_owner(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        for epoch in range(2):
            bar = mp_tqdm(desc=f"epoch {epoch}", total=8)
            bar.update(7 if rank else 8)
            stop(f"counted {epoch}")
            if rank:
                stop(f"last {epoch}")
                bar.update(1)
            bar.close()
            if not rank:
                stop(f"owner closed {epoch}")
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        for epoch in range(2):
            ranks.pass_by(f"counted {epoch}")
            ranks.arrive(f"last {epoch}", [1])
            ranks.arrive(f"owner closed {epoch}", [0])
            ranks.go(f"last {epoch}")
            # While the program runs on.
            terminal.wait_for(shows(rf"epoch {epoch}: 100%.* 8/8 \[.*{SPREAD}"))
            ranks.go(f"owner closed {epoch}")
        assert terminal.wait() == 0
        lines = [line for line in terminal.lines() if line]
        assert len(lines) == 2, terminal.text()
        assert "done" not in terminal.text()


@pytest.mark.faults("F125")
def test_ranks_that_counted_to_their_total_are_done_before_they_close(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(desc="epoch", total=8)
        bar.update(8)
        stop("counted")
        if rank == 0:
            bar.close()
        stop("closed")
        bar.close()
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.pass_by("counted", "closed")
        assert terminal.wait() == 0
        assert re.match(rf"epoch: 100%.* 8/8 \[.*{SPREAD}", terminal.lines()[-1]), terminal.text()
        assert "done" not in terminal.text()


def test_a_bar_that_the_owner_never_opened_appears_with_its_rank(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        import time
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(desc="all", total=3)
        stop("all open")
        if rank == 1:
            with mp_tqdm(desc="short", total=10):
                pass
            alone = mp_tqdm(desc="alone", total=10)
            alone.update(4)
            stop("open")
            alone.update(6)
            alone.close()
        stop("end")
        bar.close()
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        ranks.arrive("all open")
        terminal.wait_for(shows("all:"))
        ranks.go("all open")
        ranks.arrive("open", [1])
        terminal.wait_for(shows(r"\[1\] alone:  40%.* 4/10 \["))
        (alone,) = [frame for frame in terminal.frames() if "alone" in "".join(frame.lines)][:1]
        (first,) = [frame for frame in terminal.frames() if "all:" in "".join(frame.lines)][:1]
        ranks.go("open")
        terminal.wait_for(shows(r"\[1\] alone: 100%.* 10/10 \["))
        ranks.pass_by("end")
        assert terminal.wait() == 0
        # It stays, as any line does; one that was over within a second was not worth a line.
        assert terminal.text().count("alone") == 1
        assert "short" not in terminal.text()
        assert alone.time - first.time > 0.5


def test_ranks_that_are_an_epoch_ahead_do_not_count_into_the_others_bar(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        for epoch in range(2):
            bar = mp_tqdm(range(10), desc=f"epoch {epoch}")
            if not epoch:
                stop("open")
            for item in bar:
                if (item, epoch, rank) in ((4, 0, 0), (7, 1, 1)):
                    stop("apart")
                    print(f"<{epoch}: {bar.n}>")
        stop("end")
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        ranks.pass_by("open")
        ranks.arrive("apart")
        # Rank 1 has done 10 of this epoch and 7 of the next.
        terminal.wait_for(shows(r"epoch 0:  70%.* 7/10 \["))
        terminal.wait_for(shows(r"\[1\] epoch 1:  70%.* 7/10 \["))
        ranks.go("apart")
        terminal.wait_for(shows(r"epoch 1: 100%.* 10/10 \["))
        ranks.pass_by("end")
        assert terminal.wait() == 0
        assert sorted(re.findall("<.*>", terminal.text())) == ["<0: 4>", "<1: 7>"]
        assert len(re.findall(r"epoch [01]: 100%.* 10/10 \[", terminal.text())) == 2
        assert "[1]" not in terminal.text()


@pytest.mark.parametrize(
    ("descs", "shown"),
    [
        pytest.param(["shard 1", "shard 2", "shard 31"], "shard:", id="common beginning"),
        pytest.param(["cats", "dogs", "mice"], "cats +2:", id="nothing in common"),
        pytest.param(["same", "same", "same"], "same:", id="the same"),
        pytest.param(["same", "same", "none"], "same +2:", id="one of them"),
    ],
)
def test_where_descs_differ_the_line_has_what_they_have_in_common(
    program: Program, tmp_path: Path, descs: list[str], shown: str
) -> None:
    command = program(
        """
        import sys
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        if rank:
            stop("first")
        bar = mp_tqdm(desc=sys.argv[1 + rank], total=10)
        bar.set_postfix_str(f"of {rank}")
        bar.update(rank + 1)
        stop("open")
        bar.close()
        """,
        *descs,
    )
    with Terminal() as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.arrive("open", [0])
        terminal.wait_for(shows(f"{descs[0]}: "))
        ranks.go("first")
        ranks.arrive("open")
        # The postfix is the owner's.
        terminal.wait_for(shows(rf"{re.escape(shown)}  20%.* 2/10 \[.*of 0"))
        ranks.go("open")
        assert terminal.wait() == 0


@pytest.mark.parametrize("wish", ["disable=False", "position=rank", "disable=False, position=rank"])
def test_ranks_that_ask_for_lines_of_their_own_get_labelled_ones(
    program: Program, tmp_path: Path, wish: str
) -> None:
    command = program(f"""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(desc="work", total=10, {wish})
        bar.update(3 + rank)
        stop("counted")
        bar.update(7 - rank)
        stop("complete")
        if rank:
            bar.close()
            stop("others closed")
        else:
            stop("close")
            bar.close()
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 3, terminal) as ranks:
        ranks.arrive("counted")
        for rank in range(3):
            terminal.wait_for(shows(rf"\[{rank}\] work:  {30 + 10 * rank}%.* {3 + rank}/10 \["))
        assert not shows("work:")(terminal._screen)
        # The owner draws them all: their clocks go on while the others are stopped.
        for stopped in (1, 2):
            terminal.send_signal(signal.SIGSTOP, stopped)
        latest = max(CLOCK.findall(terminal.text()))
        terminal.wait_for(lambda screen: min(CLOCK.findall(screen.text()), default="") > latest)
        for stopped in (1, 2):
            terminal.send_signal(signal.SIGCONT, stopped)
        ranks.go("counted")
        ranks.pass_by("complete")
        ranks.arrive("others closed", [1, 2])
        ranks.go("close")
        ranks.go("others closed")
        assert terminal.wait() == 0
        # Each stays, complete, as tqdm's do.
        for rank in range(3):
            assert len(re.findall(rf"\[{rank}\] work: 100%.* 10/10 \[", terminal.text())) == 1
        assert terminal.text().count("work:") == 3, terminal.text()


def test_an_owner_that_asks_for_its_line_alone_has_that_of_the_job(
    program: Program, tmp_path: Path
) -> None:
    # As programs write `disable=not is_main`: True elsewhere, which is off and counts nothing.
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        with mp_tqdm(desc="main", total=10, disable=rank != 0) as bar:
            bar.update(5)
            stop("main")
        with mp_tqdm(desc="job", total=10, disable=False if rank == 0 else None) as bar:
            bar.update(4 + 2 * rank)
            stop("job")
    """)
    with Terminal() as terminal, Ranks(tmp_path, command, 2, terminal) as ranks:
        ranks.arrive("main")
        terminal.wait_for(shows(r"main:  50%.* 5/10 \[[^]]*\]$"))
        ranks.go("main")
        ranks.arrive("job")
        terminal.wait_for(shows(r"job:  50%.* 5/10 \[[^]]*\]$"))
        ranks.go("job")
        assert terminal.wait() == 0
