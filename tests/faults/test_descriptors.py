"""Programs that close descriptors which are not theirs: counts stay, and so do strangers' files."""

import re
import resource
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]


def limited(command: list[str], soft: int | None, hard: int | None = None) -> list[str]:
    """The command under a limit of open descriptors."""
    if soft is None:
        return command
    if hard is None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard <= 1100:
            pytest.skip("no process may have more than 1,100 descriptors here")
    return [programs.needs("prlimit"), f"--nofile={soft}:{hard}", *command]


CLOSE_ALL = """
    import multiprocessing, os, sys
    from mp_tqdm import mp_tqdm, report_progress

    def work(n):
        for _ in range(n):
            report_progress()

    def main():
        bar = mp_tqdm(total=90_000, desc="closed")
        report_progress(10_000)
        child = os.fork()
        if not child:
            work(10_000)
            os._exit(0)
        os.waitpid(child, 0)
        os.closerange(3, 1024)
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            processes = [context.Process(target=work, args=(10_000,)) for _ in range(2)]
            for process in processes:
                process.start()
            for _ in range(10_000):
                bar.update()
            for process in processes:
                process.join()
        print("counted", bar.n)
        # The line is alive: it shows what is counted from here on.
        bar.update(9_999)
        input()
        bar.update()
        bar.close()

    if __name__ == "__main__":
        main()
"""


