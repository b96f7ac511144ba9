"""Slurm, as a cluster of this one machine: the tasks of a step are one job and one line."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import programs
from support.meeting import MEETING, RANK, check_ranks, left_lines, told
from support.polling import wait_until
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(120)]

CLUSTER = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def cluster(place: Path) -> Iterator[dict[str, str]]:
    """Runs Slurm's two daemons; the variable by which its commands find them."""
    for name in ("state", "spool"):
        (place / name).mkdir(parents=True)
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in (one, other)]
    host = socket.gethostname().partition(".")[0]
    variable = {"SLURM_CONF": str(place / "slurm.conf")}
    (place / "slurm.conf").write_text(CLUSTER.format(host=host, ports=ports, place=place))
    env = programs.environment(**variable)
    with (place / "log").open("wb") as log:
        daemons = [
            subprocess.Popen([name, "-D"], env=env, stdout=log, stderr=log)
            for name in ("slurmctld", "slurmd")
        ]
    try:
        ask = ["sinfo", "--noheader", "--format=%t"]
        wait_until(lambda: programs.run(ask, env=env).stdout == "idle\n", "a node of Slurm", 60)
        yield variable
    finally:
        # The controller last: a step that ends tells it so, and the node waits for that.
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


# One task of a step, of two that run at once.
STEP = (
    MEETING
    + """
    with mp_tqdm(total=100, reduce="sum") as bar:
        report_progress(int(sys.argv[1]))
        meet("counted", 4)
        tell(sys.argv[1], bar)
        meet("told", 4)
    """
)


@pytest.mark.faults("F73")
def test_tasks_of_a_step_are_one_job(program: Program, tmp_path: Path) -> None:
    for name in ("slurmctld", "slurmd", "srun"):
        programs.needs(name)
    if os.geteuid():
        pytest.skip("Slurm's daemons want to be root")
    with cluster(tmp_path / "cluster") as variable:
        for interface in ("none", "pmi2"):
            place = tmp_path / interface
            place.mkdir()
            command = ["srun", "-n2", f"--mpi={interface}", *program(RANK, "2")]
            env = programs.environment(MEETING_PLACE=str(place), **variable)
            with Terminal() as terminal:
                terminal.start(command, env=env)
                assert terminal.wait(60) == 0, terminal.text()
                found = check_ranks(place, "slurm", 2)
                assert left_lines(terminal) == [found.ranks[0]["n"]], terminal.text()

        place = tmp_path / "steps"
        place.mkdir()
        env = programs.environment(MEETING_PLACE=str(place), MP_TQDM_MODE="off", **variable)
        script = 'srun -n2 --overlap "$@" 3 & srun -n2 --overlap "$@" 40 & wait'
        command = ["salloc", "-n4", "bash", "-c", script, "bash", *program(STEP)]
        done = programs.run(command, env=env, timeout=60)
        assert done.returncode == 0, done.stderr
        counts = sorted((line["label"], line["n"], line["local_world"]) for line in told(place))
        assert counts == [("3", 6, 2), ("3", 6, 2), ("40", 80, 2), ("40", 80, 2)]
        assert len({line["segment"] for line in told(place)}) == 2
