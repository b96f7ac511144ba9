"""Makes the pictures of the docs from real runs: a program in a terminal, seen by an emulator.

    python docs/pictures/make.py            # all
    python docs/pictures/make.py ddp        # one

Needs the package with its test requirements, and torch for `ddp`.
"""

from __future__ import annotations

import re
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.programs import environment  # noqa: E402
from support.terminal import Terminal  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.screen import Screen

CELL_WIDTH = 8.4
LINE_HEIGHT = 19
MARGIN = 16


def svg(lines: list[str], command: str) -> str:
    """The screen as an SVG: one text element a line, its columns pinned to a grid."""
    shown = [f"$ {command}", *lines]
    columns = max(len(line) for line in shown)
    width = columns * CELL_WIDTH + 2 * MARGIN
    height = len(shown) * LINE_HEIGHT + 2 * MARGIN
    texts = []
    for row, line in enumerate(shown):
        if not line:
            continue
        y = MARGIN + (row + 0.75) * LINE_HEIGHT
        colour = "#8b949e" if row == 0 else "#e6edf3"
        texts.append(
            f'<text x="{MARGIN}" y="{y:g}" fill="{colour}" xml:space="preserve" '
            f'textLength="{len(line) * CELL_WIDTH:g}">{escape(line)}</text>'
        )
    style = "font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" style="{style}">\n'
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n'
        + "\n".join((*texts, "</svg>\n"))
    )


def shoot(name: str, command: list[str], shown: str, moment: Callable[[Screen], bool]) -> None:
    """Runs `command`, and keeps its screen as it is at `moment`."""
    with Terminal(rows=12, columns=112 if name == "log" else 92) as terminal:
        # One thread a rank, which torchrun would otherwise set itself and print a page about.
        terminal.start(command, env=environment(OMP_NUM_THREADS="1"))
        terminal.wait_for(moment, timeout=120)
        lines = terminal.visible()
        terminal.wait(timeout=120)
    while lines and not lines[-1]:
        lines.pop()
    (HERE / f"{name}.svg").write_text(svg(lines, shown))


def _shows(pattern: str) -> Callable[[Screen], bool]:
    return lambda screen: re.search(pattern, "\n".join(screen.visible()), re.DOTALL) is not None


def program(name: str, source: str, pattern: str, before: str = "", behind: str = "") -> None:
    """Shoots a short program, whose name the picture shows, and what a shell has around it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.py"
        path.write_text("import time\nfrom mp_tqdm import mp_tqdm, report_progress\n" + source)
        typed = f"{before}{{}} {name}.py{behind}"
        in_shell = f"cd {directory}; {typed.format(sys.executable)}; sleep 1"
        shoot(name, ["bash", "-c", in_shell], typed.format("python"), _shows(pattern))


PRINTS = """
for epoch in mp_tqdm(range(3), desc="epochs"):
    for batch in mp_tqdm(range(40), desc="batches", leave=False):
        time.sleep(0.01)
    print(f"epoch {epoch}: loss 0.{31 - 9 * epoch}, saved to model-{epoch}.pt")
"""
POOL = """
from multiprocessing import Pool

def work(document):
    time.sleep(0.002)
    if document % 200 == 0:
        print(f"document {document} is empty")
    report_progress()

if __name__ == "__main__":
    with mp_tqdm(total=1000, desc="documents") as bar, Pool(4) as pool:
        pool.map(work, range(1000), chunksize=10)
"""
STALL = """
bar = mp_tqdm(range(100), desc="upload", unit="file")
for file in bar:
    time.sleep(6.5 if file == 42 else 0.01)
"""
FAILED = """
import sys
sys.tracebacklimit = 0

def load(shard):
    time.sleep(0.02)
    if shard == 23:
        raise FileNotFoundError("shard-23.tar")

with mp_tqdm(range(3), desc="epochs") as epochs:
    for epoch in epochs:
        with mp_tqdm(range(20), desc="shards") as shards:
            for shard in shards:
                load(20 * epoch + shard)
"""
LOG = """
for epoch in mp_tqdm(range(4), desc="epochs", mininterval=0.5):
    for batch in mp_tqdm(range(50), desc="batches", leave=False):
        time.sleep(0.01)
"""

TRAIN = "examples/train_ddp.py"
PICTURES: dict[str, Callable[[], None]] = {
    "prints": lambda: program("prints", PRINTS, r"epoch 1:.*epochs: +67%.*batches: +[4-7]"),
    "pool": lambda: program("pool", POOL, r"is empty.*documents: +[5-8].%"),
    "stall": lambda: program("stall", STALL, r"nothing for"),
    "failed": lambda: program("failed", FAILED, r"NotFound", before="NO_COLOR=1 "),
    "log": lambda: program("log", LOG, r"epochs: 100%", behind=" 2>&1 | cat"),
    "ddp": lambda: shoot(
        "ddp",
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            TRAIN,
        ],
        f"torchrun --standalone --nproc-per-node 2 {TRAIN}",
        _shows("epochs:  67%.*batches:  [4-7].%.*loss="),
    ),
}

if __name__ == "__main__":
    for picture in sys.argv[1:] or PICTURES:
        PICTURES[picture]()
