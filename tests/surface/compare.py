"""Runs one program with tqdm and with this package, and says where they differ."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import tqdm.std
from tqdm import tqdm as their_tqdm

from mp_tqdm import mp_tqdm
from support.screen import Screen
from surface import allowed
from surface.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from surface.world import Step

# Read of each bar after each step.
WATCHED = ("n", "total", "desc", "disable", "leave", "pos", "initial")


class Outcome(NamedTuple):
    """What came of a step: a value, or the names of an exception's classes; then each bar."""

    value: Any
    raised: tuple[str, ...]
    bars: dict[int, dict[str, Any]]


class Clock:
    """Time that passes where a program waits, for both packages."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


def outcome(world: World, step: Step, watched: tuple[str, ...] = WATCHED) -> Outcome:
    """Does a step, and reads all bars."""
    raised: tuple[str, ...] = ()
    value = None
    try:
        value = plain(world.do(step))
    except Exception as error:  # noqa: BLE001 - it is what is compared
        raised = tuple(kind.__name__ for kind in type(error).__mro__)
    bars = {
        slot: {name: plain(getattr(bar, name, "not there")) for name in watched}
        for slot, bar in world.bars.items()
    }
    for bar in bars.values():
        bar["disable"] = bool(bar["disable"])  # tqdm keeps the `None` that it was given
    return Outcome(value, raised, bars)


def plain(value: Any) -> Any:
    """A value without what only says which package it is of; floats to nine digits."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        # A total that is infinite reads as None here.
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, float)):
        return value
    return type(value).__name__.removeprefix("mp_")


def on_text(program: list[Step], make: Callable[[Any], Any] = lambda kind: kind) -> str:
    """Where the two differ on a `StringIO`, under one clock; empty if nowhere.

    Args:
        program: The steps.
        make: Makes the class of bars from tqdm's, or from this package's.
    """
    outcomes, texts = [], []
    intervals: dict[Any, float] = {}
    clock = Clock()
    their_time, tqdm.std.time = tqdm.std.time, clock
    our_time, mp_tqdm._time = mp_tqdm._time, staticmethod(clock)  # type: ignore[method-assign]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in (their_tqdm, mp_tqdm):
                clock.now = 1000.0
                intervals[kind], kind.monitor_interval = kind.monitor_interval, 0
                kind._instances.clear()
                file = io.StringIO()
                world = World(make(kind), file, clock.wait)
                outcomes.append([outcome(world, step) for step in program])
                outcomes[-1].append(end(world))
                texts.append(file.getvalue())
    finally:
        tqdm.std.time = their_time
        mp_tqdm._time = our_time  # type: ignore[method-assign]
        for kind, interval in intervals.items():
            kind.monitor_interval = interval
    # The same text leaves the same screen, and most of the time goes into emulating one.
    screens = ([], []) if texts[0] == texts[1] else map(shown, texts)
    return difference(program, *outcomes, *screens)


def end(world: World) -> Outcome:
    """Closes all bars."""
    try:
        world.end()
    except Exception as error:  # noqa: BLE001 - it is what is compared
        return Outcome(None, tuple(kind.__name__ for kind in type(error).__mro__), {})
    return Outcome(None, (), {})


def shown(text: str) -> list[str]:
    """What stands on a screen after a text."""
    screen = Screen(rows=60, columns=120)
    screen.feed(text.replace("\n", "\r\n").encode("utf-8", "replace"))
    return screen.lines()


def difference(
    program: list[Step],
    theirs: list[Outcome],
    ours: list[Outcome],
    their_screen: list[str],
    our_screen: list[str],
    *,
    by_renderer: bool = False,
) -> str:
    """The first step at which the two differ, other than is allowed; else the screen."""
    rules = allowed.Rules(by_renderer=by_renderer)
    for step, their, our in zip([*program, ("end",)], theirs, ours, strict=True):
        verdict = rules.look(step, their, our)
        if verdict is allowed.Verdict.STOP:
            return ""
        if verdict is allowed.Verdict.DIFFERS:
            return f"{step}\ntqdm: {their}\nours: {our}"
    if rules.compares_screen and their_screen != our_screen:
        return "\n".join(["the screen", "tqdm:", *their_screen, "ours:", *our_screen])
    return ""
