"""One program for every mixture of a root's bar, ways to have workers, their work and outputs."""

from __future__ import annotations

import itertools
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from support import programs
from support.polling import PATIENCE_S, wait_until
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DIMENSIONS = {
    "root": ("none", "had", "has", "disabled"),
    "way": ("thread", "fork", "spawn", "forkserver", "loky", "session"),
    "work": ("reports", "bars", "both"),
    "output": ("terminal", "pipe", "file", "string", "own"),
    "prints": ("root", "workers", "none"),
}
WORKERS = 2
ITEMS = 10
HELD = 3  # items that a worker has done when it waits

PROGRAM = """
import io, os, subprocess, sys, threading, time
from mp_tqdm import mp_tqdm, report_progress, session_env

root, way, work, output, prints, place, *number = sys.argv[1:]

class Text(io.StringIO):
    # A Python object without a descriptor; what it gets can be read from outside.
    def __init__(self, name):
        super().__init__()
        self.name = name
    def write(self, text):
        with open(f"{place}/{self.name}", "a") as file:
            file.write(text)
        return super().write(text)

def file_for(name):
    if output == "string":
        return Text(name)
    return open(f"{place}/{name}", "w") if output == "own" and name != "root" else None

def await_file(name):
    while not os.path.exists(f"{place}/{name}"):
        time.sleep(0.01)

def say(name):
    for line in range(3):
        print(f"{name} says line {line}", flush=True)

def task(number):
    items = range(ITEMS)
    if work != "reports":
        file = file_for(f"worker{number}")
        items = mp_tqdm(items, desc="part", mininterval=0.2, file=file)
    for item in items:
        if item == HELD - 1:
            time.sleep(0.25)  # a StringIO is drawn by tqdm's rule
        if item == HELD:
            await_file("live")
            if prints == "workers":
                say(f"worker {number}")
            open(f"{place}/said{number}", "x").close()
            await_file("go")
        if work != "bars":
            report_progress()

def by_hand(start):
    ends = [start(number) for number in range(WORKERS)]
    between()
    for end in ends:
        end()

def between():
    await_file("live")
    if prints == "root":
        say("root")
    for number in range(WORKERS):
        await_file(f"said{number}")
    open(f"{place}/go", "x").close()

def thread(number):
    worker = threading.Thread(target=task, args=(number,))
    worker.start()
    return worker.join

def process(number):
    import multiprocessing

    worker = multiprocessing.get_context(way).Process(target=task, args=(number,))
    worker.start()
    return worker.join

def program(number):
    command = [sys.executable, __file__, *sys.argv[1:], str(number)]
    return subprocess.Popen(command, env=os.environ | session_env()).wait

def loky():
    from joblib import Parallel, delayed

    meanwhile = threading.Thread(target=between)
    meanwhile.start()
    Parallel(n_jobs=WORKERS)(delayed(task)(number) for number in range(WORKERS))
    meanwhile.join()

def main():
    if number:
        return task(int(number[0]))
    look = {"mininterval": 0.2, "file": file_for("root")}
    bar = None
    if root == "had":
        for _ in mp_tqdm(range(5), desc="had", **look):
            time.sleep(0.05)
    elif root != "none":
        total = WORKERS * ITEMS
        bar = mp_tqdm(total=total, desc="own", disable=root == "disabled", **look)
    if way == "loky":
        loky()
    else:
        by_hand({"thread": thread, "session": program}.get(way, process))
    if bar is not None:
        if work == "bars":
            bar.update(total)
        bar.close()
    print("end")

if __name__ == "__main__":
    main()
"""


class Cell(NamedTuple):
    """One mixture."""

    root: str
    way: str
    work: str
    output: str
    prints: str

    def __str__(self) -> str:
        return "-".join(self)


def every_cell() -> list[Cell]:
    """All mixtures."""
    return [Cell(*values) for values in itertools.product(*DIMENSIONS.values())]


def covering_cells() -> list[Cell]:
    """Few mixtures in which each two values of different kinds meet."""
    left = {pair for cell in every_cell() for pair in _pairs(cell)}
    chosen = []
    while left:
        best = max(every_cell(), key=lambda cell: len(left.intersection(_pairs(cell))))
        left.difference_update(_pairs(best))
        chosen.append(best)
    return chosen


def _pairs(cell: Cell) -> Iterator[tuple[tuple[int, str], tuple[int, str]]]:
    return itertools.combinations(enumerate(cell), 2)


