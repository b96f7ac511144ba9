"""Terminals and logs that break, fill up or go away: the loop runs on, and ends as it would."""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.polling import wait_until
from support.programs import environment
from support.terminal import Terminal

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# Counts for `argv[1]` seconds, with a bar or without, and writes down how far it came.
FOR_SECONDS = """
    import sys, time
    from mp_tqdm import mp_tqdm
    _, seconds, path, how = sys.argv
    def forever():
        end = time.monotonic() + float(seconds)
        number = 0
        while time.monotonic() < end:
            yield number
            number += 1
    items = forever()
    last = 0
    for last in mp_tqdm(items, mininterval=0.02) if how == "bar" else items:
        pass
    with open(path, "w") as file:
        file.write(f"{last} {time.monotonic()}")
    sys.exit(5)
"""


def count(path: Path) -> int:
    """How far a program came; 0 while it runs."""
    return int((path.read_text() if path.exists() else "").partition(" ")[0] or 0)


def check_loop(start: Callable[[Path, str], subprocess.Popen[bytes]], path: Path) -> None:
    """Runs a program with a bar beside itself without one: it counts as fast, and ends as soon.

    Whoever waits for a terminal or a pipe comes to nothing. A busy machine may stop one of the two
    for a while, so they have five tries, and run where no other Python's tests do.

    Args:
        start: Starts `FOR_SECONDS` with this file, and with `bar` or `bare`.
        path: A directory for the files.
    """
    tries = []
    for number in range(5):
        paths = {how: path / f"{how}-{number}" for how in ("bare", "bar")}
        both = {how: start(file, how) for how, file in paths.items()}
        code = both["bar"].wait(90)
        ended_s = time.monotonic() - float(paths["bar"].read_text().partition(" ")[2])
        assert (code, both["bare"].wait(90)) == (5, 5)
        tries.append((count(paths["bar"]) / count(paths["bare"]), ended_s))
        if tries[-1][0] > 0.8 and ended_s < 0.5:
            return
    pytest.fail(f"parts of the bare loop's count, and seconds to the end: {tries}")


@pytest.mark.once
@pytest.mark.faults("F48")
def test_a_terminal_that_nobody_reads_slows_nothing(
    program: Program, tmp_path: Path, rounds: Rounds
) -> None:
    with contextlib.ExitStack() as terminals:

        def start(path: Path, how: str) -> subprocess.Popen[bytes]:
            terminal = terminals.enter_context(Terminal())
            terminal.stop_reading()
            return terminal.start(program(FOR_SECONDS, str(rounds(2, 60)), str(path), how))

        check_loop(start, tmp_path)


@pytest.mark.faults("F45")
def test_a_terminal_read_again_shows_whole_lines(program: Program) -> None:
    with Terminal() as terminal:
        terminal.start(
            program("""
                import sys, time
                from mp_tqdm import mp_tqdm
                for number in mp_tqdm(range(3000), desc="work", mininterval=0.02):
                    time.sleep(0.001)
            """)
        )
        for _ in range(4):
            terminal.stop_reading()
            begin = time.monotonic()
            wait_until(lambda begin=begin: time.monotonic() > begin + 0.4, "a full terminal")  # type: ignore[misc]
            terminal.read_on()
        assert terminal.wait() == 0
        lines = terminal.lines()
        assert len(lines) == 1, terminal.text()
        assert re.fullmatch(r"work: 100%\|█+\| 3000/3000 \[.*it/s\]", lines[0])


@pytest.mark.once
@pytest.mark.faults("F44")
@pytest.mark.parametrize("mode", ["lines", "tty"])
def test_a_reader_that_goes_away_ends_the_display_alone(
    program: Program, tmp_path: Path, mode: str
) -> None:
    def start(path: Path, how: str) -> subprocess.Popen[bytes]:
        command = program(FOR_SECONDS, "1", str(path), how)
        shell = ["bash", "-c", 'exec "$@" 2> >(head -c 20 >/dev/null)', "bash"]
        return subprocess.Popen(shell + command, env=environment(MP_TQDM_MODE=mode))

    check_loop(start, tmp_path)


