"""What happens to a process or to the shared memory: counting goes on, and nothing is left."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]


def sweep(program: Program) -> None:
    """The next program on the machine removes the memory of those that were killed."""
    assert programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)")).returncode == 0


@pytest.mark.faults("F1")
def test_a_worker_killed_while_counting_leaves_what_it_counted(program: Program) -> None:
    # Each worker acknowledges its counts in a file of its own; one may be in flight per kill.
    process = programs.run(
        program("""
            import mmap, os, random, signal, time
            from mp_tqdm import mp_tqdm, report_progress
            seed = time.time_ns()
            chance = random.Random(seed)
            bar = mp_tqdm()
            acknowledged = 0
            for kill in range(60):
                log = mmap.mmap(-1, 8)
                child = os.fork()
                if not child:
                    count = 0
                    while True:
                        report_progress()
                        count += 1
                        log[:] = count.to_bytes(8, "little")
                while not int.from_bytes(log[:], "little") > chance.randrange(1, 3000):
                    pass
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                acknowledged += int.from_bytes(log[:], "little")
            print(0 <= bar.n - acknowledged <= 60, bar.n, acknowledged, seed)
        """),
        env=programs.environment(MP_TQDM_MODE="off"),
    )
    assert process.stdout.startswith("True"), process.stdout + process.stderr


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


def in_namespace(setup: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command with mounts of its own, after a shell script prepared them."""
    unshare = programs.needs("unshare")
    probe = programs.run([unshare, "-m", "true"])
    if probe.returncode:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    return programs.run(
        [unshare, "-m", "sh", "-ec", f'{setup}\nexec "$@"', "sh", *command],
        env=programs.environment(MP_TQDM_MODE="off", XDG_RUNTIME_DIR=None, TMPDIR=None),
    )


SEGMENTS = {
    "full": "mount -t tmpfs -o size=64k tmpfs /dev/shm",
    "read-only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "a file": "mount --bind /etc/passwd /dev/shm || mount -t tmpfs -o ro tmpfs /dev/shm",
}


@pytest.mark.faults("F27")
@pytest.mark.parametrize("setup", SEGMENTS.values(), ids=SEGMENTS)
def test_where_dev_shm_is_of_no_use_the_next_place_is_taken(program: Program, setup: str) -> None:
    process = in_namespace(setup, program(COUNT))
    assert process.returncode == 0, process.stderr
    place, n, total, warned, *words = process.stdout.split()
    assert place in {"memfd", "private"}
    assert int(total) == 100
    # Fork children count in a nameless file as well.
    assert int(n) == (12 if place == "memfd" else 5)
    assert warned == "1", process.stdout
    assert "shared memory" in " ".join(words)


def test_another_directory_comes_before_a_nameless_file(program: Program, tmp_path: Path) -> None:
    unshare = programs.needs("unshare")
    if programs.run([unshare, "-m", "true"]).returncode:
        pytest.skip("no mount namespace here")
    process = programs.run(
        [unshare, "-m", "sh", "-ec", f'{SEGMENTS["read-only"]}\nexec "$@"', "sh", *program(COUNT)],
        env=programs.environment(MP_TQDM_MODE="off", XDG_RUNTIME_DIR=None, TMPDIR=str(tmp_path)),
    )
    assert process.returncode == 0, process.stderr
    place, n, total, warned, *_ = process.stdout.split()
    assert place.startswith(str(tmp_path))
    assert (n, total, warned) == ("12", "100", "0")
    assert list(tmp_path.glob("mp_tqdm-*")) == []


EXITS = {
    "returns": ("pass", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "raises": ("raise KeyError(1)", 1),
    "os._exit": ("os._exit(4)", 4),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "abort": ("faulthandler.disable(); os.abort()", -signal.SIGABRT),
}


@pytest.mark.parametrize(("ending", "code"), EXITS.values(), ids=EXITS)
def test_the_exit_code_is_as_without_a_bar(program: Program, ending: str, code: int) -> None:
    source = f"""
import faulthandler, os, signal, sys
from mp_tqdm import mp_tqdm
for item in mp_tqdm(range(100)):
    if item == 50:
        {ending}
"""
    for env in (programs.environment(), programs.environment(MP_TQDM_MODE="tty")):
        process = programs.run(program(source), env=env)
        assert process.returncode == code, process.stderr
    sweep(program)


def test_memory_of_killed_programs_is_swept_by_the_next(program: Program) -> None:
    process = programs.run(
        program("""
            import os, signal
            from mp_tqdm import mp_tqdm, _job
            bar = mp_tqdm(total=3)
            bar.update()
            print(_job._place[2], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    )
    left = process.stdout.strip()
    sweep(program)
    assert re.match(r"/dev/shm/mp_tqdm-\d+-[0-9a-f]{16}$", left)
    assert not os.path.exists(left)


def test_a_segment_that_is_deleted_while_in_use_goes_on_counting(program: Program) -> None:
    process = programs.run(
        program("""
            import os
            from mp_tqdm import mp_tqdm, report_progress, _job
            bar = mp_tqdm()
            report_progress()
            os.unlink(_job._place[2])
            child = os.fork()
            if not child:
                report_progress(5)
                os._exit(0)
            os.waitpid(child, 0)
            report_progress()
            print(bar.n)
        """),
        env=programs.environment(MP_TQDM_MODE="off"),
    )
    assert process.stdout == "7\n", process.stderr


def test_without_descriptors_counting_works(program: Program) -> None:
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("prlimit is not installed")
    process = programs.run(
        program("""
            import resource
            import multiprocessing, hashlib, tempfile, warnings
            warnings.simplefilter("ignore")
            from mp_tqdm import mp_tqdm, report_progress, _job, _env
            resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
            with mp_tqdm(total=3) as bar:
                bar.update(2)
                report_progress()
                print(bar.n)
        """)
    )
    assert process.stdout == "3\n", process.stderr
    assert process.returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux")
def test_nothing_is_left_after_a_program(program: Program) -> None:
    process = programs.run(
        program("""
            import os
            from mp_tqdm import mp_tqdm, report_progress, _job
            for _ in mp_tqdm(range(10)):
                report_progress()
            print(_job._place[2])
        """)
    )
    assert process.returncode == 0
    assert not os.path.exists(process.stdout.strip())
