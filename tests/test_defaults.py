"""`TQDM_*` in the environment gives the defaults of bars; what a program says wins."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support import programs


def attributes(program: Callable[..., list[str]], variables: dict[str, str], call: str) -> Any:
    """What a bar made by `call` has, in a program with these variables."""
    source = f"""
        import io, json
        from mp_tqdm import mp_tqdm, trange
        bar = {call}
        names = ["disable", "leave", "total", "n", "mininterval", "ncols", "desc", "unit"]
        names += ["unit_scale", "ascii", "miniters", "smoothing", "position", "postfix"]
        print(json.dumps({{name: getattr(bar, name, None) for name in names}}))
    """
    command = program(source, options=("-W", "error"))
    process = programs.run(command, env=programs.environment(MP_TQDM_MODE="off", **variables))
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TQDM_MININTERVAL": "5", "TQDM_NCOLS": "40"}, {"mininterval": 5.0, "ncols": 40}),
        ({"TQDM_DESC": "work", "TQDM_UNIT": "B"}, {"desc": "work", "unit": "B"}),
        ({"TQDM_LEAVE": "false"}, {"leave": False}),
        ({"TQDM_LEAVE": "none"}, {"leave": None}),
        ({"TQDM_UNIT_SCALE": "true"}, {"unit_scale": True}),
        ({"TQDM_UNIT_SCALE": "8"}, {"unit_scale": 8.0}),
        ({"TQDM_ASCII": " .oO"}, {"ascii": " .oO"}),
        ({"TQDM_ASCII": "1"}, {"ascii": True}),
        ({"TQDM_TOTAL": "7"}, {"total": 7.0}),
        ({"TQDM_WHATEVER": "7"}, {}),
        ({"TQDM_DISABLE": "1"}, {"disable": True}),
        ({"TQDM_DISABLE": "yes"}, {"disable": True}),
        ({"TQDM_DISABLE": "0"}, {"disable": False}),
        ({"TQDM_DISABLE": "false"}, {"disable": False}),
        ({"TQDM_DISABLE": "None"}, {"disable": False}),
    ],
    ids=str,
)
@pytest.mark.once
def test_a_variable_gives_a_default(
    program: Callable[..., list[str]], variables: dict[str, str], expected: dict[str, Any]
) -> None:
    found = attributes(program, variables, "mp_tqdm()")
    assert {name: found[name] for name in expected} == expected


@pytest.mark.once
def test_an_argument_wins_over_a_variable(program: Callable[..., list[str]]) -> None:
    variables = {"TQDM_DISABLE": "1", "TQDM_UNIT": "B", "TQDM_TOTAL": "7"}
    found = attributes(program, variables, "mp_tqdm(disable=False, unit='it', total=3)")
    assert (found["disable"], found["unit"], found["total"]) == (False, "it", 3)


@pytest.mark.once
def test_a_variable_that_is_no_number_warns_and_is_not_taken(
    program: Callable[..., list[str]],
) -> None:
    command = program("from mp_tqdm import mp_tqdm; print(mp_tqdm(total=2).mininterval)")
    env = programs.environment(MP_TQDM_MODE="off", TQDM_MININTERVAL="often")
    process = programs.run(command, env=env)
    assert process.stdout == "0.1\n"
    assert "TQDM_MININTERVAL='often' is no number" in process.stderr
