"""What a bar came to: for programs as a dict, for people behind the last line of several ranks."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mp_tqdm import mp_tqdm
from support.programs import environment, rank_variables
from support.ranks import Ranks
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
    assert list(receipt) == [
        *("desc", "n", "total", "elapsed_s", "rate", "processes", "ranks", "lost")
    ]
    assert (receipt["processes"], receipt["ranks"][0]["processes"]) == (1, 1)
    assert (before["n"], receipt["n"], receipt["total"], receipt["desc"]) == (3, 7, 10, "work")
    assert receipt["rate"] == pytest.approx(7 / receipt["elapsed_s"])
    assert list(receipt["ranks"]) == [0]
    bar.reset()
    bar.update()
    assert bar.receipt()["n"] == 1
    bar.close()
    assert mp_tqdm(disable=True).receipt()["n"] == 0


@pytest.mark.once
@pytest.mark.parametrize("how", ["report", "open", "alone"])
def test_a_pool_ends_with_the_number_of_its_processes(
    terminal: Terminal, program: Program, tmp_path: Path, how: str
) -> None:
    # Each worker waits for the others, so that all of them count.
    terminal.start(
        program(
            """
            import json, multiprocessing, sys
            from mp_tqdm import mp_tqdm, report_progress

            path, how = sys.argv[1:]

            def work(number):
                meeting.wait()
                if how == "report":
                    report_progress(2)
                elif how == "open":
                    with mp_tqdm(total=2, desc="shard") as bar:
                        bar.update(2)
                        meeting.wait()

            def enter(barrier):
                global meeting
                meeting = barrier

            if __name__ == "__main__":
                context = multiprocessing.get_context("fork")
                with context.Pool(3, enter, (context.Barrier(3),)) as pool:
                    if how == "open":
                        pool.map(work, range(3), chunksize=1)
                        pool.close()
                        pool.join()
                    else:
                        with mp_tqdm(total=6, desc="work") as bar:
                            pool.map(work, range(3), chunksize=1)
                            if how == "alone":
                                bar.update(6)
                        with open(path, "w") as file:
                            json.dump(bar.receipt(), file)
            """,
            str(tmp_path / "receipt"),
            how,
        )
    )
    assert terminal.wait() == 0, terminal.text()
    (last,) = (line for line in terminal.lines() if "6/6" in line)
    if how == "alone":
        assert re.search(r"6/6 \[[^,]*, [^,]*it/s\]$", last), last
    else:
        assert last.endswith("it/s, 3 processes]"), last
    if how != "open":
        receipt = json.loads((tmp_path / "receipt").read_text())
        assert receipt["processes"] == (1 if how == "alone" else 3)
        assert receipt["ranks"]["0"]["n"] == receipt["n"] == 6


@pytest.mark.once
def test_ranks_end_with_their_spread(terminal: Terminal, program: Program, tmp_path: Path) -> None:
    command = program(
        """
        import json, os, sys, time
        from mp_tqdm import mp_tqdm
        rank = int(os.environ["RANK"])
        # The first rank opens first, too: whatever holds the other up, its own time is longer.
        while rank and not os.path.exists(sys.argv[1] + ".opened"):
            time.sleep(0.01)
        bar = mp_tqdm(total=20, desc="work")
        if rank == 0:
            open(sys.argv[1] + ".opened", "x").close()
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
    # As many words as fit, which depends on how long the figures are.
    assert re.search(r"20/20 \[.*it/s, (2 ranks at )?[\d.]+ to [\d.]+it/s\]", last), last
    receipt = json.loads((tmp_path / "receipt").read_text())
    assert (receipt["n"], receipt["total"]) == (40, 20)
    assert {rank: share["n"] for rank, share in receipt["ranks"].items()} == {"0": 20, "1": 20}
    assert not any(share["open"] or share["dead"] for share in list(receipt["ranks"].values())[1:])
    assert receipt["ranks"]["1"]["rate"] > receipt["ranks"]["0"]["rate"]


# The first rank opens each bar first and closes it last, whatever holds the other one up.
NESTED = """
    import json, sys, time
    from mp_tqdm import mp_tqdm
    from steps import here, may_go, rank

    def count(desc, work):
        while rank and not may_go(f"{desc}.opened"):
            time.sleep(0.005)
        bar = mp_tqdm(total=10, desc=desc)
        if rank == 0:
            (here / f"{desc}.opened").touch()
        for _ in range(10):
            time.sleep(0.01)
            bar.update()
        work()
        while rank == 0 and bar.receipt()["ranks"].get(1, {}).get("open", True):
            time.sleep(0.005)
        bar.close()
        if rank == 0:
            (here / f"{desc}.receipt").write_text(json.dumps(bar.receipt()))

    count("outer", lambda: count("inner", bool))
"""


@pytest.mark.once
@pytest.mark.parametrize("mode", ["tty", "lines", "json"])
def test_the_outermost_bar_alone_tells_of_ranks_and_its_rate_is_the_mean(
    terminal: Terminal, program: Program, tmp_path: Path, mode: str
) -> None:
    with Ranks(tmp_path, program(NESTED), 2, terminal, MP_TQDM_MODE=mode):
        terminal.resize(24, 400)  # no object is wider
        assert terminal.wait() == 0, terminal.text()
    rates, notes = {}, {}
    for line in terminal.lines():
        if mode == "json":
            bar = json.loads(line)
            desc, rate, note = bar["desc"], bar["rate"], bar["note"]
            assert bar["rate"] == pytest.approx(bar["n"] / bar["elapsed_s"], rel=0.01)
        else:
            found = re.search(r"(\w+): 100%.* 10/10 \[.*, +([\d.]+)it/s(?:, )?(.*)\]$", line)
            assert found, terminal.text()
            desc, rate, note = found[1], float(found[2]), found[3]
        rates[desc], notes[desc] = rate, note
    assert list(notes) == ["inner", "outer"], terminal.text()
    assert notes["inner"] == ""
    spread = re.fullmatch(r"2 ranks at ([\d.]+)(?: to ([\d.]+))?it/s", notes["outer"])
    assert spread, notes
    for desc, rate in rates.items():
        # The receipt was made out a little later, and the other rank was through before.
        receipt = json.loads((tmp_path / f"{desc}.receipt").read_text())["ranks"]
        assert receipt["0"]["rate"] * 0.99 <= rate <= receipt["1"]["rate"] * 1.01, (desc, receipt)
    assert float(spread[2] or spread[1]) == pytest.approx(receipt["1"]["rate"], rel=0.01)
