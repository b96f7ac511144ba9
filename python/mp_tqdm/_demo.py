"""The demo: four short scenes that show on this machine what the line does, and a receipt."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from itertools import pairwise
from multiprocessing import resource_tracker
from typing import NamedTuple

from mp_tqdm import __version__, _demo_cost, _demo_work, mp_tqdm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess
    from typing import Any

    from typing_extensions import Self

_EPOCHS, _STEPS = 3, 500
_WORKERS = 8
_TEAM_S = 3.5  # that the team is given work for
_HELD_S = 2.0  # that the GIL is held
_HEARTBEATS = 2500  # a little longer than that


class _Tally(NamedTuple):
    """What a scene counted, next to what was done."""

    counted: int
    done: int
    seconds: float
    processes: int
    killed: int


def main() -> None:
    """Plays all scenes. Text goes to stdout, the lines go to stderr."""
    begin = time.perf_counter()
    _say(
        f"mp_tqdm {__version__}, {platform.python_implementation()} {platform.python_version()}, "
        f"{_cores()} cores"
    )
    tallies = [_nested_loop(), _one_line_for_all(), _held_gil()]
    _title("What it costs", "nanoseconds a count, above the bare loop")
    costs = _demo_cost.measure()
    _show_costs(costs)
    _title("Receipt")
    _show_receipt(tallies, time.perf_counter() - begin)


# --- the scenes ----------------------------------------------------------------------------------


def _nested_loop() -> _Tally:
    _title("A nested loop", "a cubic learns to be a sine; the inner line leaves")
    coefficients = _demo_work.start_values(4)
    steps_done = 0
    begin = time.perf_counter()
    for epoch in mp_tqdm(range(_EPOCHS), desc="epochs", unit="epoch"):
        with mp_tqdm(range(_STEPS), desc=f"epoch {epoch + 1}", unit="step", leave=False) as steps:
            for _ in steps:
                steps.set_postfix(error=_demo_work.descend(coefficients))
                steps_done += 1
    return _Tally(steps_done, _EPOCHS * _STEPS, time.perf_counter() - begin, 1, 0)


def _one_line_for_all() -> _Tally:
    _title(f"{_WORKERS} processes, one line", "each counts every item, and one of them is killed")
    share = _round(_demo_work.items_in(_TEAM_S) * _free_cores() / _WORKERS)
    with (
        _Team() as team,
        mp_tqdm(total=_WORKERS * share, desc=f"{_WORKERS} processes", unit="item") as line,
    ):
        begin = time.perf_counter()
        done = team.context.RawArray("Q", _WORKERS)
        workers = [
            team.start(_demo_work.checksums, worker, done, share) for worker in range(_WORKERS)
        ]
        victim = _WORKERS // 2
        while done[victim] < share // 2 and workers[victim].is_alive():
            time.sleep(0.01)
        workers[victim].kill()
        workers[victim].join()
        survived = done[victim]
        mp_tqdm.write(
            f"process {workers[victim].pid} got SIGKILL after {survived:,} items; "
            "another does the rest"
        )
        team.start(_demo_work.checksums, victim, done, share)
        team.join()
        tally = _Tally(line.n, sum(done), time.perf_counter() - begin, _WORKERS + 1, 1)
    _say(
        f"counted {tally.counted:,} of {tally.done:,} items done; "
        f"the kill lost {tally.done - tally.counted}"
    )
    return tally


def _held_gil() -> _Tally:
    _title("A held GIL", "the main thread sits in one C call, another process counts on")
    size = _demo_work.size_for(_HELD_S)
    # A log gets its first line after 10 s, unless an interval is asked for.
    interval = 0.1 if sys.stderr.isatty() else 0.5
    with (
        _Team() as team,
        mp_tqdm(total=_HEARTBEATS, desc="GIL held", unit="item", mininterval=interval) as line,
    ):
        begin = time.perf_counter()
        counting = team.start(_demo_work.heartbeats, _HEARTBEATS)
        while line.n == 0 and counting.is_alive():
            time.sleep(0.01)
        with _Bystander() as bystander:
            frames, items = _frames(line), line.n
            _demo_work.hold_gil(size)
            frames, items = _frames(line) - frames, line.n - items
        team.join()
        tally = _Tally(line.n, _HEARTBEATS, time.perf_counter() - begin, 1, 0)
    _say(
        f"sum(range({size:,})) kept all other Python threads waiting "
        f"for {bystander.longest_wait():.2f} s;\n"
        f"in these {frames} frames were drawn, and the line moved by {items:,} items"
    )
    return tally


def _show_costs(costs: dict[str, _demo_cost.Costs]) -> None:
    _say(f"{'':<18}" + "".join(f"{name:>14}" for name in costs))
    for what, field in (("bar.update(1)", "update"), ("for item in bar", "item")):
        figures = [getattr(cost, field) for cost in costs.values()]
        # Less than a nanosecond is the machine's noise, and no figure to divide by.
        row = f"{what:<18}" + "".join(
            f"{f'{figure:.1f} ns' if figure >= 1 else '< 1 ns':>14}" for figure in figures
        )
        if len(figures) > 1 and figures[1] >= 1:
            over = "over " if figures[0] < 1 else ""
            row += f"   {over}{figures[1] / max(figures[0], 1):.0f} times less"
        _say(row)


def _show_receipt(tallies: list[_Tally], seconds: float) -> None:
    counted = sum(tally.counted for tally in tallies)
    lost = sum(tally.done for tally in tallies) - counted
    processes = 1 + sum(tally.processes for tally in tallies[1:])
    killed = sum(tally.killed for tally in tallies)
    team = tallies[1]
    for what, figure in (
        ("items counted", f"{counted:,}"),
        ("counts lost", f"{lost:,}"),
        ("processes", f"{processes}, {killed} of them killed"),
        ("seconds", f"{seconds:.1f}"),
        ("mean rate", f"{team.counted / team.seconds:,.0f} items/s by {_WORKERS} processes"),
    ):
        _say(f"{what:<20}{figure}")


# --- the stage -----------------------------------------------------------------------------------


class _Team:
    """Processes that end with the scene, however that ends.

    They are spawned, so that none inherits threads or a half-drawn screen, and they never see ^C:
    this process does, and ends them.
    """

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self._processes: list[SpawnProcess] = []
        # Starting it later would unblock the signal in the middle of the first start.
        resource_tracker.ensure_running()

    def start(self, work: Callable[..., object], *arguments: Any) -> SpawnProcess:
        """Starts one more process."""
        process = self.context.Process(target=work, args=arguments, daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
            self._processes.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def join(self) -> None:
        """Waits until all have ended."""
        for process in self._processes:
            process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.terminate()
        self.join()


class _Bystander:
    """A thread that wants a turn every millisecond, and notes when it got one."""

    def __init__(self) -> None:
        self._turns = [time.perf_counter()]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take_turns, daemon=True)

    def longest_wait(self) -> float:
        """Seconds between two turns, at worst."""
        return max(after - before for before, after in pairwise(self._turns))

    def _take_turns(self) -> None:
        while not self._stop.wait(0.001):
            self._turns.append(time.perf_counter())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._turns.append(time.perf_counter())


def _frames(line: mp_tqdm) -> int:
    """How often the lines of this job were drawn."""
    return int(line._native.job_frames)  # noqa: SLF001 - nothing else needs to know


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _free_cores() -> float:
    """How many of them the team will get, beside what the machine is busy with."""
    return min(_WORKERS, _cores() * _WORKERS / (_WORKERS + os.getloadavg()[0]))


def _round(number: float) -> int:
    """To two digits, at least 100."""
    unit = int(10 ** max(0, len(str(int(number))) - 2))
    return max(100, int(number / unit) * unit)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command's output


def _title(text: str, explanation: str = "") -> None:
    bold, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if _has_style() else ("", "", "")
    _say("")
    _say(f"{bold}{text}{plain}" + (f"  {dim}{explanation}{plain}" if explanation else ""))


def _has_style() -> bool:
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and not os.environ.get("NO_COLOR")
    )
