"""Iterating over a bar: what is handed out, what counts, and how the bar ends."""

import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm, trange
from support.quiet import quiet

Bar = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


# Each behaviour is tqdm's as well: the tests that take `bar_type` run with both.
both = pytest.mark.parametrize("bar_type", [mp_tqdm, tqdm])


@both
@pytest.mark.parametrize("items", [[], [1], list(range(1000)), "text", {"a": 1}, (None,), {3}])
def test_all_items_are_handed_out_in_order(bar_type: Bar, items: Any) -> None:
    bar = quiet(bar_type, items)
    assert list(bar) == list(items)
    assert bar.n == len(items)
    assert bar.disable


@both
def test_a_bar_is_an_iterable_and_no_iterator(bar_type: Bar) -> None:
    bar = quiet(bar_type, [1, 2])
    assert iter(bar) is not bar
    assert not hasattr(bar, "__next__")
    bar.close()


@both
def test_an_iterator_that_was_never_asked_leaves_the_bar_open(bar_type: Bar) -> None:
    bar = quiet(bar_type, range(3))
    iter(bar)  # as code does that looks whether there is one
    assert not bar.disable
    assert list(bar) == [0, 1, 2]
    assert bar.n == 3


@both
def test_an_item_counts_when_the_next_one_is_asked_for(bar_type: Bar) -> None:
    bar = quiet(bar_type, range(5), mininterval=0, miniters=1)
    seen = [bar.n for _ in bar]
    assert seen == [0, 1, 2, 3, 4]
    assert bar.n == 5


@both
def test_an_unfinished_item_does_not_count_after_a_break(bar_type: Bar) -> None:
    bar = quiet(bar_type, range(10), mininterval=0, miniters=1)
    for item in bar:
        if item == 4:
            break
    assert bar.n == 4
    bar.close()


def test_an_exception_of_the_iterator_arrives_as_without_a_bar() -> None:
    class SpecialError(Exception):
        pass

    error = SpecialError("from within")

    def items() -> Iterator[int]:
        yield 1
        raise error

    bar = mp_tqdm(items())
    with pytest.raises(SpecialError) as caught:
        list(bar)
    assert caught.value is error
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "items"
    # No frame of the package stands between.
    assert len(names) == 2
    assert error.__context__ is None
    assert bar.n == 1
    assert bar.disable


def test_an_exception_in_the_body_leaves_the_count_and_the_bar_goes() -> None:
    bar = mp_tqdm(range(10))
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        for item in bar:
            1 // (item - 3)
    assert bar.n == 3


def test_a_generator_that_iterates_can_be_closed() -> None:
    bars = []

    def items() -> Generator[int, None, None]:
        bar = mp_tqdm(range(10))
        bars.append(bar)
        yield from bar

    generator = items()
    assert [next(generator) for _ in range(4)] == [0, 1, 2, 3]
    generator.close()
    assert bars[0].n == 3


@both
def test_iterating_again_after_the_end_hands_out_everything_again(bar_type: Bar) -> None:
    bar = quiet(bar_type, [1, 2, 3])
    assert list(bar) == [1, 2, 3]
    assert list(bar) == [1, 2, 3]
    assert bar.n == 3


def test_two_iterators_of_one_bar_both_count() -> None:
    bar = mp_tqdm([1, 2, 3])
    pairs = [(a, b) for a, b in zip(bar, bar, strict=True)]
    assert pairs == [(1, 1), (2, 2), (3, 3)]
    # The first one to end closes the bar; the other's last item is in its hand by then.
    assert bar.n == 5


def test_enumerate_and_zip_work() -> None:
    assert list(enumerate(mp_tqdm("ab"))) == [(0, "a"), (1, "b")]
    assert list(zip(mp_tqdm("ab"), trange(2), strict=True)) == [("a", 0), ("b", 1)]


@both
def test_bars_can_be_nested(bar_type: Bar) -> None:
    outer = quiet(bar_type, range(3))
    sums = [sum(quiet(bar_type, range(item + 1))) for item in outer]
    assert sums == [0, 1, 3]
    assert outer.n == 3


@both
def test_update_within_a_loop_adds_to_the_items(bar_type: Bar) -> None:
    bar = quiet(bar_type, range(10), mininterval=0, miniters=1)
    for _ in bar:
        pass
    assert bar.n == 10
    bar = mp_tqdm(range(10))
    for _ in bar:
        bar.update(2)
    assert bar.n == 30


@both
def test_what_cannot_be_iterated_raises_a_type_error(bar_type: Bar) -> None:
    bar = quiet(bar_type, 7)
    with pytest.raises(TypeError):
        iter(bar).__next__()
    bar.close()
    without = quiet(bar_type, total=3)
    with pytest.raises(TypeError):
        iter(without).__next__()
    without.close()


def test_an_object_with_getitem_alone_can_be_iterated() -> None:
    class Old:
        def __getitem__(self, index: int) -> int:
            if index == 3:
                raise IndexError
            return index * 10

    bar = mp_tqdm(Old())  # type: ignore[arg-type]
    assert list(bar) == [0, 10, 20]
    assert bar.n == 3
    assert bar.total is None


def test_reversed_counts_and_contains_looks() -> None:
    # tqdm's own `reversed` restores the iterable before it is asked, and so hands out 1, 2, 3.
    bar = mp_tqdm([1, 2, 3])
    assert 2 in bar
    assert 4 not in bar
    assert list(reversed(bar)) == [3, 2, 1]
    assert bar.n == 3


def test_the_iterator_lets_go_of_the_items_and_of_the_bar() -> None:
    class Item:
        pass

    class Items:
        def __iter__(self) -> Iterator[Item]:
            return iter([Item() for _ in range(3)])

    source = Items()
    gone = weakref.ref(source)
    references = [weakref.ref(item) for item in mp_tqdm(source)]
    del source
    assert gone() is None
    assert [reference() for reference in references] == [None] * 3


def test_an_iterator_keeps_its_bar_alive() -> None:
    iterator = iter(mp_tqdm(range(3), key="kept alive"))
    assert list(iterator) == [0, 1, 2]
    assert list(iterator) == []


def test_a_reset_in_the_loop_counts_in_the_next_number_and_in_no_other_bar() -> None:
    bar = mp_tqdm(range(10))
    others = []
    for item in bar:
        if item == 4:
            bar.reset()
            # Whoever comes next may get what the first number left.
            others += [mp_tqdm(total=5) for _ in range(3)]
            others[0].update(2)
    assert [other.n for other in others] == [2, 0, 0]
    assert bar.n == 6
    for other in others:
        other.close()


def test_a_bar_closed_in_the_loop_goes_on_handing_out_items() -> None:
    bar = mp_tqdm(range(10))
    items = []
    for item in bar:
        items.append(item)
        if item == 4:
            bar.close()
            others = [mp_tqdm(total=5) for _ in range(3)]
    assert items == list(range(10))
    assert bar.n == 4
    assert [other.n for other in others] == [0, 0, 0]


def test_trange_is_a_bar_over_a_range() -> None:
    bar = trange(2, 10, 3, desc="range")
    assert bar.total == 3
    assert bar.desc == "range"
    assert list(bar) == [2, 5, 8]


def test_an_iterator_survives_being_asked_after_its_bar_was_collected_with_a_cycle() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.iterator = iter(mp_tqdm(self.items()))

        def items(self) -> Iterator[Any]:
            yield self
            yield self

    cycle = Cycle()
    next(cycle.iterator)
    gone = weakref.ref(cycle)
    del cycle
    import gc

    gc.collect()
    assert gone() is None
