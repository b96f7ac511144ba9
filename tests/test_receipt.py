"""What a bar came to: for programs as a dict, for people behind the last line of several ranks."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mp_tqdm import mp_tqdm
from support.programs import environment, rank_variables
from support.terminal import Terminal

Program = Callable[..., list[str]]


def test_a_receipt_tells_what_one_process_did() -> None:
    bar = mp_tqdm(total=10, initial=2, desc="work", file=io.StringIO())
    bar.update(3)
    before = bar.receipt()
    assert before["ranks"][0]["open"]
    bar.update(4)
    bar.close()
    bar.update(100)
    receipt = bar.receipt()
    assert list(receipt) == ["desc", "n", "total", "elapsed_s", "rate", "ranks", "lost"]
    assert (before["n"], receipt["n"], receipt["total"], receipt["desc"]) == (3, 7, 10, "work")
    assert receipt["rate"] == pytest.approx(7 / receipt["elapsed_s"])
    assert list(receipt["ranks"]) == [0]
    bar.reset()
    bar.update()
    assert bar.receipt()["n"] == 1
    bar.close()
    assert mp_tqdm(disable=True).receipt()["n"] == 0


@pytest.mark.once
def test_ranks_end_with_their_spread(terminal: Terminal, program: Program, tmp_path: Path) -> None:
    command = program(
        """
        import json, os, sys, time
        from mp_tqdm import mp_tqdm
        bar = mp_tqdm(total=20, desc="work")
        rank = int(os.environ["RANK"])
        for _ in range(20):
            bar.update()
            time.sleep(0.01 if rank else 0.02)
        # The first rank closes last: the others' shares are whole then.
        while rank == 0 and bar.receipt()["ranks"].get(1, {}).get("open", True):
            time.sleep(0.01)
        bar.close()
        if rank == 0:
            with open(sys.argv[1], "w") as file:
                json.dump(bar.receipt(), file)
        """,
        str(tmp_path / "receipt"),
    )
    for rank in range(2):
        terminal.start(command, env=environment(**rank_variables(tmp_path, rank, 2)))
    assert terminal.wait() == 0, terminal.text()
    last = terminal.lines()[-1]
    assert re.search(r"20/20 \[.*it/s, 2 ranks at [\d.]+ to [\d.]+it/s\]", last), last
    receipt = json.loads((tmp_path / "receipt").read_text())
    assert (receipt["n"], receipt["total"]) == (40, 20)
    assert {rank: share["n"] for rank, share in receipt["ranks"].items()} == {"0": 20, "1": 20}
    assert not any(share["open"] or share["dead"] for share in list(receipt["ranks"].values())[1:])
    assert receipt["ranks"]["1"]["rate"] > receipt["ranks"]["0"]["rate"]
