"""What `progress_apply` and its kin return, raise and show: the same as those of tqdm."""

import io
import itertools
import random
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import tqdm.std
from tqdm import tqdm as their_tqdm

from mp_tqdm import mp_tqdm
from surface.compare import Clock

FRAME = pd.DataFrame({"a": [1, 2, 3, 4], "b": [5.0, 6.0, 7.0, 8.0]})
NAMED = pd.DataFrame({"shape": [1, 2, 2], "a": [3, 4, 5]})

DATA: dict[str, Callable[[], Any]] = {
    "series": lambda: FRAME["a"],
    "series, empty": lambda: FRAME["a"][:0],
    "series of texts": lambda: pd.Series(["x", "y"]),
    "frame": lambda: FRAME,
    "frame with a column named shape": lambda: NAMED,
    "groups": lambda: FRAME.groupby(FRAME["a"] % 2),
    "groups of a column": lambda: FRAME.groupby(FRAME["a"] % 2)["b"],
    "groups with a column named shape": lambda: NAMED.groupby("a"),
    "rolling": lambda: FRAME["a"].rolling(2),
    "expanding": FRAME["b"].expanding,
    "frame with a column named ngroups": lambda: NAMED.rename(columns={"shape": "ngroups"}),
}
METHODS = ["apply", "map", "applymap", "aggregate", "transform"]
FUNCTIONS: dict[str, Any] = {
    "twice": lambda value: value * 2,
    "the sum": lambda value: value.sum(),
    "builtin": sum,
    "with a keyword": lambda value, more=0: value * (1 + more),
    "of a name": "sum",
    "fails": lambda value: value.nonsense,
    "fails by zero": lambda _value: 1 // 0,
}
OPTIONS: list[dict[str, Any]] = [{}, {"axis": 1}, {"axis": "columns"}, {"axis": "index"}]
OPTIONS += [{"more": 1}, {"na_action": "ignore"}, {"raw": True}]
BARS: list[dict[str, Any]] = [{}, {"desc": "rows", "leave": False}, {"disable": True}]

CALLS = list(itertools.product(DATA, METHODS, FUNCTIONS, OPTIONS, BARS))


@pytest.fixture(autouse=True)
def pandas_is_as_it_was() -> Iterator[None]:
    yield
    for kind in (pd.DataFrame, pd.Series, *_below(type(DATA["groups"]())), *_below(_WINDOW)):
        for name in [name for name in vars(kind) if name.startswith("progress_")]:
            delattr(kind, name)


_WINDOW = type(DATA["rolling"]())


def _below(kind: type) -> list[type]:
    """Classes of one family: those above, and theirs."""
    return [one for above in kind.__mro__[:-1] for one in (above, *above.__subclasses__())]


def came_of(kind: Any, call: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a call returned or raised, as text, and what it showed."""
    data, method, function, options, bar = call
    file = io.StringIO()
    kind.pandas(file=file, ascii=True, mininterval=0, **bar)
    try:
        progress = getattr(DATA[data](), f"progress_{method}")
        done = repr(progress(FUNCTIONS[function], **options))
    except Exception as error:  # noqa: BLE001 - it is what is compared
        done = type(error).__name__
    return done, file.getvalue()


def test_pandas_does_what_it_does_under_tqdm(
    rounds: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(tqdm.std, "time", clock)
    monkeypatch.setattr(mp_tqdm, "_time", staticmethod(clock))
    for kind in (their_tqdm, mp_tqdm):
        monkeypatch.setattr(kind, "monitor_interval", 0)
    seed = rounds(1, time.time_ns())
    print("seed", seed)  # noqa: T201 - shown where the test fails
    calls = random.Random(seed).sample(CALLS, rounds(200, len(CALLS)))  # noqa: S311 - no secret
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls:
            theirs, ours = (came_of(kind, call) for kind in (their_tqdm, mp_tqdm))
            # tqdm looks at a column of this name for the total.
            assert theirs == ours or "ngroups" in call[0], call
