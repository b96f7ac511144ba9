"""A process finds its job, rank and parent: tables of what launchers set, and real processes."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mp_tqdm import _env
from mp_tqdm._env import Facts, Identity, Place, Process, Published
from support import programs

Program = Callable[..., list[str]]
Environ = Mapping[str, str]

KEY = bytes(range(200, 232))
SHELL = Process(pid=90, start=9, python=False, environ={})

# As printed in a rank by torchrun of PyTorch 2.15, less what no rule reads.
TORCHRUN = {
    "GROUP_RANK": "0",
    "GROUP_WORLD_SIZE": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "42991",
    "RANK": "1",
    "TORCHELASTIC_ERROR_FILE": "/tmp/torchelastic_ozda03pb/d895_4_06kv0k/attempt_0/1/error.json",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_RUN_ID": "d895e35e",
    "WORLD_SIZE": "2",
}
TORCHRUN_JOB = "torchelastic:/tmp/torchelastic_ozda03pb/d895_4_06kv0k/attempt_0:group=0:world=2"
# By Open MPI 4.1.4.
OPEN_MPI = {
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_NODE_RANK": "1",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "PMIX_NAMESPACE": "1265893377",
    "PMIX_RANK": "1",
}
# By hydra of MPICH 4.0.2; Intel MPI sets the same.
HYDRA = {
    "MPI_LOCALNRANKS": "2",
    "MPI_LOCALRANKID": "1",
    "PMI_FD": "8",
    "PMI_RANK": "1",
    "PMI_SIZE": "2",
}
# By srun of Slurm 22.05.
SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_STEP_ID": "3",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2",
}
# By `deepspeed` 0.19, from the text of its launcher.
DEEPSPEED = {
    "CROSS_RANK": "0",
    "CROSS_SIZE": "1",
    "LOCAL_RANK": "1",
    "LOCAL_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "RANK": "1",
    "WORLD_SIZE": "2",
}
# By Lightning Fabric 2.6 in the processes that it starts; it is rank 0 itself.
LIGHTNING = {
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "47509",
    "NODE_RANK": "0",
    "WORLD_SIZE": "2",
}
LIGHTNING_JOB = "environment:127.0.0.1:47509:node=0"
ALL = {
    "torchelastic": TORCHRUN,
    "pmix": OPEN_MPI,
    "pmi": HYDRA,
    "slurm": SLURM,
    "deepspeed": DEEPSPEED,
    "environment": LIGHTNING,
}
SECOND = Place(rank=1, local_world=2, world=2)


def facts(environ: Environ | None = None, *above: Process, **changes: Any) -> Facts:
    """Process 1000, started at 500, with a key, under process 90."""
    known: dict[str, Any] = {"environ": environ or {}, "pid": 1000, "start": 500, "authkey": KEY}
    return Facts(**known | {"ancestors": lambda: (*above, SHELL)} | changes)


def child(environ: Environ | None = None, *above: Process, **changes: Any) -> Facts:
    """The same as a process that process 900 made by `multiprocessing`."""
    known: dict[str, Any] = {"parents": ((900, 400),), "generations": 1}
    variables = _env.launcher_fingerprint(environ or {})
    return facts(environ, *above, **known | {"started_with": variables} | changes)


def parent_process(environ: Environ | None = None, **changes: Any) -> Process:
    known: dict[str, Any] = {"pid": 900, "start": 400, "python": True, "environ": environ or {}}
    return Process(**known | changes)


def identity(
    job: str, rule: str, role: str, place: Place | None = None, **changes: Any
) -> Identity:
    known = {
        "job": job,
        "rule": rule,
        "role": role,
        "pid": 1000,
        "start": 500,
        "fallback_job": "process:1000:500",
    }
    at = {name: getattr(place or Place(), name) for name in Place._fields}
    return Identity(**known | at | changes)


def published(environ: Environ | None = None, **changes: Any) -> Published:
    """What process 900 publishes, started with these variables."""
    known = {"job": "family:other", "rule": "family", "role": "root", "pid": 900, "start": 400}
    writer = Identity(**{"fallback_job": "process:900:400", **known, **changes})
    written = dict(environ or {})
    _env.publish(written, writer, 7, 12345)
    read = _env.read_published(child(written, pid=1001))
    assert read is not None
    return read


def told(environ: Environ | None = None, **changes: Any) -> dict[str, str]:
    """The environment that process 900 gives to its children after it has published."""
    known = {"job": "family:other", "rule": "family", "role": "root", "pid": 900, "start": 400}
    writer = Identity(**{"fallback_job": "process:900:400", **known, **changes})
    written = dict(environ or {})
    _env.publish(written, writer, 7, 12345)
    return written


# --- Launchers


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(
            TORCHRUN, identity(TORCHRUN_JOB, "torchelastic", "rank", SECOND), id="torchrun"
        ),
        pytest.param(
            TORCHRUN | {"LOCAL_RANK": "0"},
            identity(TORCHRUN_JOB, "torchelastic", "rank", SECOND),
            id="torchrun --virtual-local-rank",
        ),
        pytest.param(
            TORCHRUN | {"LOCAL_RANK": "0", "TORCHELASTIC_ERROR_FILE": ""},
            identity(
                "torchelastic:d895e35e:localhost:42991:restart=0:group=0:world=2",
                "torchelastic",
                "rank",
                SECOND,
            ),
            id="torchrun --virtual-local-rank, logs to /dev/null",
        ),
        pytest.param(
            TORCHRUN
            | {
                "GROUP_RANK": "1",
                "GROUP_WORLD_SIZE": "2",
                "LOCAL_RANK": "0",
                "MASTER_ADDR": "10.0.0.7",
                "MASTER_PORT": "29500",
                "RANK": "3",
                "TORCHELASTIC_ERROR_FILE": "",
                "TORCHELASTIC_RESTART_COUNT": "2",
                "TORCHELASTIC_RUN_ID": "none",
                "WORLD_SIZE": "4",
            },
            identity(
                "torchelastic:none:10.0.0.7:29500:restart=2:group=1:world=4",
                "torchelastic",
                "rank",
                Place(rank=1, local_world=2, world=4, node=1, nodes=2),
            ),
            id="torchrun with a static address, second of two nodes",
        ),
        pytest.param(
            TORCHRUN
            | {
                "GROUP_RANK": "1",
                "GROUP_WORLD_SIZE": "2",
                "LOCAL_RANK": "0",
                "RANK": "3",
                "TORCHELASTIC_ERROR_FILE": "/l/attempt_0/0/error.json",
                "WORLD_SIZE": "5",
            },
            identity(
                "torchelastic:/l/attempt_0:group=1:world=5",
                "torchelastic",
                "rank",
                Place(rank=0, local_world=2, world=5, node=1, nodes=2),
            ),
            id="torchrun with three ranks on one node and two on the other",
        ),
        pytest.param(
            TORCHRUN
            | {"GROUP_RANK": "1", "GROUP_WORLD_SIZE": "2", "LOCAL_RANK": "0", "RANK": "3"}
            | {"TORCHELASTIC_ERROR_FILE": "", "WORLD_SIZE": "5"},
            identity(
                "torchelastic:d895e35e:localhost:42991:restart=0:group=1:world=5",
                "torchelastic",
                "rank",
                Place(rank=0, local_world=2, world=5, node=1, nodes=2),
            ),
            id="the same without log files",
        ),
        pytest.param(OPEN_MPI, identity("pmix:1265893377", "pmix", "rank", SECOND), id="Open MPI"),
        pytest.param(
            OPEN_MPI | {"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8", "PMIX_RANK": "5"},
            identity(
                "pmix:1265893377",
                "pmix",
                "rank",
                Place(rank=1, local_world=2, world=8, node=2, nodes=4),
            ),
            id="Open MPI on four nodes",
        ),
        pytest.param(
            {name: value for name, value in OPEN_MPI.items() if not name.startswith("PMIX")},
            identity("pmi:90:9", "pmi", "rank", SECOND),
            id="Open MPI before PMIx",
        ),
        pytest.param(
            SLURM | {"PMIX_NAMESPACE": "slurm.pmix.17.3", "PMIX_RANK": "1"},
            identity("pmix:slurm.pmix.17.3", "pmix", "rank", SECOND),
            id="srun --mpi=pmix",
        ),
        pytest.param(HYDRA, identity("pmi:90:9", "pmi", "rank", SECOND), id="hydra"),
        pytest.param(
            {
                "MV2_COMM_WORLD_LOCAL_RANK": "1",
                "MV2_COMM_WORLD_LOCAL_SIZE": "2",
                "MV2_COMM_WORLD_RANK": "3",
                "MV2_COMM_WORLD_SIZE": "4",
            },
            identity(
                "pmi:90:9", "pmi", "rank", Place(rank=1, local_world=2, world=4, node=1, nodes=2)
            ),
            id="MVAPICH2",
        ),
        pytest.param(
            {"PMI_RANK": "1", "PMI_SIZE": "2"},
            identity("pmi:90:9", "pmi", "rank", SECOND),
            id="PMI alone",
        ),
        pytest.param(
            {"PMI_RANK": "5", "PMI_SIZE": "8", "MPI_LOCALNRANKS": "4"},
            identity(
                "pmi:90:9", "pmi", "rank", Place(rank=1, local_world=4, world=8, node=1, nodes=2)
            ),
            id="PMI and the size of the node",
        ),
        pytest.param(
            SLURM | {"PMI_RANK": "1", "PMI_SIZE": "2", "PMI_JOBID": "17.3"},
            identity("slurm:17.3:restart=0:node=0", "slurm", "rank", SECOND),
            id="srun --mpi=pmi2",
        ),
        pytest.param(
            SLURM, identity("slurm:17.3:restart=0:node=0", "slurm", "rank", SECOND), id="srun"
        ),
        pytest.param(
            SLURM
            | {
                "SLURM_LOCALID": "2",
                "SLURM_NODEID": "2",
                "SLURM_RESTART_COUNT": "1",
                "SLURM_STEP_NUM_NODES": "3",
                "SLURM_STEP_NUM_TASKS": "11",
                "SLURM_STEP_TASKS_PER_NODE": "4(x2),3",
            },
            identity(
                "slurm:17.3:restart=1:node=2",
                "slurm",
                "rank",
                Place(rank=2, local_world=3, world=11, node=2, nodes=3),
            ),
            id="srun on three nodes, requeued",
        ),
        pytest.param(
            DEEPSPEED, identity("deepspeed:90:9", "deepspeed", "rank", SECOND), id="deepspeed"
        ),
        pytest.param(
            DEEPSPEED | {"CROSS_RANK": "1", "CROSS_SIZE": "2", "RANK": "3", "WORLD_SIZE": "4"},
            identity(
                "deepspeed:90:9",
                "deepspeed",
                "rank",
                Place(rank=1, local_world=2, world=4, node=1, nodes=2),
            ),
            id="deepspeed on two nodes",
        ),
        pytest.param(
            LIGHTNING, identity(LIGHTNING_JOB, "environment", "rank", SECOND), id="Lightning"
        ),
        pytest.param(
            {"MASTER_ADDR": "h", "MASTER_PORT": "1", "RANK": "5", "WORLD_SIZE": "8"}
            | {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "NODE_RANK": "1"},
            identity(
                "environment:h:1:node=1",
                "environment",
                "rank",
                Place(rank=1, local_world=4, world=8, node=1, nodes=2),
            ),
            id="Ray Train",
        ),
        pytest.param(
            {"MASTER_ADDR": "h", "MASTER_PORT": "1", "RANK": "1", "WORLD_SIZE": "2"},
            identity("environment:h:1:node=0", "environment", "rank", SECOND),
            id="a script's",
        ),
    ],
)
def test_a_launcher_names_job_rank_and_node(environ: Environ, expected: Identity) -> None:
    assert _env.identify(facts(environ)) == expected


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"LOCAL_RANK": "0"}, id="LOCAL_RANK alone"),
        pytest.param({"LOCAL_RANK": "0", "WORLD_SIZE": "2"}, id="no address"),
        pytest.param(LIGHTNING | {"LOCAL_RANK": "0", "WORLD_SIZE": "1"}, id="one rank"),
        pytest.param(
            {name: value for name, value in SLURM.items() if "STEP" not in name}, id="sbatch"
        ),
        pytest.param(SLURM | {"SLURM_STEP_ID": "4294967290"}, id="salloc's interactive step"),
        pytest.param(SLURM | {"SLURM_STEP_ID": "batch"}, id="a step that is no number"),
        pytest.param(
            SLURM | {"SLURM_LOCALID": "0", "SLURM_STEP_NUM_TASKS": "1"}, id="srun --pty bash"
        ),
        pytest.param({"PMIX_NAMESPACE": "n", "PMIX_RANK": "0"}, id="PMIx without the node's ranks"),
    ],
)
def test_what_is_no_launch_leaves_a_program_on_its_own(environ: Environ) -> None:
    assert _env.identify(facts(environ)) == identity(
        f"family:{_env._digest(KEY)}", "family", "root"
    )


NONSENSE = ["", "abc", "-1", " 1", "1.5", "0x1", "\u0663", "9999", "9" * 30, "\udcff"]


@pytest.mark.parametrize("rule", ALL)
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_in_a_launchers_variable_is_never_an_error(rule: str, value: str) -> None:
    for name in ALL[rule]:
        for at in (facts, child):
            found = _env.identify(at(ALL[rule] | {name: value}))
            assert 0 <= found.rank < found.local_world <= found.world, name
            assert 0 <= found.node < found.nodes, name
            found.job.encode()


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("torchelastic", "RANK"),
        ("torchelastic", "WORLD_SIZE"),
        ("torchelastic", "LOCAL_WORLD_SIZE"),
        ("torchelastic", "GROUP_RANK"),
        ("pmix", "PMIX_RANK"),
        ("pmi", "PMI_RANK"),
        ("pmi", "PMI_SIZE"),
        ("pmi", "MPI_LOCALRANKID"),
        ("pmi", "MPI_LOCALNRANKS"),
        ("slurm", "SLURM_JOB_ID"),
        ("slurm", "SLURM_STEP_ID"),
        ("slurm", "SLURM_LOCALID"),
        ("deepspeed", "CROSS_RANK"),
        ("environment", "LOCAL_RANK"),
        ("environment", "WORLD_SIZE"),
        ("environment", "MASTER_PORT"),
    ],
)
@pytest.mark.parametrize("value", ["", "abc", "-1"])
def test_a_rule_whose_variable_is_nonsense_does_not_hold(rule: str, name: str, value: str) -> None:
    assert _env.identify(facts(ALL[rule] | {name: value})).rule != rule


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("torchelastic", "RANK"),
        ("pmix", "OMPI_COMM_WORLD_LOCAL_RANK"),
        ("pmi", "PMI_RANK"),
        ("pmi", "MPI_LOCALRANKID"),
        ("slurm", "SLURM_LOCALID"),
        ("deepspeed", "RANK"),
        ("deepspeed", "LOCAL_RANK"),
        ("environment", "LOCAL_RANK"),
        ("environment", "RANK"),
    ],
)
def test_a_rank_as_large_as_its_world_is_not_believed(rule: str, name: str) -> None:
    assert _env.identify(facts(ALL[rule] | {name: "1"})).rule == rule
    assert _env.identify(facts(ALL[rule] | {name: "2"})).rule != rule


def test_the_launchers_are_asked_in_order() -> None:
    environ: dict[str, str] = {}
    for rule in reversed(ALL):
        environ |= ALL[rule]
        assert _env.identify(facts(environ)).rule == rule


def test_a_session_goes_before_a_parent_and_a_parent_before_a_launcher() -> None:
    environ = told(TORCHRUN, job="family:parent")
    assert _env.identify(child(environ, parent_process(TORCHRUN))).job == "family:parent"
    giver = identity("family:session", "family", "root", pid=5, start=6)
    environ["MP_TQDM_SESSION"] = _env.session_value(giver, 3, 4)
    assert _env.identify(child(environ, parent_process(TORCHRUN))).job == "family:session"


@pytest.mark.parametrize("world", ["3", "1"])
def test_a_restart_with_another_world_is_another_job(world: str) -> None:
    again = TORCHRUN | {
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": "1",
        "RANK": "0",
        "LOCAL_RANK": "0",
    }
    again |= {"TORCHELASTIC_ERROR_FILE": TORCHRUN["TORCHELASTIC_ERROR_FILE"].replace("/1/", "/0/")}
    assert _env.identify(facts(again)).job == TORCHRUN_JOB.replace("world=2", f"world={world}")


def test_a_wrapper_around_a_rank_is_not_the_launcher() -> None:
    wrapper = Process(pid=91, start=10, python=False, environ=HYDRA)
    assert _env.identify(facts(HYDRA, wrapper)).job == "pmi:90:9"


def test_a_python_wrapper_that_names_the_rank_anew_is_no_rank() -> None:
    # DeepSpeed under MPICH: a helper in each rank sets RANK and LOCAL_RANK and starts the program.
    helper = parent_process(HYDRA)
    environ = HYDRA | {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1"}
    assert _env.identify(facts(environ, helper)) == identity(
        "environment::1:node=0", "environment", "rank", SECOND
    )


# --- Families and processes


def test_a_first_process_is_known_by_its_key_and_does_not_tell_it() -> None:
    found = _env.identify(facts())
    assert found == identity(found.job, "family", "root")
    assert found.job.startswith("family:")
    assert KEY.hex() not in found.job
    assert found.job != _env.identify(facts(authkey=KEY[::-1])).job


@pytest.mark.parametrize(
    "authkey", [None, b"", b"secret", b"abc\xff", b"a literal that is long enough", b"f" * 64]
)
def test_without_a_random_key_a_first_process_is_known_by_its_pid(authkey: bytes | None) -> None:
    assert _env.identify(facts(authkey=authkey)) == identity("process:1000:500", "process", "root")


@pytest.mark.parametrize("authkey", [None, b"secret"])
def test_its_children_find_it_by_its_pid(authkey: bytes | None) -> None:
    expected = identity("process:900:400", "process", "worker")
    assert _env.identify(child(authkey=authkey)) == expected
    forked = facts(authkey=authkey, lineage=((950, 450), (900, 400)), generations=2)
    assert _env.identify(forked) == expected


def test_a_child_whose_parent_is_gone_is_on_its_own() -> None:
    orphan = child(authkey=None, parents=((900, 0),))
    assert _env.identify(orphan) == identity("process:1000:500", "process", "worker")


def test_a_pid_namespace_is_part_of_what_a_pid_means() -> None:
    found = _env.identify(facts(authkey=None, namespace="4026531836"))
    assert found.job == found.fallback_job == "process:1000:500:4026531836"
    assert _env.identify(facts(HYDRA, namespace="7")).job == "pmi:90:9:7"


def test_a_child_is_a_worker_of_the_family() -> None:
    assert _env.identify(child()) == identity(_env.identify(facts()).job, "family", "worker")


def test_any_bytes_in_the_environment_make_a_job_that_can_be_encoded() -> None:
    found = _env.identify(facts(OPEN_MPI | {"PMIX_NAMESPACE": "a\udcffb"}))
    assert found.job == "pmix:a\\udcffb"


# --- Parents and children


def test_a_child_is_a_worker_of_the_parent_that_published() -> None:
    place = Place(rank=1, local_world=2, world=4, node=1, nodes=2)
    at = {name: getattr(place, name) for name in Place._fields}
    environ = told(TORCHRUN, job="j o b", role="rank", **at)
    found = _env.identify(child(environ, parent_process(TORCHRUN)))
    parent = found.parent
    assert found == identity("j o b", "parent", "worker", place, parent=parent)
    assert parent == Published(
        **at,
        job="j o b",
        role="rank",
        slot=7,
        incarnation=12345,
        pid=900,
        start=400,
        fingerprint=_env._digest(_env.launcher_fingerprint(TORCHRUN)),
    )


def test_publishing_takes_the_session_away() -> None:
    environ = {"MP_TQDM_SESSION": "anything", "OTHER": "kept"}
    _env.publish(environ, identity("j", "session", "worker"), 1, 2)
    assert environ.keys() == {"MP_TQDM_PARENT", "OTHER"}


@pytest.mark.parametrize(
    "at",
    [
        pytest.param({"parents": ((901, 400),)}, id="another parent"),
        pytest.param({"parents": ((900, 401),)}, id="another process of the same pid"),
        pytest.param({"parents": (), "generations": 0}, id="a subprocess"),
    ],
)
def test_what_a_stranger_published_does_not_count(at: dict[str, Any]) -> None:
    stranger = child(told(), **at)
    assert _env.read_published(stranger) is None
    assert _env.identify(stranger).job == _env.identify(facts()).job


@pytest.mark.parametrize(
    "at",
    [
        pytest.param({"parents": ((900, 400),)}, id="multiprocessing"),
        pytest.param({"parents": ((1, 1), (900, 400))}, id="multiprocess"),
        pytest.param({"parents": ((900, 0),)}, id="a parent that is gone"),
        pytest.param({"parents": (), "lineage": ((950, 450), (900, 400))}, id="os.fork, twice"),
    ],
)
def test_what_the_maker_published_counts(at: dict[str, Any]) -> None:
    assert _env.identify(child(told(), **at)) == identity(
        "family:other", "parent", "worker", parent=published()
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1 2 3",
        "2 900 400 7 1 0 1 1 0 1 root - job",
        "1 900 400 7 1 0 1 1 0 1 boss - job",
        "1 900 400 7 1 0 1 1 0 1 root - ",
        "1 900 400 x 1 0 1 1 0 1 root - job",
        "1 900 400 7 1 0 -1 1 0 1 root - job",
        f"1 900 400 {'7' * 5000} 1 0 1 1 0 1 root - job",
    ],
)
def test_what_nobody_published_does_not_count(value: str) -> None:
    assert _env.identify(child({"MP_TQDM_PARENT": value})).rule == "family"
    assert _env.identify(facts({"MP_TQDM_SESSION": value})).rule == "family"


def test_a_worker_of_a_worker_is_a_worker_of_the_same_rank() -> None:
    worker = child(told(TORCHRUN, job=TORCHRUN_JOB, role="rank", rank=1, local_world=2, world=2))
    found = _env.identify(worker)
    environ = dict(worker.environ)
    _env.publish(environ, found, 9, 777)
    below = child(environ, pid=1001, parents=((1000, 500),), generations=2)
    again = _env.identify(below)
    assert (again.job, again.role, again.rank) == (TORCHRUN_JOB, "worker", 1)
    assert again.parent is not None
    assert (again.parent.slot, again.parent.pid, again.parent.role) == (9, 1000, "worker")


def test_below_a_child_that_did_not_publish_the_next_above_counts() -> None:
    middle = Process(pid=950, start=450, python=True, environ={})
    below = child(told(), middle, parent_process(), parents=((950, 450),), generations=2)
    assert _env.identify(below) == identity("family:other", "parent", "worker", parent=published())
    for stranger in (
        child(told(), middle, parent_process(start=399), parents=((950, 450),), generations=2),
        child(told(), middle, parent_process(), parents=((950, 450),), generations=1),
        child(told(), middle, parent_process(), parents=((951, 450),), generations=2),
    ):
        assert _env.identify(stranger).rule == "family"


@pytest.mark.parametrize("rule", ALL)
def test_a_worker_made_before_its_rank_joined_finds_the_ranks_job(rule: str) -> None:
    rank = _env.identify(facts(ALL[rule]))
    worker = child(ALL[rule], parent_process(ALL[rule]))
    assert _env.identify(worker) == identity(rank.job, rule, "worker", SECOND)
    forkserver = Process(pid=80, start=8, python=False, environ=ALL[rule])
    assert _env.identify(child(ALL[rule], forkserver, parent_process(ALL[rule]))) == identity(
        rank.job, rule, "worker", SECOND
    )


def test_a_worker_of_lightnings_first_rank_finds_its_job() -> None:
    first = LIGHTNING | {"LOCAL_RANK": "0"}  # set by the rank itself: its parent has none of it
    place = Place(rank=0, local_world=2, world=2)
    assert _env.identify(facts(first)) == identity(LIGHTNING_JOB, "environment", "rank", place)
    worker = child(first, parent_process({}))
    assert _env.identify(worker) == identity(LIGHTNING_JOB, "environment", "worker", place)


# --- Children that are ranks


def fresh(environ: Environ, **changes: Any) -> Facts:
    """A child that set these variables itself."""
    return child(
        environ, parent_process(), **{"started_with": _env.launcher_fingerprint({}), **changes}
    )


def test_a_child_that_sets_the_variables_of_a_rank_is_one() -> None:
    environ = LIGHTNING | {"RANK": "1"}
    family = _env.identify(facts()).job
    assert _env.identify(fresh(environ)) == identity(family, "family", "rank", SECOND)
    parent = published()
    assert _env.identify(fresh(told() | environ)) == identity(
        "family:other", "parent", "rank", SECOND, parent=parent
    )


@pytest.mark.parametrize(
    ("environ", "group", "place"),
    [
        ({"LOCAL_RANK": "1"}, None, SECOND),
        ({"LOCAL_RANK": "1"}, (1, 4), Place(rank=1, local_world=4, world=4)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, None, Place(rank=2, local_world=4, world=4)),
        ({"LOCAL_RANK": "3", "WORLD_SIZE": "x"}, None, Place(rank=3, local_world=4, world=4)),
    ],
)
def test_a_child_may_name_its_rank_alone(
    environ: Environ, group: tuple[int, int] | None, place: Place
) -> None:
    found = _env.identify(fresh(environ, torch_group=group))
    assert found == identity(_env.identify(facts()).job, "family", "rank", place)


def test_a_function_started_by_torchelastic_is_a_rank_of_its_launch() -> None:
    for environ in (TORCHRUN, told() | TORCHRUN):
        found = _env.identify(fresh(environ))
        assert found == identity(TORCHRUN_JOB, "torchelastic", "rank", SECOND)


def test_a_child_for_which_the_parent_set_another_rank_is_one() -> None:
    environ = told() | LIGHTNING
    found = _env.identify(child(environ, parent_process()))
    assert found == identity("family:other", "parent", "rank", SECOND, parent=published())


def test_a_child_of_a_rank_that_set_its_variables_late_is_a_worker() -> None:
    environ = told(OPEN_MPI, job="pmix:1265893377", role="rank", rank=1, local_world=2, world=2)
    environ |= {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "29500"}
    found = _env.identify(child(environ, parent_process(OPEN_MPI)))
    assert (found.job, found.role, found.rank) == ("pmix:1265893377", "worker", 1)


def test_a_child_that_sets_an_address_and_no_rank_is_a_worker() -> None:
    environ = TORCHRUN | {"MASTER_PORT": "1234", "WORLD_SIZE": "2"}
    worker = child(environ, parent_process(TORCHRUN))
    assert _env.identify(worker).role == "worker"


@pytest.mark.parametrize(
    ("environ", "index", "rank"),
    [({}, None, 5), ({}, 1, 1), ({"MASTER_ADDR": "h", "MASTER_PORT": "1"}, 1, 1)],
)
def test_a_child_that_joins_a_process_group_is_a_rank(
    environ: Environ, index: int | None, rank: int
) -> None:
    place = Place(rank=rank, local_world=8, world=8)
    spawned = child(environ, torch_group=(5, 8), spawn_index=index)
    assert _env.identify(spawned) == identity(_env.identify(facts()).job, "family", "rank", place)
    of_a_parent = child(told() | environ, torch_group=(5, 8), spawn_index=index)
    assert _env.identify(of_a_parent) == identity(
        "family:other", "parent", "rank", place, parent=published()
    )


def test_a_worker_of_a_rank_that_joins_a_group_stays_a_worker() -> None:
    inherited = child(TORCHRUN, parent_process(TORCHRUN), torch_group=(0, 2))
    assert _env.identify(inherited).role == "worker"
    environ = told(role="rank", rank=1, local_world=2, world=2)
    assert _env.identify(child(environ, torch_group=(0, 2))).role == "worker"


def test_a_process_group_alone_does_not_make_a_first_process_a_rank() -> None:
    assert _env.identify(facts(torch_group=(1, 2))).role == "root"


def test_a_worker_of_a_rank_that_multiprocessing_made_finds_the_familys_job() -> None:
    middle = Process(pid=950, start=450, python=True, environ={})
    worker = child(LIGHTNING, middle, parent_process(), parents=((950, 450),), generations=2)
    assert _env.identify(worker) == identity(_env.identify(facts()).job, "family", "worker", SECOND)


# --- Programs started in a rank


@pytest.mark.parametrize("rule", ALL)
def test_a_subprocess_of_a_rank_is_on_its_own(rule: str) -> None:
    expected = _env.identify(facts())
    assert _env.identify(facts(ALL[rule], parent_process(ALL[rule]))) == expected
    shell = Process(pid=91, start=10, python=False, environ=ALL[rule])
    assert _env.identify(facts(ALL[rule], shell, parent_process(ALL[rule]))) == expected


@pytest.mark.parametrize("rule", ALL)
def test_so_is_all_that_it_makes(rule: str) -> None:
    program = Process(pid=950, start=450, python=True, environ=ALL[rule])
    worker = child(ALL[rule], program, parent_process(ALL[rule]), parents=((950, 450),))
    assert _env.identify(worker) == identity(_env.identify(facts()).job, "family", "worker")


def test_a_launch_in_a_rank_is_a_launch() -> None:
    agent = parent_process(SLURM)
    assert _env.identify(facts(SLURM | TORCHRUN, agent)).job == TORCHRUN_JOB
    mpirun_in_a_rank = facts(TORCHRUN | OPEN_MPI, parent_process(TORCHRUN))
    assert _env.identify(mpirun_in_a_rank).rule == "pmix"


@pytest.mark.parametrize("role", ["root", "rank"])
def test_a_subprocess_of_lightnings_first_rank_is_on_its_own(role: str) -> None:
    environ = told(job=LIGHTNING_JOB, role=role) | LIGHTNING | {"LOCAL_RANK": "0"}
    assert _env.identify(facts(environ, parent_process())) == _env.identify(facts())


def test_lightnings_other_ranks_join_the_first_which_may_have_joined_a_job_before() -> None:
    environ = told() | LIGHTNING
    assert _env.identify(facts(environ, parent_process())) == identity(
        "family:other", "parent", "rank", SECOND
    )
    for stranger in (parent_process(pid=901), parent_process(start=401)):
        assert _env.identify(facts(environ, stranger)).job == LIGHTNING_JOB


@pytest.mark.parametrize("rank", ["0", "1"])
def test_ranks_that_a_program_starts_are_a_job_of_their_own(rank: str) -> None:
    environ = told() | LIGHTNING | {"LOCAL_RANK": rank, "RANK": rank}
    assert _env.identify(facts(environ, parent_process())).job == LIGHTNING_JOB


def test_a_rank_whose_place_is_taken_falls_back_to_a_program_of_its_own() -> None:
    found = _env.fall_back(_env.identify(facts(TORCHRUN)))
    assert found == identity("process:1000:500", "process", "root")


# --- Sessions


def test_a_session_makes_a_subprocess_a_worker_of_the_giver() -> None:
    place = Place(rank=1, local_world=2, world=2)
    giver = identity(TORCHRUN_JOB, "torchelastic", "rank", place, pid=900, start=400)
    environ = TORCHRUN | {"MP_TQDM_SESSION": _env.session_value(giver, 7, 12345)}
    found = _env.identify(facts(environ, SHELL, parent_process(TORCHRUN)))
    assert found == identity(TORCHRUN_JOB, "session", "worker", place, parent=found.parent)
    assert found.parent is not None
    assert (found.parent.slot, found.parent.incarnation, found.parent.pid) == (7, 12345, 900)


def test_the_children_of_a_sessions_process_stay_in_it_and_its_subprocesses_do_not() -> None:
    giver = identity("family:g", "family", "root", pid=5, start=6)
    environ = {"MP_TQDM_SESSION": _env.session_value(giver, 7, 12345)}
    _env.publish(environ, _env.identify(facts(environ)), 8, 99)
    made = child(environ, parents=((1000, 500),), pid=1001)
    assert (_env.identify(made).job, _env.identify(made).rule) == ("family:g", "parent")
    program = facts(environ, Process(pid=1000, start=500, python=True, environ={}), pid=1002)
    assert _env.identify(program).rule == "family"


# --- Records


def test_identities_are_values() -> None:
    one, same, other = (identity("j", "family", role) for role in ("root", "root", "worker"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert "role='root'" in repr(one)
    with pytest.raises(AttributeError):
        one.rank = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        one.other = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="colour"):
        Place(colour=1)  # type: ignore[call-arg]


def test_a_fingerprint_is_of_the_rank_and_not_of_the_address() -> None:
    fingerprint = _env.launcher_fingerprint(TORCHRUN)
    assert _env.launcher_fingerprint(TORCHRUN | {"MASTER_PORT": "1", "HOME": "/"}) == fingerprint
    for name in ("RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        assert _env.launcher_fingerprint(TORCHRUN | {name: "7"}) != fingerprint


# --- Real processes

# `who(label)` prints one line: what this process finds about itself, and publishes it on demand.
WHO = """
    import json, os, sys
    from mp_tqdm import _env

    def who(label, publish=False):
        found = _env.identify(_env.read_facts())
        if publish:
            _env.publish(os.environ, found, 1, 1)
        fields = ("job", "rule", "role", "rank", "pid")
        line = {"label": label} | {field: getattr(found, field) for field in fields}
        line["parent"] = found.parent.pid if found.parent else None
        os.write(1, (json.dumps(line) + "\\n").encode())

