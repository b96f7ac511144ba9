"""Whatever a program does with a bar, it reads, raises and shows what it would with tqdm.

The same program runs with both, on a `StringIO` under one clock, and on a terminal and in a file,
where the renderer draws. What may differ is in `allowed.py`, and stands in docs/migration.md.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from support import programs as processes
from surface.compare import on_text
from surface.operations import programs

Rounds = Callable[[int, int], int]


def seed_of(rounds: Rounds) -> int:
    """New programs in each complete run; the same ones in the gate, which says the same twice."""
    return rounds(1, time.time_ns() % 10**9)


def plain(kind: Any) -> Any:
    """The class itself."""
    return kind


def derived(kind: Any) -> Any:
    """A subclass that takes part in how its bars are drawn and counted."""

    class Mine(kind):  # type: ignore[misc]
        def update(self, n: Any = 1) -> Any:
            return super().update(n)

        def display(self, *args: Any, **kwargs: Any) -> Any:
            return super().display(*args, **kwargs)

        @property
        def format_dict(self) -> dict[str, Any]:
            return {**super().format_dict, "unit": "own"}

        def close(self) -> None:
            super().close()

    return Mine


@pytest.mark.timeout(120)
@pytest.mark.parametrize("make", [plain, derived])
def test_on_an_object(make: Callable[[Any], Any], rounds: Rounds) -> None:
    seed = seed_of(rounds)
    print("seed", seed)  # noqa: T201 - shown where the test fails

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=rounds(150, 5_000),
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(program=programs())
    def check(program: list[Any]) -> None:
        found = on_text(program, make)
        assert not found, found

    check()


@pytest.mark.timeout(120)
@pytest.mark.once
@pytest.mark.parametrize("place", ["terminal", "log"])
def test_where_the_renderer_draws(place: str, rounds: Rounds) -> None:
    count, seed = rounds(150, 5_000), seed_of(rounds)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("places.py")), place, str(count), str(seed)],
        env=processes.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}\n{done.stderr}"
