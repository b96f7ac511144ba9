"""A file, pipe or log gets whole lines now and then, with nothing in them that moves a cursor."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]


def stderr_of(command: list[str], **changes: str) -> str:
    process = programs.run(command, env=programs.environment(**changes))
    assert process.returncode == 0, process.stderr
    return process.stderr


def test_a_short_loop_writes_its_last_line_alone(program: Program) -> None:
    text = stderr_of(
        program("""
            from mp_tqdm import mp_tqdm
            for _ in mp_tqdm(range(1000), desc="work"):
                pass
        """)
    )
    assert re.fullmatch(r"work: 100%\|█{10}\| 1000/1000 \[00:0\d<00:00, .*it/s\]\n", text)


def test_bars_one_after_the_other_write_a_line_each(program: Program) -> None:
    text = stderr_of(
        program("""
            from mp_tqdm import mp_tqdm
            for number in range(5):
                for _ in mp_tqdm(range(10), desc=f"bar {number}"):
                    pass
        """)
    )
    assert [line.split(":")[0] for line in text.splitlines()] == [f"bar {n}" for n in range(5)]
    assert text.endswith("\n")


def test_an_explicit_interval_replaces_the_schedule(program: Program) -> None:
    text = stderr_of(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(range(20), desc="work", mininterval=0.2)
            for number in bar:
                time.sleep(0.05)
                if number in (9, 19):
                    # A line is due: it is out once a frame was drawn that began after this.
                    frames = bar._native.job_frames
                    while bar._native.job_frames < frames + 2:
                        time.sleep(0.01)
        """)
    )
    lines = text.splitlines()
    assert len(lines) >= 3, text
    assert all(line.startswith("work:") for line in lines)
    assert "| 20/20 [" in lines[-1]
    assert "\r" not in text
    assert "\x1b" not in text


def test_nothing_in_a_line_moves_a_cursor_or_colours(program: Program) -> None:
    text = stderr_of(
        program(r"""
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, colour="red", desc="a\nb\rc\x1b[31m\x00d") as bar:
                bar.set_postfix_str("x\ny\x1b]0;title\x07")
                bar.update(3)
        """)
    )
    assert text.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert "3/3" in text


def test_a_file_gets_what_a_pipe_gets(program: Program, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = program(
        """
        import sys
        from mp_tqdm import mp_tqdm
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            print("before", file=file, flush=True)
            for _ in mp_tqdm(range(10), file=file):
                pass
            print("after", file=file)
        """,
        str(log),
    )
    assert stderr_of(command) == ""
    first, bar, last = log.read_text(encoding="utf-8").splitlines()
    assert (first, last) == ("before", "after")
    assert "| 10/10 [" in bar


ON_A_TERMINAL = """
    import time
    from mp_tqdm import mp_tqdm
    for _ in mp_tqdm(range(2), desc="outer", colour="red", mininterval=0.02):
        with mp_tqdm(total=10, desc="inner", mininterval=0.02) as bar:
            bar.update(10)
            # A line is due: it is out once a frame was drawn that began after this.
            frames = bar._native.job_frames
            while bar._native.job_frames < frames + 3:
                time.sleep(0.01)
            print("print")
"""


@pytest.mark.parametrize("mode", ["lines", "json"])
def test_a_terminal_gets_nothing_but_whole_lines_where_they_are_asked_for(
    program: Program, terminal: Terminal, mode: str
) -> None:
    env = programs.environment(MP_TQDM_MODE=mode)
    terminal.start(program(ON_A_TERMINAL), env=env)
    assert terminal.wait() == 0, terminal.text()
    # The kernel puts a CR before each LF.
    text = terminal.output().decode().replace("\r\n", "\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), text
    assert text.endswith("\n")
    lines = text.splitlines()
    assert lines.count("print") == 2
    bars = [line for line in lines if line != "print"]
    if mode == "json":
        ended = [(one["desc"], one["n"]) for one in map(json.loads, bars) if one["ended"]]
        assert ended == [("inner", 10), ("inner", 10), ("outer", 2)]
    else:
        whole = r"(inner|outer): +\d+%\|[^|]{10}\| \d+/\d+ \[[^]]*\]"
        assert all(re.fullmatch(rf"{whole}(  {whole})?", line) for line in bars), text
        assert [line[:11] for line in bars].count("inner: 100%") == 2, text
        assert bars[-1].startswith("outer: 100%"), text
    assert len(bars) > 3, text


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("off", r""), ("lines", r"100%\|█{10}\| 10/10 \[.*\]\n"), ("tty", r"(?s).* {80}.*10/10.*")],
)
def test_the_mode_can_be_forced(program: Program, mode: str, expected: str) -> None:
    # On a terminal a live frame may come first.
    text = stderr_of(
        program("""
            from mp_tqdm import mp_tqdm
            for _ in mp_tqdm(range(10)):
                pass
        """),
        MP_TQDM_MODE=mode,
    )
    assert re.fullmatch(expected, text), repr(text)


