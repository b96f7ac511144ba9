"""How long after a slow-down a bar shows the true count again, and keeps up.

A loop runs fast for a second, and then does an item each 0.3 s. Bars that decide by a number of
items when to draw next, and take that number from the fast second, stand still for a while.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mp_tqdm.bench.subject import Subject, Suite

# Longer than the ten seconds after which a thread of tqdm looks whether a bar stands still.
PATIENCE_S = 25
QUICK_PATIENCE_S = 6

# Three items.
_KEEPS_UP_S = 0.9

# No bar gets there; in what a bar writes it says which number before it is the count.
_TOTAL = 987_654_321
_COUNTS = re.compile(rf"(\d+)\s*(?:/|of)\s*{_TOTAL}".encode())

# Tells the number of items that are done, and when, once the loop is slow.
_LOOP = f"""
import os, sys, time
from itertools import count
TOTAL = {_TOTAL}
told = int(sys.argv[1])

def items():
    yield 0  # whatever a bar does with its first item is not in the second
    end = time.monotonic() + 1.0
    for done in count(1):
        if time.monotonic() >= end:
            break
        yield done
    while True:
        os.write(told, f"{{done}} {{time.monotonic()}}\\n".encode())
        time.sleep(0.3)
        yield done
        done += 1

def loop(step):
    for _ in items():
        step()
"""

_PROGRAMS = {
    "mp_tqdm": """
from mp_tqdm import mp_tqdm
for _ in mp_tqdm(items(), total=TOTAL): pass
""",
    "tqdm": """
from tqdm import tqdm
for _ in tqdm(items(), total=TOTAL): pass
""",
    "tqdm, miniters=1": """
from tqdm import tqdm
for _ in tqdm(items(), total=TOTAL, miniters=1): pass
""",
    "progressbar2[fast]": """
from progressbar import progressbar
for _ in progressbar(items(), max_value=TOTAL): pass
""",
    "rich": """
from rich.progress import MofNCompleteColumn, Progress
with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
    for _ in progress.track(items(), total=TOTAL): pass
""",
    "enlighten": """
import enlighten
with enlighten.get_manager() as manager, manager.counter(total=TOTAL) as counter:
    for _ in counter(items()): pass
""",
    "alive-progress": """
from alive_progress import alive_it
for _ in alive_it(items(), TOTAL): pass
""",
    "progressBarDistributed": """
from progressBarDistributed import SharedMemoryProgressBar
with SharedMemoryProgressBar(1) as bar:
    worker = bar.get_worker(0, bar.shm_name)
    worker.set_total_steps(TOTAL)
    loop(worker.update)
""",
}
_PACKAGES = {
    **{name: name.partition(",")[0].replace("_", "-").lower() for name in _PROGRAMS},
    "progressbar2[fast]": "speedups",
}


class _Seen(NamedTuple):
    """What came from one of the two descriptors, and when."""

    time: float
    is_frame: bool
    data: bytes


def _lag(source: str) -> Callable[[int], float]:
    """Run a program on a terminal of its own until it shows the truth, or for so many seconds."""

    def run(patience_s: int) -> float:
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        told, teller = os.pipe()
        program = subprocess.Popen(
            [sys.executable, "-c", _LOOP + source, str(teller)],
            stdin=subprocess.DEVNULL,  # enlighten would ask the terminal things, and wait
            stdout=slave,
            stderr=slave,
            pass_fds=[teller],
            start_new_session=True,
        )
        os.close(slave)
        os.close(teller)
        try:
            return patience_s * lag_s(_read(master, told), patience_s)
        finally:
            program.send_signal(signal.SIGKILL)
            program.wait()
            os.close(master)
            os.close(told)

    return run


def _read(master: int, told: int) -> Iterator[_Seen]:
    """What the terminal gets and what the program tells, as it comes; something each 0.1 s."""
    while True:
        ready, _, _ = select.select([master, told], [], [], 0.1)
        for descriptor in sorted(ready, key=[told, master].index):
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise RuntimeError("the program ended")
            yield _Seen(time.monotonic(), descriptor == master, data)
        if not ready:
            yield _Seen(time.monotonic(), is_frame=False, data=b"")


def lag_s(seen: Iterator[_Seen], patience_s: float) -> float:
    """Seconds from the slow-down to the first frame with the true count, `patience_s` at most.

    True is a count that lacks no item but the last: some bars count an item when it is begun, some
    when it is done, and one may be done while the frame is on its way. A bar that stands still may
    be right by chance, for one frame: the next item must be shown within `_KEEPS_UP_S`.
    """
    done, slow_since = 0, None
    notes, shown = b"", b""
    first_s, first_count = 0.0, None
    for time_s, is_frame, data in seen:
        if is_frame:
            shown = (shown + data)[-4096:]
            counts = _COUNTS.findall(shown)
            count = int(counts[-1]) if counts else 0
            is_true = slow_since is not None and count > 0 and count >= done - 1
            if is_true and first_count is not None and count > first_count:
                if time_s - first_s <= _KEEPS_UP_S:
                    return max(0.0, first_s - (slow_since or 0.0))
                first_count = None
            if is_true and first_count is None:
                first_s, first_count = time_s, count
        elif data:
            *whole, notes = (notes + data).split(b"\n")
            for note in whole:
                number, told_s = note.split()
                done = int(number)
                slow_since = float(told_s) if slow_since is None else slow_since
        if slow_since is not None and time_s - slow_since > patience_s:
            return patience_s
    raise RuntimeError("the program ended")


SUITE = Suite(
    name="liveness",
    title="From a slow-down to the first frame with the true count, as far as was waited:"
    f" {PATIENCE_S} s, in a quick run {QUICK_PATIENCE_S}",
    subjects=tuple(
        Subject(name, _lag(source), _PACKAGES[name]) for name, source in _PROGRAMS.items()
    ),
    baseline=None,
    ours="mp_tqdm",
    unit="s",
    scale=1,
    repetitions=PATIENCE_S,
    rounds=5,
    quick_repetitions=QUICK_PATIENCE_S,
    is_idle=True,
)
