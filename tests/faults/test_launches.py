"""Ranks that come late or leave early, jobs killed or started together: nobody waits or mixes."""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.meeting import MEETING, told
from support.polling import wait_until
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]

# Half of the loop is done at once, the other half when the test says so. Rank 0 may have no part.
HALVES = (
    MEETING
    + """
    rank = os.environ["LOCAL_RANK"]

    def wait_for(name):
        while not os.path.exists(os.path.join(PLACE, name)):
            time.sleep(0.005)

    if rank in sys.argv[1:]:
        mp_tqdm(total=1, desc="other", leave=False).close()
        wait_for("end." + rank)
    else:
        for item in mp_tqdm(range(10), desc="loop"):
            if item == 5:
                meet("half." + rank, 1)
                wait_for("end." + rank)
        print("rank", rank, "is out")
    """
)


class Ranks:
    """The ranks of one job on one terminal, started and ended one by one."""

    def __init__(self, terminal: Terminal, command: list[str], place: Path, ranks: int) -> None:
        self.terminal = terminal
        self._command, self._place, self._ranks = command, place, ranks
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, *ranks: int) -> None:
        for rank in ranks:
            variables = programs.rank_variables(self._place, rank, self._ranks)
            env = programs.environment(MEETING_PLACE=str(self._place), **variables)
            self._processes[rank] = self.terminal.start(self._command, env=env)

    def halves(self, *ranks: int) -> None:
        """Wait until they have done their first half."""
        for rank in ranks:
            half = self._place / f"meeting.half.{rank}"
            wait_until(half.exists, f"the half of rank {rank}")

    def end(self, *ranks: int) -> None:
        """Let them do the other half; they end by themselves, whatever the others do."""
        for rank in ranks:
            (self._place / f"end.{rank}").touch()
        for rank in ranks:
            ended = self._processes[rank]
            wait_until(lambda ended=ended: ended.poll() is not None, f"the end of rank {rank}")
            assert ended.returncode == 0, self.terminal.text()

    def shows(self, text: str) -> None:
        self.terminal.wait_for(lambda screen: text in screen.text())

    def shows_no_longer(self, text: str) -> None:
        self.terminal.wait_for(lambda screen: text not in screen.text())

    def lines_of(self, desc: str) -> list[str]:
        self.terminal.settle()
        return [line for line in self.terminal.lines() if desc in line]


