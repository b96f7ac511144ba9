"""Finds what a test left behind: shared memory, descriptors, threads, processes."""

import gc
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mp_tqdm

# Marks the environment of everything that a test starts, so that an orphan is found as well.
TEST_VARIABLE = "TEST_OF_MP_TQDM"


def token_of(name: str) -> str:
    """A value of `TEST_VARIABLE` that no other test run on this machine has at the same time."""
    return f"{os.getpid()}-{name}"


# What ends by itself after a test gets this long. Our thread needs two seconds where nothing holds
# it up.
_PATIENCE_S = 10.0


def belongings(token: str) -> frozenset[str]:
    """What there is at this moment: one line for each thing, that a person can go after.

    Left out are this process's own job, which lives as long as the process: one segment and one
    descriptor of it; and segments that a process of somebody else has open.

    Args:
        token: The value of `TEST_VARIABLE` in the processes of the running test.
    """
    segments = list(_segments())
    descriptors = list(_descriptors())
    own = {file for file, _ in segments} & {file for file, _ in descriptors}
    if len(own) == 1:
        segments = [entry for entry in segments if entry[0] not in own]
        open_twice = sum(file in own for file, _ in descriptors) > 1
        descriptors = [entry for entry in descriptors if open_twice or entry[0] not in own]
    if segments:
        foreign = set(_files_of_others(token))
        segments = [entry for entry in segments if entry[0] not in foreign]
    return frozenset(
        [
            *(f"segment: {path}" for _, path in segments),
            *(f"descriptor: {descriptor}" for _, descriptor in descriptors),
            *(f"thread: {thread}" for thread in _threads()),
            *(f"process: {process}" for process in _processes(token)),
        ]
    )


def left_behind(before: frozenset[str], token: str) -> list[str]:
    """What is there now and was not before, after a moment in which it could have gone.

    A segment whose processes were killed stays until the next job of its user starts, and then
    nothing tells whose it was. So while other processes of the machine use the package, another
    test run as a rule, segments are not held against the test.

    Args:
        before: What there was before the test.
        token: As for `belongings`.

    Returns:
        The lines of `belongings`, sorted; empty if nothing is left.
    """
    gc.collect()
    _end_helpers()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        multiprocessing.active_children()  # collects those that ended
        left = sorted(belongings(token) - before)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if any(line.startswith("segment: ") for line in left) and _others_use_the_package(token):
        return [line for line in left if not line.startswith("segment: ")]
    return left


def _end_helpers() -> None:
    """End the processes that multiprocessing and loky keep for the next time, and our watcher."""
    if "mp_tqdm._monitor" in sys.modules and (monitor := mp_tqdm.mp_tqdm.monitor) is not None:
        monitor.exit()
    for module, name in (
        ("multiprocessing.forkserver", "_forkserver"),
        ("multiprocessing.resource_tracker", "_resource_tracker"),
        ("joblib.externals.loky.backend.resource_tracker", "_resource_tracker"),
    ):
        if module in sys.modules:
            getattr(sys.modules[module], name)._stop()


def _segments() -> Iterator[tuple[tuple[int, int], str]]:
    """Every segment of this user, with the identity of its file."""
    for place in _places():
        for path in Path(place).glob("mp_tqdm-*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if status.st_uid == os.geteuid():
                yield (status.st_dev, status.st_ino), str(path)


def _places() -> set[str]:
    """Where a segment may lie."""
    return {"/dev/shm", tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", "/dev/shm")}


def _descriptors() -> Iterator[tuple[tuple[int, int], str]]:
    """Those of this process, each with the identity of its file."""
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
            status = os.stat(int(number))
        except OSError:
            continue  # the one that listed the directory
        yield (status.st_dev, status.st_ino), f"{number} -> {target}"


def _threads() -> Iterator[str]:
    """Ours, native or Python's, by the name."""
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.startswith(("mp-tqdm", "mp_tqdm")):
            yield f"{name} ({task.name})"
    for thread in threading.enumerate():
        if thread.name.startswith(("mp-tqdm", "mp_tqdm")):
            yield thread.name


def _processes(token: str) -> Iterator[str]:
    """Children of this process, and what bears the test's mark wherever it went."""
    for process in _other_processes():
        try:
            if not _is_of_test(process, token):
                continue
            _, _, rest = (process / "stat").read_text(errors="replace").rpartition(")")
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while being looked at
        yield f"{process.name} ({rest.split()[0]}) {command or 'zombie'}"


def _files_of_others(token: str) -> Iterator[tuple[int, int]]:
    """The files that processes of another test run, or of a user, have open."""
    for process in _other_processes():
        try:
            if _is_of_test(process, token):
                continue
            for descriptor in (process / "fd").iterdir():
                status = descriptor.stat()
                yield status.st_dev, status.st_ino
        except OSError:
            continue  # it ended or closed the file, or is none of our business


def _others_use_the_package(token: str) -> bool:
    """Whether a process that is not of this test has the native module loaded."""
    for process in _other_processes():
        try:
            loaded = b"/mp_tqdm/_core" in (process / "maps").read_bytes()
            if loaded and not _is_of_test(process, token):
                return True
        except OSError:
            continue  # it ended, or is another user's
    return False


def _other_processes() -> Iterator[Path]:
    own = os.getpid()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != own:
            yield process


def _is_of_test(process: Path, token: str) -> bool:
    """Whether it is a child of this process or carries the mark. Raises OSError once it is gone."""
    _, _, rest = (process / "stat").read_text(errors="replace").rpartition(")")
    if int(rest.split()[1]) == os.getpid():
        return True
    mark = f"{TEST_VARIABLE}={token}".encode()
    return mark in (process / "environ").read_bytes().split(b"\0")
