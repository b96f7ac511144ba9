"""The complete example of a DDP training: counts, prints and its end, in any number of ranks."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.launches import MPI
from support.terminal import Terminal

pytest.importorskip("torch")

Program = Callable[..., list[str]]

# PyTorch takes many seconds to load on a busy machine, in each rank.
WATCHDOG_S = 150.0

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(WATCHDOG_S + 10)]

EPOCHS = 2
POINTS = 1000
# Without the number of threads torchrun prints that it sets it.
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}

EXAMPLE = Path(__file__).parents[1] / "examples" / "ddp_complete.py"


def torchrun(ranks: int, *script: str) -> list[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*command, f"--nproc-per-node={ranks}", *script]


def check_report(report: Path, ranks: int, epochs: int = EPOCHS) -> None:
    """All is counted, and each rank reads the same."""
    told = json.loads(report.read_text())
    total = epochs * POINTS
    expected = {"own": total // ranks, "trained": total, "loaded": total, "total": total}
    assert [rank | {"error": None} for rank in told] == [
        {"rank": number, "error": None, **expected} for number in range(ranks)
    ]
    assert 0 < told[0]["error"] < 0.3  # the slope is 3


@pytest.mark.parametrize("ranks", [None, 1, 4], ids=["python", "1 rank", "4 ranks"])
def test_all_is_counted_in_any_number_of_ranks(tmp_path: Path, ranks: int | None) -> None:
    report = tmp_path / "report.json"
    script = [str(EXAMPLE), f"--epochs={EPOCHS}", "--workers=1", f"--report={report}"]
    command = [sys.executable, *script] if ranks is None else torchrun(ranks, *script)
    env = programs.environment(**ENVIRONMENT)
    done = programs.run(command, env=env, timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr
    check_report(report, ranks or 1)
    lines = done.stdout.splitlines()
    assert lines[0] == f"{ranks or 1} rank(s), on cpu"
    assert lines[-1] == "trained 2,000 points, loaded 2,000"
    for epoch in range(EPOCHS):
        for rank in range(ranks or 1):
            (line,) = [line for line in lines if line.startswith(f"[rank {rank}] epoch {epoch}: ")]
            assert re.fullmatch(r".*: loss \d\.\d{4}", line)
        assert sum(line.startswith(f"epoch {epoch}: error ") for line in lines) == 1
    assert len(lines) == 2 + EPOCHS * ((ranks or 1) + 1)
    # The lines of the bars go to the standard error, and are the same whoever counts.
    ends = re.findall(r"(\w+): 100%\|[^|]*\| (\d+/\d+) \[", done.stderr)
    assert sorted(ends) == [("epochs", "2/2"), ("loaded", "2000/2000"), ("trained", "2000/2000")]


@pytest.mark.parametrize("launcher", MPI.values(), ids=MPI)
def test_it_trains_under_launchers_that_know_nothing_of_pytorch(
    tmp_path: Path, launcher: list[str]
) -> None:
    # No MASTER_ADDR, no MASTER_PORT: the ranks find each other all the same.
    report = tmp_path / "report.json"
    script = [str(EXAMPLE), f"--epochs={EPOCHS}", "--workers=1", f"--report={report}"]
    command = [programs.needs(launcher[0]), *launcher[1:], sys.executable, *script]
    done = programs.run(command, env=programs.environment(**ENVIRONMENT), timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr
    check_report(report, 2)
    assert "2 rank(s), on cpu" in done.stdout
    assert len(re.findall(r"\[rank [01]\] epoch \d: loss", done.stdout)) == 2 * EPOCHS
    assert len(re.findall(r"trained: 100%\|[^|]*\| 2000/2000 \[", done.stderr)) == 1


def test_on_a_terminal_all_ranks_print_above_the_lines(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    epochs = 6  # the batches of one may go by between two frames
    script = [str(EXAMPLE), f"--epochs={epochs}", "--workers=1", f"--report={report}"]
    with Terminal(24, 100) as terminal:
        terminal.start(torchrun(2, *script), env=programs.environment(**ENVIRONMENT))
        assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        lines = [line for line in terminal.lines() if line]
        frames = terminal.frames()
    check_report(report, 2, epochs)
    printed = [line for line in lines if not re.search(r"\d%\|", line)]
    assert len(printed) == 2 + epochs * 3, lines
    assert sorted(re.sub(r"\d\.\d{4}", "X", line) for line in printed) == sorted(
        ["2 rank(s), on cpu", "trained 6,000 points, loaded 6,000"]
        + [f"[rank {rank}] epoch {epoch}: loss X" for rank in range(2) for epoch in range(epochs)]
        + [f"epoch {epoch}: error X" for epoch in range(epochs)]
    )
    # While it trains the lines stand below the text, each once.
    bars = [
        re.findall(r"^(\w+): +\d+%\|", "\n".join(frame.lines), re.MULTILINE) for frame in frames
    ]
    assert ["loaded", "trained", "epochs", "batches"] in bars
    assert [shown for shown in bars if len(set(shown)) < len(shown)] == []


BROKEN = """
    import importlib.util, sys
    import torch.distributed
    from mp_tqdm.torch import get_rank, mp_print

    spec = importlib.util.spec_from_file_location("example", sys.argv.pop(1))
    example = importlib.util.module_from_spec(spec)
    sys.modules["example"] = example  # the loader's workers look there
    spec.loader.exec_module(example)
    epochs, train_epoch = [], example.train_epoch

    def train_broken(*arguments):
        epochs.append(1)
        if get_rank() == 1 and len(epochs) == 2:
            raise ArithmeticError("the loss is not a number")
        return train_epoch(*arguments)

    example.train_epoch = train_broken
    try:
        example.main()
    except ArithmeticError:
        mp_print("in a group:", torch.distributed.is_initialized(), all_ranks=True)
        raise
"""


def test_an_exception_in_one_rank_ends_the_training_as_itself(program: Program) -> None:
    # The other rank waits for its gradients, and is ended by torchrun or by gloo.
    command = torchrun(2, program(BROKEN)[1], str(EXAMPLE), "--workers=1")
    with Terminal(60, 120) as terminal:
        terminal.start(command, env=programs.environment(**ENVIRONMENT))
        assert terminal.wait(WATCHDOG_S) == 1
        lines, column = terminal.lines(), terminal.cursor[1]
    assert "[rank 1] in a group: False" in lines, lines
    assert any(line.endswith("ArithmeticError: the loss is not a number") for line in lines), lines
    assert sum(line.startswith("[rank 1] epoch 0: loss ") for line in lines) == 1, lines
    assert column == 0
    assert programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)")).returncode == 0
