"""Whatever another process writes into a live segment: nothing of it is believed."""

import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.layout import CELLS_AT, SEGMENT_BYTES, TABLES_AT
from support.polling import wait_until
from support.terminal import Terminal

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

SHOW = """
    import os, sys, time
    from mp_tqdm import mp_tqdm, _job
    bar = mp_tqdm(total=100, desc="job", mininterval=0.02)
    print(_job._place[2], flush=True)
    directory = os.path.dirname(__file__)
    said = os.open(f"{directory}/looks", os.O_WRONLY | os.O_CREAT)
    looks = 0
    while not os.path.exists(f"{directory}/end"):
        bar.update(0)
        bar.n, bar.n_own, bar.total, str(bar)
        if sys.argv[1:]:
            for _ in mp_tqdm(range(3), leave=False):
                bar.set_postfix(looks=looks)
        looks += 1
        os.pwrite(said, looks.to_bytes(8, "little"), 0)
        time.sleep(0.001)
    bar.close()
    print("end", flush=True)
"""


def shown_segment(terminal: Terminal) -> str:
    """The path that `SHOW` prints, once its bar is drawn as well."""

    def segments() -> list[str]:
        return [line for line in terminal.lines() if line.startswith("/")]

    terminal.wait_for(lambda screen: bool(segments()) and "job:" in screen.text())
    return segments()[0]


N_IS_FLOAT, TOTAL_IS_FLOAT = 1, 2
NAN, INFINITY = 0x7FF8 << 48, 0x7FF0 << 48
# n, its float part, total, initial and flags of a cell; what the line shows of them.
NONSENSE = {
    "the largest": ((2**63 - 1, 0, 2**63 - 1, 2**63 - 1, 0), r"job: 1\.8446744073709552e\+19it"),
    "the smallest": ((-(2**63), 0, 100, 0, 0), r"job: .*\| -9223372036854775808/100 \["),
    "no number": ((5, NAN, NAN, 0, N_IS_FLOAT | TOTAL_IS_FLOAT), r"job: 5\.0it \["),
    "infinite": (
        (5, INFINITY, INFINITY, 0, N_IS_FLOAT | TOTAL_IS_FLOAT),
        r"\| 5\.0/1\.79\d+e\+308",
    ),
    "below nothing": ((-5, 0, -5, -5, 0), r"job: .*\| -10/-5 \["),
}


@pytest.mark.faults("F42")
@pytest.mark.parametrize(("numbers", "shown"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_in_a_live_cell_is_shown_as_numbers_and_goes_with_its_cause(
    terminal: Terminal,
    program: Program,
    tmp_path: Path,
    numbers: tuple[int, int, int, int, int],
    shown: str,
) -> None:
    terminal.start(program(SHOW))
    place = shown_segment(terminal)

    def poke(n: int, part: int, total: int, initial: int, flags: int) -> None:
        with open(place, "r+b", buffering=0) as file:
            file.seek(CELLS_AT + 16)
            unsigned = [value % 2**64 for value in (n, part, total, initial)]
            file.write(struct.pack("<4QI", *unsigned, flags))

    sane = (7, 0, 100, 0, 0)
    for values, pattern in ((numbers, shown), (sane, r"job:   7%\|.*\| 7/100 \[")):
        poke(*values)
        found = re.compile(pattern)
        terminal.wait_for(lambda screen, found=found: bool(found.search(screen.text())))
        assert not re.search("nan|inf", terminal.text())
    (tmp_path / "end").touch()
    assert terminal.wait() == 0, terminal.text()
    assert "end" in terminal.lines()


@pytest.mark.faults("F42")
@pytest.mark.parametrize("arguments", [[], ["and", "opens", "bars"]], ids=["counts", "opens"])
def test_noise_in_the_whole_segment_ends_no_program(
    program: Program, tmp_path: Path, rounds: Rounds, arguments: list[str]
) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 - no secret
    chance = random.Random(seed)  # noqa: S311 - no secret
    with Terminal() as terminal:
        shower = terminal.start(program(SHOW, *arguments))
        place = shown_segment(terminal)
        wait_until((tmp_path / "looks").exists, "the program's first look")

        def looks() -> int:
            return int.from_bytes((tmp_path / "looks").read_bytes(), "little")

        with open(place, "r+b", buffering=0) as file:
            for _ in range(rounds(40, 4000)):
                # Anything behind the words that say what the file is.
                at = chance.choice([24, TABLES_AT, chance.randrange(24, SEGMENT_BYTES - 4096)])
                file.seek(at)
                file.write(chance.randbytes(chance.choice([8, 128, 4096])))
                enough = looks() + 20
                wait_until(
                    lambda enough=enough: looks() > enough or shower.poll() is not None,
                    f"looks at the noise of seed {seed}",
                )
                assert shower.poll() is None, f"seed {seed}\n{terminal.text()}"
        (tmp_path / "end").touch()
        assert terminal.wait() == 0, f"seed {seed}\n{terminal.text()}"
        assert re.search("^end", terminal.text(), re.MULTILINE), f"seed {seed}\n{terminal.text()}"
        assert "panic" not in terminal.text()
        assert "Traceback" not in terminal.text()
