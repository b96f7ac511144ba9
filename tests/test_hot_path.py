"""What a count costs the thread that counts: no system call, and no count is lost."""

from collections.abc import Callable

import pytest

from support import programs
from support.system_calls import trace

Program = Callable[..., list[str]]

LOOPS = {
    "iterate": "for _ in zip(range(N), iterator): pass",
    "update": "for _ in range(N): bars[1].update()",
    "update of 2": "for _ in range(N): bars[1].update(2)",
    "report": "for _ in range(N): report_progress()",
    "report of 2": "for _ in range(N): report_progress(2)",
    "update with a float": "for _ in range(N): bars[1].update(0.5)",
    "n += 1": "for _ in range(N // 10): bars[1].n += 1",
    "read n": "for _ in range(N // 10): bars[1].n",
    "update off": "for _ in range(N): bars[2].update()",
}


@pytest.mark.once
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("mode", ["off", "tty"])
def test_a_million_counts_make_no_system_call(program: Program, loop: str, mode: str) -> None:
    source = f"""
import gc, itertools, os, sys
from mp_tqdm import mp_tqdm, report_progress
N = 1_000_000
master, slave = os.openpty()
file = open(slave, "w", encoding="utf-8")
bars = [mp_tqdm(itertools.repeat(None), file=file), mp_tqdm(total=N, file=file),
        mp_tqdm(total=N, disable=True)]
bars[1].update()
iterator = iter(bars[0])
for _ in zip(range(3), iterator): pass
report_progress()
gc.disable()
os.path.exists("/mark/begin")
{loop}
os.path.exists("/mark/end")
print(bars[0].n + bars[1].n)
"""
    traced = trace(program(source), env=programs.environment(MP_TQDM_MODE=mode))
    assert traced.process.returncode == 0, traced.process.stderr
    calls = traced.between("begin", "end")
    # The interpreter's own memory is no cost of a count.
    assert [call for call in calls if call.name not in {"mmap", "munmap", "brk"}] == []


def test_a_signal_handler_may_count(program: Program) -> None:
    process = programs.run(
        program("""
            import signal
            from mp_tqdm import mp_tqdm, report_progress
            bar = mp_tqdm()
            fired = 0
            def handler(*_):
                global fired
                fired += 1
                bar.update()
                report_progress()
                bar.refresh()
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            loops = 0
            while fired < 500:
                bar.update()
                loops += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(bar.n == loops + 2 * fired)
        """),
        env=programs.environment(MP_TQDM_MODE="off"),
    )
    assert process.stdout == "True\n", process.stderr
