"""The rules hold in their order: sessions, parents, launches, families, processes."""

import pytest

from mp_tqdm import _env, _session
from mp_tqdm._identity import Place, Process
from support.identities import KEY, SHELL, child, facts, identity, parent_process, told
from support.launches import (
    ALL,
    HYDRA,
    LIGHTNING,
    LIGHTNING_JOB,
    OPEN_MPI,
    SECOND,
    SLURM,
    TORCHRUN,
    TORCHRUN_JOB,
)


def test_the_launchers_are_asked_in_order() -> None:
    environ: dict[str, str] = {}
    for rule in reversed(ALL):
        environ |= ALL[rule]
        assert _env.identify(facts(environ)).rule == rule


def test_a_session_goes_before_a_parent_and_a_parent_before_a_launcher() -> None:
    environ = told(TORCHRUN, job="family:parent")
    assert _env.identify(child(environ, parent_process(TORCHRUN))).job == "family:parent"
    giver = identity("family:session", "family", "root", pid=5, start=6)
    environ["MP_TQDM_SESSION"] = _session.value(giver, 3, 4)
    assert _env.identify(child(environ, parent_process(TORCHRUN))).job == "family:session"


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
    environ = TORCHRUN | {"MP_TQDM_SESSION": _session.value(giver, 7, 12345)}
    found = _env.identify(facts(environ, SHELL, parent_process(TORCHRUN)))
    assert found == identity(TORCHRUN_JOB, "session", "worker", place, parent=found.parent)
    assert found.parent is not None
    assert (found.parent.slot, found.parent.incarnation, found.parent.pid) == (7, 12345, 900)


def test_the_children_of_a_sessions_process_stay_in_it_and_its_subprocesses_do_not() -> None:
    giver = identity("family:g", "family", "root", pid=5, start=6)
    environ = {"MP_TQDM_SESSION": _session.value(giver, 7, 12345)}
    _env.publish(environ, _env.identify(facts(environ)), 8, 99)
    made = child(environ, parents=((1000, 500),), pid=1001)
    assert (_env.identify(made).job, _env.identify(made).rule) == ("family:g", "parent")
    program = facts(environ, Process(pid=1000, start=500, python=True, environ={}), pid=1002)
    assert _env.identify(program).rule == "family"
