"""A bar that starts again looks as it did."""

from collections.abc import Callable

import pytest

from support import programs

Program = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("bar.set_postfix(loss=0.25)", ", loss=0.25]"),
        ("bar.set_postfix({'x': [1]})", ", x=[1]]"),
        ("bar.set_postfix_str('text')", ", text]"),
        ("bar.postfix = 'text'", ", text]"),
        ("bar.unit = 'B'", "?B/s]"),
        ("bar.bar_format = '{n}/{total} only'", "0/7 only"),
        ("bar.set_description('new')", "it/s]"),
        ("bar.total = 2.5", "| 0/7 [00:00<?, ?it/s]"),
        ("bar.reset(total=2.5); bar.total = 7", "| 0/7 [00:00<?, ?it/s]"),
    ],
)
def test_what_was_set_before_a_reset_is_shown_after_it(
    program: Program, setting: str, shown: str
) -> None:
    command = program(
        f"""
        from mp_tqdm import mp_tqdm
        bar = mp_tqdm(total=4, desc="old")
        bar.update(4)
        {setting}
        bar.reset(total=7)
        bar.close()
        """
    )
    assert programs.run(command).stderr.endswith(f"{shown}\n")


def test_a_total_with_a_fraction_leaves_n_as_it_is(program: Program) -> None:
    command = program(
        "from mp_tqdm import mp_tqdm; bar = mp_tqdm(total=2.5); bar.update(); del bar"
    )
    assert "| 1/2.5 [" in programs.run(command).stderr
