"""What stays in `/dev/shm`, and what becomes of those that find it or are still in it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import programs
from support.layout import SEGMENT_BYTES

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]

# Jobs of others on the machine would remove what is left.
APART = 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm\nexec "$@"'

LEAVE = """
    import os, signal, sys
    from mp_tqdm import mp_tqdm, report_progress

    def count_on(bar):
        report_progress(2)
        if not os.fork():
            report_progress(3)
            os._exit(0)
        os.wait()
        assert bar.n == 6, bar.n

    bar = mp_tqdm(total=10)
    bar.update()
    {
        "setuid": lambda: os.setuid(65534),
        "chroot": lambda: os.chroot(sys.argv[2]),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    }[sys.argv[1]]()
    count_on(bar)
"""
AND_THEN = """
    import os, subprocess, sys

    def names():
        return [name for name in os.listdir("/dev/shm") if name.startswith("mp_tqdm-")]

    code = subprocess.run(sys.argv[1:]).returncode
    left = names()
    subprocess.run([sys.executable, "-c", "import mp_tqdm; mp_tqdm.mp_tqdm().close()"], check=True)
    print(code, len(left), names())
"""


@pytest.mark.faults("F131")
@pytest.mark.parametrize("way", ["setuid", "chroot", "exec", "SIGTERM"])
def test_what_a_program_cannot_remove_the_next_job_of_its_user_does(
    program: Program, tmp_path: Path, way: str
) -> None:
    unshare = programs.needs("unshare")
    if programs.run([unshare, "-m", "true"]).returncode or os.getuid():
        pytest.skip("only root changes its user, its root and its mounts")
    command = program(AND_THEN, *program(LEAVE, way, str(tmp_path)))
    command = [unshare, "-m", "sh", "-ec", APART, "sh", *command]
    process = programs.run(command, env=programs.environment(MP_TQDM_MODE="off"))
    assert process.stderr == ""
    code, left, names = process.stdout.split(maxsplit=2)
    assert int(code) == (-signal.SIGTERM if way == "SIGTERM" else 0)
    assert (left, names.strip()) == ("1", "[]")


STAY = """
    import sys
    from mp_tqdm import mp_tqdm, _job
    bar = mp_tqdm(total=20)
    bar.update(5)
    print(_job._place[2], flush=True)
    sys.stdin.readline()
"""
COME = """
    import sys
    from mp_tqdm import _core, _job, mp_tqdm, report_progress
    print(_core.observe(sys.argv[1]))
    with mp_tqdm(total=20) as bar:
        bar.update(3)
        report_progress(4)
        print(bar.n, _job._place[2])
"""


@contextmanager
def stopped(command: list[str], env: dict[str, str]) -> Iterator[Path]:
    """A program that has a bar open and touches nothing any more; where its segment is."""
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        place = Path(process.stdout.readline().strip())
        try:
            process.send_signal(signal.SIGSTOP)
            yield place
        finally:
            process.kill()


CUTS = {
    "to nothing": (0,),
    "to its header": (4096,),
    "to nothing, and made longer again": (0, SEGMENT_BYTES),
}


@pytest.mark.faults("F112")
@pytest.mark.parametrize("sizes", CUTS.values(), ids=CUTS)
def test_nobody_who_comes_later_touches_a_segment_that_was_cut(
    program: Program, tmp_path: Path, sizes: tuple[int, ...]
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
    with stopped(program(STAY), first) as place:
        for size in sizes:
            os.truncate(place, size)
        come = programs.run(program(COME, str(place)), env=second)
        assert come.returncode == 0, come.stderr
        seen, counted = come.stdout.splitlines()
        assert not seen.startswith("{"), seen
        # It is in use, so its name is left alone, and this is said.
        assert counted == f"7 /tmp/{place.name}"
        assert come.stderr.count("TqdmWarning") == 1, come.stderr
        assert "a better place was refused" in come.stderr
        assert place.stat().st_size == sizes[-1]
    come = programs.run(program(COME, str(place)), env=second)
    assert (come.returncode, come.stderr) == (0, "")
    assert come.stdout.splitlines()[1] == f"7 {place}"
    assert not place.exists()


@pytest.mark.faults("F112")
def test_who_is_in_a_segment_that_is_cut_is_ended_by_the_kernel(program: Program) -> None:
    # What docs/faults.md has to say of it as long as it is so.
    process = programs.run(
        program("""
            import os, resource
            from mp_tqdm import mp_tqdm, _job
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            bar = mp_tqdm(total=20)
            os.truncate(_job._place[2], 0)
            bar.update()
        """),
        env=programs.environment(MP_TQDM_MODE="off", PYTHONFAULTHANDLER=None),
    )
    assert process.returncode == -signal.SIGBUS
    programs.sweep()
