"""`unpause` and `start_t` move the clock of the line that the renderer draws."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.ranks import Ranks
from support.terminal import Terminal

Program = Callable[..., list[str]]

BEGIN = """
import time
from mp_tqdm import mp_tqdm

begin = time.time()
bar = mp_tqdm(total=10, bar_format="{n_fmt} after {elapsed_s:.3f}s")
bar.update(5)
frames = bar._native.job_frames
while bar._native.job_frames < frames + 2:
    bar._native.flush()
"""
# The renderer has seen the count before the pause begins: the second frame began behind it.
PAUSE = (
    BEGIN
    + """
time.sleep(0.6)
bar.unpause()
assert bar.format_dict["elapsed"] <= time.time() - begin - 0.6
bar.update(5)
bar.close()
print("all of", time.time() - begin)
"""
)
SHIFT = (
    BEGIN
    + """
bar.start_t -= 500_000
bar.close()
"""
)


def text_of(command: list[str], place: str, directory: Path) -> str:
    """What a program leaves on a terminal, or in a log."""
    if place == "terminal":
        with Terminal() as window:
            window.start(command)
            assert window.wait() == 0, window.text()
            return window.text()
    log = directory / "log"
    with log.open("w") as file:
        subprocess.run(
            command, env=programs.environment(), stdout=file, stderr=file, check=True, timeout=20
        )
    return log.read_text()


def seconds(pattern: str, text: str) -> float:
    found = re.findall(pattern, text)
    assert found, text
    return float(found[-1])


@pytest.mark.parametrize("place", ["terminal", "log"])
def test_a_pause_that_was_taken_out_is_not_in_the_line(
    place: str, program: Program, tmp_path: Path
) -> None:
    text = text_of(program(PAUSE), place, tmp_path)
    shown = seconds(r"10 after ([\d.]+)s", text)
    assert shown <= seconds(r"all of ([\d.]+)", text) - 0.6


@pytest.mark.parametrize("place", ["terminal", "log"])
def test_a_clock_that_started_before_the_machine_did(
    place: str, program: Program, tmp_path: Path
) -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    source = SHIFT.replace("500_000", str(uptime + 500_000))
    text = text_of(program(source), place, tmp_path)
    # It is shown in milliseconds, and the program may have taken less.
    assert seconds(r"5 after ([\d.]+)s", text) > uptime + 500_000 - 0.001


@pytest.mark.once
def test_a_line_of_ranks_has_the_clock_of_the_process_that_draws(tmp_path: Path) -> None:
    source = """
        from mp_tqdm import mp_tqdm
        from steps import rank, stop

        bar = mp_tqdm(total=10, desc="ranks", bar_format="{desc} after {elapsed_s:.0f}s")
        stop("open")
        if rank == 0:
            bar.start_t -= 100_000
        stop("first")
        if rank == 1:
            bar.start_t -= 900_000
            bar.unpause()
        stop("second")
        bar.update(10)
        bar.close()
    """
    command = programs.python(source, directory=tmp_path)
    with Terminal() as window, Ranks(tmp_path, command, 2, window) as ranks:
        ranks.pass_by("open")
        ranks.arrive("first")
        window.wait_for(lambda screen: "ranks after 100" in screen.text())
        ranks.pass_by("first", "second")
        assert window.wait() == 0
        assert re.search(r"ranks after 100\d\d\ds", window.text()), window.text()