@pytest.mark.faults("F46")
def test_a_terminal_that_hangs_up_ends_the_display_alone(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "done"
    with Terminal() as terminal:
        # SIGHUP, which would end it, is ignored from the start.
        shell = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
        command = shell + program(FOR_SECONDS, "2", str(path), "bar")
        terminal.start(command)
        terminal.wait_for(lambda screen: "it/s]" in screen.text())
        terminal.hang_up()
        assert terminal.programs[0].wait(20) == 5
    assert count(path) > 0


@pytest.mark.faults("F49")
def test_a_number_that_a_data_file_got_is_not_written_to(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    terminal.start(
        program(
            """
            import os, sys, time
            from mp_tqdm import mp_tqdm, report_progress
            bar = mp_tqdm(total=300, mininterval=0.02)
            os.close(2)
            file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
            assert file == 2
            for _ in range(300):
                bar.update()
                time.sleep(0.001)
            inner = mp_tqdm(total=1)
            inner.update()
            inner.close()
            bar.close()
            for _ in mp_tqdm(range(3)):
                report_progress()  # finds no bar, which is said at the end
            os.write(file, b"mine")
            sys.exit(5)
            """,
            str(data),
        )
    )
    assert terminal.wait() == 5
    assert data.read_bytes() == b"mine"


@pytest.mark.faults("F49")
@pytest.mark.parametrize("option", ["-s", "-u"])
@pytest.mark.parametrize("how", ["bars", "workers", "reports"])
def test_a_number_that_a_data_file_got_is_not_drawn_on(
    terminal: Terminal, program: Program, tmp_path: Path, how: str, option: str
) -> None:
    data = tmp_path / "data"
    command = program(
        """
        import os, sys, time
        from mp_tqdm import mp_tqdm, report_progress
        _, path, how = sys.argv
        if how == "reports":
            report_progress()
        else:
            bar = mp_tqdm(total=300, mininterval=0.02)
        os.close(2)
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        assert file == 2
        if how == "bars":
            for _ in mp_tqdm(range(30), desc="inner", mininterval=0.02):
                time.sleep(0.01)
        elif os.fork() == 0:
            for _ in mp_tqdm(range(30), desc="inner", mininterval=0.02):
                time.sleep(0.01)
            os._exit(0)
        else:
            os.wait()
        if how != "reports":
            bar.close()
        os.write(file, b"mine")
        sys.exit(5)
        """,
        str(data),
        how,
        options=(option,),
    )
    terminal.start(command)
    assert terminal.wait() == 5
    assert data.read_bytes() == b"mine"
    assert ("inner" in terminal.text()) == (how == "workers")


@pytest.mark.faults("F49")
@pytest.mark.parametrize("option", ["-s", "-u"])
def test_what_is_printed_to_a_log_in_the_place_of_the_terminal_is_left_as_it_is(
    terminal: Terminal, program: Program, tmp_path: Path, option: str
) -> None:
    log = tmp_path / "log"
    command = program(
        """
        import os, sys, time
        from mp_tqdm import mp_tqdm
        with mp_tqdm(total=30, desc="work", mininterval=0.02, file=sys.stdout) as bar:
            time.sleep(0.1)
            os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
            for number in range(30):
                print(f"{number} is", end=" ", file=sys.stderr)
                print("whole", file=sys.stderr)
                sys.stderr.write("dots")
                sys.stderr.flush()
                bar.update()
                time.sleep(0.01)
        """,
        str(log),
        options=(option,),
    )
    terminal.start(command)
    assert terminal.wait() == 0
    assert log.read_text() == "".join(f"{number} is whole\ndots" for number in range(30))
    assert "work: 100%" in terminal.text()


def test_a_log_put_in_the_place_of_stderr_is_written_to(program: Program, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = programs.run(
        program(
            """
            import os, sys
            from mp_tqdm import mp_tqdm
            os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
            for _ in mp_tqdm(range(3), desc="work"):
                pass
            """,
            str(log),
        )
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert log.read_text().startswith("work: 100%")


SIZES = [(1, 1), (0, 0), (1, 80), (24, 1), (24, 2), (24, 10_000), (2, 7)]


@pytest.mark.faults("F51")
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_odd_sizes_show_something_legible_or_nothing(
    program: Program, rows: int, columns: int
) -> None:
    with Terminal() as terminal:
        terminal.resize(rows, columns)
        terminal.start(
            program("""
                import time
                from mp_tqdm import mp_tqdm
                with mp_tqdm(total=30, desc="work", mininterval=0.02) as outer:
                    for _ in range(3):
                        for _ in mp_tqdm(range(10), desc="inner", leave=False, mininterval=0.02):
                            time.sleep(0.01)
                            outer.update()
                # Without a line end: a traceback would stand behind it.
                print("x", end="")
            """)
        )
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.output()
        # What is drawn never wraps: of a size that is known, each line ends before the last column.
        # (Before it a line of blanks may be left that a terminal did not take in 50 ms.)
        drawn = re.sub(rb"\x1b[7D]|\x1b\[\d*[A-Z]", b"", terminal.output())
        lines = re.split(rb"\r|\x1b8", drawn)
        widest = max(len(line.decode(errors="replace").strip()) for line in lines)
        assert widest < max(columns, 2) or columns == 0


@pytest.mark.faults("F51")
def test_a_storm_of_sizes_leaves_one_line(
    terminal: Terminal, program: Program, rounds: Rounds
) -> None:
    terminal.start(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=10, desc="work", mininterval=0.02) as bar:
                input()
                bar.update(10)
        """)
    )
    terminal.wait_for(lambda screen: "work" in screen.text())
    for number in range(rounds(300, 10_000)):
        terminal.resize(2 + number % 23, 3 + number * 7 % 100)
    terminal.resize(24, 80)
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert terminal.lines()[-1].startswith("work: 100%|")
    assert len([line for line in terminal.visible() if "work" in line]) == 1, terminal.text()


HOSTILE = {
    "controls": "a\\0b\\x1b[2Jc\\nd\\re\\x07f\\x9b31mg\\x7f",
    "title": "\\x1b]0;stolen\\x07\\x1bP+q\\x1b\\\\ x",
    "bidi": "\\u202e\\u2066abc\\u2069\\u200f",
    "wide": "進捗🚀👨\\u200d👩\\u200d👧e\\u0301" * 20,
    "surrogate": "file \\udcff\\ud800",
    "long": "x" * 100_000,
}


@pytest.mark.faults("F53")
@pytest.mark.parametrize("desc", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_cleaned_and_cut(
    terminal: Terminal, program: Program, desc: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    terminal.start(
        program(
            f"""
            import sys, time
            from mp_tqdm import mp_tqdm
            desc = "{desc}"
            with open(sys.argv[1], "w", encoding="utf-8") as log:
                for file in (log, sys.stderr):
                    with mp_tqdm(total=3, desc=desc, file=file, mininterval=0.02) as bar:
                        bar.set_postfix(value=desc)
                        bar.set_postfix_str(desc)
                        bar.update(1)
                        time.sleep(0.1)
            print("end")
            """,
            str(log),
        )
    )
    assert terminal.wait() == 0, terminal.text()
    lines = terminal.lines()
    assert (len(lines), lines[-1]) == (2, "end"), terminal.text()
    text = log.read_text(encoding="utf-8")
    # A line may come before the update.
    assert all(re.search(r"\| [01]/3 \[", line) for line in text.splitlines()), text
    assert "| 1/3 [" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200f]", text)
    escapes = set(re.findall(rb"\x1b(?:\[[0-9;]*[A-Za-z]|[^\[])", terminal.output()))
    assert {re.sub(rb"\d", b"", escape) for escape in escapes} <= {
        *(b"\x1bD", b"\x1b", b"\x1b[A", b"\x1b[K", b"\x1b[J")
    }


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.faults("F54")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_that_is_not_unicode_gets_an_ascii_bar(
    terminal: Terminal, program: Program, encoding: str
) -> None:
    command = program("""
        from mp_tqdm import mp_tqdm
        for _ in mp_tqdm(range(10), desc="work"):
            pass
    """)
    variables = environment(**ASCII, PYTHONIOENCODING=encoding)
    process = programs.run(command, env=variables)
    assert process.returncode == 0, process.stderr
    terminal.start(command, env=variables)
    assert terminal.wait() == 0, terminal.text()
    for text in (process.stderr, terminal.text()):
        assert re.search(r"work: 100%\|#+\| 10/10 ", text), text
        assert text.isascii()


@pytest.mark.faults("F56")
def test_a_dumb_terminal_gets_whole_lines_alone(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            for number in mp_tqdm(range(10), desc="work", colour="red"):
                time.sleep(0.03)
                print("line", number)
        """),
        env=environment(TERM="dumb"),
    )
    assert terminal.wait() == 0, terminal.text()
    output = terminal.output().replace(b"\r\n", b"\n")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", output)
    lines = output.decode().splitlines()
    assert lines[:10] == [f"line {number}" for number in range(10)]
    assert re.fullmatch(r"work: 100%\|█{10}\| 10/10 \[.*it/s\]", lines[10])


@pytest.mark.faults("F48")
def test_a_program_that_ends_on_an_unread_terminal_is_not_kept(
    program: Program, tmp_path: Path
) -> None:
    # It had its bars open, was interrupted, and has much to say: none of it waits for a reader.
    path = tmp_path / "done"
    with Terminal() as terminal:
        terminal.stop_reading()
        terminal.start(
            program(
                """
                import sys, time
                from mp_tqdm import mp_tqdm
                bars = [mp_tqdm(total=10, desc=f"bar {number}" * 9) for number in range(20)]
                end = time.monotonic() + 1
                while time.monotonic() < end:
                    for bar in bars:
                        bar.update(0)
                for bar in bars:
                    bar.close()
                with open(sys.argv[1], "w") as file:
                    file.write("1")
                raise KeyboardInterrupt
                """,
                str(path),
            )
        )
        wait_until(lambda: count(path) == 1, "the bars to close")
        terminal.read_on()
        assert terminal.wait() == -signal.SIGINT
