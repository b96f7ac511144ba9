"""From construction to collection: closing, resetting, copying, and what is left of bars."""

import copy
import gc
import os
import pickle
import random
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from mp_tqdm import mp_tqdm, report_progress
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def test_what_comes_after_the_end_does_nothing() -> None:
    bar = mp_tqdm(total=5)
    bar.update(2)
    bar.close()
    bar.close()
    assert bar.update(7) is None
    bar.refresh()
    bar.clear()
    bar.unpause()
    bar.set_description("x")
    bar.set_postfix(a=1)
    bar.set_postfix_str("y")
    bar.display()
    with bar:
        bar.update()
    assert bar.n == 2
    assert bar.total == 5
    assert str(bar)


def test_reset_starts_again() -> None:
    bar = mp_tqdm(total=5, initial=2)
    bar.update(2)
    bar.reset()
    assert (bar.n, bar.total) == (0, 5)
    bar.update(3)
    bar.reset(total=9)
    assert (bar.n, bar.total) == (0, 9)
    report_progress(4)
    assert bar.n == 4
    bar.close()
    bar.reset(total=3)
    bar.update()
    assert (bar.n, bar.total, bar.disable) == (1, 3, False)
    bar.close()


def test_a_collected_bar_is_closed() -> None:
    bar = mp_tqdm()
    gone = weakref.ref(bar)
    with mp_tqdm() as other:
        del bar
        assert gone() is None
        report_progress()
        assert other.n == 1


def test_bars_in_cycles_are_collected() -> None:
    gone = []
    for _ in range(50):
        bar: Any = mp_tqdm(range(3))
        bar.self = bar
        bar.iterator = iter(bar)
        next(bar.iterator)
        gone.append(weakref.ref(bar))
    del bar
    gc.collect()
    assert [reference() for reference in gone] == [None] * 50


def test_bars_collected_in_any_order_leave_nothing() -> None:
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)  # noqa: S311 - no secret
    bars: list[Any] = []
    for step in range(2000):
        if bars and chance.random() < 0.5:
            bars.pop(chance.randrange(len(bars)))
        else:
            bars.append(mp_tqdm(range(10)) if chance.random() < 0.5 else mp_tqdm(total=10))
            bars[-1].update(step)
            assert bars[-1].n == step
        if chance.random() < 0.1 and bars:
            chance.choice(bars).close()
    bars.clear()
    with mp_tqdm() as bar:
        report_progress(3)
        assert bar.n == 3


def through_pickle(bar: Any) -> Any:
    return pickle.loads(pickle.dumps(bar))  # noqa: S301 - our own


def test_a_copy_adds_to_the_same_bar_and_ends_alone() -> None:
    bar = mp_tqdm(total=10, desc="original")
    makers: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, through_pickle]
    for make in makers:
        other = make(bar)
        before = bar.n
        other.update(2)
        assert bar.n == before + 2
        assert other.desc == "original"
        assert other.total == 10
        other.close()
        other.update(5)
        del other
        assert bar.n == before + 2
        assert not bar.disable
    bar.update()
    assert bar.n == 7
    bar.close()


def test_a_copy_of_a_closed_bar_counts_nothing() -> None:
    bar = mp_tqdm(total=10)
    bar.update(2)
    data = pickle.dumps(bar)
    bar.close()
    pickle.loads(data).update(3)  # noqa: S301
    assert bar.n == 2


def test_a_disabled_bar_can_be_pickled() -> None:
    bar = pickle.loads(pickle.dumps(mp_tqdm(total=3, disable=True)))  # noqa: S301
    bar.update()
    assert (bar.n, bar.total, bar.disable) == (0, 3, True)


def test_a_constructor_that_fails_leaves_nothing_to_complain_about() -> None:
    for kwargs in ({"total": "x"}, {"nonsense": 1}, {"mininterval": -1}, {"reduce": "no"}):
        with pytest.raises((TypeError, KeyError, ValueError)):
            mp_tqdm(**kwargs)
    gc.collect()


def memory_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.mark.slow
def test_10_000_bars_leave_memory_descriptors_and_threads_flat() -> None:
    def make(count: int) -> None:
        for number in range(count):
            with mp_tqdm(total=2, desc=f"bar {number}", leave=False) as bar:
                bar.update(2)
                bar.set_postfix(number=number)
            for _ in mp_tqdm(range(2), leave=False):
                report_progress()

    make(500)
    before = memory_kib(), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    make(5000)
    after = memory_kib(), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    assert after[1:] == before[1:]
    assert after[0] - before[0] < 2048


@pytest.mark.parametrize("how", ["bars that are off", "no stderr", "one that is lost"])
def test_10_000_bars_that_nobody_sees_leave_memory_flat(program: Program, how: str) -> None:
    source = """
        import os, sys
        from mp_tqdm import mp_tqdm
        def make(count):
            for _ in range(count):
                mp_tqdm(total=1).close()
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
        if sys.argv[1] == "one that is lost":
            bar = mp_tqdm(total=1)
            os.close(2)
            os.open("/dev/null", os.O_WRONLY)
        before = make(500)
        print(make(10_000) - before)
    """
    shell = 'exec "$@" 2>&-' if how == "no stderr" else 'exec "$@"'
    env = programs.environment(MP_TQDM_MODE="off" if how == "bars that are off" else None)
    done = programs.run(["sh", "-c", shell, "sh", *program(source, how)], env=env)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1024


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_more_bars_than_the_segment_has_places_still_count() -> None:
    bars = [mp_tqdm(total=3) for _ in range(3000)]
    for bar in bars:
        bar.update(2)
    assert [bar.n for bar in bars] == [2] * len(bars)
    for bar in bars:
        bar.close()
    with mp_tqdm() as bar:
        report_progress()
        assert bar.n == 1


SHUTDOWNS = {
    "end of the script": "pass",
    "sys.exit": "import sys; sys.exit(0)",
    "an exception": "raise SystemExit(0)",
    "a thread that counts": """
import threading
def work():
    while True:
        bar.update()
threading.Thread(target=work, daemon=True).start()
""",
    "in a cycle": "bar.self = bar",
    "in a module": "import sys; sys.bar_kept = bar",
    "in the middle of a loop": "iterator = iter(mp_tqdm(range(9))); next(iterator)",
    "atexit": "import atexit; atexit.register(bar.update); atexit.register(bar.close)",
    "a generator": "generator = (x for x in mp_tqdm(range(9))); next(generator)",
}


@pytest.mark.parametrize("ending", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_an_interpreter_that_ends_with_live_bars_says_nothing(
    program: Program, ending: str
) -> None:
    source = f"from mp_tqdm import mp_tqdm\nbar = mp_tqdm(total=10)\nbar.update(3)\n{ending}\n"
    with Terminal() as terminal:
        terminal.start(program(source, options=("-X", "dev")))
        assert terminal.wait() == 0, terminal.text()
        text = terminal.text()
        assert "Exception ignored" not in text
        assert "Traceback" not in text
        assert "Warning" not in text


def test_os_exit_keeps_its_code_and_its_counts(program: Program) -> None:
    process = programs.run(
        program("""
            import os
            from mp_tqdm import mp_tqdm, report_progress
            bar = mp_tqdm()
            child = os.fork()
            if not child:
                for _ in range(1000):
                    report_progress()
                os._exit(7)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(code, bar.n)
        """)
    )
    assert process.stdout == "7 1000\n", process.stderr
