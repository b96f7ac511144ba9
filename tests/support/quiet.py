"""Bars whose output nobody sees, of this package and of tqdm."""

import io
from collections.abc import Callable
from typing import Any

from tqdm import tqdm


def quiet(bar_type: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Makes a bar of this type, for tests that run with `MP_TQDM_MODE=off`."""
    if bar_type is tqdm:
        kwargs.setdefault("file", io.StringIO())
    return bar_type(*args, **kwargs)
