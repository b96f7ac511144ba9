"""`Dataset.map` of `datasets` with several processes, those of `multiprocess`, counts exactly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.meeting import MEETING, told
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(120)]

ITEMS = 400

MAP = (
    MEETING
    + f"""
    import datasets

    def double(item):
        report_progress()
        return {{"double": 2 * item["number"]}}

    def batch(items):
        report_progress(len(items["number"]))
        return items

    if __name__ == "__main__":
        datasets.disable_progress_bars()
        numbers = datasets.Dataset.from_dict({{"number": list(range({ITEMS}))}})
        with mp_tqdm(total={ITEMS}, desc="doubled") as bar:
            doubled = numbers.map(double, num_proc=4)
            tell("each", bar, exact=doubled["double"][:] == [2 * n for n in range({ITEMS})])
        with mp_tqdm(total={ITEMS}, desc="batches") as bar:
            numbers.map(batch, batched=True, batch_size=7, num_proc=4)
            tell("batched", bar)
    """
)


def test_a_map_with_four_processes_counts_in_the_bar_around_it(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    programs.needs_package("datasets")
    home = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    env = programs.environment(MEETING_PLACE=str(tmp_path), **home)
    terminal.start(program(MAP), env=env)
    assert terminal.wait(100) == 0, terminal.text()
    each, batched = told(tmp_path)
    assert (each["n"], each["own"], each["exact"]) == (ITEMS, 0, True)
    assert (batched["n"], batched["own"]) == (ITEMS, 0)
    lines = terminal.lines()
    for desc in ("doubled", "batches"):
        (line,) = [line for line in lines if desc in line]
        assert f"| {ITEMS}/{ITEMS} [" in line, terminal.text()
