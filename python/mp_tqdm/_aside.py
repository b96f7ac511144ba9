"""Takes the lines off a stream for as long as somebody else writes to it."""

from __future__ import annotations

import os
import sys

from mp_tqdm import _core, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Aside:
    """Takes the lines that share a file with a stream away, for as long as it is entered."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_held = _streams.is_terminal(stream)
        self._sync = sys.modules.get("mp_tqdm._sync")
        self._wiped: list[Any] = []

    def __enter__(self) -> None:
        if self._sync is not None:
            self._wiped = self._sync.wipe_for(self._stream)
        if self._is_held:
            _core.hold()

    def __exit__(self, *_error: object) -> None:
        if self._is_held:
            flush = getattr(self._stream, "flush", None)
            try:
                if flush is not None:
                    flush()
            except RuntimeError:
                pass  # as in `put`, which has written past the buffer
            finally:
                _core.unhold()
        if self._sync is not None:
            self._sync.show_again(self._wiped)


def put(stream: Any, text: str) -> None:
    """Writes to a stream, also from a signal handler that came in the middle of a write to it.

    Python's buffered files refuse that with a RuntimeError, so it goes to the descriptor.
    """
    try:
        stream.write(text)
    except RuntimeError:
        found = _streams.descriptor(stream)
        if found is None:
            raise
        os.write(found[0], text.encode(errors="backslashreplace"))
