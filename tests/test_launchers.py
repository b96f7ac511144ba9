"""Each launcher's variables give job, rank and node; nonsense in them gives nothing."""

import pytest

from mp_tqdm import _env
from mp_tqdm._forks import digest
from mp_tqdm._identity import Identity, Place, Process
from support.identities import KEY, Environ, child, facts, identity, parent_process
from support.launches import (
    ALL,
    DEEPSPEED,
    HYDRA,
    LIGHTNING,
    LIGHTNING_JOB,
    OPEN_MPI,
    SECOND,
    SLURM,
    TORCHRUN,
    TORCHRUN_JOB,
)


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
            # The step's variables are of all components; the job's are of this one.
            SLURM
            | {
                "SLURM_HET_SIZE": "2",
                "SLURM_LOCALID": "0",
                "SLURM_NNODES": "1",
                "SLURM_NODEID": "1",
                "SLURM_NTASKS": "1",
                "SLURM_PROCID": "4",
                "SLURM_STEP_NUM_NODES": "2",
                "SLURM_STEP_NUM_TASKS": "5",
                "SLURM_STEP_TASKS_PER_NODE": "4,1",
            },
            identity(
                "slurm:17.3:restart=0:node=1",
                "slurm",
                "rank",
                Place(rank=0, local_world=1, world=5, node=1, nodes=2),
            ),
            id="srun of a heterogeneous job, its second component",
        ),
        pytest.param(
            SLURM | {"SLURM_NNODES": "4", "SLURM_NTASKS": "64", "SLURM_TASKS_PER_NODE": "16(x4)"},
            identity("slurm:17.3:restart=0:node=0", "slurm", "rank", SECOND),
            id="srun of a few tasks in a large allocation",
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
    assert _env.identify(facts(environ)) == identity(f"family:{digest(KEY)}", "family", "root")


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
