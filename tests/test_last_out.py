"""The last process of a job takes the segment with it, also if several are the last."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from support import leaks, programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RANKS = 8

LEAVES_WITH_THE_OTHERS = """
    import sys
    from mp_tqdm import mp_tqdm

    with mp_tqdm(total=8, desc="ranks") as bar:
        bar.update()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("repetition", range(10))
def test_ranks_that_end_in_the_same_moment_leave_no_segment(
    program: Callable[..., list[str]], tmp_path: Path, repetition: int
):
    token = os.environ[leaks.TEST_VARIABLE]
    before = leaks.belongings(token)
    command = program(LEAVES_WITH_THE_OTHERS)
    held, holding = os.pipe()  # all ranks read from it, and are let go by its end
    launch = tmp_path / str(repetition)
    ranks = [
        subprocess.Popen(
            command,
            env=programs.environment(**programs.rank_variables(launch, rank, RANKS)),
            stdin=held,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for rank in range(RANKS)
    ]
    os.close(held)
    ready = [rank.stdout.readline() for rank in ranks if rank.stdout]
    os.close(holding)
    for rank in ranks:
        rank.communicate()
    assert ready == [b"ready\n"] * RANKS
    assert leaks.left_behind(before, token) == []
