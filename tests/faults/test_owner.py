"""The process that draws dies or is stopped: another one draws, and they never draw both."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import programs
from support.polling import wait_until
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]
Start = Callable[..., None]

# Counts for ever. Rank 0 opens another bar whenever a file that it is given is gone.
COUNT = """
    import os, sys, time
    from pathlib import Path
    from mp_tqdm import mp_tqdm
    sign = Path(sys.argv[1])
    sign.touch()
    bar = mp_tqdm(total=10**9, desc="job", bar_format="{desc}: n={n}{postfix}")
    bar.update()
    Path(f"{sign}.{os.environ['RANK']}").touch()
    while True:
        bar.update()
        time.sleep(0.001)
        if os.environ["RANK"] == "0" and not sign.exists():
            bar.close()
            bar = mp_tqdm(total=10**9, desc="next")
            sign.touch()
"""


@pytest.fixture
def ranks(program: Program, tmp_path: Path) -> Iterator[Start]:
    """`ranks(rank, terminal, within)`: starts one of two ranks, by the command `within`.

    It counts then: one that comes when the other is dead would find a job that is over.
    Named before the terminal, so that it sweeps what was killed after the terminal is closed.
    """
    command = program(COUNT, str(tmp_path / "sign"))

    def start(rank: int, terminal: Terminal, within: Sequence[str] = ()) -> None:
        env = programs.environment(**programs.rank_variables(tmp_path, rank, 2))
        terminal.start([*within, *command], env=env)
        wait_until((tmp_path / f"sign.{rank}").exists, f"rank {rank} to count")

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
def test_another_rank_draws_once_the_owner_was_killed(ranks: Start, terminal: Terminal) -> None:
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
@pytest.mark.timeout(100)
@pytest.mark.faults("F2", "F72")
@pytest.mark.parametrize(("blow", "limit_s"), [(signal.SIGKILL, 2.0), (signal.SIGSTOP, 5.0)])
def test_the_other_draws_in_time(
    ranks: Start, tmp_path: Path, blow: signal.Signals, limit_s: float
) -> None:
    # A busy machine may wake it late: it has three tries.
    took_s: list[float] = []
    while len(took_s) < 3 and not any(each < limit_s for each in took_s):
        for sign in tmp_path.glob("sign.*"):
            sign.unlink()
        with Terminal() as terminal, Terminal() as other:
            ranks(0, terminal)
            ranks(1, other)
            terminal.wait_for(lambda screen: re.search(r"n=\d\d", screen.text()) is not None)
            begin = time.monotonic()
            terminal.send_signal(blow, 0)
            other.wait_for(lambda screen: "n=" in screen.text())
            took_s.append(other.recording[0].time - begin)
    assert min(took_s) < limit_s, took_s


def in_pid_namespace() -> list[str]:
    """What runs a command as the first process of a pid namespace of its own, and dies with it."""
    command = [programs.needs("unshare"), "-p", "-f", "--mount-proc", "--kill-child"]
    probe = programs.run([*command, "true"])
    if probe.returncode:
        pytest.skip(f"no pid namespace here: {probe.stderr.strip()}")
    return command


@pytest.mark.faults("F10")
def test_an_owner_that_is_a_zombie_is_dead(ranks: Start, terminal: Terminal) -> None:
    for rank in range(2):
        ranks(rank, terminal)
    terminal.wait_for(lambda screen: re.search(r"n=\d\d", screen.text()) is not None)
    owner = terminal.programs[0].pid
    os.kill(owner, signal.SIGKILL)
    terminal.wait_for(lambda screen: "rank 0 died at" in screen.text())
    assert Path(f"/proc/{owner}/stat").read_text().rpartition(") ")[2].startswith("Z")


@pytest.mark.faults("F10")
def test_an_owner_whose_process_id_is_another_process_now_is_dead(
    program: Program, terminal: Terminal, tmp_path: Path
) -> None:
    rank = program(COUNT, str(tmp_path / "sign"))
    environments = [programs.rank_variables(tmp_path, number, 2) for number in range(2)]
    terminal.start(
        in_pid_namespace()
        + program(
            """
            import json, os, pathlib, subprocess, sys, time
            environments, command = json.loads(sys.argv[1]), sys.argv[2:]
            owner, other = [
                subprocess.Popen(command, env={**os.environ, **more}) for more in environments
            ]
            input()
            owner.kill()
            owner.wait()
            pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(owner.pid - 1))
            heir = subprocess.Popen(["sleep", "60"])
            print("reused", heir.pid == owner.pid)
            input()
            print("still", heir.poll(), other.poll())
            heir.kill()
            other.kill()
            heir.wait()
            other.wait()
            import mp_tqdm
            mp_tqdm.mp_tqdm(disable=True)  # sweeps
            """,
            json.dumps(environments),
            *rank,
        )
    )
    for number in range(2):
        wait_until((tmp_path / f"sign.{number}").exists, f"rank {number} to count")
    terminal.wait_for(lambda screen: re.search(r"n=\d\d", screen.text()) is not None)
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: re.search("reused (True|False)", screen.text()) is not None)
    if "reused True" not in terminal.text():
        pytest.skip("another process was quicker to take the process id")
    terminal.wait_for(lambda screen: "rank 0 died at" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "still None None" in terminal.text()


@pytest.mark.faults("F10")
def test_an_owner_in_another_pid_namespace_is_seen_to_live_and_to_die(
    ranks: Start, terminal: Terminal
) -> None:
    # Each rank is process 1 of its namespace, and has a terminal of its own.
    namespace = in_pid_namespace()
    with Terminal() as other:
        ranks(0, terminal, namespace)
        terminal.wait_for(lambda screen: "n=" in screen.text())
        ranks(1, other, namespace)
        # Both are in the line: the mean of the two is drawn, and by one of them.
        wait_until(lambda: counted(terminal) > 20, "the first rank to count")
        with frames_go_on(terminal, 30):
            pass
        assert other.output() == b""
        terminal.send_signal(signal.SIGKILL, 0)
        other.wait_for(lambda screen: "rank 0 died at" in screen.text())


@pytest.mark.slow
@pytest.mark.timeout(100)
@pytest.mark.faults("F72")
def test_an_owner_that_was_stopped_does_not_draw_over_the_one_that_took_over(
    ranks: Start, terminal: Terminal, tmp_path: Path
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
