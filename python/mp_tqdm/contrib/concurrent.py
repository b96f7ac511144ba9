"""`map` over threads or processes, with a bar that counts each item where it is done.

tqdm's functions of these names count what comes back to the parent: with `chunksize=100` the bar
moves in hundreds. Here the workers count, so a chunk may be as large as is good for speed.
"""

from __future__ import annotations

import functools
import operator
import os

from mp_tqdm import _copies
from mp_tqdm._bar import mp_tqdm
from mp_tqdm.auto import tqdm as tqdm_auto

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["process_map", "thread_map"]

# Chunks for each worker, so that the last ones end about together; and the most items of one.
_CHUNKS = 16
_LARGEST_CHUNK = 256

# In a worker process: the parent's bar.
_bar: Any = None


def thread_map(fn: Callable[..., Any], *iterables: Iterable[Any], **kwargs: Any) -> list[Any]:
    """`list(map(fn, *iterables))`, by threads.

    Args:
        fn: Called once for each item, in some thread.
        *iterables: As for `map`; the shortest gives the total.
        **kwargs: `max_workers`, `thread_name_prefix`, `timeout` (seconds for all) and `buffersize`
            as in `concurrent.futures`; `tqdm_class`, the class of the bar; all else is the bar's.

    Returns:
        The results, in order.
    """
    from concurrent.futures import ThreadPoolExecutor

    return _map(ThreadPoolExecutor, fn, iterables, kwargs)


def process_map(fn: Callable[..., Any], *iterables: Iterable[Any], **kwargs: Any) -> list[Any]:
    """`list(map(fn, *iterables))`, by processes.

    Args:
        fn: Called once for each item, in some worker process; it has to be picklable.
        *iterables: As for `map`; the shortest gives the total.
        **kwargs: `max_workers`, `mp_context`, `max_tasks_per_child`, `timeout` (seconds for all)
            and `buffersize` as in `concurrent.futures`; `chunksize`, items that are sent at once,
            by default by the number of items; `tqdm_class`, the class of the bar; all else is its.

    Returns:
        The results, in order.
    """
    from concurrent.futures import ProcessPoolExecutor

    return _map(ProcessPoolExecutor, fn, iterables, kwargs)


def _map(
    executor: Any, fn: Callable[..., Any], iterables: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Any]:
    from concurrent.futures import ThreadPoolExecutor

    def taken(*names: str) -> dict[str, Any]:
        return {name: kwargs.pop(name) for name in names if name in kwargs}

    pool_options = taken("thread_name_prefix", "max_tasks_per_child", "mp_context", "max_workers")
    map_options = taken("timeout", "chunksize", "buffersize")
    tqdm_class = kwargs.pop("tqdm_class", tqdm_auto)
    kwargs.pop("lock_name", None)
    lengths = [n for n in (operator.length_hint(each, -1) for each in iterables) if n >= 0]
    kwargs.setdefault("total", min(lengths, default=None))
    kwargs.setdefault("smoothing", 0)
    # What the function itself reports is for a bar of the program's.
    unreported = type(tqdm_class.__name__, (tqdm_class,), {"_is_reportable": False})
    with unreported(**kwargs) as bar:
        if executor is ThreadPoolExecutor:
            call: Any = functools.partial(_call_in_thread, fn, bar.update)
        else:
            call = functools.partial(_call_in_process, fn)
            _, (_, *identity) = bar.__reduce__()
            pool_options |= {"initializer": _begin_worker, "initargs": identity}
            map_options.setdefault("chunksize", _chunk(lengths, pool_options.get("max_workers")))
        with executor(**pool_options) as pool:
            return list(pool.map(call, *iterables, **map_options))


def _chunk(lengths: list[int], workers: int | None) -> int:
    items = min(lengths, default=0)
    return min(max(items // ((workers or os.cpu_count() or 1) * _CHUNKS), 1), _LARGEST_CHUNK)


def _begin_worker(*identity: Any) -> None:
    global _bar  # noqa: PLW0603 - what an initializer leaves for the tasks
    _bar = _copies.made(mp_tqdm, *identity)


def _call_in_process(fn: Callable[..., Any], *items: Any) -> Any:
    result = fn(*items)
    _bar.update()
    return result


def _call_in_thread(fn: Callable[..., Any], count: Callable[[], Any], *items: Any) -> Any:
    result = fn(*items)
    count()
    return result