"""


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["label"]: line for line in found}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("joined", ["before", "after"])
def test_children_of_each_method_find_the_job(program: Program, method: str, joined: str) -> None:
    source = """
    import multiprocessing

    def work(label):
        who(label)
        child = multiprocessing.get_context(sys.argv[1]).Process(target=who, args=(label + "'s",))
        child.start()
        child.join()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        if sys.argv[2] == "before":
            who("root", publish=True)
        child = context.Process(target=work, args=("child",))
        child.start()
        child.join()
        who("root", publish=True)
        child = context.Process(target=who, args=("late",))
        child.start()
        child.join()
    """
    found = lines(programs.run(program(WHO + source, method, joined)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert found["root"]["job"].startswith("family:")
    assert [found[label]["role"] for label in ("root", "child", "child's", "late")] == [
        "root",
        "worker",
        "worker",
        "worker",
    ]
    makers = {label: line["parent"] for label, line in found.items() if label != "root"}
    before = found["root"]["pid"] if joined == "before" else None
    # A forkserver hands down the environment that it was started with.
    late = before if method == "forkserver" else found["root"]["pid"]
    assert makers == {"child": before, "child's": before, "late": late}


@pytest.mark.parametrize("joined", ["before", "after"])
def test_forked_children_find_the_job(program: Program, joined: str) -> None:
    source = """
    def fork(work):
        pid = os.fork()
        if not pid:
            work()
            os._exit(0)
        os.waitpid(pid, 0)

    if sys.argv[1] == "before":
        who("root", publish=True)
    fork(lambda: (who("child"), fork(lambda: who("grandchild"))))
    who("root")
    """
    found = lines(programs.run(program(WHO + source, joined)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert [line["role"] for line in found.values()].count("worker") == 2
    assert found["root"]["rule"] == "process"


def test_a_process_forked_without_pythons_knowledge_finds_its_parent(program: Program) -> None:
    source = """
    import ctypes
    who("root", publish=True)
    pid = ctypes.PyDLL(None).fork()
    if not pid:
        who("child")
        os._exit(0)
    os.waitpid(pid, 0)
    """
    found = lines(programs.run(program(WHO + source)))
    assert found["child"]["job"] == found["root"]["job"]
    assert (found["child"]["role"], found["child"]["parent"]) == ("worker", found["root"]["pid"])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_forks_and_methods_may_be_mixed_below_a_rank(program: Program, method: str) -> None:
    source = f"""
    import multiprocessing, subprocess

    def fork(work, *arguments):
        pid = os.fork()
        if not pid:
            work(*arguments)
            os._exit(0)
        os.waitpid(pid, 0)

    def make(work, *arguments):
        child = multiprocessing.get_context({method!r}).Process(target=work, args=arguments)
        child.start()
        child.join()

    def work(label):
        fork(who, label + ".forked")
        make(who, label + ".made")
        subprocess.run([sys.executable, sys.argv[0], label + ".program"])

    if __name__ == "__main__":
        label = (sys.argv[1:] or ["rank"])[0]
        fork(who, label + ".forked")
        make(fork, who, label + ".made.forked")
        make(who, label + ".made")
        if label == "rank":
            make(work, label + ".worker")
        who(label)
    """
    environ = programs.environment(**HYDRA)
    found = lines(programs.run(program(WHO + source), env=environ))
    jobs: dict[bool, set[str]] = {True: set(), False: set()}
    for label, line in found.items():
        jobs["program" in label].add(line["job"])
        assert (line["role"] == "worker") == (label not in {"rank", "rank.worker.program"}), label
        assert line["rank"] == ("program" not in label), label
    assert len(found) == 10
    assert len(jobs[True]) == len(jobs[False]) == len(jobs[True] | jobs[False]) - 1 == 1


def test_a_pool_of_multiprocess_counts_for_its_parent(program: Program) -> None:
    pytest.importorskip("multiprocess")
    source = """
    import multiprocess

    def task(label):
        who(label)

    if __name__ == "__main__":
        who("root", publish=True)
        for method in ("fork", "spawn", "forkserver"):
            with multiprocess.get_context(method).Pool(1) as pool:
                pool.map(task, [method])
    """
    found = lines(programs.run(program(WHO + source)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert {line["role"] for label, line in found.items() if label != "root"} == {"worker"}


@pytest.mark.parametrize("package", ["multiprocessing", "multiprocess"])
def test_a_forkserver_that_knows_the_package_changes_nothing(
    program: Program, package: str
) -> None:
    pytest.importorskip(package)
    source = f"""
    import {package} as processes

    if __name__ == "__main__":
        processes.set_forkserver_preload(["multiprocessing.process", "mp_tqdm._env"])
        context = processes.get_context("forkserver")
        for label in ("one", "two"):
            child = context.Process(target=who, args=(label,))
            child.start()
            child.join()
        who("root")
    """
    found = lines(programs.run(program(WHO + source)))
    assert {found[label]["role"] for label in ("one", "two")} == {"worker"}
    assert found["one"]["job"] == found["two"]["job"]
    # (The root goes by the key of multiprocessing, if that is loaded as well.)
    if package == "multiprocessing":
        assert found["one"]["job"] == found["root"]["job"]


def test_loky_workers_find_the_job(program: Program) -> None:
    pytest.importorskip("joblib")
    source = """
    from joblib import Parallel, delayed

    if __name__ == "__main__":
        who("root", publish=len(sys.argv) > 1)
        Parallel(n_jobs=2)(delayed(who)(label) for label in ("one", "two"))
    """
    for arguments in ([], ["publish"]):
        found = lines(programs.run(program(WHO + source, *arguments)))
        assert {line["job"] for line in found.values()} == {found["root"]["job"]}
        assert found["one"]["role"] == found["two"]["role"] == "worker"


def test_a_literal_key_joins_parent_and_children_and_nobody_else(program: Program) -> None:
    source = """
    import multiprocessing

    if __name__ == "__main__":
        multiprocessing.current_process().authkey = b"secret"
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=who, args=(method,))
            child.start()
            child.join()
        who("root")
    """
    command = program(WHO + source)
    first, second = (lines(programs.run(command)) for _ in range(2))
    assert {line["job"] for line in first.values()} == {first["root"]["job"]}
    assert first["root"]["job"] != second["root"]["job"]


def test_a_subprocess_is_on_its_own_unless_it_is_given_the_session(program: Program) -> None:
    below = """
    import subprocess
    who(sys.argv[1], publish=True)
    if len(sys.argv) > 2:
        subprocess.run([sys.executable, __file__, *sys.argv[2:]])
    """
    command = program(WHO + below, "program", "below")
    source = """
    import shlex, subprocess
    found = _env.identify(_env.read_facts())
    who("root", publish=True)
    given = dict(os.environ)
    if sys.argv[1] == "given":
        given["MP_TQDM_SESSION"] = _env.session_value(found, 1, 1)
    subprocess.run(["sh", "-c", shlex.join(sys.argv[2:]) + "; true"], env=given)
    """
    found = lines(programs.run(program(WHO + source, "kept", *command)))
    assert len({line["job"] for line in found.values()}) == 3
    assert {line["role"] for line in found.values()} == {"root"}
    found = lines(programs.run(program(WHO + source, "given", *command)))
    assert found["program"]["job"] == found["root"]["job"]
    assert (found["program"]["role"], found["program"]["rule"]) == ("worker", "session")


RANK = """
    import multiprocessing, subprocess

    def task(label):
        who(label)

    def pool(label, methods=("fork", "spawn", "forkserver")):
        for method in methods:
            with multiprocessing.get_context(method).Pool(1) as workers:
                workers.map(task, [f"{label}.{method}"])

    if __name__ == "__main__":
        label = sys.argv[1]
        if len(sys.argv) > 2:
            who(label, publish=True)
        pool(label)
        who(label)
        if "." not in label:
            subprocess.run([sys.executable, sys.argv[0], label + ".program", *sys.argv[2:]])