def test_a_log_for_each_bar_does_not_use_up_descriptors(program: Program, tmp_path: Path) -> None:
    text = stderr_of(
        program(
            """
            import os, sys
            from mp_tqdm import mp_tqdm
            before = None
            for number in range(60):
                with open(f"{sys.argv[1]}/{number}", "w", encoding="utf-8") as log:
                    for _ in mp_tqdm(range(10), file=log):
                        pass
                if number == 20:
                    before = len(os.listdir("/proc/self/fd"))
            assert len(os.listdir("/proc/self/fd")) <= before, os.listdir("/proc/self/fd")
            """,
            str(tmp_path),
        )
    )
    assert text == ""
    logs = [tmp_path / str(number) for number in range(60)]
    assert all("| 10/10 [" in log.read_text(encoding="utf-8") for log in logs)


def test_json_is_one_object_a_line(program: Program) -> None:
    text = stderr_of(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            for _ in mp_tqdm(range(2), desc="outer", mininterval=0.05):
                with mp_tqdm(total=10, desc='in "ner', mininterval=0.05, colour="red") as bar:
                    for number in range(10):
                        bar.set_postfix(loss=0.25, name="x\\n")
                        bar.update()
                        time.sleep(0.02)
                    # A line is due: it is out once a frame was drawn that began after this.
                    frames = bar._native.job_frames
                    while bar._native.job_frames < frames + 2:
                        time.sleep(0.01)
        """),
        MP_TQDM_MODE="json",
    )
    objects = [json.loads(line) for line in text.splitlines()]
    assert {tuple(one) for one in objects} == {
        ("desc", "n", "total", "fraction", "elapsed_s", "remaining_s", "rate", "unit", "postfix",
         "note", "ended", "failed"),
    }  # fmt: skip
    assert [(one["desc"], one["n"]) for one in objects if one["ended"]] == [
        *[('in "ner', 10)] * 2,
        ("outer", 2),
    ]
    inner = next(one for one in objects if one["ended"])
    assert inner["postfix"] == {"loss": 0.25, "name": "x "}
    assert (inner["total"], inner["fraction"], inner["unit"], inner["note"]) == (10, 1, "it", "")
    assert inner["rate"] > 0 < inner["elapsed_s"]
    assert any(not one["ended"] for one in objects)
    assert not any(one["failed"] for one in objects)


@pytest.mark.parametrize(
    ("changes", "has_colours"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True)],
)
def test_no_color_is_heard_on_terminals(
    program: Program, changes: dict[str, str], has_colours: bool
) -> None:
    text = stderr_of(
        program("""
            from mp_tqdm import mp_tqdm
            for _ in mp_tqdm(range(10), colour="red", bar_format="{l_bar}{bar}\x1b[32m{r_bar}"):
                pass
        """),
        MP_TQDM_MODE="tty",
        **changes,
    )
    assert ("\x1b[31m" in text, "\x1b[32m" in text) == (has_colours, has_colours)
    assert "███" in text


def test_ascii_can_be_asked_for_by_the_environment(program: Program) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        for _ in mp_tqdm(range(10)):
            pass
    """)
    assert "100%|##########|" in stderr_of(command, MP_TQDM_ASCII="1")


def test_a_reader_that_is_gone_changes_nothing(program: Program) -> None:
    command = program("""
        import sys, time
        from mp_tqdm import mp_tqdm
        for _ in mp_tqdm(range(30), mininterval=0.02):
            time.sleep(0.01)
        sys.exit(5)
    """)
    process = programs.run(["bash", "-c", '"$@" 2> >(exec true); echo $?', "bash", *command])
    assert process.stdout == "5\n"


@pytest.mark.faults("F121")
@pytest.mark.parametrize("asked", ["", "mininterval=0.1", "variable", "bar.mininterval = 0.1"])
def test_tqdms_own_interval_counts_as_asked_for_where_somebody_asked(
    asked: str, program: Program
) -> None:
    argument, later = ("", asked) if asked.startswith("bar.") else (asked, "")
    command = program(f"""
        import time
        from mp_tqdm import mp_tqdm
        bar = mp_tqdm(total=9, {argument if asked != "variable" else ""})
        {later}
        assert bar.mininterval == 0.1
        frames = bar._native.job_frames
        bar.update()
        while bar._native.job_frames < frames + 5:
            time.sleep(0.01)
        bar.close()
    """)
    variables = {"TQDM_MININTERVAL": "0.1"} if asked == "variable" else {}
    process = programs.run(command, env=programs.environment(**variables))
    lines = process.stderr.splitlines()
    assert (len(lines) > 2) is bool(asked), process.stderr
