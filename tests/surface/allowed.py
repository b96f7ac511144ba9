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

    def look(self, step: Any, their: Any, our: Any) -> Verdict:
        """Compares what came of a step."""
        self._seen.append(step)
        if step[0] == "new":
            self._iterables[step[1]] = step[2]
            self._iterated.discard(step[1])
        if their.raised and our.raised and set(their.raised) <= {*our.raised, "TqdmTypeError"}:
            # What tqdm had drawn of a bar whose constructor raised stays on its screen.
            self.compares_screen &= step[0] != "new"
            our = our._replace(raised=their.raised)
        self._note_iteration(step)
        if self._by_renderer and step[0] == "set" and step[2] == "last_print_t":
            # tqdm takes a bar whose last frame was before its start for one that was never drawn.
            self.compares_screen = False
        bar = self._before.get(step[1] if len(step) > 1 else -1, {})
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

    def _was_off(self, step: Any) -> bool:
        return len(step) > 1 and bool(self._before.get(step[1], {}).get("disable"))

    def _fails_earlier(self, step: Any, their: Any, our: Any) -> bool:
        """Wrong types and templates raise where they are given, and not at some later frame."""
        if not our.raised or their.raised:
            return False
        # A count that is no number also raises where the bar is closed or off.
        is_count = step[0] == "call" and step[2] == "update" and "TypeError" in our.raised
        return is_count or step[0] in {"new", "set", "iter"}

    def _is_reset(self, step: Any, _their: Any, _our: Any) -> bool:
        """`reset` opens a closed bar anew, and the count at its start is 0 then."""
        if step[0] != "call" or step[2] != "reset":
            return False
        return self._was_off(step) or bool(self._before.get(step[1], {}).get("initial"))

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

    def _is_off(self, step: Any, their: Any, _our: Any) -> bool:
        """A bar that is closed or off has more attributes, and hands out the iterable's iterator.

        (tqdm's is a generator, which closes that of the user at a `break`.)
        """
        if not self._was_off(step):
            return False
        is_iterator = self._iterables.get(step[1]) in {"generator", "fails", "iterator"}
        # A copy reads attributes, as a subclass's `format_dict` does.
        is_more = step[0] in {"get", "copy"} and "AttributeError" in their.raised
        return is_more or (step[0] in ITERATING and is_iterator)


def same(their: Any, our: Any) -> bool:
    """Whether the two agree; a bar that is off has attributes here that tqdm's has not."""
    for slot, bar in their.bars.items():
        for name, value in bar.items():
            is_more = value == "not there" or name == "initial"
            if bar["disable"] is True and is_more and slot in our.bars:
                our.bars[slot][name] = value
    return bool(their == our)
