"""Agents of torchrun that play the nodes of a cluster, and generations that follow each other."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import programs
from support.meeting import MEETING, told
from support.polling import wait_until
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = [pytest.mark.once, pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(120)]

# PyTorch takes many seconds to load on a busy machine.
WATCHDOG_S = 100.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def agent(terminal: Terminal, script: list[str], place: Path, *options: str) -> None:
    """Starts an agent on the terminal."""
    programs.needs_package("torch")
    python, *rest = script
    environ = programs.environment(OMP_NUM_THREADS="1", MEETING_PLACE=str(place))
    # PyTorch 2.15 waits for a minute where a node joins that is rank 0 of the first generation's.
    environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    terminal.start([python, "-m", "torch.distributed.run", *options, *rest], env=environ)


RANK_OF_A_NODE = (
    MEETING
    + """
    if __name__ == "__main__":
        bar = mp_tqdm(total=1000, desc="job", reduce="sum")
        loop = mp_tqdm(range(10), desc="loop")
        meet("opened", 4)
        for _ in loop:
            report_progress(3 + int(os.environ["GROUP_RANK"]))
        meet("counted", 4)
        tell("rank", bar)
        meet("read", 4)
        bar.close()
    """
)


@pytest.mark.parametrize("rendezvous", ["static", "c10d"])
def test_each_agent_is_a_node_with_one_line_and_its_share(
    program: Program, tmp_path: Path, rendezvous: str
) -> None:
    script = program(RANK_OF_A_NODE)
    options = ["--nnodes=2", "--nproc-per-node=2"]
    port = free_port()
    if rendezvous == "static":
        options += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    else:
        options += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=two"]
    with Terminal() as first, Terminal() as second:
        for number, terminal in enumerate((first, second)):
            of_node = [f"--node-rank={number}"] if rendezvous == "static" else []
            agent(terminal, script, tmp_path, *options, *of_node)
        for terminal in (first, second):
            assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        shown = [terminal.lines() for terminal in (first, second)]
    lines = told(tmp_path)
    nodes = [[line for line in lines if line["node"] == node] for node in range(2)]
    assert [{line["nodes"] for line in node} for node in nodes] == [{2}, {2}]
    assert [sorted(line["rank"] for line in node) for node in nodes] == [[0, 1], [0, 1]]
    assert [{line["n"] for line in node} for node in nodes] == [{60}, {80}]
    assert len({line["job"] for line in nodes[0]} | {line["job"] for line in nodes[1]}) == 2
    assert len({line["job"] for line in lines}) == 2
    # Which agent is which node is the rendezvous' affair where nobody said it.
    texts = ["\n".join(line for line in screen if "job:" in line) for screen in shown]
    assert ["node" in text for text in texts] == [True, True], shown
    assert {"node 0/2" in text for text in texts} == {True, False}
    for text in texts:
        node, n = (0, 60) if "node 0/2" in text else (1, 80)
        assert f"node {node}/2" in text, shown
        assert f"| {n}/500 [" in text, shown
        assert text.count("job:") == 1, shown
    for screen in shown:
        assert [line[:10] for line in screen if "loop:" in line] == ["loop: 100%"], shown


RESTARTED = (
    MEETING
    + """
    import signal

    # Its own rank is killed in the first generation, or the agent ends it for another to come in.
    if __name__ == "__main__":
        ranks, rank = int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"])
        checkpoint = os.path.join(PLACE, "checkpoint")
        is_first = not os.path.exists(checkpoint)
        if ranks == 1 and not is_first:
            signal.pause()  # the other agent came too late for this generation
        label = "first" if is_first else "second"
        done = 0 if is_first else int(open(checkpoint).read())
        bar = mp_tqdm(total=100, initial=done, desc="job", reduce="sum")
        report_progress(40 // ranks if is_first else 30)
        meet("counted." + label, ranks)
        tell(label, bar)
        meet("told." + label, ranks)
        if is_first:
            if rank == ranks - 1:
                with open(checkpoint + ".new", "w") as file:
                    file.write(str(bar.n))
                os.rename(checkpoint + ".new", checkpoint)
                if ranks > 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        bar.close()
    """
)


def last_line(terminal: Terminal) -> str:
    """The job's last line; behind it an agent may have said that the other one left first."""
    return [line for line in terminal.lines() if line.startswith("job:")][-1]


def generations(place: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the ranks of the first and of the second generation told; memory of neither is left."""
    lines = told(place)
    for line in lines:
        assert not os.path.exists(line["segment"])
    first = [line for line in lines if line["label"] == "first"]
    second = [line for line in lines if line["label"] == "second"]
    assert not {line["job"] for line in first} & {line["job"] for line in second}
    return first, second


@pytest.mark.faults("F15")
def test_the_generation_after_a_killed_rank_goes_on_from_its_initial_count(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    options = ["--standalone", "--nproc-per-node=2", "--max-restarts=1", "--monitor-interval=0.1"]
    agent(terminal, program(RESTARTED), tmp_path, *options)
    assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
    first, second = generations(tmp_path)
    assert [line["n"] for line in first] == [40, 40]
    assert [line["n"] for line in second] == [100, 100]
    assert [line["own"] for line in second] == [30, 30]
    assert last_line(terminal).startswith("job: 100%|"), terminal.text()
    assert "| 100/100 [" in last_line(terminal), terminal.text()


@pytest.mark.faults("F15")
def test_a_generation_of_another_size_goes_on_from_its_initial_count(
    program: Program, tmp_path: Path
) -> None:
    script = program(RESTARTED)
    options = ["--nnodes=1:2", "--nproc-per-node=1", "--monitor-interval=0.1", "--max-restarts=3"]
    options += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}"]
    # How long is waited for more nodes than are needed.
    options += ["--rdzv-id=grows", "--rdzv-conf=last_call_timeout=1"]
    with Terminal() as one, Terminal() as other:
        agent(one, script, tmp_path, *options)
        wait_until((tmp_path / "checkpoint").exists, "the first generation", WATCHDOG_S)
        agent(other, script, tmp_path, *options)
        for terminal in (one, other):
            assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        ends = [last_line(terminal) for terminal in (one, other)]
    first, second = generations(tmp_path)
    assert [(line["n"], line["world"]) for line in first] == [(40, 1)]
    assert [(line["own"], line["world"]) for line in second] == [(30, 2), (30, 2)]
    # Each node shows its share of what was done before, too.
    for end in ends:
        assert "| 50/50 [" in end, ends
    assert {"0/2", "1/2"} == {end.rpartition("node ")[2][:3] for end in ends}, ends
