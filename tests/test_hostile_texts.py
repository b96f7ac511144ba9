"""Texts of users, file names often, reach no terminal and no log as they are, whoever draws."""

import io
import json
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from mp_tqdm import mp_tqdm
from support import programs
from support.doctor import DOCTOR
from support.screen import Screen
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Control characters of both sets, sequences that move a cursor, that title a window or ask for an
# answer; a line end; what reorders a line or ends it.
HOSTILE = "a\0b\x1b[2Jc\x1b]0;title\x07d\x9b5nf\ng\rh\u2028i\u202ej\x1b[6nk"
HARMFUL = re.compile(
    r"[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u2028-\u202e]|\x1b(?!\[A|\[\d*m)"
)

BAR = f"""
import sys, io
from mp_tqdm import mp_tqdm
text = {HOSTILE!r}
"""
USE = """
with mp_tqdm(total=3, file=file, desc=text, unit=text, mininterval=0, miniters=1) as bar:
    bar.set_postfix({text: text, "n": 1})
    bar.update()
    bar.set_description(text)
    bar.set_postfix_str(text)
    bar.update()
    bar.set_postfix({text: [text]})
    bar.update()
"""
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.faults("F122")
@pytest.mark.parametrize("is_terminal", [False, True])
def test_python_code_draws_clean_texts(is_terminal: bool) -> None:
    class File(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    file = File()
    exec(USE, {"mp_tqdm": mp_tqdm, "file": file, "text": HOSTILE})  # noqa: S102 - as in programs
    text = file.getvalue()
    assert "ab" in text
    assert not HARMFUL.search(text), text
    assert text.count("\n") == 1


@pytest.mark.faults("F122")
@pytest.mark.parametrize("variables", [{}, {**ASCII, "PYTHONIOENCODING": "ascii"}], ids=str)
@pytest.mark.parametrize("mode", ["", "lines", "json"])
def test_a_stream_gets_clean_texts(program: Program, variables: dict[str, str], mode: str) -> None:
    env = programs.environment(MP_TQDM_MODE=mode, **variables)
    process = subprocess.run(
        program(BAR + "file = sys.stderr\n" + USE), env=env, capture_output=True, check=True
    )
    text = process.stderr.decode()
    assert "ab" in text
    assert not HARMFUL.search(text), text
    assert "\r" not in text, "the renderer draws, by the rules of a log"
    if mode == "json":
        bar = json.loads(text.splitlines()[-1])
        assert not any(map(HARMFUL.search, [bar["desc"], bar["unit"], str(bar["postfix"])]))


@pytest.mark.faults("F122", "F138")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "koi8-r"])
def test_a_terminal_of_another_encoding_has_one_line(program: Program, encoding: str) -> None:
    command = program(
        BAR
        + """
import time
print("before")
with mp_tqdm(total=30, desc="größe 進捗 " + text, mininterval=0.02) as bar:
    for n in range(30):
        bar.set_postfix(name="й" * n)
        bar.update()
        time.sleep(0.01)
print("after")
"""
    )
    with Terminal(columns=70) as terminal:
        variables = {} if encoding == "utf-8" else {**ASCII, "PYTHONIOENCODING": encoding}
        terminal.start(command, env=programs.environment(**variables))
        assert terminal.wait() == 0, terminal.text()
        output = terminal.output()
    screen = Screen(columns=70)
    screen.feed(output.decode(encoding, "replace").encode())
    lines = [line for line in screen.lines() if line]
    assert (lines[0], len(lines), lines[-1]) == ("before", 3, "after"), lines
    # What saves the cursor is the renderer.
    assert (b"\x1b7" in output) == (encoding != "koi8-r")
    shown = "größe" if encoding in ("utf-8", "latin-1") else "gr??e"
    assert lines[1].startswith(shown), lines
    assert ("進捗" in lines[1]) == (encoding == "utf-8")
    frames = re.sub(r"\x1b[78D]|\x1b\[\d*[AKJ]", "", output.decode(encoding))
    assert not HARMFUL.search(frames)


@pytest.mark.faults("F122")
@pytest.mark.once
def test_the_doctor_prints_clean_texts(program: Program) -> None:
    source = (
        BAR + "bar = mp_tqdm(total=3, desc=text, key=text); print('ready', flush=True); input()"
    )
    env = programs.environment()
    with subprocess.Popen(
        program(source), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        page = subprocess.run(DOCTOR, env=env, capture_output=True, check=False).stdout.decode()
        process.communicate("\n")
    assert "abc" in page
    assert not HARMFUL.search(page), page


def test_write_prints_what_it_is_given() -> None:
    file = io.StringIO()
    mp_tqdm.write(HOSTILE, file=file)
    assert file.getvalue() == HOSTILE + "\n"


def test_colours_of_a_desc_stay_where_python_code_draws(monkeypatch: Any) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    file = io.StringIO()
    with mp_tqdm(total=3, file=file, desc="\x1b[31mred\x1b[0m"):
        pass
    assert "\x1b[31mred\x1b[0m" in file.getvalue()
    assert os.environ.get("NO_COLOR") is None
