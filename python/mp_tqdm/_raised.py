"""Tells the exceptions that the program waits for from those that this package may swallow.

A ^C, `sys.exit` or a timeout that a signal handler raises may come at any moment, so also where the
package expects an error of its own.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any


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


def _frames(error: BaseException) -> Iterator[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next
