"""How one step of a program is done, with either package.

A step is a tuple: a name and arguments that are plain values, so that what failed can be read, and
run again, from its text alone.
"""

from __future__ import annotations

import copy
import io
import pickle
import threading
from typing import Any

Step = tuple[Any, ...]

ITERABLES = {
    "none": lambda: None,
    "range": lambda: range(4),
    "list": lambda: ["a", "b", "c"],
    "text": lambda: "xyz",
    "generator": lambda: (n * n for n in range(3)),
    "iterator": lambda: iter([1, 2]),
    "dict": lambda: {"k": 1},
    "empty": list,
    "fails": lambda: (1 // (2 - n) for n in range(5)),
    "no iterable": lambda: 5,
}


class World:
    """What a program runs in: a class of bars, the file that they are drawn on, the bars.

    Args:
        kind: The class, tqdm's or this package's, or one derived from it.
        file: Where bars are drawn.
        wait: Lets time pass.
    """

    def __init__(self, kind: Any, file: Any, wait: Any) -> None:
        self.kind = kind
        self.file = file
        self.wait = wait
        self.bars: dict[int, Any] = {}
        self.iterators: dict[int, Any] = {}

    def do(self, step: Step) -> Any:
        """Does one step; what it returns has no bar in it."""
        name, *rest = step
        if name == "wait":
            return self.wait(*rest)
        slot, *rest = rest
        if name in {"new", "write", "outside", "printer", "wrapattr", "instances"}:
            return getattr(self, f"_{name}")(slot, *rest)
        if slot not in self.bars:
            return "no bar"
        return getattr(self, "_" + name.replace(" ", "_"))(slot, self.bars[slot], *rest)

    def end(self) -> None:
        """Closes everything, in order."""
        self.iterators.clear()
        for slot in sorted(self.bars):
            self.bars[slot].close()
        self.bars.clear()

    def _new(self, slot: int, iterable: str, given: dict[str, Any]) -> Any:
        if slot in self.bars:
            self._delete(slot, None)
        bar = self.kind(ITERABLES[iterable](), file=self.file, **copy.deepcopy(given))
        self.bars[slot] = bar
        return bar.n

    def _write(self, text: str, end: str, is_held: bool) -> Any:
        with self.kind.get_lock():
            return self.kind.write(text, file=self.file, end=end, nolock=is_held)

    def _outside(self, is_held: bool) -> None:
        with self.kind.get_lock(), self.kind.external_write_mode(file=self.file, nolock=is_held):
            self.file.write("outside\n")

    def _lock(self, _slot: int, bar: Any) -> Any:
        before = self.kind.get_lock()
        self.kind.set_lock(threading.RLock())
        try:
            return bar.refresh(lock_args=(False,)), bar.refresh(nolock=True)
        finally:
            self.kind.set_lock(before)

    def _printer(self, texts: list[str]) -> Any:
        draw = self.kind.status_printer(self.file)
        return [draw(text) for text in texts]

    def _wrapattr(self, method: str, is_bytes: bool, given: dict[str, Any]) -> Any:
        stream = io.BytesIO(b"x" * 3000)
        given = {"file": self.file, **copy.deepcopy(given)}
        with self.kind.wrapattr(stream, method, bytes=is_bytes, **given) as wrapped:
            if method == "read":
                done = [len(wrapped.read(2000)), len(wrapped.read()), len(wrapped.read())]
            else:
                done = [wrapped.write(b"y" * 2000), wrapped.write(b"")]
            self.wait(0.2)
            wrapped.mine = 1
            return done, wrapped.tell(), wrapped.closed, stream.mine

    def _instances(self, _slot: int) -> int:
        return len(self.kind._instances)

    def _call(self, _slot: int, bar: Any, name: str, given: tuple[Any, ...]) -> Any:
        return getattr(bar, name)(*copy.deepcopy(given))

    def _keywords(self, _slot: int, bar: Any, given: dict[str, Any]) -> Any:
        return bar.set_postfix(**given)

    def _set(self, _slot: int, bar: Any, name: str, value: Any) -> None:
        setattr(bar, name, copy.deepcopy(value))

    def _get(self, _slot: int, bar: Any, name: str) -> Any:
        if name == "disable":
            return bool(bar.disable)
        if name == "fp_is_file":
            return bar.fp == self.file
        return getattr(bar, name)

    def _str(self, _slot: int, bar: Any) -> Any:
        return str(bar), format(bar)

    def _len(self, _slot: int, bar: Any) -> Any:
        return len(bar)

    def _bool(self, _slot: int, bar: Any) -> Any:
        return bool(bar)

    def _contains(self, _slot: int, bar: Any, item: Any) -> Any:
        return item in bar

    def _iter(self, slot: int, bar: Any) -> None:
        self.iterators[slot] = iter(bar)

    def _next(self, slot: int, bar: Any) -> Any:
        if slot not in self.iterators:
            self.iterators[slot] = iter(bar)
        return next(self.iterators[slot], "end")

    def _rest(self, slot: int, bar: Any) -> Any:
        return list(self.iterators.pop(slot, None) or bar)

    def _loop(self, _slot: int, bar: Any) -> Any:
        done = []
        for item in bar:
            done.append(item)
            if len(done) == 2:
                self.wait(0.2)
        return done

    def _break(self, _slot: int, bar: Any) -> Any:
        for item in bar:
            return item
        return None

    def _raise(self, _slot: int, bar: Any) -> Any:
        for _ in bar:
            raise LookupError

    def _iter_twice(self, _slot: int, bar: Any) -> Any:
        one, two = iter(bar), iter(bar)
        return next(one, "end"), next(two, "end"), one is two, iter(one) is one

    def _with(self, _slot: int, bar: Any) -> Any:
        with bar as entered:
            return entered is bar

    def _with_raise(self, _slot: int, bar: Any) -> Any:
        with bar:
            bar.update()
            raise LookupError

    def _reversed(self, _slot: int, bar: Any) -> Any:
        return list(reversed(bar))

    def _order(self, slot: int, bar: Any) -> Any:
        other = self.bars.get(1 - slot, bar)
        return bar < other, bar <= other, bar == other, bar != other, bar > other, bar >= other

    def _hash(self, _slot: int, bar: Any) -> Any:
        return hash(bar) == id(bar)

    def _copy(self, _slot: int, bar: Any) -> Any:
        return self._read_of(copy.copy(bar), bar)

    def _read_of(self, twin: Any, bar: Any) -> Any:
        names = ("n", "total", "leave", "mine")
        read = [getattr(twin, name, "not there") for name in names]
        twin.disable = True  # tqdm's would close the line that both have
        return [*read, type(twin) is type(bar), twin.iterable is None]

    def _deepcopy(self, _slot: int, bar: Any) -> Any:
        return self._read_of(copy.deepcopy(bar), bar)

    def _pickle(self, _slot: int, bar: Any) -> Any:
        return self._read_of(pickle.loads(pickle.dumps(bar)), bar)  # noqa: S301 - our own

    def _user(self, _slot: int, bar: Any) -> Any:
        bar.note, bar.other = {"a": 1}, 2
        del bar.other
        return bar.note, hasattr(bar, "other"), "note" in vars(bar)

    def _drop(self, slot: int, _bar: Any) -> None:
        self.iterators.pop(slot, None)
        self.bars.pop(slot)

    def _delete(self, slot: int, _bar: Any) -> None:
        self.iterators.pop(slot, None)
        self.bars.pop(slot).close()
