"""Puts this package's bar in the place of tqdm's, in a program that cannot be edited.

Libraries bind tqdm's names when they are imported (`from tqdm.auto import tqdm`), and some derive a
class from it. So names that are bound already are found in all modules and bound anew; a class that
was derived before stays what it was, which is why patching comes first: `python -m mp_tqdm run`, or
`MP_TQDM_PATCH=1`, for which `mp_tqdm_patch.pth` imports this package where the interpreter starts.
"""

from __future__ import annotations

import sys

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


class Finder:
    """Patches tqdm right behind its import, before anybody can take a name from it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders find; none but tqdm."""
        if name != "tqdm":
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        loader: Any = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    patch()

            loader.exec_module = exec_module
        return spec


def patch_at_import() -> None:
    """Patches tqdm: now if it is there already, else when it is imported, which may be never."""
    if "tqdm" in sys.modules:
        patch()
    else:
        sys.meta_path.insert(0, Finder())


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
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder) is not Finder]
    while _before:
        module, name, value = _before.pop()
        setattr(module, name, value)


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
