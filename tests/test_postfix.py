"""A postfix is shown from its first frame on, and a value without a text harms nobody."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

# A value of which nobody knows when it loses its text: the deleted array of a device, say.
ARRAY = """
from mp_tqdm import mp_tqdm

class Array:
    is_deleted = False

    def __str__(self):
        if Array.is_deleted:
            raise RuntimeError("Array has been deleted.")
        return "4.5"
"""


class Nameless:
    def __str__(self) -> str:
        message = "Array has been deleted."
        raise RuntimeError(message)


@pytest.mark.faults("F136")
@pytest.mark.parametrize("place", ["terminal", "log"])
@pytest.mark.parametrize(
    ("postfix", "shown"),
    [("text", ", text]"), ({"b": 1, "a": 2}, ", a=2, b=1]"), (7, ", 7]"), ("", "it/s]")],
)
def test_a_postfix_of_the_constructor_is_shown(
    postfix: Any, shown: str, place: str, program: Program
) -> None:
    command = program(
        f"from mp_tqdm import mp_tqdm\n"
        f"bar = mp_tqdm(total=4, postfix={postfix!r}); bar.update(4); bar.close()"
    )
    if place == "log":
        lines = programs.run(command).stderr.splitlines()
    else:
        with Terminal() as terminal:
            terminal.start(command)
            terminal.wait()
            lines = terminal.lines()
    assert lines[-1].endswith(shown)


@pytest.mark.faults("F136")
@pytest.mark.parametrize("file", ["sys.stderr", "io.StringIO()"])
def test_a_value_that_lost_its_text_raises_nowhere(file: str, program: Program) -> None:
    command = program(
        ARRAY
        + f"""
import io, sys
bar = mp_tqdm(total=4, file={file}, leave=False)
bar.set_postfix(loss=Array(), step=1)
bar.set_postfix(loss=Array(), step=2)
Array.is_deleted = True
bar.update(), bar.refresh(), str(bar), bar.format_dict, bar.receipt(), bar.postfix
bar.set_postfix(loss=Array(), step=3)
print(bar.postfix)
bar.update()
bar.close(), str(bar), bar.receipt()
with mp_tqdm(total=4, file={file}, postfix={{"loss": Array()}}) as bar:
    bar.update()
"""
    )
    process = programs.run(command)
    assert process.returncode == 0, process.stderr
    assert process.stdout == "loss=?, step=3\n"
    if file == "sys.stderr":
        assert ", loss=?]" in process.stderr


@pytest.mark.faults("F136")
def test_the_end_shows_the_others_of_the_last_values(program: Program) -> None:
    command = program(
        ARRAY
        + """
bar = mp_tqdm(total=4)
bar.set_postfix(loss=Array(), step=1)
bar.set_postfix(loss=Array(), step=2)
Array.is_deleted = True
bar.close()
"""
    )
    assert programs.run(command).stderr.endswith(", loss=?, step=2]\n")


@pytest.mark.parametrize("raw", [{1: 2}, [1, 2]])
def test_what_is_no_pairs_is_shown_as_it_is(raw: Any) -> None:
    file = io.StringIO()
    with mp_tqdm(total=4, file=file, postfix=raw) as bar:
        assert bar.postfix == raw
        bar.set_postfix({1: Nameless()})
        assert bar.postfix == "1=?"
    assert f"{raw}]" in file.getvalue()
    assert ", 1=?]" in file.getvalue()
