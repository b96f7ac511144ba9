"""Files that only Python code can write to get tqdm's own frames, from within the loop."""

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal

Bar = Callable[..., Any]
Program = Callable[..., list[str]]

FIGURES = re.compile(r"\[\d\d:\d\d.*?\]")


def frames(text: str) -> list[str]:
    # The padding depends on how many digits the last frame's figures had.
    text = re.sub(r" +(?=[\n\x1b])", "", FIGURES.sub("[...]", text))
    return [frame.rstrip(" ") for frame in text.split("\r")]


def loop(bar_type: Bar, file: Any) -> None:
    for _ in bar_type(range(5), file=file, mininterval=0, miniters=1, desc="loop"):
        pass


def updates(bar_type: Bar, file: Any) -> None:
    with bar_type(total=10, file=file, mininterval=0, miniters=2, ascii=True) as bar:
        for _ in range(10):
            bar.update()


def nested(bar_type: Bar, file: Any) -> None:
    for _ in bar_type(range(2), file=file, mininterval=0, miniters=1):
        for _ in bar_type(range(2), file=file, mininterval=0, miniters=1, leave=False):
            pass


def texts(bar_type: Bar, file: Any) -> None:
    bar = bar_type(total=3, file=file, mininterval=0, miniters=1, desc="first")
    bar.set_description("second")
    bar.set_postfix(loss=0.25, name="x")
    bar.update()
    bar.set_postfix_str("plain")
    bar.close()


def write(bar_type: Any, file: Any) -> None:
    with bar_type(total=2, file=file, mininterval=0, miniters=1) as bar:
        bar.update()
        bar_type.write("a line", file=file)
        bar.update()


def no_leave(bar_type: Bar, file: Any) -> None:
    for _ in bar_type(range(3), file=file, mininterval=0, miniters=1, leave=False):
        pass


def set_n(bar_type: Bar, file: Any) -> None:
    bar = bar_type(total=10, file=file, mininterval=0, miniters=1)
    bar.n = 4
    bar.refresh()
    bar.total = 5
    bar.refresh()
    bar.close()


@pytest.mark.parametrize("program", [loop, updates, nested, texts, write, no_leave, set_n])
def test_a_stringio_gets_the_frames_of_tqdm(program: Callable[[Bar, Any], None]) -> None:
    ours, theirs = io.StringIO(), io.StringIO()
    program(mp_tqdm, ours)
    program(tqdm, theirs)
    assert frames(ours.getvalue()) == frames(theirs.getvalue())


def test_update_says_whether_it_drew() -> None:
    bar = mp_tqdm(total=4, file=io.StringIO(), mininterval=0, miniters=2)
    other = tqdm(total=4, file=io.StringIO(), mininterval=0, miniters=2)
    assert [bar.update() for _ in range(4)] == [other.update() for _ in range(4)]
    bar.close()
    other.close()


class Shim(io.StringIO):
    """A logging shim: a stream with a descriptor that leads elsewhere."""

    def fileno(self) -> int:
        raise OSError("no descriptor")


@pytest.mark.faults("F50")
def test_a_stream_whose_fileno_raises_gets_the_text() -> None:
    file = Shim()
    updates(mp_tqdm, file)
    assert "| 10/10 [" in file.getvalue()


@pytest.mark.faults("F50")
def test_a_stream_whose_fileno_lies_gets_the_text() -> None:
    class Liar(io.StringIO):
        def fileno(self) -> int:
            return 2

    file = Liar()
    updates(mp_tqdm, file)
    assert "| 10/10 [" in file.getvalue()


def test_an_object_with_write_alone_gets_the_text() -> None:
    class Writer:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    file = Writer()
    updates(mp_tqdm, file)
    assert "| 10/10 [" in file.text


@pytest.mark.faults("F50")
def test_a_write_that_somebody_put_in_place_gets_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caught: list[str] = []
    with open("/dev/null", "w", encoding="utf-8") as file:
        monkeypatch.setattr(file, "write", caught.append)
        updates(mp_tqdm, file)
    assert "| 10/10 [" in "".join(caught)


