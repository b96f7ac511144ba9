"""Programs over the whole surface of tqdm: what hypothesis draws, and how one step is done.

A program is a list of steps, each a tuple: a name and arguments that are plain values, so that what
failed can be read, and run again, from its text alone.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from hypothesis import strategies as st

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

totals = st.sampled_from([None, 0, 1, 3, 4, 10, 2.5, 12345, float("inf")])
counts = st.sampled_from([0, 1, 2, 3, 7, -1, 2.5, 10, 1000, 12345, True])
texts = st.sampled_from(["", "x", "work", "work: ", "größe", "進捗", "a" * 30])
templates = st.sampled_from(
    [
        None,
        "",
        "{l_bar}{bar}{r_bar}",
        "{desc}: {n_fmt}/{total_fmt}",
        "{n}|{bar:5}|{total} {percentage:.1f}",
        "{desc}{postfix} {unit} {rate_fmt} {elapsed}<{remaining}",
        "{n.real} {eta:%Y}",
        "{postfix[0]}",
        "{nope}",
        "{n",
        "{total:d}",
        "{bar:-4b}|{n}",
        "{rate_noinv_fmt} {rate_inv_fmt} {elapsed_s:.1f}",
    ]
)
postfixes = st.sampled_from(
    [None, "text", {"b": 1, "a": 0.123456}, {}, ["p", 2], 5, OrderedDict(z=1), {1: 2}, ""]
)
# What the constructor takes, and attributes of which most can be set. Not in here is what tqdm
# breaks at: `lock_args` (its lock returns `None`, so that no frame comes), an `ascii` of one
# character (a division by zero), and texts that are no text.
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "desc": st.one_of(st.none(), texts),
    "total": totals,
    "leave": st.sampled_from([True, False, None, 1, 0]),
    "ncols": st.sampled_from([None, 0, 1, 20, 40, 60, 79]),
    "mininterval": st.sampled_from([0, 0.1, 1, 1e9, None]),
    "maxinterval": st.sampled_from([0, 1, 10.0, None]),
    "miniters": st.sampled_from([None, 0, 1, 2, 5]),
    "ascii": st.sampled_from([None, True, False, " .oO"]),
    "disable": st.sampled_from([False, False, False, None, True]),
    "unit": st.sampled_from(["it", "", "B", "件"]),
    "unit_scale": st.sampled_from([False, True, 2, 0.5, None]),
    "dynamic_ncols": st.booleans(),
    "smoothing": st.sampled_from([0, 0.3, 1, None]),
    "bar_format": templates,
    "initial": st.sampled_from([0, 2, 0.5]),
    "position": st.sampled_from([None, 0, 1, 3]),
    "postfix": postfixes,
    "unit_divisor": st.sampled_from([1000, 1024]),
    "nrows": st.sampled_from([None, 2, 5, 20]),
    "colour": st.sampled_from([None, "green", "#00ff00", ""]),
    "delay": st.sampled_from([0, 0.0, 0.5]),
    "gui": st.just(False),
    "nonsense": st.just(1),
}
RARE = {"nonsense", "gui", "disable", "delay", "nrows"}
GIVEN = {
    "n": st.sampled_from([0, 2, 7, 2.5, 12345]),
    "last_print_n": counts,
    "pos": st.sampled_from([0, 1, -2]),
    "start_t": st.sampled_from([1000.0, 1001.0]),
    "last_print_t": st.sampled_from([1000.0, 1001.0]),
    "mine": counts,
    "iterable": st.just((1, 2)),
    "dynamic_miniters": st.booleans(),
    # `None` reads as an empty text here, and a count with a fraction makes n a float.
    "desc": texts,
    "initial": st.sampled_from([0, 2, 5]),
    "miniters": st.sampled_from([0, 1, 2, 5]),
    **{
        name: values
        for name, values in ARGUMENTS.items()
        # tqdm's breaks where `dynamic_ncols` is set.
        if name not in {"position", "nonsense", "gui", "disable"}
        and name not in {"dynamic_ncols", "desc", "initial", "miniters"}
    },
}
READ = sorted({*GIVEN, "disable", "gui", "fp_is_file", "nonsense", "format_dict", "lock_args"})

# Steps that are only a name.
OTHERS = [
    "str",
    "len",
    "bool",
    "iter",
    "next",
    "rest",
    "loop",
    "break",
    "raise",
    "with",
    "reversed",
    "order",
    "hash",
    "copy",
    "delete",
    "write",
    "outside",
    "instances",
    "user",
]
OTHERS += ["with raise", "iter twice"]

slots = st.integers(0, 1)


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of a constructor, a few at a time."""
    names = draw(st.lists(st.sampled_from(sorted(ARGUMENTS)), max_size=5, unique=True))
    rare = draw(st.integers(0, 3)) == 0
    return {name: draw(ARGUMENTS[name]) for name in names if rare or name not in RARE}