@pytest.mark.faults("F5")
def test_a_first_rank_that_ends_before_the_others_waits_for_none(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    ranks = Ranks(terminal, program(HALVES), tmp_path, 3)
    ranks.start(0, 1, 2)
    # Half is on the screen, too, as soon as one of them is there.
    ranks.halves(0, 1, 2)
    ranks.shows("| 5/10 [")
    ranks.end(0)
    # Below it another one may stand already.
    line = ranks.lines_of("loop")[0]
    assert "| 10/10 [" in line
    assert "(1 of 3 ranks done)" in line
    # It is gone, and another draws what is left to do: (10 + 5 + 5) / 3.
    ranks.shows("| 6/10 [")
    ranks.end(1, 2)
    assert ranks.lines_of("loop")[0] == line
    assert "| 10/10 [" in ranks.lines_of("loop")[-1]
    assert len(ranks.lines_of("is out")) == 3


@pytest.mark.faults("F5")
def test_a_first_rank_that_comes_late_draws_what_the_others_have_done(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    ranks = Ranks(terminal, program(HALVES), tmp_path, 4)
    ranks.start(1, 2, 3)
    ranks.shows("3/4 ranks")
    ranks.start(0)
    ranks.halves(0, 1, 2, 3)
    ranks.shows_no_longer("3/4 ranks")
    ranks.end(1, 2, 3)
    # The mean of all, as long as the first is at work.
    ranks.shows("| 8/10 [")
    ranks.end(0)
    assert ["| 10/10 [" in line for line in ranks.lines_of("loop")] == [True]


@pytest.mark.faults("F5")
@pytest.mark.parametrize("first", ["is missing", "does something else"])
def test_without_the_first_rank_the_others_are_shown_and_end(
    terminal: Terminal, program: Program, tmp_path: Path, first: str
) -> None:
    ranks = Ranks(terminal, program(HALVES, "0"), tmp_path, 3)
    is_there = first == "does something else"
    ranks.start(*range(0 if is_there else 1, 2))
    # Where there is no rank 0, this one draws. It ends last: else the other one, if it takes its
    # time, would draw a line of its own.
    ranks.shows("loop:")
    ranks.start(2)
    ranks.shows("2/3 ranks")
    # The line of a bar that the drawing rank has not opened names the first that has.
    ranks.shows("[1] loop:" if is_there else "loop:")
    ranks.end(2)
    ranks.end(1)
    assert len(ranks.lines_of("is out")) == 2
    if is_there:
        ranks.end(0)
    (line,) = ranks.lines_of("loop")
    assert "| 10/10 [" in line


@pytest.mark.faults("F5")
def test_seven_of_eight_ranks_are_shown_until_the_last_one_joins(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    ranks = Ranks(terminal, program(HALVES), tmp_path, 8)
    ranks.start(*range(7))
    ranks.shows("7/8 ranks")
    ranks.start(7)
    ranks.halves(*range(8))
    ranks.shows_no_longer("ranks")
    ranks.end(*range(1, 8))
    ranks.end(0)
    (line,) = ranks.lines_of("loop")
    assert "| 10/10 [" in line
    assert re.search(r"it/s, (8 ranks at|[\d.]+ to) [\d.]+", line), line


# Two ranks with a worker each, which count and then wait for the end.
KILLED = (
    MEETING
    + """
    import signal, subprocess

    if "RANK" in os.environ:
        with mp_tqdm(total=100, reduce="sum") as bar:
            report_progress(5)
            child = os.fork()
            if not child:
                report_progress(7)
                meet("counted", 4)
                signal.pause()
            meet("counted", 4)
            tell("rank", bar)
            meet("told", 2)
            if sys.argv[1] == "stays":
                signal.pause()
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    else:
        variables = [json.loads(line) for line in sys.argv[2:]]
        ranks = [
            subprocess.Popen([sys.executable, *sys.argv[:2]], env=os.environ | own)
            for own in variables
        ]
        sys.exit(sum(rank.wait() for rank in ranks))
    """
)


@pytest.mark.faults("F6")
def test_after_a_group_was_killed_the_next_start_counts_from_zero_and_cleans_up(
    program: Program, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    script = program(KILLED)
    segments = set()
    count = rounds(5, 1000)
    for number in range(count + 1):
        place = tmp_path / str(number)
        place.mkdir()
        # Every second time under the name of the one before, as after a restart by hand.
        launch = tmp_path / f"launch{number // 2}"
        ranks = [json.dumps(programs.rank_variables(launch, rank, 2)) for rank in range(2)]
        is_last = number == count
        group = subprocess.Popen(
            [*script, "ends" if is_last else "stays", *ranks],
            env=programs.environment(MEETING_PLACE=str(place), MP_TQDM_MODE="off"),
            start_new_session=True,
        )
        met = place / "meeting.told"
        wait_until(lambda met=met: met.exists() and len(list(met.iterdir())) == 2, "both ranks")
        lines = told(place)
        assert [line["n"] for line in lines] == [24, 24]
        segments |= {line["segment"] for line in lines}
        if not is_last:
            os.killpg(group.pid, signal.SIGKILL)
            wait_until(lambda pid=group.pid: not programs.session_works(pid), "the group's end")
        assert group.wait(20) == (0 if is_last else -signal.SIGKILL)
    assert len(segments) == count // 2 + 1
    assert not any(map(os.path.exists, segments))


# A training of two processes.
TRAINING = (
    MEETING
    + """
    import multiprocessing

    def work(n):
        report_progress(n)
        meet("counted", 4)

    if __name__ == "__main__":
        n = int(sys.argv[1])
        with mp_tqdm(total=2 * n) as bar:
            report_progress(n)
            worker = multiprocessing.get_context("fork").Process(target=work, args=(n,))
            worker.start()
            # All of this pair have counted.
            meet("counted", 4)
            worker.join()
            tell("root", bar)
    """
)


@pytest.mark.faults("F34")
@pytest.mark.parametrize("scripts", ["the same script", "two scripts"])
def test_two_trainings_in_one_shell_count_for_themselves(
    program: Program, tmp_path: Path, rounds: Callable[[int, int], int], scripts: str
) -> None:
    one, other = program(TRAINING), program(TRAINING)
    second = one if scripts == "the same script" else other
    shell = f"{shlex.join([*one, '3'])} & {shlex.join([*second, '40'])} & wait"
    for pair in range(rounds(3, 50)):
        place = tmp_path / str(pair)
        place.mkdir()
        env = programs.environment(MEETING_PLACE=str(place), MP_TQDM_MODE="off")
        done = programs.run(["bash", "-c", shell], env=env)
        assert (done.returncode, done.stderr) == (0, "")
        lines = told(place)
        assert sorted(line["n"] for line in lines) == [6, 80]
        assert len({line["segment"] for line in lines}) == 2


STRANGER = (
    MEETING
    + """
    import multiprocessing, subprocess

    def work():
        report_progress(10)
        tell("worker")
        subprocess.run([sys.executable, __file__, "stranger"], check=True)

    if __name__ == "__main__":
        with mp_tqdm(total=100) as bar:
            report_progress(1)
            if len(sys.argv) == 1:
                for method in ("fork", "spawn", "forkserver"):
                    worker = multiprocessing.get_context(method).Process(target=work)
                    worker.start()
                    worker.join()
                work()
            tell("program", bar)
    """
)


@pytest.mark.faults("F18")
def test_a_program_started_in_a_worker_counts_for_itself(program: Program, tmp_path: Path) -> None:
    env = programs.environment(MEETING_PLACE=str(tmp_path), MP_TQDM_MODE="off")
    done = programs.run(program(STRANGER), env=env)
    assert (done.returncode, done.stderr) == (0, "")
    lines = told(tmp_path)
    *strangers, own = [line for line in lines if line["label"] == "program"]
    assert [line["n"] for line in strangers] == [1, 1, 1, 1]
    assert own["n"] == 41
    jobs = {line["job"] for line in strangers} | {own["job"]}
    assert len(jobs) == 5
    assert {line["role"] for line in strangers} == {"root"}
    assert {line["job"] for line in lines if line["label"] == "worker"} == {own["job"]}
