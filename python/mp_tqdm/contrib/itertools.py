"""Functions of `itertools` with a bar, whose total is computed where the lengths are known."""

from __future__ import annotations

import itertools
import math

from mp_tqdm.auto import tqdm as tqdm_auto

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

__all__ = [
    "batched",
    "chain",
    "combinations",
    "combinations_with_replacement",
    "permutations",
    "product",
]


def _total(total: Any, count: Callable[..., Any], iterables: tuple[Any, ...]) -> Any:
    """What was given, else what `count` makes of the lengths, else `None`."""
    if total is not None:
        return total
    try:
        return count(*map(len, iterables))
    except (TypeError, AttributeError):
        return None


def chain(
    *iterables: Iterable[Any], total: Any = None, tqdm_class: Any = tqdm_auto, **kwargs: Any
) -> Any:
    """`itertools.chain` with a bar."""
    total = _total(total, lambda *lengths: sum(lengths), iterables)
    return tqdm_class(itertools.chain(*iterables), total=total, **kwargs)


def product(
    *iterables: Iterable[Any],
    repeat: int = 1,
    total: Any = None,
    tqdm_class: Any = tqdm_auto,
    **kwargs: Any,
) -> Iterator[Any]:
    """`itertools.product` with a bar."""
    total = _total(total, lambda *lengths: math.prod(lengths) ** repeat, iterables)
    yield from tqdm_class(itertools.product(*iterables, repeat=repeat), total=total, **kwargs)


def permutations(
    iterable: Any,
    r: int | None = None,
    total: Any = None,
    tqdm_class: Any = tqdm_auto,
    **kwargs: Any,
) -> Any:
    """`itertools.permutations` with a bar."""
    total = _total(total, lambda n: math.perm(n, r), (iterable,))
    return tqdm_class(itertools.permutations(iterable, r), total=total, **kwargs)


def combinations(
    iterable: Any, r: int, total: Any = None, tqdm_class: Any = tqdm_auto, **kwargs: Any
) -> Any:
    """`itertools.combinations` with a bar."""
    total = _total(total, lambda n: math.comb(n, r), (iterable,))
    return tqdm_class(itertools.combinations(iterable, r), total=total, **kwargs)


def combinations_with_replacement(
    iterable: Any, r: int, total: Any = None, tqdm_class: Any = tqdm_auto, **kwargs: Any
) -> Any:
    """`itertools.combinations_with_replacement` with a bar."""
    total = _total(total, lambda n: math.comb(n + r - 1, r) if n else int(not r), (iterable,))
    made = itertools.combinations_with_replacement(iterable, r)
    return tqdm_class(made, total=total, **kwargs)


def batched(
    iterable: Any, n: int, total: Any = None, tqdm_class: Any = tqdm_auto, **kwargs: Any
) -> Any:
    """`itertools.batched` with a bar, from Python 3.12 on.

    Args:
        iterable: As there.
        n: As there.
        total: Items, not batches; default its length.
        tqdm_class: The class of the bar.
        **kwargs: Those of the bar.
    """
    batches = _total(
        None if total is None else -(-total // n), lambda count: -(-count // n), (iterable,)
    )
    made = itertools.batched(iterable, n)  # type: ignore[attr-defined]
    return tqdm_class(made, unit_scale=n, total=batches, **kwargs)
