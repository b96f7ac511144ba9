"""Which rank a process is, by the variables of its launcher alone: PyTorch is not imported."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.launches import DEEPSPEED, HYDRA, LIGHTNING, OPEN_MPI, SLURM, TORCHRUN
from support.ranks import Ranks
from support.terminal import Terminal

Program = Callable[..., list[str]]

RANK = """
    import json, multiprocessing, os, subprocess, sys
    from mp_tqdm.torch import (
        get_local_rank, get_rank, get_world_size, is_main_process, main_process_only
    )

    @main_process_only
    def plain(x):
        return x

    @main_process_only(default="not here")
    def with_default(x):
        return x

    def say(label):
        found = [get_rank(), get_local_rank(), get_world_size(), is_main_process()]
        found += [plain(5), with_default(x=6)]
        os.write(1, (json.dumps([label, *found]) + "\\n").encode())

    if __name__ == "__main__":
        say(sys.argv[1])
        if sys.argv[1] == "rank":
            for method in ("fork", "spawn", "forkserver"):
                worker = multiprocessing.get_context(method).Process(target=say, args=(method,))
                worker.start()
                worker.join()
            subprocess.run([sys.executable, sys.argv[0], "program"], check=True)
        assert "torch" not in sys.modules
"""

# The variables of the second rank of a node, and its rank, local rank and number of ranks.
LAUNCHES = {
    "no launcher": ({}, (0, 0, 1)),
    "torchrun": (TORCHRUN, (1, 1, 2)),
    "torchrun --virtual-local-rank": (TORCHRUN | {"LOCAL_RANK": "0"}, (1, 1, 2)),
    "torchrun, second node": (
        TORCHRUN | {"GROUP_RANK": "1", "GROUP_WORLD_SIZE": "2", "RANK": "3", "WORLD_SIZE": "4"},
        (3, 1, 4),
    ),
    "accelerate": (TORCHRUN | {"ACCELERATE_MIXED_PRECISION": "no"}, (1, 1, 2)),
    "Open MPI": (OPEN_MPI, (1, 1, 2)),
    "Open MPI, round robin over two nodes": (
        OPEN_MPI | {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "2"},
        (2, 1, 4),
    ),
    "hydra": (HYDRA, (1, 1, 2)),
    "Slurm": (SLURM, (1, 1, 2)),
    "Slurm, second node of uneven ones": (
        SLURM
        | {
            "SLURM_NNODES": "2",
            "SLURM_NODEID": "1",
            "SLURM_NTASKS": "5",
            "SLURM_PROCID": "4",
            "SLURM_STEP_NUM_NODES": "2",
            "SLURM_STEP_NUM_TASKS": "5",
            "SLURM_STEP_TASKS_PER_NODE": "3,2",
        },
        (4, 1, 5),
    ),
    "DeepSpeed": (DEEPSPEED, (1, 1, 2)),
    "Lightning": (LIGHTNING, (1, 1, 2)),
    "a script of one's own": (
        {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"},
        (1, 1, 2),
    ),
    "variables of a single rank, left in a shell": (
        {"RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": "29500"},
        (0, 0, 1),
    ),
}


def told(program: Program, environ: dict[str, str]) -> dict[str, list[object]]:
    done = programs.run(program(RANK, "rank"), env=programs.environment(**environ))
    assert (done.returncode, done.stderr) == (0, "")
    return {label: found for label, *found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.once
@pytest.mark.parametrize(("environ", "place"), LAUNCHES.values(), ids=LAUNCHES)
def test_a_rank_knows_its_place_and_its_workers_that_they_are_not_the_main_process(
    program: Program, environ: dict[str, str], place: tuple[int, int, int]
) -> None:
    found = told(program, environ)
    main = place[0] == 0
    assert found.pop("rank") == [*place, main, *([5, 6] if main else [None, "not here"])]
    assert found.pop("program") == [0, 0, 1, True, 5, 6]
    assert found == {
        method: [*place, False, None, "not here"] for method in ("fork", "spawn", "forkserver")
    }


def test_the_first_rank_is_the_main_process(program: Program) -> None:
    environ = TORCHRUN | {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "TORCHELASTIC_ERROR_FILE": "/tmp/x/attempt_0/0/error.json",
    }
    found = told(program, environ)
    assert found["rank"] == [0, 0, 2, True, 5, 6]
    assert found["spawn"] == [0, 0, 2, False, None, "not here"]


PRINT = """
    import sys
    from mp_tqdm.torch import mp_print

    mp_print("one", 2, sep="-")
    mp_print("no newline", end="|")
    mp_print("two\\nlines", all_ranks=True)
    mp_print(all_ranks=True, end="")
    mp_print("elsewhere", file=sys.stderr, flush=True)
    sys.stdout = None
    mp_print("nowhere")
