"""A bar among others: the set of them, their lock and order, text between them; its length."""

from __future__ import annotations

import sys
from _weakref import ref

# Here, for a signal handler may come in a later import.
from mp_tqdm import _raised
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


_first_locks: dict[type, WriteLock] = {}


class Together:
    """The class methods of tqdm."""

    __slots__ = ()

    # Whether `print`, logging and warnings come out above the bars of this class.
    redirect: bool = True
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
            # Of threads that come here together each makes one, and all take the first.
            cls._lock = _first_locks.setdefault(cls, WriteLock())
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


class Collection:
    """The protocols of a collection, over `iterable`, `total` and `pos`."""

    __slots__ = ()

    if TYPE_CHECKING:
        iterable: Any
        total: Any

        def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int:
        """The total, else the length of what is iterated over."""
        if self.iterable is None:
            return self.total  # type: ignore[no-any-return]
        iterable: Any = self.iterable
        for size in (lambda it: it.shape[0], len, lambda it: it.__length_hint__()):
            try:
                return size(iterable)
            except (AttributeError, TypeError, IndexError) as error:
                _raised.pass_on(error)
        return self.total  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        if self.total is not None:
            return bool(self.total > 0)
        if self.iterable is None:
            from mp_tqdm._errors import TqdmTypeError

            message = "bool() undefined when iterable == total == None"
            raise TqdmTypeError(message)
        return bool(self.iterable)

    def __contains__(self, item: object) -> bool:
        """Whether the iterable contains `item`."""
        contains = getattr(self.iterable, "__contains__", None)
        return bool(contains(item)) if contains is not None else item in self.__iter__()

    def __reversed__(self) -> Iterator[Any]:
        """Iterates over the reversed iterable, and counts."""
        forward = self.iterable
        try:
            self.iterable = reversed(forward)
            return self.__iter__()
        except AttributeError:
            from mp_tqdm._errors import TqdmTypeError

            message = "'tqdm' object is not reversible"
            raise TqdmTypeError(message) from None
        finally:
            self.iterable = forward

    def __hash__(self) -> int:
        """Identity."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Equal position, as in tqdm."""
        return self is other or (isinstance(other, Collection) and self._order() == other._order())

    def __lt__(self, other: Collection) -> bool:
        """Order by position."""
        return self._order() < other._order()

    def __le__(self, other: Collection) -> bool:
        """Order by position."""
        return self._order() <= other._order()

    def __gt__(self, other: Collection) -> bool:
        """Order by position."""
        return self._order() > other._order()

    def __ge__(self, other: Collection) -> bool:
        """Order by position."""
        return self._order() >= other._order()

    def _order(self) -> int:
        position: int = getattr(self, "pos", 1 << 31)
        return abs(position)
