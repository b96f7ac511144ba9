"""The open bars of a process, as tqdm's `_instances` shows them, and the lines they stand on."""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


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