@pytest.mark.faults("F50")
def test_sys_stderr_is_looked_up_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with mp_tqdm(total=3) as bar:
        bar.update(3)
    assert "| 3/3 [" in file.getvalue()


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("closed")])
def test_a_stream_that_breaks_ends_the_display_and_not_the_loop(error: Exception) -> None:
    class Breaking(io.StringIO):
        def write(self, text: str) -> int:  # noqa: ARG002
            raise error

    bar = mp_tqdm(range(10), file=Breaking(), mininterval=0, miniters=1)
    assert list(bar) == list(range(10))
    assert bar.n == 10


def test_a_file_closed_under_a_bar_ends_the_display_and_not_the_loop() -> None:
    file = io.StringIO()
    bar = mp_tqdm(total=10, file=file, mininterval=0, miniters=1)
    bar.update()
    file.close()
    bar.update()
    bar.refresh()
    bar.close()
    assert bar.n == 2


def test_an_ascii_stream_gets_an_ascii_bar() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    bar = mp_tqdm(total=10, file=file, mininterval=0, miniters=1)
    bar.update(5)
    bar.close()
    assert b"50%|#####     |" in raw.getvalue()


@pytest.mark.faults("F46", "F49")
@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full", "2>/dev/null", ">&- 2>&- <&-"])
def test_a_program_runs_on_without_a_stderr_that_works(program: Program, how: str) -> None:
    command = program("""
        import os, sys
        from mp_tqdm import mp_tqdm, report_progress
        # Whatever gets the numbers of the closed descriptors is not written to.
        data = open(sys.argv[1], "w+")
        bars = 0
        for _ in range(3):
            for _ in mp_tqdm(range(1000), mininterval=0.01):
                bars += 1
        with mp_tqdm(total=5) as bar:
            report_progress(5)
            assert bar.n == 5
        data.seek(0)
        os._exit(9 if data.read() or bars != 3000 else 0)
    """)
    data = command[-1] + ".data"
    shell = ["sh", "-c", f'exec "$@" {how}', "sh", *command, data]
    process = programs.run(shell)
    assert process.returncode == 0, process.stderr
    sweep = programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"))
    assert sweep.returncode == 0


def test_disable_none_is_off_where_the_file_is_no_terminal() -> None:
    file = io.StringIO()
    with mp_tqdm(total=3, disable=None, file=file) as bar:
        bar.update(2)
    assert file.getvalue() == ""
    assert (bar.disable, bar.n) == (True, 0)


DRAWN_BY_ITS_CLASS = """
    import sys
    from mp_tqdm import mp_tqdm

    class Bar(mp_tqdm):
        def format_meter(self, **figures):
            return super().format_meter(**figures)

    try:
        with Bar(total=4, mininterval=0, bar_format="{l_bar}{bar}\\x1b[32m{r_bar}") as bar:
            bar.update(2)
            sys.stdin.readline()
            if sys.argv[1] == "fails":
                raise OSError
    except OSError:
        assert bar.colour is None
"""


@pytest.mark.parametrize(
    ("end", "changes", "colours"),
    [
        ("returns", {}, {"32"}),
        ("returns", {"NO_COLOR": "1"}, set()),
        ("fails", {}, {"32", "31"}),
        ("fails", {"NO_COLOR": "1"}, set()),
        ("fails", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"32", "31"}),
    ],
)
def test_what_python_code_draws_on_a_terminal_has_the_colours_of_any_bar(
    terminal: Terminal, program: Program, end: str, changes: dict[str, str], colours: set[str]
) -> None:
    terminal.start(program(DRAWN_BY_ITS_CLASS, end), env=programs.environment(**changes))
    terminal.wait_for(lambda screen: "50%|" in screen.text())
    assert b"\x1b[31m" not in terminal.output()
    terminal.press(b"\n")
    assert terminal.wait() == 0, terminal.text()
    assert set(re.findall(r"\x1b\[(3\d)m", terminal.output().decode())) == colours
    assert re.search(r"50%\|█+\S? +\| 2/4", terminal.text())


def test_a_file_that_is_no_terminal_gets_no_red_line() -> None:
    file = io.StringIO()
    with pytest.raises(ZeroDivisionError), mp_tqdm(total=4, file=file) as bar:
        bar.update(1 // 0)
    assert "\x1b" not in file.getvalue()
