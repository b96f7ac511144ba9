"""Whatever lies under the segment's name: nothing of it is believed.

The programs here are rank 0 of one launch, so that each finds the name of the one before.
"""

import contextlib
import os
import random
import socket
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import programs
from support.layout import JOB_AT, SEGMENT_BYTES, TABLES_AT, VERSION_AT
from support.system_calls import trace

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

COUNT = """
    import os, sys, warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from mp_tqdm import mp_tqdm, report_progress, _job
        os.path.exists("/mark/begin")
        with mp_tqdm(total=20) as bar:
            os.path.exists("/mark/end")
            report_progress(5)
            child = os.fork()
            if not child:
                report_progress(7)
                os._exit(0)
            os.waitpid(child, 0)
            n = bar.n
        place = _job._place[2]
        mode = oct(os.stat(place).st_mode) if place.startswith("/") else None
    print(n, place, mode)
    print(*[str(one.message) for one in caught], sep="\\n")
"""


@pytest.fixture
def rank_0(tmp_path: Path) -> dict[str, str]:
    """The environment of the programs here, all of one job."""
    variables = programs.rank_variables(tmp_path, 0, 1)
    return programs.environment(MP_TQDM_MODE="off", XDG_RUNTIME_DIR=None, TMPDIR=None, **variables)


@pytest.fixture
def name(program: Program, rank_0: dict[str, str]) -> Iterator[Path]:
    """Where the segment of that job lies; what is there at the end is removed."""
    place = Path(programs.run(program(COUNT), env=rank_0).stdout.split()[1])
    assert place.parent == Path("/dev/shm")
    assert not place.exists()
    yield place
    with contextlib.suppress(FileNotFoundError):
        place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()


def private_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, content)
    os.close(descriptor)


def assert_counted(process: subprocess.CompletedProcess[str], place: object) -> list[str]:
    """It counted 12 items in `place`; returns what it was warned of."""
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    first, *warned = process.stdout.splitlines()
    n, found, _ = first.split()
    assert (n, found) == ("12", str(place))
    return [line for line in warned if line]


# F40: what is no private regular file of one's own.


def a_link_to_a_file(name: Path, victim: Path) -> None:
    name.symlink_to(victim)


def a_link_to_nothing(name: Path, victim: Path) -> None:
    name.symlink_to(f"{victim}-of-nobody")


def a_second_name_of_a_file(name: Path, victim: Path) -> None:
    name.hardlink_to(victim)


def a_fifo(name: Path, _victim: Path) -> None:
    os.mkfifo(name, 0o600)


def a_directory(name: Path, _victim: Path) -> None:
    name.mkdir()


def a_socket(name: Path, _victim: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(name))


def a_file_that_others_may_write(name: Path, victim: Path) -> None:
    private_file(name, victim.read_bytes())
    name.chmod(0o666)


def a_file_of_another_user(name: Path, victim: Path) -> None:
    private_file(name, victim.read_bytes())
    try:
        os.chown(name, 65534, 65534)
    except PermissionError:
        pytest.skip("only root can give a file away")


TRICKS = {
    a_link_to_a_file: "symbolic link",
    a_link_to_nothing: "symbolic link",
    a_second_name_of_a_file: "kept changing",
    a_fifo: "no regular file",
    a_directory: "open the segment",
    a_socket: "open the segment",
    a_file_that_others_may_write: "others may open",
    a_file_of_another_user: "another user",
}


@pytest.mark.faults("F40")
@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_what_is_no_private_file_is_refused_and_not_written_through(
    program: Program, rank_0: dict[str, str], name: Path, trick: Callable[[Path, Path], None]
) -> None:
    victim = Path(f"/dev/shm/victim-{os.getpid()}")
    content = random.Random(1).randbytes(SEGMENT_BYTES)  # noqa: S311 - no secret
    private_file(victim, content)
    try:
        trick(name, victim)
        before = name.lstat()
        next_place = Path("/tmp", name.name)
        (warning,) = assert_counted(programs.run(program(COUNT), env=rank_0), next_place)
        assert TRICKS[trick] in warning
        after = name.lstat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert victim.read_bytes() == content
        assert not Path(f"{victim}-of-nobody").exists()
        if stat.S_ISREG(after.st_mode):
            assert name.read_bytes() == content
    finally:
        victim.unlink()