def _call(name: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just("call"), slots, st.just(name), st.tuples(*values))


def steps() -> st.SearchStrategy[Step]:
    """One step."""
    setting = st.sampled_from(sorted(GIVEN)).flatmap(
        lambda name: st.tuples(st.just("set"), slots, st.just(name), GIVEN[name])
    )
    update = _call("update", counts)
    return st.one_of(
        st.tuples(st.just("new"), slots, st.sampled_from(sorted(ITERABLES)), arguments()),
        update,
        update,
        setting,
        setting,
        st.tuples(st.just("get"), slots, st.sampled_from(READ)),
        _call("update"),
        _call("close"),
        _call("clear"),
        _call("refresh"),
        _call("reset"),
        _call("reset", totals),
        _call("unpause"),
        _call("set_description", st.one_of(st.none(), texts), st.booleans()),
        _call("set_description_str", st.one_of(st.none(), texts)),
        _call("set_postfix_str", st.one_of(texts, counts)),
        _call("set_postfix", st.sampled_from([{"b": 1, "a": "t"}, [("c", 2.5)], None, {}])),
        st.tuples(st.just("keywords"), slots, st.sampled_from([{"loss": 0.25, "acc": 1}, {}])),
        _call("update", st.sampled_from([None, "1"])),
        st.tuples(
            st.sampled_from(OTHERS),
            slots,
        ),
        st.tuples(st.just("contains"), slots, st.sampled_from([1, "a", 99])),
        st.tuples(st.just("wait"), st.sampled_from([0.01, 0.2, 2.0])),
    )


def programs() -> st.SearchStrategy[list[Step]]:
    """A program: its first steps make bars."""
    new = st.tuples(st.just("new"), slots, st.sampled_from(sorted(ITERABLES)), arguments())
    first = st.tuples(st.just("new"), st.just(0), st.sampled_from(sorted(ITERABLES)), arguments())
    begins = st.one_of(st.tuples(first), st.tuples(first, new)).map(list)
    return st.builds(lambda begin, rest: begin + rest, begins, st.lists(steps(), max_size=12))


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
        if name in {"new", "write", "outside", "instances"}:
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

    def _write(self, slot: int) -> Any:
        return self.kind.write(f"text {slot}", file=self.file)

    def _outside(self, _slot: int) -> None:
        with self.kind.external_write_mode(file=self.file):
            self.file.write("outside\n")

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
        twin = copy.copy(bar)
        read = twin.n, twin.total, twin.desc, twin.leave, type(twin) is type(bar)
        twin.disable = True  # tqdm's would close the line that both have
        return read

    def _user(self, _slot: int, bar: Any) -> Any:
        bar.note, bar.other = {"a": 1}, 2
        del bar.other
        return bar.note, hasattr(bar, "other"), "note" in vars(bar)

    def _delete(self, slot: int, _bar: Any) -> None:
        self.iterators.pop(slot, None)
        self.bars.pop(slot).close()
