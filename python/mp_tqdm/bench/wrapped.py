"""What is iterated over, behind the bar of each library: `wrap(items, total)`.

Each imports its library when it is called: the one that measures may lack it.
"""

from typing import Any


def ours(items: Any, total: int) -> Any:
    """This package's."""
    from mp_tqdm import mp_tqdm

    return mp_tqdm(items, total=total)


def tqdm(items: Any, total: int) -> Any:
    """That of tqdm."""
    from tqdm import tqdm

    return tqdm(items, total=total)


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