"""


@pytest.mark.parametrize("rule", ["torchelastic", "pmi", "deepspeed"])
@pytest.mark.parametrize("joined", ["before", "after"])
def test_ranks_their_workers_and_their_subprocesses(
    program: Program, tmp_path: Path, rule: str, joined: str
) -> None:
    environs = [programs.rank_variables(tmp_path, rank, 2) for rank in range(2)]
    if rule == "pmi":
        environs = [HYDRA | {"PMI_RANK": n, "MPI_LOCALRANKID": n} for n in ("0", "1")]
    elif rule == "deepspeed":
        environs = [DEEPSPEED | {"RANK": n, "LOCAL_RANK": n} for n in ("0", "1")]
    command = program(WHO + RANK)[1]
    source = """
    import json, os, subprocess, sys
    program, joined, *environs = sys.argv[1:]
    ranks = [
        subprocess.Popen(
            [sys.executable, program, str(rank), *([joined] if joined == "before" else [])],
            env=os.environ | json.loads(environ),
        )
        for rank, environ in enumerate(environs)
    ]
    sys.exit(sum(rank.wait() for rank in ranks))
    """
    found = lines(programs.run(program(source, command, joined, *map(json.dumps, environs))))
    jobs = {label: line["job"] for label, line in found.items()}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    methods = ("fork", "spawn", "forkserver")
    assert jobs["0"].startswith(f"{rule}:")
    for number, rank in enumerate("01"):
        assert jobs[rank] == jobs["0"]
        assert roles[rank] == ("rank", number)
        for method in methods:
            assert jobs[f"{rank}.{method}"] == jobs["0"], method
            assert roles[f"{rank}.{method}"] == ("worker", number), method
            assert jobs[f"{rank}.program.{method}"] == jobs[f"{rank}.program"], method
            assert roles[f"{rank}.program.{method}"] == ("worker", 0), method
        assert roles[f"{rank}.program"] == ("root", 0)
    assert len({jobs["0"], jobs["0.program"], jobs["1.program"]}) == 3


def test_a_child_that_sets_its_rank_is_one_and_its_workers_are_workers(program: Program) -> None:
    source = """
    import multiprocessing

    def work(rank, method):
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_PORT": "1"}
        worker = multiprocessing.get_context(method).Process(target=who, args=(f"{rank}.worker",))
        worker.start()
        worker.join()
        who(rank)

    if __name__ == "__main__":
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            ranks = [context.Process(target=work, args=(str(n), method)) for n in range(2)]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
        who("root")
    """
    found = lines(programs.run(program(WHO + source)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    assert roles == {
        "root": ("root", 0),
        "0": ("rank", 0),
        "1": ("rank", 1),
        "0.worker": ("worker", 0),
        "1.worker": ("worker", 1),
    }


def test_fifty_pairs_of_one_program_are_a_hundred_jobs(program: Program) -> None:
    source = """
    import subprocess
    if len(sys.argv) > 1:
        import multiprocessing
        who(sys.argv[1])
    else:
        for pair in range(50):
            both = [subprocess.Popen([sys.executable, __file__, f"{pair}.{n}"]) for n in range(2)]
            for one in both:
                one.wait()
    """
    found = lines(programs.run(program(WHO + source)))
    assert len({line["job"] for line in found.values()}) == 100


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_spawned_ranks_without_variables_are_ranks_of_the_family(program: Program) -> None:
    pytest.importorskip("torch")
    source = """
    import torch.distributed, torch.multiprocessing

    def work(rank, store):
        torch.distributed.init_process_group(
            "gloo", rank=rank, world_size=2, init_method=f"file://{store}"
        )
        who(str(rank))
        torch.distributed.destroy_process_group()

    if __name__ == "__main__":
        torch.multiprocessing.spawn(work, args=(sys.argv[1],), nprocs=2)
        who("root")
    """
    command = program(WHO + source, str(Path(program("")[1]).with_name("store")))
    found = lines(programs.run(command, timeout=100))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    roles = {label: (line["role"], line["rank"]) for label, line in found.items()}
    assert roles == {"root": ("root", 0), "0": ("rank", 0), "1": ("rank", 1)}


def test_the_module_imports_os_and_sys_alone() -> None:
    source = """
