"""A bar that an exception ended stays as it stood, with a mark: red, or a word without colours."""

import json
import re
from collections.abc import Callable

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

# From 3.13 on Python colours its tracebacks on a terminal.
PLAIN = {"PYTHON_COLORS": "0"}

ENDS = {
    "an exception in a loop": ("for _ in mp_tqdm(range(9)): 1 / 0", True),
    "an exception of the iterable": (
        "for _ in mp_tqdm((1 / n for n in (1, 0)), total=2): pass",
        True,
    ),
    "an exception in a block": ("with mp_tqdm(total=9) as bar: bar.update(); 1 / 0", True),
    "an interrupt": ("for _ in mp_tqdm(range(9)): raise KeyboardInterrupt", True),
    "a break": ("for _ in mp_tqdm(range(9)): break", False),
    "a return": ("(lambda: next(iter(mp_tqdm(range(9)))))()", False),
    "sys.exit": ("for _ in mp_tqdm(range(9)): sys.exit()", False),
    "the end of a generator": ("next(n for n in mp_tqdm(range(9)))", False),
    "the end": ("for _ in mp_tqdm(iter([1]), total=1): pass", False),
}


def ended_by(program: Program, source: str) -> list[str]:
    return program(f"import sys\nfrom mp_tqdm import mp_tqdm\n{source}\n")


@pytest.mark.parametrize(("source", "is_failure"), ENDS.values(), ids=ENDS)
def test_a_bar_that_an_exception_ended_is_red(
    terminal: Terminal, program: Program, source: str, is_failure: bool
) -> None:
    terminal.start(ended_by(program, source), env=programs.environment(**PLAIN))
    terminal.wait()
    assert (b"\x1b[31m" in terminal.output()) == is_failure
    assert "failed" not in terminal.text()
    assert any(re.search(r"(it/s|s/it)\]", line) for line in terminal.lines()), terminal.text()


@pytest.mark.parametrize(("source", "is_failure"), ENDS.values(), ids=ENDS)
def test_in_a_log_its_line_says_so(program: Program, source: str, is_failure: bool) -> None:
    log = programs.run(ended_by(program, source)).stderr
    bar = log.splitlines()[0]
    assert re.search(r"\d/(9|2|1) \[.*(it/s|s/it)(, failed)?\]$", bar), log
    assert bar.endswith(", failed]") == is_failure
    assert "\x1b" not in log


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"MP_TQDM_MODE": "lines"}])
def test_a_terminal_without_colours_is_told_in_words(
    terminal: Terminal, program: Program, changes: dict[str, str]
) -> None:
    source = """
        from mp_tqdm import mp_tqdm
        with mp_tqdm(total=9, colour="green") as bar:
            bar.set_postfix(loss=1)
            bar.update()
            1 / 0
    """
    terminal.start(program(source), env=programs.environment(**PLAIN, **changes))
    assert terminal.wait() == 1
    last = [line for line in terminal.lines() if "1/9 [" in line][-1]
    assert last.endswith(", loss=1, failed]"), terminal.text()
    assert not re.search(rb"\x1b\[3\dm", terminal.output())


def test_an_object_says_so_in_a_field_of_its_own(program: Program) -> None:
    env = programs.environment(MP_TQDM_MODE="json")
    log = programs.run(ended_by(program, ENDS["an exception in a loop"][0]), env=env).stderr
    bar = json.loads(log.splitlines()[0])
    assert (bar["n"], bar["ended"], bar["failed"], bar["note"]) == (0, True, True, "")


NESTED = """
    from mp_tqdm import mp_tqdm
    try:
        with mp_tqdm(total=3, desc="outer") as outer:
            outer.update()
            for number in mp_tqdm(range(5), desc="inner"):
                if number == 2:
                    input()
                    raise KeyError(number)
    finally:
        print("last words")
"""


@pytest.mark.parametrize("colours", [{}, {"NO_COLOR": "1"}])
def test_bars_in_each_other_stay_in_their_places_and_what_is_next_starts_a_line(
    terminal: Terminal, program: Program, colours: dict[str, str]
) -> None:
    # The last lines as tqdm leaves them: the inner one's above, as it ended first.
    terminal.start(program(NESTED), env=programs.environment(**PLAIN, **colours))
    places = ["outer:  33%", "inner:  40%"]
    terminal.wait_for(
        lambda screen: [line[:11] for line in screen.lines() if "%" in line] == places
    )
    terminal.press(b"\n")
    assert terminal.wait() == 1
    *bars, last, first_of_traceback = [line for line in terminal.lines() if line][:4]
    assert [line[:11] for line in bars] == places[::-1], terminal.text()
    assert all(line.endswith("failed]") == bool(colours) for line in bars), terminal.text()
    assert (last, first_of_traceback) == ("last words", "Traceback (most recent call last):")
    assert terminal.output().count(b"\x1b[31m") == (0 if colours else 2)
    assert terminal.cursor[1] == 0


VANISHING = """
    import io, sys
    from mp_tqdm import mp_tqdm

    class Mine(mp_tqdm):
        def display(self, *args, **kwargs):
            return super().display(*args, **kwargs)

    file = {file}
    try:
        with mp_tqdm(total=3, desc="outer", file=file, leave=False) as outer:
            outer.update()
            {loop}
    except ZeroDivisionError:
        pass
    with mp_tqdm(total=3, desc="good", file=file, leave=False) as good:
        good.update(3)
    text = file.getvalue() if isinstance(file, io.StringIO) else ""
    print(text.replace("\\x1b[A", "").replace("\\r", "\\n"))
"""
LOOPS = {
    "a loop": "for i in {kind}(range(5), desc='inner', file=file, leave={leave}): 1 // (2 - i)",
    "the iterable": (
        "for _ in {kind}((1 // n for n in (1, 1, 0)), total=5, desc='inner', file=file, "
        "leave={leave}): pass"
    ),
    "a block": (
        "with {kind}(total=5, desc='inner', file=file, leave={leave}) as b: b.update(2), 1 // 0"
    ),
}


@pytest.mark.faults("F124")
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("leave", [False, None])
@pytest.mark.parametrize(
    ("kind", "place"),
    [("mp_tqdm", "terminal"), ("mp_tqdm", "log"), ("mp_tqdm", "memory"), ("Mine", "terminal")],
)
def test_a_failed_bar_stays_though_it_was_to_vanish(
    program: Program, loop: str, leave: bool | None, kind: str, place: str
) -> None:
    file = "io.StringIO()" if place == "memory" else "sys.stderr"
    source = VANISHING.format(file=file, loop=LOOPS[loop].format(kind=kind, leave=leave))
    if place == "terminal":
        with Terminal() as terminal:
            terminal.start(program(source))
            assert terminal.wait() == 0, terminal.text()
            text, is_red = terminal.text(), b"\x1b[31m" in terminal.output()
        assert is_red
    else:
        process = programs.run(program(source))
        assert process.returncode == 0, process.stderr
        text = process.stderr if place == "log" else process.stdout
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert any(line.startswith("inner:") and "| 2/5 [" in line for line in lines), text
    assert any(line.startswith("outer:") and "| 1/3 [" in line for line in lines), text
    if place == "terminal":
        assert not any(line.startswith("good") for line in lines), text
