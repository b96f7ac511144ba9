"""What programs compute with: the rate, and what the last frame showed."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from mp_tqdm import mp_tqdm
from support import programs, ranks
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Counts 50 a second and keeps what it read, until `done` says that it is enough.
READS = """
import sys, time
from mp_tqdm import mp_tqdm

def count(bar, done, patience_s=20):
    begin = time.monotonic()
    while not done(bar) and time.monotonic() - begin < patience_s:
        time.sleep(0.02)
        bar.update()
    return bar.n / (time.monotonic() - begin)
"""


def on(place: str, command: list[str]) -> str:
    """What a program prints as its last line, beside a bar on a terminal or in a log."""
    if place == "log":
        process = programs.run(command)
        assert process.returncode == 0, process.stderr
        return process.stdout.splitlines()[-1]
    with Terminal(columns=200) as terminal:
        terminal.start(command)
        assert terminal.wait() == 0, terminal.text()
        return terminal.lines()[-1]


@pytest.mark.faults("F116")
@pytest.mark.parametrize("place", ["terminal", "log"])
@pytest.mark.parametrize("smoothing", [0, 0.3])
def test_the_rate_is_a_number_to_compute_with(
    place: str, smoothing: float, program: Program
) -> None:
    command = program(
        READS
        + f"""
bar = mp_tqdm(total=1000, smoothing={smoothing})
assert bar.format_dict["rate"] is None, "nothing was counted"
true = count(bar, lambda bar: bar.n >= 30)
rate, text = bar.format_dict["rate"], str(bar)
bar.close()
print(0.5 * true < rate < 2 * true, "?" not in text, true, rate, text)
"""
    )
    assert on(place, command).startswith("True True")


@pytest.mark.faults("F116")
def test_a_terminal_tells_its_frame(program: Program) -> None:
    command = program(
        READS
        + """
bar = mp_tqdm(total=1000)
assert bar.last_print_n == 0 and bar.last_print_t >= bar.start_t  # later: a frame came already
count(bar, lambda bar: bar.last_print_n > 5)
n, t = bar.last_print_n, bar.last_print_t
assert bar.last_print_t == t or bar.last_print_n > n, "one frame has one time"
good = 5 < n <= bar.n and bar.start_t < t <= time.time() < t + 5
bar.last_print_n, bar.last_print_t = -7, 3
own = bar.last_print_n, bar.last_print_t
count(bar, lambda bar: bar.last_print_n > n)
on = bar.last_print_n > n and bar.last_print_t > t
bar.close()
print(good, on, bar.last_print_n > n, bar.format_dict["rate"] is None)
"""
    )
    assert on("terminal", command) == "True True True True"


@pytest.mark.faults("F116")
def test_a_log_tells_its_lines(program: Program) -> None:
    command = program(
        READS
        + """
bar = mp_tqdm(total=1000, mininterval=0.1)
count(bar, lambda bar: bar.last_print_n > 5)
n, t = bar.last_print_n, bar.last_print_t
bar.close()
print(5 < n, bar.start_t < t <= time.time())
"""
    )
    assert on("log", command) == "True True"


@pytest.mark.faults("F116")
def test_a_bar_that_left_nothing_keeps_its_rate(program: Program) -> None:
    command = program(
        READS
        + """
for total in (None, 1000):
    with mp_tqdm(total=total, leave=False) as bar:
        count(bar, lambda bar: bar.last_print_n > 5)
    print(10 < bar.format_dict["rate"] < 100)
"""
    )
    assert on("terminal", command) == "True"


@pytest.mark.faults("F116")
@pytest.mark.once
def test_a_rank_that_does_not_draw_knows_its_mean(program: Program, tmp_path: Path) -> None:
    command = program(
        READS
        + """
bar = mp_tqdm(total=1000)
true = count(bar, lambda bar: bar.n_own >= 30)
print(bar.format_dict["rate"] > 0.2 * true)
"""
    )
    with ranks.Ranks(tmp_path, command, 2) as job:
        assert [output.split() for output in job.outputs()] == [["True"]] * 2


@pytest.mark.parametrize("name", ["last_print_n", "last_print_t"])
def test_a_bar_that_is_off_has_no_frames(name: str) -> None:
    assert not hasattr(mp_tqdm(disable=True), name)


def test_an_update_of_a_subclass_is_called_by_the_clock_and_not_by_frames(
    program: Program,
) -> None:
    command = program(
        """
        import time
        from mp_tqdm import mp_tqdm

        class Mine(mp_tqdm):
            portions = ()

            def update(self, n=1):
                self.portions = (*self.portions, n)
                return super().update(n)

        bar = Mine(range(100), mininterval=0.01)
        for _ in bar:
            time.sleep(0.001)
            assert bar.last_print_t >= bar.start_t
        print(len(bar.portions) > 2, bar.n)
        """
    )
    assert on("log", command) == "True 100"


def test_python_code_that_draws_has_its_own_frames() -> None:
    with mp_tqdm(total=9, file=io.StringIO(), mininterval=0, miniters=1) as bar:
        bar.update(2)
        assert bar.last_print_n == 2
        bar.last_print_n = 0
        assert bar.last_print_n == 0
