"""`python -m mp_tqdm pipe`: all passes unchanged, and the bar says what that of tqdm says."""

import re
import subprocess
import sys

import pytest

from mp_tqdm import __version__
from support import programs
from support.terminal import Terminal

LINES = b"".join(b"%d\n" % number for number in range(123))
FIGURES = re.compile(r"(\S+) \[")


def pipe(module: str, data: bytes, *options: str) -> tuple[int, bytes, str]:
    """Exit code, output and what was said, of a pipe that all of `data` went through."""
    command = [sys.executable, "-m", *module.split(), *options]
    done = subprocess.run(
        command,
        input=data,
        capture_output=True,
        env=programs.environment(),
        timeout=25,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def last_figures(said: str) -> str:
    return FIGURES.findall(said)[-1]


@pytest.mark.once
@pytest.mark.parametrize(
    ("data", "options"),
    [
        (LINES, []),
        (LINES, ["--total", "123"]),
        (LINES, ["--desc", "lines", "--unit=x", "--unit-scale", "--ascii"]),
        (LINES.rstrip(), []),
        (b"", []),
        (LINES, ["--bytes"]),
        (LINES, ["--bytes", "--total", "2000", "--unit_scale", "False"]),
        (LINES, ["--update"]),
        (LINES, ["--update-to"]),
        (LINES.replace(b"\n", b"\0"), ["--delim", r"\0"]),
        (LINES.replace(b"\n", b"D").rstrip(b"D"), ["--delim", "D", "--buf_size", "64"]),
        (LINES.replace(b"\n", b"D"), ["--delim", "D", "--update"]),
        (LINES, ["--null"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else f"{len(value)}B",
)
def test_a_pipe_says_and_passes_what_tqdms_does(data: bytes, options: list[str]) -> None:
    code, output, said = pipe("mp_tqdm pipe", data, *options)
    theirs_code, theirs_output, theirs_said = pipe("tqdm", data, *options)
    assert (code, output) == (theirs_code, theirs_output)
    assert last_figures(said) == last_figures(theirs_said)


def test_large_and_binary_data_passes_whole() -> None:
    data = bytes(range(256)) * 20_000
    code, output, said = pipe("mp_tqdm pipe", data, "--bytes")
    assert (code, output == data) == (0, True)
    assert "4.88MB [" in said


def test_floats_add_up_and_what_is_no_number_is_named() -> None:
    code, output, said = pipe("mp_tqdm pipe", b"0.5\nx\n1.25\n", "--update")
    assert (code, output) == (0, b"0.5\nx\n1.25\n")
    assert "'x' is no number" in said
    assert "1.75it [" in said


@pytest.mark.parametrize(
    "options", [["--no-such-option"], ["--bytes", "--update"], ["--total", "x"]], ids=str
)
def test_wrong_options_are_named_and_the_data_passes(options: list[str]) -> None:
    code, output, said = pipe("mp_tqdm pipe", LINES, *options)
    assert (code, output) == (2, LINES)
    assert "error: " in said
    assert " _" not in said.split("error: ")[1]


def test_the_version_is_the_packages() -> None:
    assert pipe("mp_tqdm pipe", b"", "--version")[:2] == (0, f"{__version__}\n".encode())


def test_help_names_the_options() -> None:
    code, output, _ = pipe("mp_tqdm pipe", b"", "--help")
    assert code == 0
    assert all(name in output.decode() for name in ("--bytes", "--update-to", "--delim", "--desc"))


def test_tee_prints_the_lines_above_the_bar() -> None:
    _, output, said = pipe("mp_tqdm pipe", LINES, "--tee")
    assert output == LINES
    assert "\n121\n122\n" in "\n" + said
    assert "123it [" in said


def test_a_reader_that_goes_ends_the_pipe_quietly() -> None:
    script = f"yes | {sys.executable} -m mp_tqdm pipe | head -n 3; echo ${{PIPESTATUS[1]}}"
    done = programs.run(["bash", "-c", script])
    assert done.stdout.split() == ["y", "y", "y", "141"]
    assert "Traceback" not in done.stderr


def test_the_bar_moves_on_a_terminal_while_lines_come(terminal: Terminal) -> None:
    script = f"(seq 5; read; seq 5) | {sys.executable} -m mp_tqdm pipe --total 10 >/dev/null"
    terminal.start(["bash", "-c", script])
    terminal.wait_for(lambda screen: "5/10" in "\n".join(screen.lines()))
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "10/10" in terminal.text()
