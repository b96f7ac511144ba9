"""What a process published makes its children workers, and no stranger's."""

from typing import Any

import pytest

from mp_tqdm import _env
from mp_tqdm._forks import digest
from mp_tqdm._identity import Place, Process, Published
from mp_tqdm._published import read_published
from support.identities import child, facts, identity, parent_process, published, told
from support.launches import ALL, LIGHTNING, LIGHTNING_JOB, SECOND, TORCHRUN, TORCHRUN_JOB


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
        fingerprint=digest(_env.launcher_fingerprint(TORCHRUN)),
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
    assert read_published(stranger) is None
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


def test_a_child_made_before_its_parent_joined_is_told_by_what_is_seen_of_it() -> None:
    seen = published(job="open:00000000000000ab")
    known = {(900, 400): seen}
    worker = child(parents=((900, 400),), joined=lambda pid, start: known.get((pid, start)))
    assert _env.identify(worker) == identity(seen.job, "parent", "worker", parent=seen)
    # Its pid, that of a process which is younger than the child, is another's now.
    known = {(900, 501): seen}
    younger = child(parents=((900, 501),), joined=lambda pid, start: known.get((pid, start)))
    assert _env.identify(younger).rule == "family"


def test_below_a_child_that_joined_nothing_the_next_above_is_looked_at() -> None:
    seen = published(job="open:00000000000000ab")
    known = {(900, 400): seen}
    middle = Process(pid=950, start=450, python=True, environ={})
    at: dict[str, Any] = {"parents": ((950, 450),), "joined": lambda *who: known.get(who)}
    below = child({}, middle, parent_process(), generations=2, **at)
    assert _env.identify(below) == identity(seen.job, "parent", "worker", parent=seen)
    assert _env.identify(child({}, middle, parent_process(), **at)).rule == "family"


def test_without_a_random_key_the_first_process_is_the_last_of_the_makers() -> None:
    middle = Process(pid=950, start=450, python=True, environ={})
    at: dict[str, Any] = {"parents": ((950, 450),), "generations": 2, "authkey": b"secret"}
    assert _env.identify(child({}, middle, parent_process(), **at)).job == "process:900:400"


def test_a_first_process_knows_what_children_of_another_package_would_call_its_job() -> None:
    own, other = bytes(range(200, 232)), bytes(range(100, 132))
    found = _env.identify(facts(authkey=own, other_authkeys=(other, own, b"short")))
    assert found.job == f"family:{digest(own)}"
    assert found.elsewhere == (f"family:{digest(other)}", "process:1000:500")
