"""What was done before a start belongs to the job: nodes show their part, and no hint is wrong."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from support import programs
from support.meeting import MEETING
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Rank `argv[3]` closes its bar first.
RESUMED = (
    MEETING
    + """
    rank = int(os.environ["LOCAL_RANK"])
    bar = mp_tqdm(total=1000, initial=int(sys.argv[1]), desc="job", reduce="sum")
    report_progress(int(sys.argv[2]))
    meet("counted", 2)
    if rank != int(sys.argv[3]):
        meet("closed", 2)
    bar.close()
    if rank == int(sys.argv[3]):
        print(*sys.argv[4:], end="", flush=True)
        meet("closed", 2)
    """
)


def ranks(terminal: Terminal, command: list[str], place: Path, nodes: int) -> list[str]:
    """Runs the two ranks of the first node to their end; the lines on their terminal."""
    for rank in range(2):
        variables = programs.rank_variables(place, rank, 2)
        variables |= {"GROUP_WORLD_SIZE": str(nodes), "WORLD_SIZE": str(2 * nodes)}
        terminal.start(command, env=programs.environment(MEETING_PLACE=str(place), **variables))
    assert terminal.wait() == 0, terminal.text()
    assert [rank.returncode for rank in terminal.programs] == [0, 0], terminal.text()
    return terminal.lines()


def test_a_node_shows_its_share_of_total_and_initial_count(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    (line,) = ranks(terminal, program(RESUMED, "400", "75", "1"), tmp_path, nodes=4)
    # Of 1,000 items 400 were done before: 250 and 100 are this node's, and it did 150.
    assert line.startswith("job: 100%|"), line
    assert "| 250/250 [" in line, line
    assert line.endswith("node 0/4]"), line


def test_a_line_that_ends_before_the_other_ranks_still_names_its_node(
    program: Program, tmp_path: Path
) -> None:
    # What is printed does not wait until they are done.
    with Terminal(columns=100) as terminal:
        command = program(RESUMED, "0", "75", "0", "text\n")
        line, end = ranks(terminal, command, tmp_path, nodes=4)
    assert end == "text"
    assert "| 150/250 [" in line, line
    assert line.endswith("node 0/4 (1 of 2 ranks done)]"), line


def test_a_job_that_resumed_near_its_end_is_not_told_to_be_a_mean(
    program: Program, tmp_path: Path
) -> None:
    # 990 + 5 + 5: the sum is right, though the mean of both ranks' counts is near the total, too.
    command = program(RESUMED, "990", "5", "1")
    processes = [
        subprocess.Popen(
            command,
            env=programs.environment(
                MEETING_PLACE=str(tmp_path), **programs.rank_variables(tmp_path, rank, 2)
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    texts = [process.communicate(timeout=20)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], texts
    assert "| 1000/1000 [" in texts[0]
    assert "reduce" not in texts[0]
    assert texts[1] == ""
