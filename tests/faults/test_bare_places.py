"""Where the usual place, `/proc` or a system call is missing, workers of all kinds count still."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.system_calls import trace

pytestmark = [pytest.mark.faults("F111"), pytest.mark.once]

Program = Callable[..., list[str]]

COUNT = """
    import multiprocessing, os, sys, warnings
    warnings.simplefilter("error")
    from mp_tqdm import mp_tqdm, report_progress, _job

    def work(n):
        report_progress(n)

    if __name__ == "__main__":
        with mp_tqdm(total=20) as bar:
            if sys.argv[1] == "os.fork":
                if not os.fork():
                    work(5)
                    if not os.fork():
                        work(2)
                        os._exit(0)
                    os.wait()
                    os._exit(0)
                os.wait()
            else:
                context = multiprocessing.get_context(sys.argv[1])
                for n in (3, 4):
                    worker = context.Process(target=work, args=(n,))
                    worker.start()
                    worker.join()
            print(_job._place[2], bar.n)
"""


def mounted(setup: str, command: list[str]) -> list[str]:
    """A command with mounts of its own, which a shell script makes."""
    unshare = programs.needs("unshare")
    if programs.run([unshare, "-m", "true"]).returncode:
        pytest.skip("no mount namespace here")
    return [unshare, "-m", "sh", "-ec", f'{setup}\nexec "$@"', "sh", *command]


def environment(**changes: str | None) -> dict[str, str]:
    nowhere: dict[str, str | None] = {"XDG_RUNTIME_DIR": None, "TMPDIR": None}
    return programs.environment(MP_TQDM_MODE="off", **nowhere | changes)


def assert_counted(command: list[str], directory: str, **changes: str | None) -> None:
    process = programs.run(command, env=environment(**changes))
    assert (process.returncode, process.stderr) == (0, "")
    place, n = process.stdout.split()
    assert Path(place).parent == Path(directory)
    assert n == "7"
    assert not Path(place).exists()


NO_SHM = "mount -t tmpfs -o ro tmpfs /dev/shm"


def test_the_next_places_are_those_of_the_session_and_the_temporary_ones(
    program: Program, tmp_path: Path
) -> None:
    session, temporary, nowhere = tmp_path / "session", tmp_path / "temporary", tmp_path / "no"
    session.mkdir()
    temporary.mkdir()
    command = mounted(NO_SHM, program(COUNT, "spawn"))
    both = {"XDG_RUNTIME_DIR": str(session), "TMPDIR": str(temporary)}
    assert_counted(program(COUNT, "spawn"), "/dev/shm", **both)
    assert_counted(command, str(session), **both)
    assert_counted(command, str(temporary), **both | {"XDG_RUNTIME_DIR": str(nowhere)})
    assert_counted(command, "/tmp", XDG_RUNTIME_DIR=str(nowhere), TMPDIR=str(nowhere))


NO_PROC = "mount -t tmpfs tmpfs /proc"
BARE = {
    "no /dev/shm": (NO_SHM, "/tmp"),
    "no /proc": (NO_PROC, "/dev/shm"),
    "memory that reserves nothing": ("mount -t ramfs ramfs /dev/shm", "/dev/shm"),
    "neither": (f"{NO_PROC}\nmount -t ramfs ramfs /dev/shm", "/dev/shm"),
}


@pytest.mark.parametrize("method", ["os.fork", *programs.START_METHODS])
@pytest.mark.parametrize(("setup", "directory"), BARE.values(), ids=BARE)
def test_workers_count_where_a_part_of_the_machine_is_missing(
    program: Program, setup: str, directory: str, method: str
) -> None:
    assert_counted(mounted(setup, program(COUNT, method)), directory)


REFUSED = {
    "fallocate": ["fallocate:error=EOPNOTSUPP"],
    "fallocate, by a signal": ["fallocate:error=EINTR"],
    "linkat": ["linkat:error=EPERM"],
    "renameat2": ["renameat2:error=EINVAL", "linkat:error=ENOENT:when=1..2"],
    "statfs": ["statfs:error=ENOSYS"],
    "all": ["fallocate:error=ENOSYS", "linkat:error=EPERM", "statfs:error=EPERM"],
}


@pytest.mark.parametrize("inject", REFUSED.values(), ids=REFUSED)
def test_workers_count_where_a_system_call_is_refused(program: Program, inject: list[str]) -> None:
    process = trace(program(COUNT, "spawn"), inject=inject, env=environment()).process
    assert (process.returncode, process.stderr) == (0, "")
    place, n = process.stdout.split()
    assert (Path(place).parent, n) == (Path("/dev/shm"), "7")


def test_a_full_place_that_reserves_nothing_kills_nobody(program: Program) -> None:
    setup = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    command = mounted(setup, program(COUNT, "spawn"))
    process = trace(command, inject=["fallocate:error=EOPNOTSUPP"], env=environment()).process
    assert (process.returncode, process.stderr) == (0, "")
    place, n = process.stdout.split()
    assert (Path(place).parent, n) == (Path("/tmp"), "7")
