"""A child is a rank when it, its parent or its process group says so, and else a worker."""

from typing import Any

import pytest

from mp_tqdm import _env
from mp_tqdm._identity import Facts, Place, Process
from support.identities import Environ, child, facts, identity, parent_process, published, told
from support.launches import LIGHTNING, OPEN_MPI, SECOND, TORCHRUN, TORCHRUN_JOB


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