"""


def test_only_the_main_process_prints_unless_all_ranks_are_to(program: Program) -> None:
    by_rank = []
    for rank in (0, 1):
        environ = LIGHTNING | {"LOCAL_RANK": str(rank), "RANK": str(rank)}
        done = programs.run(program(PRINT), env=programs.environment(**environ))
        assert done.returncode == 0, done.stderr
        by_rank.append((done.stdout, done.stderr))
    labelled = "[rank {0}] two\n[rank {0}] lines\n[rank {0}] \n"
    assert by_rank == [
        ("one-2\nno newline|" + labelled.format(0), "elsewhere\n"),
        (labelled.format(1), ""),
    ]


def test_text_is_written_in_one_piece_however_many_ranks_print(program: Program) -> None:
    # Into one pipe, as ranks under a launcher do. Of 300 columns, and each line its own.
    source = """
        import os, sys
        from mp_tqdm.torch import mp_print

        for _ in range(300):
            mp_print("\\n".join([str(os.getpid()) * 10] * 5), all_ranks=True)
    """
    launcher = """
        import os, subprocess, sys

        ranks = [
            subprocess.Popen(
                sys.argv[1:],
                env=os.environ
                | {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "3", "MASTER_PORT": "1"},
            )
            for rank in "012"
        ]
        sys.exit(sum(rank.wait() for rank in ranks))
    """
    done = programs.run(program(launcher, *program(source)))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3 * 300 * 5
    for start in range(0, len(lines), 5):
        assert len(set(lines[start : start + 5])) == 1, lines[start : start + 5]
    assert len(set(lines)) == 3


ABOVE_BARS = """
    import time
    from mp_tqdm import mp_tqdm
    from mp_tqdm.torch import mp_print
    from steps import rank, stop

    looks = {"total": 400, "mininterval": 0.02}
    with mp_tqdm(desc="outer", **looks) as outer, mp_tqdm(desc="inner", **looks) as inner:
        stop("open")
        for number in range(100):
            mp_print("\\n".join(f"{number:03} {line}" * 6 for line in range(8)), all_ranks=True)
            mp_print("of the main process", number)
            outer.update(4)
            inner.update()
            time.sleep(0.003)  # the bars move meanwhile
        stop("printed")
"""


@pytest.mark.parametrize("speed", ["at once", "slowly"])
def test_what_all_ranks_print_at_once_stands_whole_above_the_bars(
    terminal: Terminal, program: Program, tmp_path: Path, speed: str
) -> None:
    bars = {"outer": "outer: 100%|", "inner": "inner:  25%|"}
    with Ranks(tmp_path, program(ABOVE_BARS), 3, terminal) as ranks:
        ranks.pass_by("open")
        if speed == "slowly":  # the terminal takes parts of frames
            terminal.read_slowly(60)
        ranks.arrive("printed")
        terminal.read_on()
        terminal.wait_for(
            lambda screen: [line[:12] for line in screen.lines()][-2:] == [*bars.values()]
        )
        ranks.go("printed")
        assert terminal.wait() == 0, terminal.text()
    # A line above bars may be free.
    *texts, inner, outer = [line for line in terminal.lines() if line]
    assert (outer[:12], inner[:12]) == (bars["outer"], bars["inner"]), terminal.text()
    for rank in range(3):
        mine = [number for number, text in enumerate(texts) if text.startswith(f"[rank {rank}] ")]
        assert [texts[number] for number in mine] == [
            f"[rank {rank}] " + f"{number:03} {line}" * 6
            for number in range(100)
            for line in range(8)
        ]
        # The lines of a text are one below the other.
        assert all(mine[first] + 7 == mine[first + 7] for first in range(0, 800, 8))
    main = [text for text in texts if text.startswith("of the main")]
    assert main == [f"of the main process {number}" for number in range(100)]
    assert len(texts) == 3 * 800 + 100, terminal.text()


def test_a_decorated_function_keeps_its_name_and_a_wrong_use_says_the_right_one() -> None:
    from mp_tqdm.torch import main_process_only

    @main_process_only
    def save() -> None:
        """Saves."""

    assert (save.__name__, save.__doc__) == ("save", "Saves.")
    with pytest.raises(TypeError, match=r"@main_process_only\(default=value\)"):
        main_process_only(3)