@pytest.mark.faults("F40")
def test_nobody_else_may_open_the_file_whatever_the_umask_is(
    program: Program, rank_0: dict[str, str], tmp_path: Path
) -> None:
    source = "    import os; os.umask(0)\n" + COUNT
    for directory in (None, str(tmp_path)):
        # Where `/dev/shm` refuses the name, the file lies elsewhere.
        env = {**rank_0, **({"TMPDIR": directory} if directory else {})}
        command = program(source)
        if directory:
            setup = 'mount -t tmpfs -o ro tmpfs /dev/shm && exec "$@"'
            command = [programs.needs("unshare"), "-m", "sh", "-ec", setup, "sh", *command]
        process = programs.run(command, env=env)
        if "unshare:" in process.stderr or "mount:" in process.stderr:
            pytest.skip("no mount namespace here")
        n, place, mode = process.stdout.split()
        assert (n, mode) == ("12", "0o100600")
        assert place.startswith(directory or "/dev/shm/")


# F33: what is no segment of this job, or is one of the dead.


def forgeries(chance: random.Random, whole: bytes) -> Iterator[bytes]:
    """Contents without end that a file under the name could have."""

    def patched(at: int, new: bytes) -> bytes:
        return whole[:at] + new + whole[at + len(new) :]

    while True:
        yield b""
        yield whole[: chance.randrange(1, SEGMENT_BYTES)]
        yield bytes(SEGMENT_BYTES)
        yield chance.randbytes(SEGMENT_BYTES)
        yield whole + bytes(4096)
        yield patched(0, chance.randbytes(4))
        yield patched(VERSION_AT, struct.pack("<I", chance.randrange(2, 1 << 32)))
        yield patched(12, chance.randbytes(4))
        yield patched(JOB_AT, chance.randbytes(8))
        # Whole, of this job and version: what a killed job leaves, and nonsense in it.
        yield whole
        yield patched(TABLES_AT, chance.randbytes(SEGMENT_BYTES - TABLES_AT))


def copy_of_a_segment(program: Program, rank_0: dict[str, str]) -> bytes:
    """The bytes of a segment that is in use, with a bar and a count in it."""
    source = "    import sys; sys.exit = print\n" + COUNT.replace(
        "place = _job._place[2]",
        "place = _job._place[2]; sys.stdout.buffer.write(open(place, 'rb').read()); os._exit(0)",
    )
    process = subprocess.run(program(source), env=rank_0, capture_output=True, check=True)
    # It left by `os._exit`: the next program replaces it.
    assert_counted(programs.run(program(COUNT), env=rank_0), place_of(program, rank_0))
    return process.stdout


def place_of(program: Program, rank_0: dict[str, str]) -> str:
    return programs.run(program(COUNT), env=rank_0).stdout.split()[1]


@pytest.mark.faults("F33")
@pytest.mark.timeout(200)
@pytest.mark.slow
@pytest.mark.once
def test_a_file_that_nobody_uses_is_replaced_and_not_written_to(
    program: Program, rank_0: dict[str, str], name: Path, rounds: Rounds
) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 - no secret
    whole = copy_of_a_segment(program, rank_0)
    assert len(whole) == SEGMENT_BYTES
    command = program(COUNT)
    contents = forgeries(random.Random(seed), whole)  # noqa: S311 - no secret
    for round_, content in zip(range(rounds(110, 1000)), contents, strict=False):
        # Kept open from the start: any program of the machine may sweep what nobody uses.
        strange = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with open(strange, "r+b") as file:
            file.write(content)
            file.flush()
            process = programs.run(command, env=rank_0)
            message = f"seed {seed}, round {round_}"
            assert assert_counted(process, name) == [], message
            file.seek(0)
            assert file.read() == content, message
            assert os.fstat(file.fileno()).st_nlink == 0, message
        assert not name.exists(), message


STAY = """
    import sys
    from mp_tqdm import mp_tqdm, _job
    bar = mp_tqdm(total=20)
    bar.update(5)
    print(_job._place[2], flush=True)
    sys.stdin.readline()
    print(bar.n)
"""


