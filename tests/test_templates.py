"""Any template that tqdm takes works; one that does not says so where the bar is made."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

both = pytest.mark.parametrize("bar_type", [mp_tqdm, tqdm])

# Each with the postfix that it looks into.
NEEDS_PYTHON: list[tuple[str, Any]] = [
    ("{n} {eta:%Y}", None),
    ("{postfix[0]} {postfix[1][value]:>8.2g} {n}", ["batch", {"value": 3}]),
    ("{n.real} of {total.imag} {bar}", None),
    ("{n} {postfix.real:>5}", 7),
    ("{bar:{ncols}} {n}", None),
    ("{n:x} of {total:b}", None),
    ("{n:c}{total:>8X}{n:o}", None),
]


@pytest.mark.faults("F135")
@pytest.mark.parametrize(("template", "postfix"), NEEDS_PYTHON)
@pytest.mark.parametrize("place", ["terminal", "log"])
def test_python_fills_in_what_the_renderer_cannot(
    template: str, postfix: Any, place: str, program: Program
) -> None:
    def last_line(package: str) -> str:
        command = program(
            f"""
            from {package} import tqdm
            with tqdm(total=4, bar_format={template!r}, postfix={postfix!r}, ncols=30) as bar:
                bar.update(2)
            """
        )
        if place == "log":
            text = programs.run(command).stderr
            assert text.endswith("\n")
            return re.split(r"[\r\n]", text)[-2].rstrip()
        with Terminal() as terminal:
            terminal.start(command)
            assert terminal.wait() == 0
            return terminal.lines()[-1]

    assert last_line("mp_tqdm") == last_line("tqdm")


@pytest.mark.faults("F135")
@both
@pytest.mark.parametrize(
    ("template", "options", "error"),
    [
        ("{nope}", {}, KeyError),
        ("{n", {}, ValueError),
        ("{n:!}", {}, ValueError),
        ("{postfix[0]}", {}, IndexError),
        ("{n.nope}", {}, AttributeError),
        ("{total:d}", {"total": None}, TypeError),
        ("{rate:.1f}", {}, TypeError),
    ],
)
def test_a_template_that_fails_raises_at_construction(
    bar_type: Any, template: str, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        bar_type(**{"total": 4, "file": io.StringIO(), "bar_format": template} | options)


@pytest.mark.faults("F135")
@pytest.mark.parametrize("template", ["{nope}", "{n", "{total:d}"])
def test_it_raises_on_each_kind_of_file(template: str, program: Program) -> None:
    command = program(
        f"""
        import os, sys
        from mp_tqdm import mp_tqdm
        for mode in ("", "off", "lines", "json", "tty"):
            os.environ["MP_TQDM_MODE"] = mode
            try:
                mp_tqdm(bar_format={template!r})
            except (KeyError, ValueError, TypeError):
                print(len(mp_tqdm._instances))
        """
    )
    process = programs.run(command)
    assert (process.stdout.split(), process.stderr) == (["0"] * 5, "")


def test_the_size_of_the_screen_may_have_a_format(program: Program) -> None:
    with Terminal(columns=60) as terminal:
        terminal.start(
            program(
                """
                from mp_tqdm import mp_tqdm
                with mp_tqdm(total=4, bar_format="{n} {ncols:>4d}.") as bar:
                    bar.update(4)
                """
            )
        )
        assert terminal.wait() == 0, terminal.text()
        assert terminal.lines() == ["4   59."]


def test_a_field_that_is_known_after_the_delay_may_be_in_a_template() -> None:
    file = io.StringIO()
    with mp_tqdm(total=4, file=file, bar_format="{rate:.0f}", delay=1e-9, mininterval=0) as bar:
        bar.update(2)
    assert file.getvalue().strip()


def test_a_subclass_may_have_fields_of_its_own() -> None:
    class Mine(mp_tqdm):
        @property
        def format_dict(self) -> dict[str, Any]:
            return {**super().format_dict, "mine": "own"}

    file = io.StringIO()
    with Mine(total=4, file=file, bar_format="{mine} {n}"):
        pass
    assert file.getvalue().endswith("own 0\n")


@pytest.mark.faults("F135")
def test_a_template_that_comes_later_raises_or_is_said_to_have_no_effect(
    program: Program,
) -> None:
    command = program(
        """
        import warnings
        from mp_tqdm import TqdmWarning, mp_tqdm
        with mp_tqdm(total=4) as bar:
            try:
                bar.bar_format = "{nope}"
            except KeyError:
                print(bar.bar_format)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                bar.bar_format = "{n}/{total}"
                bar.bar_format = "{eta:%Y}"
            print(*[(one.category is TqdmWarning, str(one.message)[:21]) for one in said])
        """
    )
    process = programs.run(command)
    assert process.stdout.splitlines() == ["None", "(True, \"bar_format='{eta:%Y}'\")"]
