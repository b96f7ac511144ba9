"""Where shared memory cannot be had as it should: counting works, and one warning says why."""

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]

COUNT = """
    import os, warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from mp_tqdm import mp_tqdm, report_progress, _job
        total = 0
        with mp_tqdm(total=20) as bar:
            report_progress(5)
            child = os.fork()
            if not child:
                report_progress(7)
                os._exit(0)
            os.waitpid(child, 0)
            for _ in mp_tqdm(range(100)):
                total += 1
            n = bar.n
    print(_job._place[2], n, total, len(caught), *[str(one.message)[:60] for one in caught])
"""


def in_namespace(
    setup: str, command: list[str], **changes: str | None
) -> subprocess.CompletedProcess[str]:
    """Runs a command with mounts of its own, after a shell script prepared them.

    Nothing can be written to `/tmp`, but below a mount of the script.
    """
    unshare = programs.needs("unshare")
    probe = programs.run([unshare, "-m", "true"])
    if probe.returncode:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    nowhere: dict[str, str | None] = {"XDG_RUNTIME_DIR": None, "TMPDIR": None}
    return programs.run(
        [unshare, "-m", "sh", "-ec", f'{setup}\n{READ_ONLY_TMP}\nexec "$@"', "sh", *command],
        env=programs.environment(MP_TQDM_MODE="off", **nowhere | changes),
    )


READ_ONLY_TMP = "mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp"
FULL = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
READ_ONLY = "mount -t tmpfs -o ro tmpfs /dev/shm"
USELESS = {
    "read-only": READ_ONLY,
    "missing": "mount -t tmpfs tmpfs /dev",
    "a file": "mount -t tmpfs tmpfs /dev && touch /dev/shm",
    "without room for a name": "mount -t tmpfs -o nr_inodes=1 tmpfs /dev/shm",
    "of another user": "mount -t tmpfs -o mode=0700,uid=65534 tmpfs /dev/shm",
}


def assert_counted(process: subprocess.CompletedProcess[str]) -> None:
    """What `COUNT` must have printed wherever no file could be had."""
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    place, n, total, warned, *words = process.stdout.split()
    assert place in {"memfd", "private"}
    assert int(total) == 100
    # Fork children count in a nameless file as well.
    assert int(n) == (12 if place == "memfd" else 5)
    assert warned == "1", process.stdout
    assert "shared memory" in " ".join(words)


@pytest.mark.faults("F27")
def test_where_dev_shm_is_full_the_next_place_is_taken(program: Program) -> None:
    assert_counted(in_namespace(FULL, program(COUNT)))


@pytest.mark.faults("F27")
def test_where_every_place_is_full_nobody_dies_of_it(program: Program, tmp_path: Path) -> None:
    # Not even later, at the first touch of a page that was not there: 128 bars fill their pages.
    source = COUNT + "    bars = [mp_tqdm(total=1, key=str(one)) for one in range(128)]\n"
    small = tmp_path / "small"
    small.mkdir()
    setup = f"{FULL}\nmount -t tmpfs -o size=64k tmpfs {small}"
    assert_counted(in_namespace(setup, program(source), TMPDIR=str(small)))


@pytest.mark.faults("F28")
@pytest.mark.parametrize("setup", USELESS.values(), ids=USELESS)
def test_where_dev_shm_is_of_no_use_the_next_place_is_taken(program: Program, setup: str) -> None:
    setpriv = programs.needs("setpriv")
    # Root may do in any directory what it likes, unless it gives that up.
    unprivileged = [setpriv, "--bounding-set", "-dac_override,-dac_read_search"]
    assert_counted(in_namespace(setup, [*unprivileged, *program(COUNT)]))


ALONE = """
    import os, time
    from mp_tqdm import mp_tqdm

    began = time.monotonic()
    bar = mp_tqdm(total=10**6, desc=f"of {os.environ['RANK']}")
    # It takes a millisecond; whoever waits for others does so for seconds.
    assert time.monotonic() - began < 2
    while not os.path.exists(f"{os.path.dirname(__file__)}/end"):
        bar.update()
        time.sleep(0.01)
    bar.close()
"""


@pytest.mark.faults("F29")
@pytest.mark.slow
@pytest.mark.once
def test_ranks_that_do_not_see_each_other_say_so_and_do_not_wait(
    program: Program, tmp_path: Path
) -> None:
    unshare = programs.needs("unshare")
    if programs.run([unshare, "-m", "true"]).returncode:
        pytest.skip("no mount namespace here")
    setup = 'mount -t tmpfs tmpfs /dev/shm\nexec "$@"'
    with Terminal() as terminal:
        for rank in range(2):
            variables = programs.rank_variables(tmp_path, rank, 8)
            command = [unshare, "-m", "sh", "-ec", setup, "sh", *program(ALONE)]
            terminal.start(command, env=programs.environment(**variables))
        # Rank 0 may as well be the only one that has a bar at all.
        terminal.wait_for(lambda screen: "of 0" in screen.text())
        terminal.wait_for(lambda screen: "1/8 visible" in screen.text())
        (tmp_path / "end").touch()
        assert terminal.wait() == 0, terminal.text()


