"""What happens to a process or to the shared memory: counting goes on, and nothing is left."""

import os
import re
import signal
import sys
from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]


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
    programs.sweep()


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
    programs.sweep()
    assert re.match(r"/dev/shm/mp_tqdm-\d+-[0-9a-f]{16}$", left)
    assert not os.path.exists(left)


@pytest.mark.faults("F70")
def test_what_workers_left_is_swept_once_their_program_was_killed(program: Program) -> None:
    # The program is known by what it is called, among others: this name is no text.
    process = programs.run(
        program("""
            import ctypes, os, signal
            from mp_tqdm import mp_tqdm, _core, _job
            ctypes.CDLL(None).prctl(15, b"\\xff) Z (\\xfe", 0, 0, 0)  # PR_SET_NAME
            child = os.fork()
            if not child:
                mp_tqdm(total=3).update()
                print(_job._place[2], flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            place = _job.segment(_job.who().job)
            seen = _core.observe(place)
            print(place, seen["in_use"], seen["awaited_by"] == os.getpid(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    )
    left, seen = process.stdout.splitlines()
    assert seen == f"{left} False True"
    programs.sweep()
    assert not os.path.exists(left)


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
