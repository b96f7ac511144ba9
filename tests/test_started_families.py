"""Workers that either package started before the program's first bar count in that bar."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.meeting import MEETING, told

Program = Callable[..., list[str]]

pytestmark = pytest.mark.once

# Two workers that wait, and count once the bar is open. They are started before it, or by a server
# that was; "below" them another process does the counting.
CREW = (
    MEETING
    + """
    import importlib, multiprocessing

    package, method, key, started, depth = sys.argv[1:]
    processes = importlib.import_module(package)

    def count():
        report_progress(10)
        tell("worker")

    def work():
        meet("bar", 3)
        if depth == "below":
            child = processes.get_context(method).Process(target=count)
            child.start()
            child.join()
        else:
            count()

    def start():
        crew = [processes.get_context(method).Process(target=work) for _ in range(2)]
        for process in crew:
            process.start()
        return crew

    if __name__ == "__main__":
        if key == "short":
            processes.current_process().authkey = b"secret"
        if started == "before":
            crew = start()
        elif started == "server":
            process = processes.get_context(method).Process(target=int)
            process.start()
            process.join()
        with mp_tqdm(total=20) as bar:
            bar.update(0)
            if started != "before":
                crew = start()
            meet("bar", 3)
            for process in crew:
                process.join()
            tell("root", bar)
"""
)


def run(command: list[str], place: Path) -> str:
    """Runs a program to its end; what it wrote on stderr."""
    place.mkdir(exist_ok=True)
    env = programs.environment(MEETING_PLACE=str(place), MP_TQDM_MODE="off")
    process = programs.run(command, env=env)
    assert process.returncode == 0, process.stderr
    return process.stderr


@pytest.mark.faults("F76")
@pytest.mark.parametrize(
    "how",
    [
        *(
            f"{method} before {depth}"
            for method in programs.START_METHODS
            for depth in ("top", "below")
        ),
        "forkserver server top",
    ],
)
@pytest.mark.parametrize("family", ["multiprocessing short", "multiprocess random"])
def test_workers_count_whatever_is_older_than_the_bar(
    program: Program, tmp_path: Path, family: str, how: str
) -> None:
    (package, key), (method, started, depth) = family.split(), how.split()
    programs.needs_package(package)
    assert run(program(CREW, package, method, key, started, depth), tmp_path) == ""
    lines = told(tmp_path)
    assert [line["n"] for line in lines if line["label"] == "root"] == [20]
    assert [line["label"] for line in lines].count("worker") == 2
    assert len({line["segment"] for line in lines}) == 1
    assert {line["role"] for line in lines if line["label"] == "worker"} == {"worker"}


@pytest.mark.faults("F76")
@pytest.mark.parametrize("key", ["random", "short"])
def test_two_programs_of_one_key_never_count_for_each_other(
    program: Program, tmp_path: Path, key: str
) -> None:
    places = [tmp_path / name for name in ("one", "other")]
    commands = [program(CREW, "multiprocessing", "spawn", key, "before", "below") for _ in places]
    both = program(
        """
        import os, subprocess, sys
        half = len(sys.argv) // 2
        running = [
            subprocess.Popen(command[1:], env=os.environ | {"MEETING_PLACE": command[0]})
            for command in (sys.argv[1 : half + 1], sys.argv[half + 1 :])
        ]
        sys.exit(sum(process.wait() for process in running))
        """,
        *(word for pair in zip(places, commands, strict=True) for word in (str(pair[0]), *pair[1])),
    )
    for place in places:
        place.mkdir()
    assert run(both, tmp_path) == ""
    found = [told(place) for place in places]
    assert [[line["n"] for line in lines if "n" in line] for lines in found] == [[20], [20]]
    segments = [{line["segment"] for line in lines} for lines in found]
    assert [len(names) for names in segments] == [1, 1]
    assert not segments[0] & segments[1]


# Workers of one package or of both count before the program does, and after.
EARLY = (
    MEETING
    + """
    import importlib, multiprocessing

    packages = [importlib.import_module(name) for name in sys.argv[1:]]

    def work():
        report_progress(1)
        meet("early", len(packages) + 1)
        meet("bar", len(packages) + 1)
        report_progress(10)
        tell("worker")

    if __name__ == "__main__":
        crew = [package.get_context("spawn").Process(target=work) for package in packages]
        for process in crew:
            process.start()
        meet("early", len(crew) + 1)
        with mp_tqdm(total=20) as bar:
            bar.update(0)
            meet("bar", len(crew) + 1)
            for process in crew:
                process.join()
            tell("root", bar)
"""
)


@pytest.mark.faults("F76")
@pytest.mark.parametrize("package", ["multiprocessing", "multiprocess"])
def test_a_program_comes_to_the_workers_that_counted_before_it(
    program: Program, tmp_path: Path, package: str
) -> None:
    programs.needs_package(package)
    text = run(program(EARLY, package), tmp_path)
    assert "TqdmWarning: mp_tqdm: workers" not in text
    worker, root = told(tmp_path)
    assert root["n"] == 10
    assert root["segment"] == worker["segment"]
    assert root["role"] == "root"


@pytest.mark.faults("F76")
def test_a_program_with_early_workers_of_both_packages_says_which_do_not_count(
    program: Program, tmp_path: Path
) -> None:
    programs.needs_package("multiprocess")
    # A program that has the package before it starts them joins before they do.
    imports = next(line for line in MEETING.splitlines() if "from mp_tqdm" in line)
    start = '        meet("early", len(crew) + 1)'
    late = EARLY.replace(imports, f"    if __name__ != '__main__': {imports.strip()}")
    late = late.replace(start, f"{start}\n    {imports}")
    text = run(program(late, "multiprocessing", "multiprocess"), tmp_path)
    assert text.count("TqdmWarning: mp_tqdm: workers of multiprocessing and of multi") == 1, text
    *_, root = told(tmp_path)
    assert root["n"] == 10
    # What the others counted in is removed by the next program of this user.
    programs.run(program("import mp_tqdm; mp_tqdm.mp_tqdm(disable=True)"))


@pytest.mark.faults("F76")
def test_workers_of_both_packages_count_where_their_program_could_join_before_them(
    program: Program, tmp_path: Path
) -> None:
    programs.needs_package("multiprocess")
    assert "TqdmWarning" not in run(program(EARLY, "multiprocessing", "multiprocess"), tmp_path)
    *_, root = told(tmp_path)
    assert root["n"] == 20


POOL = (
    MEETING
    + """
    import multiprocess

    def work(n):
        for _ in mp_tqdm(range(n), desc="work"):
            pass
        tell("worker")

    if __name__ == "__main__":
        if sys.argv[1] == "both":
            import multiprocessing
        with multiprocess.get_context("spawn").Pool(1) as pool:
            pool.map(work, [10, 10])
"""
)


@pytest.mark.parametrize("loaded", ["multiprocess", "both"])
def test_a_program_that_counts_nothing_cleans_up_for_workers_of_multiprocess(
    program: Program, tmp_path: Path, loaded: str
) -> None:
    programs.needs_package("multiprocess")
    run(program(POOL, loaded), tmp_path)
    segments = {line["segment"] for line in told(tmp_path)}
    assert len(segments) == 1
    assert not Path(segments.pop()).exists()
