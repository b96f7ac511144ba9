"""Each launcher, started for real: its ranks and their workers are one job and one line."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support import programs
from support.launches import MPI
from support.meeting import RANK, check_ranks, left_lines
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

# PyTorch, which half of the launchers import, takes many seconds to load on a busy machine.
WATCHDOG_S = 100.0


def launch(terminal: Terminal, command: Sequence[str], place: Path, **env: str) -> None:
    """Runs a launcher with its program on the terminal to its end."""
    # Without the number of threads torchrun prints that it sets it.
    environ = programs.environment(OMP_NUM_THREADS="1", MEETING_PLACE=str(place), **env)
    terminal.start(command, env=environ)
    assert terminal.wait(WATCHDOG_S) == 0, terminal.text()


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.faults("F73")
@pytest.mark.parametrize(
    ("ranks", "options"),
    [
        pytest.param(2, ["--standalone"], id="standalone"),
        pytest.param(2, ["--master-addr=127.0.0.1", "--master-port=0"], id="static address"),
        pytest.param(4, ["--standalone", "--virtual-local-rank"], id="virtual local rank"),
    ],
)
def test_ranks_of_torchrun_are_one_job(
    terminal: Terminal, program: Program, tmp_path: Path, ranks: int, options: list[str]
) -> None:
    programs.needs_package("torch")
    python, *script = program(RANK, str(ranks))
    torchrun = [python, "-m", "torch.distributed.run", *options, f"--nproc-per-node={ranks}"]
    launch(terminal, [*torchrun, *script], tmp_path)
    found = check_ranks(tmp_path, "torchelastic", ranks)
    assert left_lines(terminal) == [found.ranks[0]["n"]], terminal.text()


@pytest.mark.faults("F73")
@pytest.mark.parametrize(("name", "rule"), [("Open MPI", "pmix"), ("MPICH", "pmi")])
def test_ranks_of_mpi_are_one_job(
    terminal: Terminal, program: Program, tmp_path: Path, name: str, rule: str
) -> None:
    launcher = MPI[name]
    programs.needs(launcher[0])
    launch(terminal, [*launcher, *program(RANK, "2")], tmp_path)
    found = check_ranks(tmp_path, rule, 2)
    assert left_lines(terminal) == [found.ranks[0]["n"]], terminal.text()


@pytest.mark.torch
@pytest.mark.slow
def test_ranks_of_accelerate_are_one_job(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    programs.needs_package("accelerate")
    # Asked for processes on the CPU it starts one; this starts as many as told, GPU or not.
    options = ["--multi_gpu", "--num_processes=2", "--num_machines=1"]
    options += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    python, *script = program(RANK, "2")
    launch(terminal, [python, "-m", "accelerate.commands.launch", *options, *script], tmp_path)
    found = check_ranks(tmp_path, "torchelastic", 2)
    assert left_lines(terminal) == [found.ranks[0]["n"]], terminal.text()


@pytest.mark.torch
@pytest.mark.slow
def test_ranks_of_deepspeed_are_one_job(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    programs.needs_package("deepspeed")
    nodes = base64.b64encode(json.dumps({"localhost": [0, 1]}).encode()).decode()
    # What the `deepspeed` command starts on each node.
    options = [f"--world_info={nodes}", "--no_local_rank", "--log_level=error"]
    python, *script = program(RANK, "2")
    command = [python, "-m", "deepspeed.launcher.launch", *options, *script]
    launch(terminal, command, tmp_path, DS_ACCELERATOR="cpu")
    found = check_ranks(tmp_path, "deepspeed", 2)
    assert left_lines(terminal) == [found.ranks[0]["n"]], terminal.text()
