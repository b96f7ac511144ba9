"""Copies of a bar: by `copy` and `deepcopy`, and through pickle to another process.

A copy of an open bar is another handle of it: it counts, and closing it ends the copy alone. One of
a bar that is off has what the user gave the bar, as far as that can be copied.
"""

# The bar's own other half.
# ruff: noqa: SLF001

from __future__ import annotations

import copy
import pickle

from mp_tqdm import _core, _stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What else a copy in the same process has.
_GIVEN = ("dynamic_miniters", "dynamic_ncols", "fp", "gui", "lock_args", "maxinterval", "miniters")

# Bars that are being pickled, by id: one may be found among its own attributes.
_under_way: set[int] = set()


def made(  # noqa: PLR0917 - pickled
    kind: Any,
    identity: Any,
    total: Any,
    initial: Any,
    state: dict[str, Any],
    belongings: bytes | None = None,
) -> Any:
    """Makes a copy, of a bar of this process or of another one.

    Args:
        kind: The class of the bar.
        identity: That of the native bar; `None`: the bar is off.
        total: The bar's total.
        initial: The count at its start; of a bar that is off, its n.
        state: Attributes to set.
        belongings: What `_pickled` gave.
    """
    bar = kind.__new__(kind)
    bar.iterable, bar._is_redirected = None, True
    for name, value in state.items():
        setattr(bar, name, value)
    if identity is None:
        bar._disable, bar._n, bar._total = True, initial, total
        if belongings is not None:
            bar.iterable, attributes = pickle.loads(belongings)  # noqa: S301 - our own
            vars(bar).update(attributes)
        return bar
    bar._native = native = _core.Bar.copy(identity, total, initial)
    bar._disable = False
    bar._start_t = bar._printed_t = bar._time()
    bar._printed_n = initial
    native.bind(bar)
    return bar


def reduced(bar: Any) -> Any:
    """What pickle makes a copy from."""
    arguments = _arguments(bar)
    if arguments[1] is None:
        arguments += (_pickled(bar),)
    return made, arguments


def shallow(bar: Any) -> Any:
    """A copy with the same iterable and attributes."""
    twin = made(*_arguments(bar))
    twin.iterable = bar.iterable
    for name in _GIVEN:
        if hasattr(bar, name):
            setattr(twin, name, getattr(bar, name))
    vars(twin).update(vars(bar))
    return twin


def deep(bar: Any, memo: dict[int, Any]) -> Any:
    """A copy with copies of them, if the bar is off."""
    arguments = _arguments(bar)
    memo[id(bar)] = twin = made(*arguments)
    if arguments[1] is None:
        try:
            twin.iterable = copy.deepcopy(bar.iterable, memo)
            vars(twin).update(copy.deepcopy(vars(bar), memo))
        except Exception as error:  # noqa: BLE001 - a bar that is on would have been copied
            _stack.pass_on(error)
    return twin


def _arguments(bar: Any) -> tuple[Any, ...]:
    """Those of `made`."""
    state = {"_desc": bar.desc, "_look": bar._look and dict(bar._look), "leave": bar.leave}
    if bar._native is None or bar._disable:
        return type(bar), None, bar.total, bar.n, state
    return type(bar), bar._native.identity(), bar.total, bar.initial, state


def _pickled(bar: Any) -> bytes | None:
    """The iterable and attributes of a bar; `None` where they cannot be pickled.

    By themselves, so that a bar that is off can be pickled wherever one that is on can.
    """
    if id(bar) in _under_way or (bar.iterable is None and not vars(bar)):
        return None
    _under_way.add(id(bar))
    try:
        return pickle.dumps((bar.iterable, vars(bar)))
    except Exception as error:  # noqa: BLE001 - whatever the objects' own code raises
        _stack.pass_on(error)
        return None
    finally:
        _under_way.discard(id(bar))
