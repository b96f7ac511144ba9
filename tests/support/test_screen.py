"""The emulated screen shows what a person would see."""

import pytest

from support.screen import Screen


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"50%\r100%\n", ["100%"]),
        (b"100%\r50%\r\n", ["50%%"]),
        (b"one\r\ntwo\x1b[A\rONE\n", ["ONE", "two"]),
        (b"long line\rno\x1b[K", ["no"]),
        ("█▉ 進捗\r█".encode(), ["█▉ 進捗"]),
        ("進捗\rx".encode(), ["x 捗"]),
        ("進捗\r\x1b[Cx".encode(), [" x捗"]),
        (b"\xe9\x80", []),
        (b"", []),
    ],
)
def test_lines_are_what_is_left_of_the_writing(written: bytes, lines: list[str]) -> None:
    screen = Screen(rows=4, columns=20)
    screen.feed(written)
    assert screen.lines() == lines


def test_a_character_may_be_cut_between_two_writes() -> None:
    screen = Screen()
    for byte in "進捗 █".encode():
        screen.feed(bytes([byte]))
    assert screen.lines() == ["進捗 █"]


def test_what_scrolled_off_is_kept_in_order() -> None:
    screen = Screen(rows=3, columns=20)
    screen.feed(b"".join(b"line %d\r\n" % number for number in range(10)))
    assert screen.lines() == [f"line {number}" for number in range(10)]
    assert screen.visible() == ["line 8", "line 9", ""]


def test_a_line_as_wide_as_the_screen_takes_one_row() -> None:
    screen = Screen(rows=3, columns=10)
    screen.feed(b"0123456789\r\nnext")
    assert screen.visible() == ["0123456789", "next", ""]


def test_a_longer_line_takes_two() -> None:
    screen = Screen(rows=3, columns=10)
    screen.feed(b"0123456789x")
    assert screen.visible() == ["0123456789", "x", ""]


def test_a_smaller_window_loses_blank_rows_first_and_then_the_top() -> None:
    screen = Screen(rows=6, columns=20)
    screen.feed(b"a\r\nb\r\nc\r\nd")
    screen.resize(4, 20)
    assert (screen.visible(), screen.cursor) == (["a", "b", "c", "d"], (3, 1))
    screen.resize(2, 20)
    assert (screen.visible(), screen.cursor) == (["c", "d"], (1, 1))
    assert screen.lines() == ["a", "b", "c", "d"]
    screen.resize(5, 20)
    assert screen.visible() == ["c", "d", "", "", ""]


def test_a_hidden_cursor_is_noticed() -> None:
    screen = Screen()
    screen.feed(b"\x1b[?25l")
    assert not screen.cursor_is_visible
    screen.feed(b"\x1b[?25h")
    assert screen.cursor_is_visible
