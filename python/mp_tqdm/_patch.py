"""Puts this package's bar in the place of tqdm's, in a program that cannot be edited.

Libraries bind tqdm's names when they are imported (`from tqdm.auto import tqdm`), and some derive a
class from it. So names that are bound already are found in all modules and bound anew. A class that
was derived before stays what it was, which is why patching comes first, by `python -m mp_tqdm run`.
"""

from __future__ import annotations

import os
import sys

from mp_tqdm import _defaults
from mp_tqdm._bar import mp_tqdm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# What was bound where, to be bound again: module, name, object.
_before: list[tuple[ModuleType, str, Any]] = []
# tqdm's own class, while it is replaced.
original: Any = None
# The modules of tqdm whose bars and ranges are replaced; those of other screens (`rich`, `tk`, ...)
# and the notebook's derive from the first, and so from this package's bar.
_CLASSES = {"tqdm.std": "tqdm", "tqdm.asyncio": "tqdm_asyncio", "tqdm.auto": "tqdm"}
_RANGES = {"tqdm.std": "trange", "tqdm.asyncio": "tarange", "tqdm.auto": "trange"}


def patch_at_import() -> None:
    """Does what `MP_TQDM_PATCH` says, when the package is imported.

    Patches tqdm when somebody imports it, which may be never; or at once, with a warning, where it
    was imported before.
    """
    if _defaults.means_no(os.environ["MP_TQDM_PATCH"]):
        return
    is_prepared = any(map(_is_finder, sys.meta_path))
    if sys.modules.get("tqdm") is not None:
        is_patched = patch()
        if not is_prepared:
            _warn_of_lateness(is_patched=is_patched)
    elif not is_prepared:
        from mp_tqdm._start.mp_tqdm_at_import import TqdmFinder

        sys.meta_path.insert(0, TqdmFinder())


def patch() -> bool:
    """See `mp_tqdm.patch`."""
    global original  # noqa: PLW0603 - as `_before`, the state of the process
    if _before:
        return True
    try:
        import tqdm.asyncio
        import tqdm.auto
        import tqdm.std
    except ModuleNotFoundError:
        return False
    original = tqdm.std.tqdm
    replacements = _replacements(original)
    for module in list(sys.modules.values()):
        if not _is_ours(module):
            _rebind(module, replacements)
    return True


def unpatch() -> None:
    """See `mp_tqdm.unpatch`."""
    global original  # noqa: PLW0603
    original = None
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_finder(finder)]
    while _before:
        module, name, value = _before.pop()
        setattr(module, name, value)


def _is_finder(finder: Any) -> bool:
    """Whether it waits for tqdm's import; `run` loads its class before the package is there."""
    return type(finder).__name__ == "TqdmFinder"


def _warn_of_lateness(*, is_patched: bool) -> None:
    """Says once in a job what `MP_TQDM_PATCH` could not do any more."""
    from mp_tqdm import ranks

    here = ranks.standing()
    if os.environ["MP_TQDM_PATCH"] == "quiet" or here.is_worker or here.rank:
        return
    os.environ["MP_TQDM_PATCH"] = "quiet"  # for the processes that this one starts
    import warnings

    from mp_tqdm._errors import TqdmWarning

    if not is_patched:
        done = "Its version is too old to replace its bars"
    elif derived := _derived(original):
        done = f"The names that modules took from it are replaced; these stay tqdm's: {derived}"
    else:
        done = "The names that modules took from it are replaced; bars that are open stay tqdm's"
    warnings.warn(
        f"MP_TQDM_PATCH is set, but tqdm was imported before mp_tqdm. {done}. Start the program by "
        "`python -m mp_tqdm run COMMAND`, which replaces tqdm's bars at its import.",
        TqdmWarning,
        stacklevel=4,
    )


def _derived(bar: Any) -> str:
    """The classes that others derived from tqdm's, by name."""
    names = set()
    for child in bar.__subclasses__():
        if child.__module__.split(".")[0] not in {"tqdm", "mp_tqdm"}:
            names.add(f"{child.__module__}.{child.__qualname__}")
        names.update(filter(None, _derived(child).split(", ")))
    return ", ".join(sorted(names))


def _replacements(original: Any) -> dict[int, tuple[Any, Any]]:
    """By the id of what is replaced: that, and what takes its place."""
    from mp_tqdm.asyncio import tqdm_asyncio

    # Its text is where tqdm's command line reads its options from.
    text = {"__doc__": original.__doc__, "_is_reportable": False}
    plain = type("tqdm", (mp_tqdm,), {**text, "__module__": "tqdm.std"})
    awaited = type("tqdm_asyncio", (tqdm_asyncio, plain), {**text, "__module__": "tqdm.asyncio"})
    found: dict[int, tuple[Any, Any]] = {}
    for name, attribute in _CLASSES.items():
        bar = getattr(sys.modules[name], attribute)
        counts = getattr(sys.modules[name], _RANGES[name])
        replacement = plain if name == "tqdm.std" else awaited
        found.setdefault(id(bar), (bar, replacement))
        found.setdefault(id(counts), (counts, _range_of(replacement)))
    return found


def _range_of(bar: Any) -> Any:
    def trange(*args: Any, **kwargs: Any) -> Any:
        """`tqdm(range(*args), **kwargs)`."""
        return bar(range(*args), **kwargs)

    return trange


def _is_ours(module: Any) -> bool:
    return getattr(module, "__name__", "").split(".")[0] == "mp_tqdm"


def _rebind(module: Any, replacements: dict[int, tuple[Any, Any]]) -> None:
    # What is in `sys.modules` need not be a module, nor have a dict.
    names = getattr(module, "__dict__", None)
    if type(names) is not dict:
        return
    for name, value in list(names.items()):
        if id(value) in replacements:
            _before.append((module, name, value))
            names[name] = replacements[id(value)][1]
