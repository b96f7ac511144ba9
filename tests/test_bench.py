"""`python -m mp_tqdm bench`: what it prints and writes, and what it says of what is missing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any

import pytest

from mp_tqdm.bench import (
    available,
    bench_iterate,
    bench_liveness,
    bench_unread,
    command,
    floor,
    markdown,
)
from mp_tqdm.bench.measure import Effort, measure
from mp_tqdm.bench.suites import SUITES
from mp_tqdm.bench.worker import OutOfTimeError
from support import programs

if TYPE_CHECKING:
    from pathlib import Path

BENCH = [sys.executable, "-m", "mp_tqdm", "bench"]


def test_list_names_every_suite_and_says_what_it_is_about() -> None:
    ran = programs.run([*BENCH, "--list"])
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(SUITES)
    assert "One item of a for loop, above the bare loop" in lines[0]


def test_no_suite_is_imported_with_the_package() -> None:
    source = "import sys, mp_tqdm; print([name for name in sys.modules if '.bench' in name])"
    assert programs.run([sys.executable, "-c", source]).stdout == "[]\n"


def test_an_unknown_suite_is_refused_with_the_one_that_was_meant() -> None:
    ran = programs.run([*BENCH, "itreate"])
    assert (ran.returncode, ran.stdout) == (2, "")
    message = "no suite is called 'itreate': did you mean iterate? `--list` says which there are"
    assert message in ran.stderr


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    path = tmp_path / "missing" / "costs.json"
    ran = programs.run([*BENCH, "segment", "--json", str(path)])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"{path.parent} is no directory" in ran.stderr


@pytest.mark.once
def test_a_quick_run_prints_a_table_and_writes_it_as_json_and_markdown(tmp_path: Path) -> None:
    figures, tables = tmp_path / "costs.json", tmp_path / "costs.md"
    files = ["--json", str(figures), "--markdown", str(tables)]
    ran = programs.run([*BENCH, "segment", "--quick", *files])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "mp-tqdm " in ran.stdout.splitlines()[0]
    assert "Shared memory of a job with one bar (KiB)" in ran.stdout
    document = json.loads(figures.read_text())
    assert document["quick"] is True
    assert document["machine"]["cores"] > 0
    segment = document["suites"]["segment"]
    assert segment["left_out"] == {}
    assert segment["figures"]["mp_tqdm"]["median"] == 1024
    assert "| mp_tqdm | 1,024 | 1,024 |" in tables.read_text()


@pytest.mark.once
def test_an_interrupted_run_writes_what_it_has_measured_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    command = [*BENCH, "segment", "log-hour", "--json", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("mp_tqdm "):
                break  # the next suite takes two minutes
        program.send_signal(signal.SIGINT)
        assert program.wait(20) == 130
    assert list(json.loads(path.read_text())["suites"]) == ["segment"]


@pytest.mark.once
def test_a_missing_peer_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(available, "version", version)
    monkeypatch.setattr(command, "QUICK_ROUNDS", 1)
    path = tmp_path / "costs.json"
    assert command.main(["memory", "--quick", "--json", str(path)]) == 0
    reason = 'rich is not installed: pip install "mp-tqdm[bench]"'
    assert f"\nrich - {reason}\n" in capfd.readouterr().out
    memory = json.loads(path.read_text())["suites"]["memory"]
    assert list(memory["figures"]) == ["bare Python", "mp_tqdm"]
    assert memory["left_out"]["rich"] == reason


@pytest.mark.once
def test_progressbar2_is_called_fast_only_where_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(package: str) -> str:
        if package == "speedups":
            raise PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(available, "version", version)
    rows = [
        (subject.name, bool(available.why_missing(subject.package)))
        for suite in SUITES.values()
        for subject in suite.subjects
        if subject.name.startswith("progressbar2")
    ]
    assert ("progressbar2", False) in rows
    assert ("progressbar2[fast]", True) in rows
    assert all(is_missing == ("[fast]" in name) for name, is_missing in rows)


def test_a_peer_of_another_extra_is_named_with_that() -> None:
    assert available.why_missing("no-such-package").endswith('pip install "mp-tqdm[bench]"')
    if available.why_missing("ray"):
        assert available.why_missing("ray").endswith('pip install "mp-tqdm[bench-ray]"')


def test_without_a_compiler_the_floor_is_left_out_and_the_loop_is_timed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_config_var", {"CC": "gcc -pthread"}.get)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "floor", raising=False)
    assert available.why_missing(floor.PACKAGE).startswith("a C compiler is missing")
    subjects = {subject.name: subject for subject in bench_iterate.SUITE.subjects}
    assert {name for name, subject in subjects.items() if subject.package == floor.PACKAGE} == {
        "floor: C iterator",
        "C iterator, locked add",
    }
    begin = time.perf_counter()
    seconds = subjects["bare loop"].run(100_000)
    assert 0 < seconds < time.perf_counter() - begin


def test_the_source_of_the_floor_comes_with_the_package() -> None:
    assert "Stopwatch" in floor.SOURCE.read_text()


@pytest.mark.once
def test_a_subject_that_is_not_done_in_time_is_ended_with_all_that_it_started() -> None:
    suite = SUITES["log-hour"]  # two minutes; whoever is left after the test fails it
    peers = [subject for subject in suite.subjects if subject.name in {"tqdm", "rich"}]
    end = time.monotonic() + 0.5
    measured = measure(suite, peers, Effort(1, 0.1, is_quick=True, soft_end=end, hard_end=end))
    assert measured.figures == {}
    assert measured.left_out == dict.fromkeys(["tqdm", "rich"], str(OutOfTimeError()))
    assert list(measured.failed) == []


@pytest.mark.once
def test_a_subject_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise RuntimeError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    suite = SUITES["import"]
    subject = next(subject for subject in suite.subjects if subject.name == "rich")
    measured = measure(suite, [subject], Effort(1, 0.1))
    assert measured.left_out == {
        "rich": "a program that it runs ended with 1",
    }
    assert measured.failed == ["rich"]


def _seen(*events: tuple[float, str]) -> Any:
    """What is seen of a program; a text that begins with `told` comes from the program itself."""
    for time_s, text in events:
        told = text.removeprefix("told ")
        yield bench_liveness._Seen(time_s, told == text, told.encode())


@pytest.mark.parametrize(
    ("frame", "next_s", "lag_s"),
    [
        ("7001/987654321", 12.75, 1.5),
        ("7000/987654321", 12.75, 1.5),  # one item is on its way
        ("\x1b[1m  7001 of 987654321", 12.75, 1.5),
        ("6999/987654321", 12.75, 1.75),  # two items behind
        ("90%", 12.75, 1.75),
        ("7001/987654321", 14.0, 3.0),  # right by chance, and then it stood still
        ("7001/987654321", 17.5, 6.0),  # as above, and no time is left to see that it keeps up
    ],
)
def test_liveness_is_the_time_to_the_first_frame_with_the_true_count(
    frame: str, next_s: float, lag_s: float
) -> None:
    seen = _seen(
        (10.0, "7000/987654321"),  # drawn before the slow-down
        (11.0, "told 7000 11.0\n"),
        (11.25, "6500/987654321"),
        (12.0, "told 7001"),
        (12.0, "told  12.0\n"),
        (12.5, frame),
        (12.7, "told 7002 12.7\n"),
        (next_s, "7002/987654321"),
        (next_s + 0.1, f"told 7003 {next_s + 0.1}\n"),
        (next_s + 0.2, "7003/987654321"),
        (30.0, "told "),
    )
    assert bench_liveness.lag_s(seen, 6.0) == lag_s


@pytest.mark.once
def test_who_writes_to_an_unread_terminal_waits_as_long_as_nobody_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench_unread, "PATIENCE_S", 0.5)
    begin = time.monotonic()
    writes = "fill(); os.write(2, b'frame'); tell(time.monotonic())"
    told, end = bench_unread.told(bench_unread._FILL + writes)
    assert begin + 0.5 <= told <= end
    subjects = {subject.name: subject for subject in bench_unread.EXIT_SUITE.subjects}
    monkeypatch.setattr(bench_unread, "PATIENCE_S", 60.0)
    for name in ("no bar", "mp_tqdm", "mp_tqdm, 20 bars"):
        assert 0 < subjects[name].run(1) < 60


def _document(**suites: dict[str, float]) -> dict[str, Any]:
    """A run's document with these medians."""
    return {
        "machine": {
            "python": "CPython 3",
            "system": "Linux",
            "processor": "one",
            "cores": 2,
            "load": 0.0,
            "packages": {"tqdm": "4", "rich": None},
        },
        "quick": False,
        "suites": {
            name.replace("_", "-"): {
                "title": name,
                "unit": "ns",
                "figures": {
                    subject: {"best": value, "median": value, "spread": None}
                    for subject, value in medians.items()
                },
                "left_out": {"enlighten": "is not there"},
            }
            for name, medians in suites.items()
        },
    }


