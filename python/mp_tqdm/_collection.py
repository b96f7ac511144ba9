"""A bar as Python sees any collection: its length, its truth, its order among others."""

from __future__ import annotations

from mp_tqdm._errors import TqdmTypeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Collection:
    """The protocols of a collection, over `iterable`, `total` and `pos`."""

    iterable: Any
    total: Any

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int:
        """The total, else the length of what is iterated over."""
        if self.iterable is None:
            return self.total  # type: ignore[no-any-return]
        iterable: Any = self.iterable
        for size in (lambda it: it.shape[0], len, lambda it: it.__length_hint__()):
            try:
                return size(iterable)
            except (AttributeError, TypeError, IndexError):
                continue
        return self.total  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        if self.total is not None:
            return bool(self.total > 0)
        if self.iterable is None:
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
