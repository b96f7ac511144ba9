"""The guard finds each kind of thing that a test can leave behind, and nothing else."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from mp_tqdm import session_env
from support import leaks

pytestmark = pytest.mark.once

TOKEN = leaks.token_of("leaks")


@pytest.fixture(autouse=True)
def a_place_and_a_machine_of_their_own(tmp_path: Path) -> Iterator[None]:
    """Another test run on the machine must not be seen by these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setattr(leaks, "_places", lambda: {"."})
        patch.setattr(leaks, "_others_use_the_package", lambda _: False)
        yield


READ_TO_THE_END = "import sys; sys.stdin.read()"
START_A_READER = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {READ_TO_THE_END!r}])
"""


@contextmanager
def a_segment() -> Iterator[None]:
    Path("mp_tqdm-leaked").touch()
    yield


@contextmanager
def a_descriptor() -> Iterator[None]:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def a_thread() -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="mp-tqdm")
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def a_child() -> Iterator[None]:
    child = subprocess.Popen([sys.executable, "-c", READ_TO_THE_END], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        child.communicate()


@contextmanager
def an_orphan() -> Iterator[None]:
    """A grandchild whose parent has ended: it is no child of this process any more."""
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", START_A_READER],
        stdin=reader,
        env=os.environ | {leaks.TEST_VARIABLE: TOKEN},
    ):
        os.close(reader)
    try:
        yield
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("leak", "found"),
    [
        (a_segment, ["segment: mp_tqdm-leaked"]),
        (a_descriptor, ["descriptor: "]),
        (a_thread, ["thread: mp-tqdm"]),
        (a_child, ["descriptor: ", "process: "]),
        (an_orphan, ["descriptor: ", "process: "]),
        (nullcontext, []),
    ],
)
def test_what_is_left_is_found(
    leak: Callable[[], AbstractContextManager[None]],
    found: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaks, "_PATIENCE_S", 0.2)
    before = leaks.belongings(TOKEN)
    with leak():
        left = leaks.left_behind(before, TOKEN)
    assert len(left) == len(found), left
    assert all(line.startswith(start) for line, start in zip(left, found, strict=True)), left


def test_the_segment_of_this_process_is_its_own() -> None:
    before = leaks.belongings(TOKEN)
    with open("mp_tqdm-own", "x", encoding="ascii"):
        assert leaks.belongings(TOKEN) == before


def test_a_segment_that_a_foreign_process_has_open_is_left_alone() -> None:
    reader, writer = os.pipe()
    before = leaks.belongings(TOKEN)
    with (
        open("mp_tqdm-foreign", "x", encoding="ascii") as segment,
        subprocess.Popen(
            [sys.executable, "-c", START_A_READER],
            stdin=reader,
            stdout=segment,
            env={leaks.TEST_VARIABLE: "another test"},
        ),
    ):
        os.close(reader)
    try:
        assert leaks.belongings(TOKEN) < before
    finally:
        os.close(writer)


def test_helpers_of_multiprocessing_are_ended() -> None:
    session_env()  # who starts processes is in a job, with a descriptor that is kept
    before = leaks.belongings(TOKEN)
    memory = SharedMemory(create=True, size=1)
    memory.close()
    memory.unlink()
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        assert pool.apply(abs, (-1,)) == 1
        pool.close()
        pool.join()
    del memory, pool
    assert leaks.left_behind(before, TOKEN) == []
