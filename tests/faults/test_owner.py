"""The process that draws dies or is stopped: another one draws, and they never draw both."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import programs
from support.polling import wait_until
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]

# Counts for ever. Rank 0 opens another bar whenever a file that it is given is gone.
COUNT = """
    import os, sys, time
    from pathlib import Path
    from mp_tqdm import mp_tqdm
    sign = Path(sys.argv[1])
    sign.touch()
    bar = mp_tqdm(total=10**9, desc="job", bar_format="{desc}: n={n}{postfix}")
    while True:
        bar.update()
        time.sleep(0.001)
        if os.environ["RANK"] == "0" and not sign.exists():
            bar.close()
            bar = mp_tqdm(total=10**9, desc="next")
            sign.touch()
"""


@pytest.fixture
def ranks(program: Program, tmp_path: Path) -> Iterator[Callable[[int, Terminal], None]]:
    """`ranks(rank, terminal)`: starts one of two ranks.

    Named before the terminal, so that it sweeps what was killed after the terminal is closed.
    """
    command = program(COUNT, str(tmp_path / "sign"))

    def start(rank: int, terminal: Terminal) -> None:
        env = programs.environment(**programs.rank_variables(tmp_path, rank, 2))
        terminal.start(command, env=env)

    yield start
    swept = programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"))
    assert swept.returncode == 0, swept.stderr


def counted(terminal: Terminal) -> int:
    """The highest n on the screen."""
    return max(map(int, re.findall(r"n=(\d+)", terminal.text())), default=-1)


@contextmanager
def frames_go_on(terminal: Terminal, frames: int = 5) -> Iterator[None]:
    """Waits, after what is done inside, for as many further writes to the terminal."""
    yield
    before = len(terminal.recording)
    wait_until(lambda: len(terminal.recording) > before + frames, "further frames")


@pytest.mark.faults("F2")
def test_another_rank_draws_once_the_owner_was_killed(
    ranks: Callable[[int, Terminal], None], terminal: Terminal
) -> None:
    for rank in range(2):
        ranks(rank, terminal)
    terminal.wait_for(lambda screen: re.search(r"n=\d\d", screen.text()) is not None)
    with frames_go_on(terminal):
        terminal.send_signal(signal.SIGKILL, 0)
        terminal.programs[0].wait()
    terminal.wait_for(lambda screen: "rank 0 died at" in screen.text())
    before = counted(terminal)
    # The other one counts on, and its line stands where the dead one's stood.
    wait_until(lambda: counted(terminal) > before, "the count to go on")
    assert terminal.programs[1].poll() is None
    lines = [line for line in terminal.visible() if line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("job: n="), lines
    assert b"\x1b[?25l" not in terminal.output()


@pytest.mark.slow
@pytest.mark.faults("F72")
def test_an_owner_that_was_stopped_does_not_draw_over_the_one_that_took_over(
    ranks: Callable[[int, Terminal], None], terminal: Terminal, tmp_path: Path
) -> None:
    # Each rank on a terminal of its own: who writes where is plain.
    with Terminal() as other:
        ranks(0, terminal)
        terminal.wait_for(lambda screen: "n=" in screen.text())
        ranks(1, other)
        other_process = other.programs[0]
        terminal.wait_for(lambda screen: re.search(r"n=\d\d", screen.text()) is not None)
        with frames_go_on(other):
            terminal.send_signal(signal.SIGSTOP, 0)
        terminal.settle()
        before = terminal.output()
        with frames_go_on(other, 20):
            terminal.send_signal(signal.SIGCONT, 0)
        # A bar that it opens now is drawn elsewhere, too.
        with frames_go_on(other, 20):
            (tmp_path / "sign").unlink()
            wait_until((tmp_path / "sign").exists, "the resumed rank to open a bar")
        assert terminal.output() == before
        # As any other rank it takes over from a dead owner.
        os.kill(other_process.pid, signal.SIGKILL)
        other_process.wait()
        terminal.wait_for(lambda screen: "next" in screen.text())
