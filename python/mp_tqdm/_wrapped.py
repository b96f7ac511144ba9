"""A file-like object with a bar around its `read` or `write`."""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


@contextlib.contextmanager
def wrapattr(
    cls: Any, stream: Any, method: str, *, is_bytes: bool, kwargs: dict[str, Any]
) -> Iterator[Wrapped]:
    """See `mp_tqdm.wrapattr`."""
    if is_bytes:
        kwargs |= {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
    with cls(**kwargs) as bar:
        yield Wrapped(stream, method, bar.update)


class Wrapped:
    """An object whose one method reports the length of what passes through it.

    Args:
        stream: The object; all else is its own.
        method: `"read"` or `"write"`.
        report: Called with each length.
    """

    def __init__(self, stream: Any, method: str, report: Callable[[int], Any]) -> None:
        function = getattr(stream, method)

        def read(*args: Any, **kwargs: Any) -> Any:
            data = function(*args, **kwargs)
            report(len(data))
            return data

        def write(data: Any, *args: Any, **kwargs: Any) -> Any:
            result = function(data, *args, **kwargs)
            report(len(data))
            return result

        if method not in ("read", "write"):
            raise KeyError("Can only wrap read/write methods")
        vars(self)["_wrapped"] = stream
        vars(self)[method] = read if method == "read" else write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._wrapped, name, value)

    def __iter__(self) -> Any:
        return iter(self._wrapped)
