"""What others print on the terminal of a bar comes out above it, in whole lines."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mp_tqdm import mp_tqdm
from support.meeting import MEETING
from support.programs import environment, rank_variables
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Three lines in one write: with nothing done about it, the bar shows through in the second one.
BLOCK = 'sys.stdout.write("".join(f"{name} {number} {part} is whole\\n" for part in range(3)))'


def remains(terminal: Terminal, bars: int = 1) -> list[str]:
    """The lines that are neither whole nor one of the bars' last."""
    lines = [line for line in terminal.lines() if line]
    assert [line for line in lines[-bars:] if "100%|" in line] == lines[-bars:], terminal.text()
    return [line for line in lines[:-bars] if not line.endswith(" is whole")]


def test_texts_of_every_kind_come_out_whole(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import logging, sys, time, warnings
            logging.basicConfig(format="%(message)s")  # takes the stream before there is a bar
            from mp_tqdm import mp_tqdm
            warnings.formatwarning = lambda message, *_: f"{message}\\n"
            for number in mp_tqdm(range(40), desc="work", mininterval=0.02):
                print("print", number, "is whole")
                print(f"a {number} is whole\\nb {number} is whole\\nc {number} is whole")
                logging.warning("log %d is whole", number)
                warnings.warn(f"warning {number} is whole")
                mp_tqdm.write(f"written {number} is whole\\nnext is whole")
                sys.stderr.writelines([f"one {number} is whole\\n", "two is whole\\n"])
                time.sleep(0.02)
        """)
    )
    assert terminal.wait() == 0
    assert remains(terminal) == []
    assert len([line for line in terminal.lines() if line.endswith("is whole")]) == 40 * 10


WORKERS = {
    "forked": """
        import os, sys, time
        from mp_tqdm import mp_tqdm, report_progress
        with mp_tqdm(total=3, desc="work", mininterval=0.02) as bar:
            children = []
            for name in "ab":
                children.append(os.fork())
                if not children[-1]:
                    for number in range(40):
                        BLOCK
                        time.sleep(0.01)
                    os._exit(0)
            for child in children:
                os.waitpid(child, 0)
                bar.update()
            bar.update()
    """,
    "spawned": """
        import multiprocessing, sys, time
        from mp_tqdm import mp_tqdm, report_progress
        def work(name):
            for number in range(40):
                report_progress()
                BLOCK
                sys.stdout.flush()
                time.sleep(0.01)
        if __name__ == "__main__":
            with mp_tqdm(total=80, desc="work", mininterval=0.02) as bar:
                with multiprocessing.get_context("spawn").Pool(2) as pool:
                    pool.map(work, "ab")
    """,
    "writing": """
        import multiprocessing, sys, time
        from mp_tqdm import mp_tqdm
        def work(name):
            for number in range(40):
                mp_tqdm.write(f"{name} {number} is whole\\n" * 2 + "that is whole")
                time.sleep(0.01)
        if __name__ == "__main__":
            with mp_tqdm(total=1, desc="work", mininterval=0.02) as bar:
                with multiprocessing.get_context("forkserver").Pool(2) as pool:
                    pool.map(work, "ab")
                bar.update()
    """,
}


@pytest.mark.once
@pytest.mark.parametrize("source", WORKERS.values(), ids=WORKERS)
def test_what_workers_print_comes_out_whole(
    source: str, terminal: Terminal, program: Program
) -> None:
    terminal.start(program(source.replace("BLOCK", BLOCK)))
    assert terminal.wait() == 0
    assert remains(terminal) == []


@pytest.mark.once
def test_texts_of_several_lines_do_not_cut_one_another(
    terminal: Terminal, program: Program
) -> None:
    # `print` writes the newline behind the last line by itself.
    terminal.start(
        program("""
            import os, sys
            from mp_tqdm import mp_tqdm, report_progress
            with mp_tqdm(total=1200, desc="work", mininterval=0.02):
                children = []
                for name in "abcd":
                    children.append(os.fork())
                    if not children[-1]:
                        for number in range(300):
                            print("\\n".join(f"{name} {number} {n} is whole" for n in range(3)))
                            report_progress()
                        os._exit(0)
                for child in children:
                    os.waitpid(child, 0)
        """)
    )
    assert terminal.wait() == 0
    lines = [line for line in terminal.lines() if line.endswith(" is whole")]
    expected = {f"{name} {number} {n}" for name in "abcd" for number in range(300) for n in "012"}
    assert {line.removesuffix(" is whole") for line in lines} == expected
    assert remains(terminal) == []


def test_an_unfinished_line_shows_with_a_flush(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import sys
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=2, desc="work") as bar:
                print("a line and\\na question? ", end="", flush=True)
                sys.stdin.readline()
                bar.update()
                print("dots", end="")
                for _ in range(3):
                    print(".", end="", flush=True)
                sys.stdin.readline()
                bar.update()
                print()
        """)
    )
    terminal.wait_for(lambda screen: "a question?" in screen.text())
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: "dots..." in screen.text())
    terminal.press(b"\n")
    assert terminal.wait() == 0
    lines = [line for line in terminal.lines() if line]
    assert lines[0] == "a line and"


