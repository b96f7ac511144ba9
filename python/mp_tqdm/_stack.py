"""Reads the stack of calls: where a bar is constructed, and who raised an exception.

The place of a bar is a number that all processes of the job agree on, made of the whole path of
calls and not of its last step, since a helper like `progress(it)` serves many loops. The path ends
where the process's own work begins, so that fork, spawn and a worker that replaces a dead one have
the same: below are, in a forked worker, the calls of its parent.

An exception that the program waits for is told from one that this package may swallow by whose
code raised it. A ^C, `sys.exit` or a timeout that a signal handler raises may come at any moment,
so also where the package expects an error of its own.
"""

import os
import sys

from mp_tqdm import _core

TYPE_CHECKING = False  # `typing` takes 12 ms to import, more than the whole package may
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType
    from typing import Any

# The functions in which a process or a thread begins its work, by name and the end of the file's:
# the first one met ends the path and is no part of it. The loops of pools count as well: a loop
# reaches the same task from several lines, a DataLoader's from one for its first epoch and from
# another for the next.
_BEGINNINGS = {
    "_bootstrap": (
        "multiprocessing/process.py",
        "multiprocess/process.py",
        "billiard/process.py",
        "/threading.py",
    ),
    "_bootstrap_inner": ("/threading.py",),
    "_process_worker": ("concurrent/futures/process.py", "loky/process_executor.py"),
    "_worker": ("concurrent/futures/thread.py",),
    "_worker_loop": ("torch/utils/data/_utils/worker.py",),
    "worker": ("multiprocessing/pool.py", "multiprocess/pool.py"),
}
# `python -m module` has these calls below the module, `python module.py` has not.
_RUNNERS = ("<frozen runpy>", "/runpy.py")

_MASK = (1 << 64) - 1
_FACTOR = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, as Fibonacci hashing takes it
_REMEMBERED = 4096  # steps; a notebook makes new code for each cell, and its old code can go


class _Step:
    """What one call adds to a path.

    Attributes:
        code: Held, so that no other code gets its id.
        ends: Whether the path ends before this call.
        number: Hash of file and line, 0 for a call that is no part of a path.
        text: The call, for people.
    """

    __slots__ = ("code", "ends", "number", "text")

    def __init__(self, code: "CodeType", line: int | None, package: str) -> None:
        file = code.co_filename
        self.code = code
        self.ends = file.endswith(_BEGINNINGS.get(code.co_name, ()))
        self.number = 0
        if not file.startswith(package) and not file.endswith(_RUNNERS):
            self.number = _core.hash64(f"{file}\0{line}")
        self.text = f"{os.path.basename(file)}:{line} in {code.co_name}"


# For each skipped package the steps met, by the id of their code and the offset in it. What they
# spare is hashing, and counting out the line from the offset, which Python does at each asking.
_steps: "dict[str, dict[tuple[int, int], _Step]]" = {}


def call_path(skip_package: str, frame: "FrameType | None") -> tuple[int, str]:
    """The path of calls that led to a frame.

    It takes 5.3 us where the stack is 14 calls deep, 44 us when they are met for the first time
    (CPython 3.11, `timeit`, best of 7, 2.6 GHz EPYC; 3.10, 3.12 and 3.13: 5.5 to 7.2 us). Threads
    may ask at once.

    Args:
        skip_package: The directory of this package, whose calls are no part of the path.
        frame: The innermost call, usually `sys._getframe(1)`.

    Returns:
        A number of 64 bits, never 0, made of file and line of each call and of their order: the
        same in all processes that run the same files, whatever PYTHONHASHSEED is. And for people
        the innermost call of the path, as `train.py:12 in epoch`; `?` if the path is empty.
    """
    steps = _steps.setdefault(skip_package, {})
    path, text = 0, "?"
    while frame is not None:
        code = frame.f_code
        step = steps.get((id(code), frame.f_lasti))
        if step is None:
            step = _learn(steps, frame, skip_package)
        if step.ends:
            break
        if step.number:
            if not path:
                text = step.text
            # An odd factor loses no bit; multiplying at each step makes the order count.
            path = (path ^ step.number) * _FACTOR & _MASK
        frame = frame.f_back
    return path or 1, text


def key_path(key: str) -> int:
    """What stands for the path of a bar that was given `key=`: the same in every process."""
    return _core.hash64(f"key:{key}") or 1


def _learn(steps: "dict[tuple[int, int], _Step]", frame: "FrameType", package: str) -> "_Step":
    if len(steps) >= _REMEMBERED:
        steps.clear()
    step = _Step(frame.f_code, frame.f_lineno, os.path.join(package, ""))
    steps[id(frame.f_code), frame.f_lasti] = step
    return step


# --- who raised ----------------------------------------------------------------------------------


def is_awaited(error: BaseException) -> bool:
    """Whether the program waits for an exception: an end that somebody asked for, or a timeout.

    That is no `Exception`, or one that a signal handler raised. It may come at any moment.
    """
    if not isinstance(error, Exception):
        return True
    caught = error.__traceback__
    if caught is None or caught.tb_next is None:
        return False  # as of `len` of a generator: no handler in Python has run below who caught it
    # Not by `signal`, which imports `enum`.
    from _signal import getsignal, valid_signals  # type: ignore[import-not-found]

    handlers: list[Any] = [getsignal(number) for number in valid_signals()]
    handlers = [getattr(handler, "func", handler) for handler in handlers]
    codes = [getattr(handler, "__code__", None) for handler in handlers]
    codes += [getattr(type(handler).__call__, "__code__", None) for handler in handlers if handler]
    return any(frame.f_code in codes for frame in _frames(error))


def pass_on(error: BaseException) -> None:
    """Raises an exception once more if the program waits for it."""
    if is_awaited(error):
        raise error


def module(name: str) -> "Any":
    """A module that is imported when first needed; `None` where that fails.

    A program that has no descriptor left, or gave up its rights, can open no file to read it from:
    what it runs then goes on without what the module does.
    """
    package, _, own = name.rpartition(".")
    try:
        __import__(package or name, fromlist=[own])
        return sys.modules[name]
    except (ImportError, OSError) as error:
        pass_on(error)
        return None


class suppress:  # noqa: N801 - named as the standard library's
    """As `contextlib.suppress`, but what the program waits for is raised."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        return isinstance(error, self._kinds) and not is_awaited(error)


def is_own(error: BaseException) -> bool:
    """Whether an exception came up in this package, and in no code of the program below it."""
    own = {"mp_tqdm", "_frozen_importlib", "_frozen_importlib_external"} | sys.stdlib_module_names
    names = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in _frames(error)]
    return not is_awaited(error) and all(name in own for name in names)


def _frames(error: BaseException) -> "Iterator[FrameType]":
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next
