"""What the bars of a class have in common: the set of them, their lock, and text between them."""

from __future__ import annotations

import sys
from _weakref import ref

# Here, for a signal handler may come in a later import.
from mp_tqdm._aside import Aside, WriteLock, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, TextIO


class Instances(dict):  # type: ignore[type-arg]
    """A weak set of bars, without the price of one.

    A bar enters and leaves by one store into a dict, under its id, where a `WeakSet` takes several
    calls. It leaves at its close, which its collection calls as well.
    """

    def add(self, bar: Any) -> None:
        """Takes a bar in."""
        self[id(bar)] = ref(bar)

    def discard(self, bar: Any) -> None:
        """Lets a bar go, if it is there."""
        self.pop(id(bar), None)

    def remove(self, bar: Any) -> None:
        """Lets a bar go.

        Raises:
            KeyError: It is not there.
        """
        del self[id(bar)]

    def copy(self) -> set[Any]:  # type: ignore[override]
        """The bars, as a set."""
        return set(self)

    def __iter__(self) -> Iterator[Any]:
        """The bars, those of this moment."""
        for reference in list(self.values()):
            bar = reference()
            if bar is not None:
                yield bar

    def __contains__(self, bar: object) -> bool:
        """Whether a bar is open."""
        return super().__contains__(id(bar))


def free_position(instances: Instances) -> int:
    """The first line on which no bar stands."""
    taken = {abs(bar.pos) for bar in instances if hasattr(bar, "pos")}
    return min(set(range(len(taken) + 1)) - taken)


class Together:
    """The class methods of tqdm."""

    # Whether `print`, logging and warnings come out above the bars of this class.
    redirect: ClassVar[bool] = True
    monitor_interval: ClassVar[float] = 10
    monitor: ClassVar[Any] = None
    _instances: ClassVar[Any] = Instances()
    _lock: ClassVar[Any]

    @classmethod
    def write(
        cls, s: str, file: TextIO | None = None, end: str = "\n", nolock: bool = False
    ) -> None:
        """Prints `s` above the bars.

        Args:
            s: The text.
            file: Where to print; default `sys.stdout`.
            end: What follows the text.
            nolock: Whether the lock is held already.
        """
        stream = file if file is not None else sys.stdout
        if stream is None:
            return
        with Aside(cls, stream, nolock=nolock, above=True):
            put(stream, s + end)

    @classmethod
    def external_write_mode(cls, file: TextIO | None = None, nolock: bool = False) -> Aside:
        """A context within which the lines are off the terminal, so that text can be written.

        Args:
            file: Where the text goes; default `sys.stdout`.
            nolock: Whether the lock is held already.
        """
        return Aside(cls, file if file is not None else sys.stdout, nolock=nolock)

    @classmethod
    def get_lock(cls) -> Any:
        """The lock around what Python code draws and `write` prints; made at the first call.

        Counting and the renderer thread take none. Children by fork share it if it was made before;
        to others it can be handed as an argument: `Pool(initializer=mp_tqdm.set_lock, ...)`.
        """
        if not hasattr(cls, "_lock"):
            cls._lock = WriteLock()
        return cls._lock

    @classmethod
    def set_lock(cls, lock: Any) -> None:
        """Takes another lock: anything with `acquire` and `release`."""
        cls._lock = lock

    @classmethod
    def wrapattr(
        cls,
        stream: Any,
        method: str,
        total: float | None = None,
        bytes: bool = True,  # noqa: A002 - tqdm's own
        **kwargs: Any,
    ) -> Any:
        """A context that gives `stream` with a bar around its `read` or `write`.

            with mp_tqdm.wrapattr(file, "read", total=size) as file:
                while chunk := file.read(8192):
                    ...

        Args:
            stream: A file-like object.
            method: `"read"` or `"write"`; what it returns, or is given, has a length.
            total: The length of all of it.
            bytes: Show bytes, in steps of 1024.
            **kwargs: Those of the bar.
        """
        from mp_tqdm import _wrapped

        kwargs["total"] = total
        return _wrapped.wrapattr(cls, stream, method, is_bytes=bytes, kwargs=kwargs)

    @classmethod
    def pandas(cls, **kwargs: Any) -> None:
        """Gives pandas `progress_apply` and its kin: `apply`, `map` and so on, with a bar.

            mp_tqdm.pandas(desc="rows")
            frame.groupby("user").progress_apply(work)

        Args:
            **kwargs: Those of each bar.
        """
        from mp_tqdm import _pandas

        _pandas.register(cls, kwargs)