def test_the_page_has_an_overview_of_what_was_measured_and_names_what_was_not() -> None:
    run = _document(iterate={"mp_tqdm": 1.625, "tqdm": 1234.5}, segment={"mp_tqdm": 1024.0})
    page = markdown.page(run)
    assert "| | one item of a loop, ns |\n| --- | --: |\n| **mp_tqdm** | 1.6 |\n" in page
    assert "| tqdm | 1,234 |" in page
    assert "### segment (ns)\n\n| | best | median | spread |" in page
    assert "* enlighten: is not there" in page
    assert "with tqdm 4." in page


@pytest.mark.once
@pytest.mark.timeout(120)
def test_plots_are_drawn_of_what_was_measured_and_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.needs_package("matplotlib")
    run = _document(
        iterate={"mp_tqdm": 1.5, "tqdm": 100.0, "floor: C iterator": -0.5},
        processes={"mp_tqdm, 1 process": 9.0, "Manager().Queue, 1 process": 6e4},
        terminal_bytes={"mp_tqdm": 1024.0},
        log_hour={"mp_tqdm": 7.5, "tqdm": 2291.0},
        liveness={"mp_tqdm": 0.05, "progressbar2[fast]": 25.0},
    )
    # In a process of its own: matplotlib keeps the files of its fonts open.
    source = """
        import json, sys
        from pathlib import Path
        from mp_tqdm.bench import plots
        for directory in ("first", "second"):
            print(*(path.name for path in plots.draw(json.loads(sys.argv[1]), Path(directory))))
    """
    program = programs.python(source, json.dumps(run), directory=tmp_path)
    monkeypatch.chdir(tmp_path)
    ran = programs.run(program, timeout=100)  # the first time it looks for the machine's fonts
    assert ran.returncode == 0, ran.stderr
    names = ran.stdout.splitlines()[0].split()
    drawn = {name: (tmp_path / "first" / name).read_text() for name in names}
    assert list(drawn) == ["costs.svg", "processes.svg", "output.svg", "liveness.svg"]
    # A second on a terminal wrote 1 KiB: an hour writes 3,600.
    assert all(text in drawn["output.svg"] for text in (">3,600<", ">2,291<", ">7.5<"))
    assert "progressbar2[fast]" in drawn["liveness.svg"]
    assert "Manager().Queue" in drawn["processes.svg"]
    assert max(map(len, drawn.values())) < 60_000
    assert {name: (tmp_path / "second" / name).read_text() for name in names} == drawn
