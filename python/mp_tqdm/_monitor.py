"""Watches the bars that Python code draws: those that stalled, and those that others count into.

Such a bar is drawn within `update` and iteration, so two things would stand still: a loop that
became slow after it had been fast (tqdm's own rule waits for as many items as before), and a parent
that waits in `pool.map` while its workers count. A thread looks twice a second. It starts with
the first such bar (that other processes will come, nobody can know), is not there while the process
forks, and ends when no bar is left.
"""

# The bar's own other half.
# ruff: noqa: SLF001

from __future__ import annotations

import atexit
import contextlib
import os
from threading import Event, Lock, Thread, current_thread
from time import sleep, time

from mp_tqdm._together import for_drawing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

_INTERVAL_S = 0.5
# Without a bar for so many looks, tqdm's `monitor_interval`, the thread ends.
_IDLE_LOOKS = 20
# How long a fork waits for the thread: it may be writing to a stream that takes nothing.
_STOP_LIMIT_S = 0.5


class TMonitor(Thread):
    """The thread; the name, the arguments and the public methods are tqdm's.

    Args:
        tqdm_cls: The class whose `_instances` are watched.
        sleep_interval: Seconds between two looks.
    """

    # What a test replaces: `time` and `Event`.
    _test: ClassVar[dict[str, Any]] = {}

    def __init__(self, tqdm_cls: Any, sleep_interval: float) -> None:
        super().__init__(name="mp-tqdm-monitor", daemon=True)
        self.woken = 0.0
        self.tqdm_cls = tqdm_cls
        self.sleep_interval = sleep_interval
        self._time = self._test.get("time", time)
        self.was_killed = self._test.get("Event", Event)()
        # At exit it is told to end and not waited for: another thread may hold the lock for good.
        atexit.register(self.was_killed.set)
        self.start()

    def exit(self) -> bool:
        """Ends the thread, and waits for that."""
        self.was_killed.set()
        if self is not current_thread():
            self.join()
        return self.report()

    def report(self) -> bool:
        """Whether the thread watches."""
        return not self.was_killed.is_set()

    def get_instances(self) -> list[Any]:
        """The bars that have begun."""
        return [bar for bar in self.tqdm_cls._instances.copy() if hasattr(bar, "start_t")]

    def run(self) -> None:
        """Looks at the bars until it is told to end, or there is none any more."""
        now, idle = self._time(), 0
        while idle < _IDLE_LOOKS:
            self.woken = now
            self.was_killed.wait(self.sleep_interval)
            if self.was_killed.is_set():
                break
            now = self._time()
            # Who holds the lock may be about to fork, and wait for this thread.
            lock = for_drawing(self.tqdm_cls.get_lock())
            if not lock.acquire(False):
                continue
            try:
                idle = 0 if self._look_at_all(now) else idle + 1
            finally:
                lock.release()
        self.was_killed.set()
        atexit.unregister(self.was_killed.set)

    def _look_at_all(self, now: float) -> bool:
        bars = self.get_instances()
        for bar in bars:
            # A subclass may fail to draw: that is for its loop to raise, not for this thread.
            with contextlib.suppress(Exception):
                self._look(bar, now)
        return bool(bars)

    def _look(self, bar: Any, now: float) -> None:
        painter = getattr(bar, "_painter", None)
        if painter is None or self.was_killed.is_set():
            return
        silent_s = now - bar.last_print_t
        if bar.miniters > 1 and silent_s >= bar.maxinterval:
            bar.miniters = 1  # the next item draws, and adjusts it again
            bar.refresh(nolock=True)
        elif silent_s >= bar.mininterval and painter.others_counted(bar):
            if bar.smoothing:
                painter.sample(bar, 0, silent_s)
            bar.last_print_t = now
            bar.refresh(nolock=True)


def attend(tqdm_cls: Any) -> None:
    """Makes sure that the thread watches, unless `monitor_interval` is 0."""
    monitor = tqdm_cls.monitor
    if not tqdm_cls.monitor_interval or (monitor is not None and monitor.report()):
        return
    if not _starting.acquire(blocking=False):
        return  # another thread is at it, or what this one interrupted
    try:
        monitor = tqdm_cls.monitor
        if monitor is None or not monitor.report():
            _start(tqdm_cls)
    finally:
        _starting.release()


_starting = Lock()


def _start(tqdm_cls: Any) -> None:
    try:
        tqdm_cls.monitor = TMonitor(tqdm_cls, min(_INTERVAL_S, tqdm_cls.monitor_interval))
    except RuntimeError as error:
        if "shutdown" in str(error):
            # From 3.12 on none starts once the program ends, and there is nothing to watch. A
            # daemon thread that warned then could be stopped with the lock of stderr: an abort.
            return
        import warnings

        from mp_tqdm import _said
        from mp_tqdm._errors import TqdmMonitorWarning

        tqdm_cls.monitor_interval = 0
        if not _said.is_first("no thread"):
            return
        warnings.warn(
            f"no thread can be started ({error}): a bar on a stream that only Python code can "
            "write to may stand still while other processes count into it. Counting goes on.",
            TqdmMonitorWarning,
            stacklevel=2,
        )


def _bar_class() -> Any:
    from mp_tqdm._bar import mp_tqdm

    return mp_tqdm


def _before_fork() -> None:
    monitor = _bar_class().monitor
    if monitor is not None:
        monitor.was_killed.set()
        if monitor is not current_thread():
            monitor.join(_STOP_LIMIT_S)
            _await_end(monitor)


def _await_end(thread: Thread) -> None:
    """Waits until a joined thread is gone: CPython 3.12 asks the kernel, and warns of it."""
    until = time() + _STOP_LIMIT_S
    here = f"/proc/self/task/{thread.native_id}"
    while not thread.is_alive() and os.path.exists(here) and time() < until:
        sleep(0.0001)


def resume() -> None:
    """Watches again after a fork; called from where the renderer comes back, which knows when."""
    cls = _bar_class()
    if any(getattr(bar, "_painter", None) is not None for bar in cls._instances):
        attend(cls)


def _after_fork_in_child() -> None:
    global _starting  # noqa: PLW0603 - the thread that held it may not be here
    _starting = Lock()
    _bar_class().monitor = None


os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
