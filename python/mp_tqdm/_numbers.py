"""What a bar counts: `n`, `total` and `initial`, kept by the native bar."""

from __future__ import annotations

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Numbers(_core.Counting):
    """The numbers of a bar."""

    # What a bar has until its constructor, or whoever makes it, says otherwise.
    _native: Any = None
    _n: Any = 0
    _total: Any = None

    @property
    def n(self) -> Any:
        """Items done: by this process's rank with its workers, or by the job (a job counter)."""
        native = self._native
        return native.n if native is not None else self._n

    @n.setter
    def n(self, value: Any) -> None:
        native = self._native
        if native is None:
            self._n = value
        else:
            native.n = value

    @property
    def n_own(self) -> Any:
        """Items done by this process alone, without the initial count."""
        return self._native.n_own if self._native is not None else 0

    @property
    def total(self) -> Any:
        """Expected number of items, `None` if unknown."""
        native = self._native
        return native.total if native is not None else self._total

    @total.setter
    def total(self, value: Any) -> None:
        native = self._native
        if native is None:
            self._total = value
        else:
            native.total = value

    @property
    def initial(self) -> Any:
        """Count at the start."""
        native = self._native
        return native.initial if native is not None else self._n

    @initial.setter
    def initial(self, value: Any) -> None:
        if self._native is not None:
            self._native.initial = value
