"""What may differ from tqdm: each rule is a row of docs/migration.md, which has its reason."""

from __future__ import annotations

import enum
from typing import Any

# Steps by which a bar is iterated over.
ITERATING = {"iter", "next", "rest", "loop", "break", "raise", "iter twice", "reversed", "contains"}


class Verdict(enum.Enum):
    """What a look at a step comes to."""

    SAME = enum.auto()
    DIFFERS = enum.auto()
    # From here on the two are in different states, by a difference that is allowed.
    STOP = enum.auto()


class Rules:
    """The differences that are allowed, as one program goes on.

    Args:
        by_renderer: Whether the renderer draws, or Python code.
    """

    def __init__(self, *, by_renderer: bool) -> None:
        self._by_renderer = by_renderer
        self._seen: list[Any] = []
        self.compares_screen = True
        self._iterables: dict[int, str] = {}
        self._before: dict[int, dict[str, Any]] = {}
        self._iterated: set[int] = set()
        # The open bars whose `disable` was set.
        self._switched: set[int] = set()

    def look(self, step: Any, their: Any, our: Any) -> Verdict:
        """Compares what came of a step."""
        self._seen.append(step)
        if step[0] == "new":
            self._iterables[step[1]] = step[2]
            self._iterated.discard(step[1])
            self._switched.discard(step[1])
        if their.raised and our.raised and set(their.raised) <= {*our.raised, "TqdmTypeError"}:
            # What tqdm had drawn of a bar whose constructor raised stays on its screen.
            self.compares_screen &= step[0] not in {"new", "wrapattr"}
            our = our._replace(raised=their.raised)
        self._note_iteration(step)
        self._note_switch(step)
        if self._by_renderer and step[0] == "set" and step[2] == "last_print_t":
            # tqdm takes a bar whose last frame was before its start for one that was never drawn.
            self.compares_screen = False
        if step[0] == "wrapattr" and step[2] and (self._before or step[3].get("position")):
            # Its first frame is in bytes here; what is longer there may remain behind another bar.
            self.compares_screen = False
        bar = step[3] if step[0] == "wrapattr" else self._bar(step)
        if (their.raised or step[0] == "contains") and not bar.get("leave", True):
            # A bar that an exception ended stays.
            self.compares_screen = False
        for slot in self._iterated & {*their.bars} & {*our.bars}:
            our.bars[slot]["n"] = their.bars[slot]["n"]
        is_same = same(their, our)
        is_allowed = any(
            rule(step, their, our)
            for rule in (
                self._fails_earlier,
                self._is_reset,
                self._is_off,
                self._stays_off,
                self._is_copied,
                self._is_compared,
                self._is_elsewhere,
                self._is_reversed,
                self._has_no_iterator,
                self._gives_way,
            )
        )
        self._before = their.bars
        if is_same:
            return Verdict.SAME
        return Verdict.STOP if is_allowed else Verdict.DIFFERS

    def _note_iteration(self, step: Any) -> None:
        """In the midst of an iteration tqdm's n is that of the last frame, and `update` is lost."""
        if step[0] in {"iter", "next", "rest", "iter twice"}:
            self._iterated.add(step[1])
            self.compares_screen = False

    def _note_switch(self, step: Any) -> None:
        if step[0] == "set" and step[2] == "disable":
            if not step[3]:
                self._switched.discard(step[1])
            elif not self._was_off(step):
                self._switched.add(step[1])

    def _was_off(self, step: Any) -> bool:
        return bool(self._bar(step).get("disable"))

    def _bar(self, step: Any) -> dict[str, Any]:
        """What was read of the bar that a step is about, before it."""
        slot = step[1] if len(step) > 1 and isinstance(step[1], int) else None
        return self._before.get(slot, {}) if slot is not None else {}

    def _has_ended(self, step: Any) -> bool:
        """Whether a bar is closed, or was off from the start."""
        return self._was_off(step) and step[1] not in self._switched

    def _fails_earlier(self, step: Any, their: Any, our: Any) -> bool:
        """Wrong types and templates raise where they are given, and not at some later frame."""
        if not our.raised or their.raised:
            return False
        # A count that is no number also raises where the bar is closed or off.
        is_count = step[0] == "call" and step[2] == "update" and "TypeError" in our.raised
        is_template = step[0] == "set" and step[2] == "bar_format"
        return is_count or is_template or step[0] in {"new", "iter"}

    def _is_reset(self, step: Any, _their: Any, _our: Any) -> bool:
        """`reset` opens a closed bar anew, and the count at its start is 0 then."""
        if step[0] != "call" or step[2] != "reset":
            return False
        return self._has_ended(step) or bool(self._before.get(step[1], {}).get("initial"))

    def _is_reversed(self, step: Any, their: Any, our: Any) -> bool:
        """`reversed` reverses."""
        both = isinstance(their.value, list) and isinstance(our.value, list)
        return step[0] == "reversed" and both and our.value == their.value[::-1]

    def _gives_way(self, _step: Any, their: Any, our: Any) -> bool:
        """Where the renderer draws, a template that fails at one frame gives way to the default."""
        is_due = any("{total:d}" in repr(step) for step in self._seen)
        return self._by_renderer and is_due and "TypeError" in their.raised and not our.raised

    def _has_no_iterator(self, step: Any, their: Any, our: Any) -> bool:
        """What cannot be iterated over raises before the bar is touched, and so leaves it open."""
        return step[0] in ITERATING and "TypeError" in their.raised and "TypeError" in our.raised

    def _stays_off(self, step: Any, _their: Any, _our: Any) -> bool:
        """What has ended stays off; `reset` opens it anew."""
        return step[0] == "set" and step[2] == "disable" and self._has_ended(step)

    def _is_copied(self, step: Any, their: Any, our: Any) -> bool:
        """An open bar can be pickled here, and so copied with all that it has."""
        return step[0] in {"pickle", "deepcopy"} and bool(their.raised) and not our.raised

    def _is_compared(self, step: Any, their: Any, our: Any) -> bool:
        """A bar is not equal to what is no bar, where tqdm's raises."""
        is_comparison = step[0] == "call" and step[2] == "__eq__"
        return is_comparison and "AttributeError" in their.raised and not our.raised

    def _is_elsewhere(self, _step: Any, their: Any, _our: Any) -> bool:
        """The text bar of tqdm with `gui=True` cannot be wiped."""
        has_gui = any(step[0] == "new" and step[3].get("gui") for step in self._seen)
        return has_gui and "AttributeError" in their.raised

    def _is_off(self, step: Any, their: Any, _our: Any) -> bool:
        """A bar that is closed or off has more attributes, and hands out the iterable's iterator.

        (tqdm's is a generator, which closes that of the user at a `break`.)
        """
        if not self._was_off(step):
            return False
        is_iterator = self._iterables.get(step[1]) in {"generator", "fails", "iterator"}
        # A copy reads attributes, as a subclass's `format_dict` does.
        is_more = step[0] in {"get", "copy", "call"} and "AttributeError" in their.raised
        return is_more or (step[0] in ITERATING and is_iterator)


def same(their: Any, our: Any) -> bool:
    """Whether the two agree; a bar that is off has attributes here that tqdm's has not."""
    for slot, bar in their.bars.items():
        for name, value in bar.items():
            is_more = value == "not there" or name == "initial"
            if bar["disable"] is True and is_more and slot in our.bars:
                our.bars[slot][name] = value
    return bool(their == our)
