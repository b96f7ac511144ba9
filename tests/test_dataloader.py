"""What the workers of real DataLoaders report is exact, however they were started."""

import json
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

pytest.importorskip("torch")

# Workers that are spawned import PyTorch, each for itself.
WATCHDOG_S = 150.0

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.timeout(WATCHDOG_S + 10),
]

LOADERS = """
    import json, pathlib, sys
    import torch.multiprocessing
    from torch.utils.data import DataLoader, Dataset
    from mp_tqdm import mp_tqdm, report_progress

    ITEMS = 100

    class Items(Dataset):
        def __len__(self):
            return ITEMS

        def __getitem__(self, index):
            report_progress(bar="loaded")
            return index

    def run(method, workers, persistent, stop_at=None):
        # Without persistent workers each epoch has a set of new ones.
        loader = DataLoader(
            Items(),
            batch_size=7,
            num_workers=workers,
            multiprocessing_context=method,
            persistent_workers=persistent,
        )
        told = []
        with (
            mp_tqdm(total=2 * ITEMS, desc="loaded") as loaded,
            mp_tqdm(total=2 * ITEMS, desc="trained", reduce="sum") as trained,
        ):
            for epoch in range(2):
                with mp_tqdm(loader, desc="batches", leave=False) as batches:
                    for batch in batches:
                        trained.update(len(batch))
                        if batches.n == stop_at:
                            break
                told.append([loaded.n, trained.n, batches.n, loaded.n_own])
        return told

    if __name__ == "__main__":
        torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["torch"])
        ways = [(method, 2, kept) for method in ("fork", "forkserver") for kept in (False, True)]
        ways += [("spawn", 1, False), ("spawn", 1, True), (None, 0, False)]
        told = {"-".join(map(str, way)): run(*way) for way in ways}
        told["break"] = run("fork", 2, False, stop_at=3)
        pathlib.Path(sys.argv[1]).write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[int]]]:
    """The counts of each epoch. The lines are live while workers are forked, and nothing warns."""
    directory = tmp_path_factory.mktemp("loaders")
    options = ("-W", "error::DeprecationWarning")
    command = programs.python(
        LOADERS, str(directory / "told"), directory=directory, options=options
    )
    with Terminal() as terminal:
        terminal.start(command)
        assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
        assert "Warning" not in terminal.text()
    return json.loads(Path(directory / "told").read_text())


@pytest.mark.faults("F20")  # on Python 3.12 and later: see `told`
@pytest.mark.parametrize(
    "way",
    [
        "fork-2-False",
        "fork-2-True",
        "forkserver-2-False",
        "forkserver-2-True",
        "spawn-1-False",
        "spawn-1-True",
    ],
)
def test_workers_report_each_item_they_load_once(told: dict[str, list[list[int]]], way: str):
    assert told[way] == [[100, 100, 15, 0], [200, 200, 15, 0]]


def test_without_workers_the_training_process_reports_itself(told: dict[str, list[list[int]]]):
    assert told["None-0-False"] == [[100, 100, 15, 100], [200, 200, 15, 200]]


def test_after_a_break_more_was_loaded_than_trained(told: dict[str, list[list[int]]]):
    first, second = told["break"]
    # The workers had been asked for two batches each, and for one more at each that came.
    assert first[1:] == [28, 3, 0]
    assert second[1:] == [56, 3, 0]
    assert 28 <= first[0] <= 56
    assert 56 <= second[0] <= 112
