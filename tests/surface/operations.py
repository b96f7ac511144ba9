"""Programs over the whole surface of tqdm: what hypothesis draws. `world.py` does the steps.

A program is a list of steps, each a tuple: a name and arguments that are plain values, so that what
failed can be read, and run again, from its text alone.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from hypothesis import strategies as st

from surface.world import ITERABLES, Step

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
    "gui": st.sampled_from([False, False, True]),
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
    "disable": st.sampled_from([True, True, False, None]),
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
READ = sorted({*GIVEN, "gui", "fp_is_file", "nonsense", "format_dict", "lock_args"})

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
    "deepcopy",
    "pickle",
    "delete",
    "drop",
    "instances",
    "lock",
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
        _call("clear", st.booleans()),
        _call("refresh"),
        _call("refresh", st.booleans(), st.sampled_from([None, ()])),
        _call("moveto", st.sampled_from([0, 1, -1])),
        _call("display", st.sampled_from([None, "", "message"]), st.sampled_from([None, 0, 1, 30])),
        _call("sp", texts),
        _call("format_num", counts),
        _call("format_sizeof", counts, st.sampled_from(["", "B"]), st.sampled_from([1000, 1024])),
        _call("format_interval", counts),
        _call("__eq__", st.sampled_from([None, 5])),
        _call("__lt__", st.sampled_from([None, 5])),
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
        st.tuples(st.just("write"), texts, st.sampled_from(["\n", "", "end\n"]), st.booleans()),
        st.tuples(st.just("outside"), st.booleans()),
        st.tuples(st.just("printer"), st.lists(texts, max_size=3)),
        st.tuples(
            st.just("wrapattr"),
            st.sampled_from(["read", "write", "seek", "nothing"]),
            st.booleans(),
            arguments(),
        ),
        st.tuples(st.just("wait"), st.sampled_from([0.01, 0.2, 2.0])),
    )


def programs() -> st.SearchStrategy[list[Step]]:
    """A program: its first steps make bars."""
    new = st.tuples(st.just("new"), slots, st.sampled_from(sorted(ITERABLES)), arguments())
    first = st.tuples(st.just("new"), st.just(0), st.sampled_from(sorted(ITERABLES)), arguments())
    begins = st.one_of(st.tuples(first), st.tuples(first, new)).map(list)
    return st.builds(lambda begin, rest: begin + rest, begins, st.lists(steps(), max_size=12))