import __future__, importlib.util, os, sys
spec = importlib.util.spec_from_file_location("alone", sys.argv[1])
module = importlib.util.module_from_spec(spec)
before = set(sys.modules)
spec.loader.exec_module(module)
print(sorted(set(sys.modules) - before))
"""
    done = programs.run([sys.executable, "-S", "-c", source, _env.__file__])
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_first_use_imports_neither_multiprocessing_nor_torch(program: Program) -> None:
    source = """
    before = set(sys.modules)
    _env.publish(os.environ, _env.identify(_env.read_facts()), 1, 1)
    print(sorted(set(sys.modules) - before - {"_blake2", "itertools"}))
    """
    assert programs.run(program(WHO + source)).stdout == "[]\n"


def test_the_facts_of_this_process_are_the_kernels() -> None:
    found = _env.read_facts()
    assert (found.pid, found.ppid, found.uid) == (os.getpid(), os.getppid(), os.getuid())
    ancestors = found.ancestors()
    assert ancestors[0].pid == os.getppid()
    assert ancestors is not found.ancestors()
    assert ancestors == found.ancestors()
    starts = [found.start, *(process.start for process in ancestors)]
    assert all(after >= before for after, before in itertools.pairwise(starts))


def test_a_name_full_of_parentheses_does_not_confuse_the_start(program: Program) -> None:
    source = """
    with open("/proc/self/comm", "w") as name:
        name.write(") 1 (x) 9 9 9")
    assert _env._status(os.getpid()) == before, before
    """
    source = WHO + "    before = _env._status(os.getpid())\n" + source
    assert programs.run(program(source)).stderr == ""