@pytest.mark.faults("F33")
def test_a_segment_of_another_version_in_use_is_left_alone_with_a_warning_of_both(
    program: Program, tmp_path: Path
) -> None:
    first, second = (
        programs.environment(
            MP_TQDM_MODE="off",
            XDG_RUNTIME_DIR=None,
            TMPDIR=None,
            **programs.rank_variables(tmp_path, rank, 2),
        )
        for rank in range(2)
    )
    with subprocess.Popen(
        program(STAY), env=first, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        place = Path(other.stdout.readline().strip())
        header = place.read_bytes()[: VERSION_AT + 4]
        (ours,) = struct.unpack_from("<I", header, VERSION_AT)
        with open(place, "r+b") as file:
            file.seek(VERSION_AT)
            file.write(struct.pack("<I", 77))
        next_place = Path("/tmp", place.name)
        (warning,) = assert_counted(programs.run(program(COUNT), env=second), next_place)
        assert f"the segment has layout version 77, this process expects version {ours}" in warning
        assert place.exists()
        output, _ = other.communicate("\n")
    assert output == "5\n"
    assert not place.exists()


@pytest.mark.faults("F33")
@pytest.mark.timeout(200)
@pytest.mark.once
def test_a_creator_that_is_killed_at_any_step_stops_nobody(
    program: Program, rank_0: dict[str, str], name: Path
) -> None:
    command = program(COUNT)
    watched = trace(command, env=rank_0)
    mine = watched.between("begin", "end")
    thread = mine[0].thread
    calls = [call for call in watched.calls if call.thread == thread]
    first = next(index for index, call in enumerate(calls) if call is mine[0])
    making = ("statfs", "fallocate", "linkat", "fcntl", "unlink", "ftruncate")
    steps = [
        (call.name, sum(one.name == call.name for one in calls[: first + index + 1]))
        for index, call in enumerate(mine)
        if call.name in making or str(name.parent) in call.text or "MAP_SHARED" in call.text
    ]
    assert {"fallocate", "linkat", "fcntl", "mmap"} <= {kind for kind, _ in steps}
    found_something = 0
    for kind, count in steps:
        killed = trace(command, inject=[f"{kind}:signal=KILL:when={count}"], env=rank_0)
        assert killed.process.returncode == -9, (kind, count, killed.process.stdout)
        found_something += name.exists()
        assert assert_counted(programs.run(command, env=rank_0), name) == [], (kind, count)
        assert not name.exists(), (kind, count)
        left = [path.name for path in name.parent.glob(f"mp_tqdm-{os.getuid()}-new-*")]
        assert left == [], (kind, count)
    assert found_something


# F35: the name goes while the segment is in use.

GO_ON = """
    import os, sys
    from mp_tqdm import mp_tqdm, report_progress, _job
    bar = mp_tqdm(key="job", reduce="sum", total=100)
    report_progress()
    print(_job._place[2], flush=True)
    for line in sys.stdin:
        if line == "n\\n":
            print(bar.n, flush=True)
            continue
        report_progress(10)
        child = os.fork()
        if not child:
            report_progress(5)
            os._exit(0)
        os.waitpid(child, 0)
        print("counted", flush=True)
"""


@pytest.mark.faults("F35")
def test_who_is_attached_goes_on_after_the_name_was_deleted(
    program: Program, tmp_path: Path
) -> None:
    command = program(GO_ON)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    ranks = []
    with contextlib.ExitStack() as stack:
        for rank in range(2):
            variables = programs.rank_variables(tmp_path, rank, 3)
            env = programs.environment(MP_TQDM_MODE="off", **variables)
            ranks.append(
                stack.enter_context(subprocess.Popen(command, env=env, text=True, **pipes))
            )

        def ask(rank: int, line: str) -> str:
            process = ranks[rank]
            assert process.stdin
            assert process.stdout
            process.stdin.write(line)
            process.stdin.flush()
            return process.stdout.readline().strip()

        places = {ask(rank, "") for rank in range(2)}
        (place,) = places
        os.unlink(place)
        assert [ask(rank, "count\n") for rank in range(2)] == ["counted", "counted"]
        assert [ask(rank, "n\n") for rank in range(2)] == ["32", "32"]
        # Who comes now makes another segment; nobody removes that by mistake.
        variables = programs.rank_variables(tmp_path, 2, 3)
        late = programs.run(command, env=programs.environment(**variables))
        assert late.stdout.strip() == place
        for process in ranks:
            process.communicate()
            assert process.returncode == 0
    assert not os.path.exists(place)
