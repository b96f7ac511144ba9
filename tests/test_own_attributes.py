"""What users attach to a bar and derive from it: the dict and the classes are theirs."""

import copy
import gc
import io
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm, trange
from support.terminal import Terminal


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def through_pickle(bar: Any) -> Any:
    return pickle.loads(pickle.dumps(bar))  # noqa: S301 - our own


def use(bar: Any) -> None:
    for _ in bar:
        pass
    bar.reset(total=4)
    bar.update()
    bar.set_postfix(loss=0.5)
    bar.set_postfix({"acc": object()})
    bar.set_description("desc")
    bar.pos, bar.leave = 1, False
    if not bar.disable:
        bar.unit, bar.start_t = "B", bar.start_t - 1
    bar.refresh()
    bar.unpause()
    assert str(bar)
    bar.close()


OPENED: dict[str, Callable[[], Any]] = {
    "usual": lambda: trange(3),
    "drawn by Python": lambda: trange(3, file=io.StringIO()),
    "off": lambda: trange(3, disable=True),
    "without redirection": lambda: trange(3, redirect=False, leave=None, position=2),
}


@pytest.mark.parametrize("opened", OPENED.values(), ids=OPENED)
def test_the_package_leaves_the_dict_to_the_user(
    opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MP_TQDM_MODE")
    bar = opened()
    use(bar)
    assert vars(bar) == {}


def test_the_package_leaves_the_dict_to_the_user_on_a_terminal(
    terminal: Terminal, program: Any
) -> None:
    terminal.start(
        program("""
            from mp_tqdm import trange
            bar = trange(3)
            for _ in bar:
                bar.set_postfix(loss=0.5)
            print("kept", vars(bar))
        """)
    )
    assert terminal.wait() == 0
    assert "kept {}" in terminal.text()


@pytest.mark.parametrize("name", ["x", "_x", "rate", "n_fmt", "_iterable"])
def test_a_bar_takes_any_attribute(name: str) -> None:
    with mp_tqdm(total=3) as bar:
        assert not hasattr(bar, name)
        setattr(bar, name, [1])
        assert getattr(bar, name) == [1]
        assert vars(bar) == {name: [1]}
        bar.update()
        delattr(bar, name)
        assert vars(bar) == {}
        assert bar.n == 1


def test_the_methods_of_the_count_path_are_the_class_s_own() -> None:
    # CPython calls them without detours then; see `own_methods`.
    assert mp_tqdm.update.__objclass__ is mp_tqdm  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [mp_tqdm, tqdm])
@pytest.mark.parametrize("name", ["unit", "colour", "ncols", "bar_format", "mininterval", "ascii"])
def test_a_bar_that_is_off_takes_the_attributes_of_one_that_is_on(kind: Any, name: str) -> None:
    bar = kind(range(3), disable=True)
    assert not hasattr(bar, name)
    setattr(bar, name, "x")
    assert getattr(bar, name) == "x"
    assert list(bar) == [0, 1, 2]


@pytest.mark.parametrize("name", ["delay", "mininterval", "smoothing", "miniters", "maxinterval"])
def test_none_in_place_of_a_number_is_none(name: str) -> None:
    with mp_tqdm(total=3) as bar:
        setattr(bar, name, None)
        assert getattr(bar, name) is None
        bar.update()
        bar.reset()


class Mixin:
    """Attributes and a method of somebody else."""

    label = "mixin"

    def describe(self: Any) -> str:
        self.described = True
        return f"{self.label} {self.n}"


class Slotted(mp_tqdm):
    """A subclass with slots of its own."""

    __slots__ = ("extra",)


class Doubling(mp_tqdm):
    """A subclass that counts in its own way."""

    def update(self, n: Any = 1) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return super().update(2 * n)


class Before(Mixin, mp_tqdm):
    """A mixin before the bar."""


class Behind(mp_tqdm, Mixin):
    """A mixin behind it."""


class Both(Before, Doubling):
    """Two subclasses: the second one's `update` holds."""


class Quiet(mp_tqdm):
    """Class attributes by the names of what the constructor sets, and of what reads the line."""

    leave = False
    gui = "class"
    iterable: Any = ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Slotted, 3), (Doubling, 6), (Before, 3), (Behind, 3), (Both, 6), (Quiet, 3)],
)
def test_a_subclass_counts_by_its_update(kind: Any, expected: int) -> None:
    with kind(total=6) as bar:
        bar.update()
        bar.update(2)
        assert bar.n == expected
    assert bar.disable
    bar = kind(range(3))
    assert list(bar) == [0, 1, 2]
    assert (bar.leave, bar.gui, bar.iterable) == (True, False, range(3))