# Of x86-64, from asm/unistd_64.h.
NUMBERS = {
    "mmap": 9,
    "ioctl": 16,
    "madvise": 28,
    "clone": 56,
    "fcntl": 72,
    "linkat": 265,
    "fallocate": 285,
    "renameat2": 316,
    "memfd_create": 319,
    "clone3": 435,
}
OF_FILES = ("fallocate", "linkat", "renameat2", "fcntl", "memfd_create")
SHARED_MAPPING = ("mmap", 3, 1)  # flags & MAP_SHARED
A_THREAD = ("clone", 0, 0x10000)  # flags & CLONE_THREAD
# What a sandbox refuses: a system call, or that call where an argument has a bit.
# Each with the place that is left for the segment.
REFUSED = {
    "fallocate": (["fallocate"], "file"),
    "linkat": (["linkat"], "file"),
    "linkat and renameat2": (["linkat", "renameat2"], "memfd"),
    "fcntl": (["fcntl"], "private"),
    "locks of open files": ([("fcntl", 1, 0x20)], "file"),
    "memfd_create": (["memfd_create"], "file"),
    "names and memfd_create": (["linkat", "renameat2", "memfd_create"], "private"),
    "shared mappings": ([SHARED_MAPPING], "private"),
    "wiping at a fork": (["madvise"], "file"),
    "threads": ([A_THREAD], "file"),
    "ioctl": (["ioctl"], "file"),
    "everything": (
        [*OF_FILES, SHARED_MAPPING, "madvise", A_THREAD],
        "private",
    ),
}

SANDBOX = """
    import ctypes, errno, struct

    def refuse(calls):
        '''Has the kernel answer EPERM: a filter of seccomp, as container engines install.'''
        LOAD, EQUAL, HAS_BITS, RETURN = 0x20, 0x15, 0x45, 0x06
        ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
        program = [(LOAD, 0, 0, 0)]
        for number, argument, bits in calls:
            if bits:
                program += [(EQUAL, 0, 4, number), (LOAD, 0, 0, 16 + 8 * argument),
                            (HAS_BITS, 0, 1, bits), (RETURN, 0, 0, EPERM), (LOAD, 0, 0, 0)]
            else:
                program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, EPERM)]
        # Its flags lie in memory, where no filter sees them; libc takes clone where it is missing.
        program += [(EQUAL, 0, 1, 435), (RETURN, 0, 0, ENOSYS), (RETURN, 0, 0, ALLOW)]
        code = b"".join(struct.pack("HBBI", *step) for step in program)
        buffer = ctypes.create_string_buffer(code)
        filter = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP

    refuse({calls})
"""


@pytest.mark.faults("F31")
@pytest.mark.once
@pytest.mark.parametrize(("refused", "left"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("on", ["terminal", "pipe"])
def test_what_a_sandbox_refuses_never_stops_the_counting(
    terminal: Terminal,
    program: Program,
    refused: list[str | tuple[str, int, int]],
    left: str,
    on: str,
) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the numbers of the system calls are those of x86-64")
    rules = [one if isinstance(one, tuple) else (one, 0, 0) for one in refused]
    calls = [(NUMBERS[name], argument, bits) for name, argument, bits in rules]
    command = program(SANDBOX.replace("{calls}", repr(calls)) + COUNT)
    env = programs.environment(XDG_RUNTIME_DIR=None, TMPDIR=None)
    if on == "terminal":
        terminal.start(command, env=env)
        assert terminal.wait() == 0, terminal.text()
        last = terminal.lines()[-1]
    else:
        process = programs.run(command, env=env)
        assert process.returncode == 0, process.stderr
        assert "Traceback" not in process.stderr
        last = process.stdout
    place, n, total, warned, *_ = last.split()
    assert place == left or (left == "file" and place.startswith("/dev/shm/")), last
    assert int(total) == 100
    assert int(n) == (5 if place == "private" else 12), last
    assert int(warned) == (place in {"memfd", "private"}), last


@pytest.mark.faults("F31")
@pytest.mark.parametrize("limit", [4, 6, 8, 16, 63, 66])
def test_without_descriptors_counting_works(
    terminal: Terminal, program: Program, limit: int
) -> None:
    terminal.start(
        program(
            """
            import resource, sys, warnings
            import encodings.idna, hashlib, multiprocessing, tempfile
            warnings.simplefilter("ignore")
            from mp_tqdm import mp_tqdm, report_progress, _job, _env
            limit = int(sys.argv[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            with mp_tqdm(total=3) as bar:
                bar.update(2)
                report_progress()
                n = bar.n
            print(n)
            """,
            str(limit),
        )
    )
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "3", terminal.text()