@pytest.mark.once
def test_what_other_ranks_print_comes_out_whole(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    # Nobody is left alone, to draw for himself.
    ranks = """
    name = os.environ["RANK"]
    bar = mp_tqdm(range(60), desc="work", mininterval=0.02)
    meet("opened", 2)
    for number in bar:
        BLOCK
        time.sleep(0.01)
    meet("done", 2)
    """
    command = program(MEETING + ranks.replace("BLOCK", BLOCK))
    for rank in range(2):
        variables = rank_variables(tmp_path, rank, 2)
        terminal.start(command, env=environment(MEETING_PLACE=str(tmp_path), **variables))
    assert terminal.wait() == 0
    lines = terminal.lines()
    # The owner's line is the last of its own, not of the other rank's.
    assert [line for line in lines if line and not line.endswith(" is whole")] == [
        next(line for line in lines if line.startswith("work: "))
    ]


def test_the_bar_stands_below_a_text_at_once(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, desc="slow", mininterval=3600)
            input()
            print("one", "two")
            print("three\\nfour")
            input()
        """)
    )
    terminal.wait_for(lambda screen: "slow:" in screen.text())
    terminal.press(b"\n")
    expected = ["", "one two", "three", "four", "", "slow:   0"]
    terminal.wait_for(
        lambda screen: [line.split("%")[0].strip() for line in screen.lines()] == expected
    )
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_a_bar_comes_back_below_what_c_code_printed(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import os
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=10, desc="work")
            input()
            os.write(1, b"a\\nb\\nc\\nd\\n")
            bar.update(5)
            input()
            bar.close()
        """)
    )
    terminal.wait_for(lambda screen: "work:" in screen.text())
    terminal.press(b"\n")
    terminal.wait_for(lambda screen: "50%|" in screen.text())
    lines = terminal.lines()
    assert (lines[-4][:1], lines[-3]) == ("c", "d"), terminal.text()
    assert lines[-1].startswith("work:  50%|")
    terminal.press(b"\n")
    assert terminal.wait() == 0