class Run:
    """A running program of one mixture.

    Args:
        cell: The mixture.
        place: A directory of its own.
    """

    def __init__(self, cell: Cell, place: Path) -> None:
        self.cell, self.place = cell, place
        place.mkdir()
        numbers = f"WORKERS, ITEMS, HELD = {WORKERS}, {ITEMS}, {HELD}\n"
        command = programs.python(numbers + PROGRAM, *cell, str(place), directory=place)
        self._terminal = Terminal(columns=120) if cell.output in ("terminal", "own") else None
        self._files: list[Path] = []
        if self._terminal is not None:
            self._process: subprocess.Popen[bytes] = self._terminal.start(command)
            return
        # What a pipe brings is put into a file as it comes.
        self._files = [place / "stdout", place / "stderr"]
        through = "2>&1 >$0/stdout | cat >$0/stderr; exit ${PIPESTATUS[0]}"
        into = {"pipe": through}.get(cell.output, ">$0/stdout 2>$0/stderr")
        shell = ["bash", "-c", f'"$@" {into}', str(place)]
        self._process = subprocess.Popen(
            [*shell, *command],
            env=programs.environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Kills what still runs."""
        if self._terminal is not None:
            self._terminal.close()
        elif self._process.poll() is None:
            programs.kill_session(self._process.pid)
        self._process.wait()

    def check_live(self) -> None:
        """Waits until each bar's line has what the held workers did; then lets them go on."""
        for name, pattern in self._bars(HELD):
            line = re.compile(pattern, re.MULTILINE)
            try:
                wait_until(lambda: line.search(self._shown(name)) is not None, pattern)  # noqa: B023
            except AssertionError as error:
                there = f"in {name} of {self.cell}, which has\n{self._shown(name)}"
                raise AssertionError(f"{error}\n{there}") from None
        (self.place / "live").touch()

    def check_end(self) -> None:
        """Waits for the end, and looks at what is left: whole lines, all of them, no others."""
        code = self._terminal.wait() if self._terminal else self._process.wait(PATIENCE_S)
        texts = {name: self._shown(name) for name in self._names()}
        shown = f"{self.cell}\n" + "\n".join(f"{name}:\n{text}" for name, text in texts.items())
        assert code == 0, shown
        main = [line for name in ("main", "stdout") for line in texts.get(name, "").splitlines()]
        expected = [re.escape(line) for line in self._said()]
        lines = self._bars(ITEMS)
        for name, pattern in lines:
            assert re.search(pattern, texts[name], re.MULTILINE), shown
        expected += [pattern for name, pattern in lines if name == "main"]
        for text in self._said():
            assert main.count(text) == 1, shown
        if self._loses():
            expected += [
                "<?sys>?:[01]: TqdmWarning: 20 items reported by .*",
                ".*close it when all .*",
            ]
            assert texts["main"].count("TqdmWarning: 20 items reported by") == 1, shown
        if self.cell.output in ("terminal", "own"):
            whole = re.compile("|".join(f"(?:{pattern})" for pattern in [*expected, "$"]))
            assert [line for line in main if not whole.match(line)] == [], shown

    def _names(self) -> Iterable[str]:
        yield "main"
        if self._terminal is None:
            yield "stdout"
        yield from (path.name for path in self.place.iterdir() if path.name in self._own())

    def _own(self) -> list[str]:
        """The files of Python objects and of workers."""
        return ["root", *(f"worker{number}" for number in range(WORKERS))]

    def _shown(self, name: str) -> str:
        if name == "main" and self._terminal is not None:
            return self._terminal.text()
        path = self.place / ("stderr" if name == "main" else name)
        return path.read_text().replace("\r", "\n") if path.exists() else ""

    def _bars(self, done: int) -> list[tuple[str, str]]:
        """Where lines are awaited, and what they look like when each worker has done so much."""
        root, way, work, output, _ = self.cell
        bars = []
        is_over = done == ITEMS
        everything = WORKERS * ITEMS
        percent = 100 * done // ITEMS
        if root == "had":
            bars.append(("root" if output == "string" else "main", r"had: 100%\|.*\| 5/5 \["))
        if root == "has":
            n = everything if is_over else WORKERS * done * (work != "bars")
            line = rf"own: +{100 * n // everything}%\|.*\| {n}/{everything} \["
            bars.append(("root" if output == "string" else "main", line))
        if work != "reports":
            alone = rf"part: +{percent}%\|.*\| {done}/{ITEMS} \["
            if output in ("string", "own"):
                bars += [(f"worker{number}", alone) for number in range(WORKERS)]
            elif way == "thread":
                bars.append(("main", alone))
            else:
                n = WORKERS * done
                bars.append(("main", rf"part: +{percent}%\|.*\| {n}/{everything} \["))
        return bars

    def _said(self) -> list[str]:
        names = {"root": ["root"], "workers": [f"worker {n}" for n in range(WORKERS)], "none": []}
        said = names[self.cell.prints]
        return [*(f"{name} says line {line}" for name in said for line in range(3)), "end"]

    def _loses(self) -> bool:
        return self.cell.work != "bars" and self.cell.root in ("none", "had")
