"""The example training, run by torchrun on a terminal: what is seen, and that all is counted."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support import leaks, programs
from support.terminal import Frame, Terminal

if TYPE_CHECKING:
    from pathlib import Path

RANKS = 2
EPOCHS = 3
# 1,440 images, which two ranks share evenly, in batches of 32 for each.
SAMPLES = EPOCHS * 1440
BATCHES = 23
# PyTorch takes half a minute to start three times on a busy machine.
WATCHDOG_S = 240.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.timeout(WATCHDOG_S + 30),
]
pytest.importorskip("torch")
pytest.importorskip("sklearn")

BAR = re.compile(
    r"(samples|epochs|batches): +(\d+)%\|[^|]*\| (\d+)/(\d+) \[\d\d:\d\d<(?:[\d:]+|\?), (.*)\]"
)


class Run(NamedTuple):
    """What a training left."""

    frames: list[Frame]
    lines: list[str]
    cursor: tuple[int, int]
    output: bytes
    report: dict


def example(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.rootpath / "examples" / "train_ddp.py")


@pytest.fixture(scope="module")
def training(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two ranks with two loader workers each, under torchrun: ends well, leaves nothing behind."""
    report = tmp_path_factory.mktemp("training") / "report.json"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    script = [example(pytestconfig), f"--epochs={EPOCHS}", f"--report={report}"]
    # Without the number of threads torchrun prints that it sets it.
    token = leaks.token_of("training")
    env = programs.environment(OMP_NUM_THREADS="1", **{leaks.TEST_VARIABLE: token})
    before = leaks.belongings(token)
    with Terminal(24, 100) as terminal:
        terminal.start([*torchrun, f"--nproc-per-node={RANKS}", *script], env=env)
        assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        run = Run(
            terminal.frames(),
            terminal.lines(),
            terminal.cursor,
            terminal.output(),
            json.loads(report.read_text()),
        )
    assert leaks.left_behind(before, token) == []
    return run


def test_every_sample_is_counted_on_every_rank(training: Run):
    assert training.report["total"] == SAMPLES
    assert training.report["ranks"] == [
        {
            "rank": rank,
            "trained": SAMPLES // RANKS,
            "samples": SAMPLES,
            "accuracy": training.report["ranks"][0]["accuracy"],
        }
        for rank in range(RANKS)
    ]


def test_the_network_learns(training: Run):
    assert training.report["ranks"][0]["accuracy"] > 0.7


def test_at_the_end_stand_the_two_lines_that_stay_and_the_result(training: Run):
    *before, first, second, result = training.lines
    assert not [line for line in before if BAR.match(line)]
    ends = {match[1]: match.groups()[1:4] for match in map(BAR.match, (first, second)) if match}
    assert ends == {
        "epochs": ("100", str(EPOCHS), str(EPOCHS)),
        "samples": ("100", str(SAMPLES), str(SAMPLES)),
    }
    accuracy = training.report["ranks"][0]["accuracy"]
    assert result == (
        f"test accuracy {accuracy:.1%}, {SAMPLES:,} samples counted on {RANKS} rank(s)"
    )
    assert training.cursor[1] == 0


def test_while_it_runs_there_are_at_most_three_lines_and_all_are_legible(training: Run):
    seen = set()
    for frame in training.frames:
        shown = [line for line in frame.lines if re.match(r"(samples|epochs|batches)", line)]
        matches = [BAR.fullmatch(line) for line in shown]
        assert all(matches), frame.lines
        names = [match[1] for match in matches if match]
        assert len(names) == len(set(names)), frame.lines
        seen.add(tuple(names))
    assert ("samples", "epochs", "batches") in seen


def test_the_lines_show_the_job_and_no_more_than_was_done(training: Run):
    counts: dict[str, list[int]] = {"samples": [], "epochs": [], "batches": []}
    for frame in training.frames:
        for match in filter(None, map(BAR.fullmatch, frame.lines)):
            counts[match[1]].append(int(match[3]))
            totals = {"samples": SAMPLES, "epochs": EPOCHS, "batches": BATCHES}
            assert int(match[4]) == totals[match[1]]
            assert int(match[3]) <= totals[match[1]]
    assert counts["samples"] == sorted(counts["samples"])
    assert counts["epochs"] == sorted(counts["epochs"])
    # More than one rank's half: the workers of both are in it.
    assert max(counts["samples"]) == SAMPLES
    assert len(set(counts["samples"])) > 3


def test_the_batches_carry_the_loss(training: Run):
    postfixes = [
        match[5]
        for frame in training.frames
        for match in filter(None, map(BAR.fullmatch, frame.lines))
        if match[1] == "batches"
    ]
    assert any(re.search(r"batch/s, loss=\d\.\d+", postfix) for postfix in postfixes), postfixes


def test_one_process_draws_and_nothing_else_is_written(training: Run):
    # A second one would leave a line of its own, at the latest when it closes.
    assert len(training.lines) == 3, training.lines
    assert b"\x1b[?" not in training.output  # the cursor was never hidden


def test_it_runs_as_a_plain_program_too(pytestconfig: pytest.Config, tmp_path: Path):
    report = tmp_path / "report.json"
    result = programs.run(
        [sys.executable, example(pytestconfig), "--epochs=1", f"--report={report}"],
        timeout=WATCHDOG_S,
    )
    assert result.returncode == 0, result.stderr
    assert "1,440 samples counted on 1 rank(s)" in result.stdout
    assert f"| {SAMPLES // EPOCHS}/{SAMPLES // EPOCHS} [" in result.stderr
    (rank,) = json.loads(report.read_text())["ranks"]
    assert (rank["trained"], rank["samples"]) == (1440, 1440)