def test_streams_are_as_before_once_the_last_bar_closed(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import sys
            from mp_tqdm import mp_tqdm
            streams = sys.stdout, sys.stderr
            before = [set(vars(stream)) for stream in streams]
            assert "write" not in before[0]
            first, second = mp_tqdm(total=3), mp_tqdm(total=3)
            assert (sys.stdout, sys.stderr) == streams
            assert all("write" in vars(stream) for stream in streams)
            assert (sys.stdout.fileno(), sys.stdout.isatty()) == (1, True)
            assert sys.stdout.write("four\\n") == 5
            assert sys.stdout.buffer.write(b"raw\\n") == 4
            sys.stdout.flush()
            first.close()
            assert all("write" in vars(stream) for stream in streams)
            second.close()
            assert [set(vars(stream)) for stream in streams] == before
            again = mp_tqdm(total=3)
            del again
            assert [set(vars(stream)) for stream in streams] == before
            bar = mp_tqdm(total=3)
            bar.close()
            bar.reset()
            assert "write" in vars(sys.stdout)
            bar.close()
            # Somebody puts his own in front of it, and takes it away after the bar is gone.
            bar = mp_tqdm(total=3)
            ours, said = sys.stdout.write, []
            sys.stdout.write = lambda text: said.append(text) or ours(text)
            print("theirs")
            bar.close()
            print("still theirs")
            sys.stdout.write = ours
            print("plain")
            assert "".join(said) == "theirs\\nstill theirs\\n"
            # The next bar finds ours there, and leaves nothing either.
            mp_tqdm(total=3).close()
            assert [set(vars(stream)) for stream in streams] == before
            bar = mp_tqdm(total=3)
            del sys.stdout.write
            bar.close()
            assert [set(vars(stream)) for stream in streams] == before
            try:
                print(file=sys.stdout, end=5)
            except TypeError:
                sys.exit(3)
        """)
    )
    assert terminal.wait() == 3, terminal.text()
    assert {"theirs", "still theirs", "plain"} <= set(terminal.lines())


@pytest.mark.parametrize("how", ["environment", "argument", "class", "lines", "leave"])
def test_redirection_can_be_turned_off(how: str, terminal: Terminal, program: Program) -> None:
    changes = {"environment": {"MP_TQDM_REDIRECT": "0"}, "lines": {"MP_TQDM_MODE": "lines"}}
    terminal.start(
        program(
            """
            import sys
            from mp_tqdm import mp_tqdm
            if sys.argv[1] == "class":
                mp_tqdm.redirect = False
            if sys.argv[1] == "leave":
                sys.stdout = sys.stderr = open("/dev/null", "w")
            arguments = {"redirect": False} if sys.argv[1] == "argument" else {}
            with mp_tqdm(total=3, **arguments) as bar:
                assert "write" not in vars(sys.stdout)
                assert "write" not in vars(sys.stderr)
                bar.update(3)
            """,
            how,
        ),
        env=environment(**changes.get(how, {})),
    )
    assert terminal.wait() == 0, terminal.text()


def test_input_and_the_debugger_work_beside_a_bar(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, desc="work") as bar:
                name = input("who? ")
                print("hello", name)
                bar.update()
                breakpoint()
                bar.update(2)
            print("end")
        """)
    )
    terminal.wait_for(lambda screen: "who?" in screen.text())
    terminal.press(b"me\n")
    terminal.wait_for(lambda screen: "(Pdb)" in screen.text())
    terminal.press(b"p bar.n + 41\n")
    terminal.wait_for(lambda screen: "\n42" in screen.text())
    terminal.press(b"p 'x' * 3\n")
    terminal.wait_for(lambda screen: "'xxx'" in screen.text())
    terminal.press(b"c\n")
    assert terminal.wait() == 0, terminal.text()
    lines = terminal.lines()
    assert lines[-1] == "end"
    assert lines[-2].startswith("work: 100%|")
    assert "hello me" in lines


def test_a_redirected_standard_output_is_left_alone(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import contextlib, io, sys
            from mp_tqdm import mp_tqdm
            caught = io.StringIO()
            with mp_tqdm(total=3) as bar:
                with contextlib.redirect_stdout(caught):
                    print("caught")
                    with mp_tqdm(total=2) as inner:
                        inner.update(2)
                bar.update(3)
            assert caught.getvalue() == "caught\\n", caught.getvalue()
        """)
    )
    assert terminal.wait() == 0, terminal.text()


def test_other_streams_are_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    with mp_tqdm(total=2, file=file, mininterval=0, miniters=1) as bar:
        print("a line")  # noqa: T201
        bar.update(2)
    assert "a line\n" in file.getvalue()
    assert not re.search("\x1b", file.getvalue())
