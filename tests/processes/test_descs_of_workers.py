"""What stands before the numbers of several workers: what their descs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

pytestmark = pytest.mark.faults("F137")

# Each desc is a worker's, who has its bar open until the file `go` is there.
WORKERS = """
    import multiprocessing, os, sys, time
    from mp_tqdm import mp_tqdm

    place, way, how, *descs = sys.argv[1:]

    def work(desc):
        with mp_tqdm(total=10, desc=desc if how == "given" else None) as bar:
            if how == "set":
                for step in ("first", desc):
                    bar.set_description(step)
            bar.update(3)
            while not os.path.exists(place + "/go"):
                time.sleep(0.01)

    def process(desc):
        worker = multiprocessing.get_context(way).Process(target=work, args=(desc,))
        worker.start()
        return worker.join

    def forked(desc):
        child = os.fork()
        if not child:
            work(desc)
            os._exit(0)
        return lambda: os.waitpid(child, 0)

    if __name__ == "__main__":
        start = forked if way == "os.fork" else process
        for end in [start(desc) for desc in descs]:
            end()
"""

FILES = ["file-1.csv", "file-2.csv", "file-3.csv"]
NAMES = ["alpha", "beta", "gamma"]
# Under `os.fork` a worker draws, under the others the root.
CASES = [
    ("fork", "given", FILES, "file: "),
    ("spawn", "given", FILES, "file: "),
    ("os.fork", "given", FILES, "file: "),
    ("fork", "given", NAMES, "{} +2: "),
    ("os.fork", "given", NAMES, "{} +2: "),
    ("fork", "set", NAMES, "{} +2: "),
    ("os.fork", "set", NAMES, "{} +2: "),
    ("fork", "given", ["same", "same"], "same: "),
    ("fork", "set", ["alone"], "alone: "),
    ("os.fork", "set", ["alone"], "alone: "),
]


@pytest.mark.parametrize(("way", "how", "descs", "shown"), CASES)
def test_a_line_of_workers_has_what_their_descs_have_in_common(
    terminal: Terminal,
    program: Callable[..., list[str]],
    tmp_path: Path,
    *,
    way: str,
    how: str,
    descs: list[str],
    shown: str,
) -> None:
    terminal.start(program(WORKERS, str(tmp_path), way, how, *descs))
    numbers = f"| {3 * len(descs)}/{10 * len(descs)} ["
    starts = tuple(shown.format(desc) for desc in descs)
    terminal.wait_for(
        lambda screen: any(numbers in line and line.startswith(starts) for line in screen.visible())
    )
    (tmp_path / "go").touch()
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1].startswith(starts), terminal.text()