def test_a_subclass_keeps_attributes_of_its_own() -> None:
    with Slotted(total=1) as slotted, Both(total=1) as both:
        slotted.extra, slotted.other = 1, 2
        assert (slotted.extra, vars(slotted)) == (1, {"other": 2})
        both.update()
        assert both.describe() == "mixin 2"
        assert vars(both) == {"calls": 1, "described": True}


def test_an_update_that_is_put_into_a_class_later_is_called() -> None:
    class Later(mp_tqdm):
        pass

    calls = []
    bar = Later(range(3), file=io.StringIO(), mininterval=0, miniters=1)
    Later.update = lambda self, n=1: calls.append(n) or mp_tqdm.update(self, n)  # type: ignore[assignment, func-returns-value, method-assign]
    bar.update()
    assert calls == [1]
    assert list(bar) == [0, 1, 2]
    assert len(calls) > 1
    bar.close()


@pytest.mark.parametrize("kind", [mp_tqdm, Slotted, Both])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, through_pickle])
def test_a_bar_is_copied_with_its_class(kind: Any, copied: Callable[[Any], Any]) -> None:
    with kind(total=3, desc="desc", unit="B", leave=False) as bar:
        bar.update()
        other = copied(bar)
        assert type(other) is kind
        assert (other.n, other.total, other.desc, other.unit) == (bar.n, 3, "desc", "B")
        assert (other.leave, other.disable) == (False, False)
        before = bar.n
        other.update()
        assert bar.n > before
        other.close()
        assert not bar.disable


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, through_pickle])
def test_a_bar_that_is_off_is_copied(copied: Callable[[Any], Any]) -> None:
    other = copied(mp_tqdm(total=3, initial=1, disable=True))
    assert (other.n, other.total, other.disable) == (1, 3, True)


def test_a_bar_that_was_never_constructed_reads_as_one_that_is_off() -> None:
    bar = mp_tqdm.__new__(mp_tqdm)
    assert (bar.n, bar.total, bar.initial, bar.desc, bar.pos) == (0, None, 0, "", 0)
    bar.update()
    bar.close()
    assert bar.n == 0


def test_a_bar_in_a_cycle_through_what_it_keeps_is_collected() -> None:
    class Items:
        def __iter__(self) -> Any:
            return iter(())

    gone = []
    for name in ("iterable", "lock_args", "_postfix", "attribute"):
        bar: Any = mp_tqdm(Items())
        items = Items()
        items.bar = bar  # type: ignore[attr-defined]
        setattr(bar, name, items)
        gone.append(weakref.ref(bar))
    del bar, items
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)


@pytest.mark.parametrize("kind", [mp_tqdm, tqdm])
@pytest.mark.parametrize("disable", [False, True])
def test_a_copy_in_this_process_has_what_the_bar_was_given(kind: Any, disable: bool) -> None:
    items = [1, 2]
    with kind(items, file=io.StringIO(), disable=disable) as bar:
        bar.mine = {"a": 1}
        twin = copy.copy(bar)
        assert (twin.iterable, twin.mine) == (items, {"a": 1})
        assert twin.iterable is items
        assert list(twin) == items
        if not disable:
            assert twin.fp == bar.fp
            assert (twin.miniters, twin.gui) == (bar.miniters, False)


@pytest.mark.parametrize("kind", [mp_tqdm, tqdm])
@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_a_bar_that_is_off_is_copied_with_copies(kind: Any, copied: Callable[[Any], Any]) -> None:
    bar = kind([1, 2], disable=True)
    bar.mine = [3]
    bar.itself = bar
    twin = copied(bar)
    assert (twin.iterable, twin.mine) == ([1, 2], [3])
    assert twin.mine is not bar.mine
    assert list(twin) == [1, 2]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, through_pickle])
@pytest.mark.parametrize("disable", [False, True])
def test_a_bar_over_what_cannot_be_copied_is(copied: Callable[[Any], Any], disable: bool) -> None:
    with mp_tqdm((n for n in range(3)), disable=disable, total=3) as bar:
        bar.mine = lambda: None
        twin = copied(bar)
        assert (twin.n, twin.total, twin.disable) == (0, 3, disable)
        twin.close()