@pytest.mark.faults("F69")
@pytest.mark.parametrize("limit", [None, 1024], ids=["high limit", "limit 1024"])
def test_a_program_that_closes_all_descriptors_counts_and_draws_on(
    terminal: Terminal, program: Program, limit: int | None
) -> None:
    terminal.start(limited(program(CLOSE_ALL), limit))
    terminal.wait_for(lambda screen: "counted 80000" in screen.text())
    terminal.wait_for(lambda screen: "89999/90000" in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "90000/90000" in terminal.text()


# Closes whatever there is and opens victims under each number that is free then.
CLOSE_AND_REUSE = """
    import os, sys, time
    from mp_tqdm import mp_tqdm, report_progress
    directory, last = sys.argv[1], int(sys.argv[2])
    bar = mp_tqdm(total=10**9)
    while not bar.update():  # until a frame was drawn
        pass
    os.closerange(3, last)
    descriptors = []
    while not descriptors or descriptors[-1] < last - 10:
        path = f"{directory}/victim-{len(descriptors)}"
        descriptors.append(os.open(path, os.O_RDWR | os.O_CREAT))
    total = 0
    for item in mp_tqdm(range(200_000)):
        bar.update()
        total += item
    end = time.monotonic() + 0.4
    while time.monotonic() < end:  # for some frames
        bar.update()
    for _ in range(3):
        child = os.fork()
        if not child:
            report_progress(100)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    bar.set_postfix(loss=1)
    print(bar.n <= 10**9, total == sum(range(200_000)))
    bar.close()
    with mp_tqdm(total=5) as other:
        other.update(5)
        print(other.n)
    for descriptor in descriptors:
        os.close(descriptor)  # fails if it was closed by somebody else
"""


@pytest.mark.faults("F69")
@pytest.mark.parametrize(
    ("last", "limit"),
    [(1100, (2000, None)), (1000, (1000, 1000))],
    ids=["beyond ours", "ours cannot be high"],
)
def test_nothing_is_written_to_files_under_the_numbers_that_were_ours(
    terminal: Terminal,
    program: Program,
    tmp_path: Path,
    last: int,
    limit: tuple[int, int | None],
) -> None:
    command = program(CLOSE_AND_REUSE, str(tmp_path), str(last))
    terminal.start(limited(command, *limit))
    assert terminal.wait() == 0, terminal.text()
    assert "True True" in terminal.text()
    victims = list(tmp_path.glob("victim-*"))
    assert len(victims) > last - 100
    assert [victim for victim in victims if victim.stat().st_size] == []
    # Locks that are gone are given up: the next program sweeps the segment.
    swept = programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"))
    assert swept.returncode == 0, swept.stderr


START_WITHOUT = """
    import multiprocessing, os, sys
    victim, result = sys.argv[1:3]
    from mp_tqdm import mp_tqdm, report_progress

    def work():
        for _ in range(1000):
            report_progress()

    bar = mp_tqdm(total=4000)
    report_progress()
    # What is opened now gets the number that was free at the start, if we left it free.
    descriptor = os.open(victim, os.O_RDWR | os.O_CREAT)
    processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    for _ in mp_tqdm(range(1000)):
        report_progress()
    bar.close()
    with open(result, "w") as file:
        file.write(f"{descriptor} {bar.n}")
"""


@pytest.mark.faults("F69")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_program_started_without_a_standard_descriptor_leaves_its_number_to_others(
    terminal: Terminal, program: Program, tmp_path: Path, number: int
) -> None:
    victim, result = tmp_path / "victim", tmp_path / "result"
    command = shlex.join(program(START_WITHOUT, str(victim), str(result)))
    closed = f"exec {number}<&-; exec {command}"
    terminal.start(["sh", "-c", closed], env=programs.environment(MP_TQDM_MODE="tty"))
    assert terminal.wait() == 0, terminal.text()
    assert result.read_text() == f"{number} 3001"
    assert victim.read_bytes() == b""


# Another library at work below 64: it closes and replaces what it finds there.
CHURN = """
    import os, random, sys, threading, time
    from mp_tqdm import mp_tqdm, report_progress
    directory = sys.argv[1]
    seed = time.time_ns()
    chance = random.Random(seed)
    paths = [f"{directory}/victim-{number}" for number in range(40)]
    is_over = False

    def churn():
        own = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
        # Into high numbers of its own, so that everything below 64 can be replaced.
        kept = [os.dup2(descriptor, 500 + number) for number, descriptor in enumerate(own)]
        while not is_over:
            number = chance.randrange(3, 64)
            if chance.random() < 0.3:
                os.closerange(number, number + 1)
            else:
                os.dup2(chance.choice(kept), number)

    bar = mp_tqdm(total=2_000_000, desc="churned", mininterval=0.02)
    bar.update()
    churner = threading.Thread(target=churn)
    churner.start()
    children = []
    for number in range(20):
        child = os.fork()
        if not child:
            for _ in range(1000):
                report_progress()
            os._exit(0)
        children.append(child)
        for _ in range(20_000):
            bar.update()
    for child in children:
        os.waitpid(child, 0)
    is_over = True
    churner.join()
    print("counted", bar.n, seed)
    input()
    os._exit(0)
"""


@pytest.mark.faults("F69")
def test_a_library_that_replaces_descriptors_below_64_harms_nothing(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.start(program(CHURN, str(tmp_path)))
    terminal.wait_for(lambda screen: "counted" in screen.text())
    assert re.search(r"counted 420001 ", terminal.text()), terminal.text()
    # The renderer's own descriptor is none of those: it draws to the end.
    terminal.wait_for(lambda screen: "420001/2000000" in screen.text())
    assert {path.stat().st_size for path in tmp_path.glob("victim-*")} == {0}
    terminal.press(b"\n")
    assert terminal.wait() == 0
    swept = programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"))
    assert swept.returncode == 0, swept.stderr


USED_UP = """
    import io, os, resource, sys

    if sys.argv[1] == "beside":
        import tqdm.std
    from mp_tqdm import mp_tqdm, report_progress

    uses = {
        "close": lambda bar: bar.close(),
        "leave": lambda bar: bar.__exit__(ValueError, ValueError(), None),
        "loop": lambda bar: bar.update(len(list(mp_tqdm(range(3))))),
        "other file": lambda bar: bar.update(len(list(mp_tqdm(range(3), file=io.StringIO())))),
        "template": lambda bar: mp_tqdm(bar_format="{n.real}", total=3).close(),
        "colour": lambda bar: mp_tqdm(colour="nope", total=3).close(),
        "no number": lambda bar: bar.update(float("nan")),
        "parts": lambda bar: bar.update(0.5),
        "postfix": lambda bar: bar.set_postfix(loss=object()),
        "desc": lambda bar: bar.set_description("now"),
        "write": lambda bar: bar.write("text"),
        "print": lambda bar: print("text"),
        "room": lambda bar: mp_tqdm.external_write_mode().__enter__(),
        "refresh": lambda bar: (bar.refresh(), bar.clear(), bar.display(), str(bar)),
        "again": lambda bar: bar.reset(),
        "report": lambda bar: report_progress(1, bar="nobody's"),
        "known": lambda bar: (bar.format_dict, bar.n, bar.total, bar.desc, repr(bar)),
    }
    for name, use in uses.items():
        child = os.fork()
        if child == 0:
            step = "open"
            try:
                bar = mp_tqdm(total=10)
                bar.update()
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
                step = "use"
                use(bar)
                step = "go on"
                bar.update()
                bar.close()
                step = "done"
            except BaseException as error:
                step = f"{step}: {error!r}"
            os.write(1, f"{name}: {step}\\n".encode())
            os._exit(0)
        os.waitpid(child, 0)
"""


@pytest.mark.faults("F31")
@pytest.mark.parametrize("tqdm", ["beside", "without"])
def test_no_use_of_a_bar_raises_where_no_file_can_be_opened_any_more(
    program: Program, tqdm: str
) -> None:
    process = programs.run(program(USED_UP, tqdm, options=("-W", "ignore")))
    assert process.returncode == 0, process.stderr
    steps = [line for line in process.stdout.splitlines() if ": " in line]
    assert len(steps) == 17, process.stdout
    assert [step for step in steps if not step.endswith(": done")] == []
