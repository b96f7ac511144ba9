"""What is iterated over, behind the bar of each library: `wrap(items, total)`.

Each imports its library when it is called: the one that measures may lack it.
"""

import importlib
from collections.abc import Callable
from typing import Any


def ours(items: Any, total: int) -> Any:
    """This package's."""
    from mp_tqdm import mp_tqdm

    return mp_tqdm(items, total=total)


def tqdm(items: Any, total: int) -> Any:
    """That of tqdm."""
    from tqdm import tqdm

    return tqdm(items, total=total)


def barflow(items: Any, total: int) -> Any:
    """That of barflow."""
    module: Any = importlib.import_module("barflow")
    return module.track(items, total=total)


def rich(items: Any, total: int) -> Any:
    """That of rich."""
    from rich.progress import track

    return track(items, total=total)


def alive(items: Any, total: int) -> Any:
    """That of alive-progress."""
    from alive_progress import alive_it

    return alive_it(items, total)


def progressbar(items: Any, total: int) -> Any:
    """That of progressbar2, with its extra `fast` where that is installed."""
    from progressbar import progressbar

    return progressbar(items, max_value=total)


def plain_progressbar(items: Any, total: int) -> Any:
    """That of progressbar2 as where its extra `fast` is not installed, for the whole process."""
    bar: Any = importlib.import_module("progressbar.bar")
    bar._FastBarIterator = None  # noqa: SLF001 - how it notes that
    return progressbar(items, total)


def enlighten(items: Any, total: int) -> Any:
    """That of enlighten, closed at the end."""
    module: Any = importlib.import_module("enlighten")
    with module.get_manager() as manager, manager.counter(total=total) as counter:
        yield from counter(items)


WRAPS: dict[str, Callable[[Any, int], Any]] = {
    "mp_tqdm": ours,
    "tqdm": tqdm,
    "rich track": rich,
    "alive-progress": alive,
    "progressbar2": plain_progressbar,
    "progressbar2[fast]": progressbar,
    "enlighten": enlighten,
}
# The distribution that each needs.
PACKAGES = {
    **{name: name for name in WRAPS},
    "mp_tqdm": "mp-tqdm",
    "rich track": "rich",
    "progressbar2[fast]": "speedups",
}
