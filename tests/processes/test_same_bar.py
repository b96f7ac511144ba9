"""Which bars of different ranks are the same: by key, or by the way the program came there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ranks import Ranks
from support.terminal import Terminal

pytestmark = pytest.mark.once

Program = Callable[..., list[str]]


def test_a_helper_that_one_rank_uses_once_more_leaves_later_bars_matched(
    program: Program, tmp_path: Path
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        def progress(count):
            bar = mp_tqdm(total=count, reduce="sum")
            bar.update(rank + 1)
            stop(f"counted {count}")
            print(bar.n)
            stop(f"read {count}")
            bar.close()

        progress(1)
        if rank == 0:
            progress(2)
        progress(3)
        for count in (4, 5):
            progress(count)
    """)
    with Ranks(tmp_path, command, 2) as ranks:
        ranks.pass_by("counted 1", "read 1")
        ranks.arrive("counted 2", [0])
        ranks.go("counted 2")
        ranks.go("read 2")
        for count in (3, 4, 5):
            ranks.pass_by(f"counted {count}", f"read {count}")
        assert ranks.outputs() == ["3\n1\n3\n3\n3\n", "3\n3\n3\n3\n"]


def test_bars_of_one_place_are_told_apart_by_how_often_a_rank_came_there(
    program: Program, tmp_path: Path
) -> None:
    # A bar that is off comes by, too: programs write `disable=not is_main`.
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        for epoch in range(3):
            bar = mp_tqdm(total=2, reduce="sum", disable=epoch == 1 and rank > 0)
            bar.update()
            stop(f"counted {epoch}")
            print(bar.n)
            stop(f"read {epoch}")
            bar.close()
    """)
    with Ranks(tmp_path, command, 2) as ranks:
        for epoch in range(3):
            ranks.pass_by(f"counted {epoch}", f"read {epoch}")
        assert ranks.outputs() == ["2\n1\n2\n", "2\n0\n2\n"]


def test_a_key_joins_what_lies_at_different_places(program: Program, tmp_path: Path) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        if rank:
            keyed = mp_tqdm(total=9, reduce="sum", key="a")
            other = mp_tqdm(total=9, reduce="sum", key="b")
        else:
            keyed = mp_tqdm(total=9, reduce="sum", key="a")
            other = mp_tqdm(total=9, reduce="sum", key="c")
        keyed.update(rank + 1)
        other.update(rank + 1)
        stop("counted")
        print(keyed.n, other.n)
        stop("read")
    """)
    with Ranks(tmp_path, command, 2) as ranks:
        ranks.pass_by("counted", "read")
        assert ranks.outputs() == ["3 1\n", "3 2\n"]


def test_ranks_that_open_a_bar_in_the_same_moment_are_in_one_line(
    program: Program, tmp_path: Path
) -> None:
    # On two cores about every fifth of these bars has two entries in the segment.
    rounds = 40
    command = program(f"""
        import time
        from mp_tqdm import mp_tqdm
        from steps import here, rank

        def meet(name):
            (here / f"{{name}}.{{rank}}").touch()
            while not (here / f"{{name}}.{{1 - rank}}").exists():
                time.sleep(0.001)

        for number in range({rounds}):
            meet(f"begin {{number}}")
            moment = (time.monotonic() // 0.01 + 2) * 0.01
            while time.monotonic() < moment:
                pass
            bar = mp_tqdm(total=2, desc=f"round {{number}} on {{rank}}", reduce="sum")
            bar.update()
            bar.set_postfix(of=rank)
            meet(f"counted {{number}}")
            if rank == 0:
                with (here / "read").open("a") as file:
                    print(bar.n, file=file)
            meet(f"read {{number}}")
            if rank == 0:
                # Else its line says that not all are done.
                meet(f"closed {{number}}")
            bar.close()
            if rank == 1:
                meet(f"closed {{number}}")
    """)
    with Terminal(rounds + 5, 100) as terminal, Ranks(tmp_path, command, 2, terminal):
        assert terminal.wait() == 0
        lines = [line for line in terminal.lines() if line.startswith("round ")]
    assert len(lines) == rounds
    # All of it, as of one entry: what both descs begin with, the first rank's postfix.
    shown = re.compile(r"round \d+ on: 100%.*, of=0, (?:2 ranks at|[\d.]+ to) ")
    assert all(shown.match(line) for line in lines), lines
    assert (tmp_path / "read").read_text() == rounds * "2\n"


def test_what_a_rank_did_before_the_owner_came_is_in_the_owners_bar(
    program: Program, tmp_path: Path
) -> None:
    # Rank 1 is through with its part before rank 0 counts for the first time; rank 2 before rank 0
    # comes to the bar.
    command = program("""
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        def samples():
            with mp_tqdm(total=60, reduce="sum", key="samples") as bar:
                bar.update(10 * (rank + 1))
                if rank == 0:
                    stop("counted")
                    print(bar.n)
            if rank == 0:
                print(bar.n)

        if rank == 1:
            samples()
        stop("one through")
        if rank == 0:
            mp_tqdm(key="another").update()
        stop("owner there")
        if rank == 2:
            samples()
        stop("two through")
        if rank == 0:
            samples()
        stop("all through")
        # The next number begins at zero.
        bar = mp_tqdm(total=60, reduce="sum", key="next")
        print(bar.n)
    """)
    with Ranks(tmp_path, command, 3) as ranks:
        ranks.pass_by("one through", "owner there", "two through")
        ranks.arrive("counted", [0])
        ranks.go("counted")
        ranks.pass_by("all through")
        assert ranks.outputs() == ["60\n60\n0\n", "0\n", "0\n"]
