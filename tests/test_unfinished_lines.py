"""Streams that write at once (`python -u`, torchrun): each printed line comes out in one piece."""

import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.meeting import MEETING
from support.programs import environment, rank_variables
from support.terminal import Terminal

Program = Callable[..., list[str]]

# As torchrun starts them.
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}

# Each way leaves a line that says `{name} {number} of way is whole`.
WAYS = {
    "print": 'print(f"{name} {number} of way is whole")',
    "arguments": 'print(name, number, "of", "way", "is", "whole")',
    "python between": 'print(Named(), number, Slow("of"), "way is", Slow("whole"))',
    "stderr": 'print(name, number, "of way is whole", file=sys.stderr)',
    "writes": 'sys.stdout.write(f"{name} {number} of"); sys.stdout.write(" way is whole\\n")',
    "writelines": 'sys.stdout.writelines([name, f" {number} of way", " is whole", "\\n"])',
    "flush": 'print(name, number, "of", "way", "is", "whole", flush=True)',
    "logging": 'logging.warning("%s %d of way is whole", name, number)',
    "pieces": 'print(name, end=" "); print(number, end=" of way "); print("is whole")',
    "both": 'print(name, number, end=""); print(" of way is whole", file=sys.stderr)',
}

RANKS = """
    import logging, os, sys, threading, time
    from mp_tqdm import mp_tqdm
    logging.basicConfig(format="%(message)s")
    class Slow:
        def __init__(self, text): self.text = text
        def __str__(self):
            for _ in range(300): pass
            return self.text
    class Named:
        def __str__(self): return name
    name = f"r{os.environ['RANK']}"
    bar = mp_tqdm(range(COUNT), desc="work")
    meet("opened", 8)
    for number in bar:
        PRINT
    print(name, "end is whole")
    meet("done", 8)
"""


def whole(terminal: Terminal) -> Counter[str]:
    """The lines that stand there as printed, and how often."""
    pattern = re.compile(r"[a-z]\d+ (\d+ of way|end) is whole")
    return Counter(line for line in terminal.lines() if pattern.fullmatch(line))


def strange(terminal: Terminal) -> list[str]:
    """The lines that are none of those, and no bar's."""
    known = whole(terminal)
    return [line for line in terminal.lines() if line and line not in known and "work" not in line]


@pytest.mark.faults("F109")
@pytest.mark.parametrize("way", WAYS)
def test_lines_of_eight_ranks_at_once_are_whole(
    terminal: Terminal, program: Program, tmp_path: Path, way: str
) -> None:
    count = 60
    source = RANKS.replace("COUNT", str(count)).replace("PRINT", WAYS[way])
    command = program(MEETING + source)
    for rank in range(8):
        variables = rank_variables(tmp_path, rank, 8) | UNBUFFERED
        terminal.start(command, env=environment(MEETING_PLACE=str(tmp_path), **variables))
    assert terminal.wait() == 0, terminal.text()
    printed = [f"r{rank} {number} of way" for rank in range(8) for number in range(count)]
    printed += [f"r{rank} end" for rank in range(8)]
    assert strange(terminal) == []
    assert whole(terminal) == Counter(f"{line} is whole" for line in printed)


def test_lines_of_threads_are_whole(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            import sys, threading
            from mp_tqdm import mp_tqdm
            sys.setswitchinterval(1e-6)
            class Slow:
                def __str__(self):
                    return str([None for _ in range(9)] and "of")
            def work(name):
                for number in range(200):
                    print(name, number, Slow(), end=" ")
                    sys.stdout.write("way")
                    print(" is", "whole")
            with mp_tqdm(total=2, desc="work"):
                threads = [threading.Thread(target=work, args=[f"t{n}"]) for n in range(4)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
        """)
    )
    assert terminal.wait() == 0, terminal.text()
    assert strange(terminal) == []
    printed = [f"t{name} {number} of way is whole" for name in range(4) for number in range(200)]
    assert whole(terminal) == Counter(printed)


@pytest.mark.faults("F109")
def test_a_text_without_a_line_end_shows_while_c_code_holds_the_gil(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import ctypes, sys
            from mp_tqdm import mp_tqdm
            libc = ctypes.PyDLL(None)
            with mp_tqdm(total=3, desc="work") as bar:
                print("one", end="", file=sys.stderr)
                libc.read(0, ctypes.create_string_buffer(9), 9)
                print("two", end=" ")
                libc.read(0, ctypes.create_string_buffer(9), 9)
                print("three")
        """),
        env=environment(**UNBUFFERED),
    )
    for text in ("one", "two"):
        terminal.wait_for(lambda screen, text=text: text in screen.text())  # type: ignore[misc]
        terminal.press(b"\n")
    assert terminal.wait() == 0, terminal.text()
    assert "three" in terminal.lines()


def test_the_order_of_both_streams_is_that_of_the_writes(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, sys
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, desc="work") as bar:
                for number in range(50):
                    print(f"out {number}", end=" ")
                    print("error", end=" ", file=sys.stderr)
                    print("out", end=" ", flush=True)
                    sys.stderr.write("error\\n")
                    sys.stdout.buffer.write(b"raw\\n")
                    print("unfinished", end=" ")
                    sys.stdout.flush()
                    os.write(1, b"C\\n")
                    if not os.fork():
                        print("child")
                        os._exit(0)
                    os.wait()
                bar.update(3)
        """),
        env=environment(**UNBUFFERED),
    )
    assert terminal.wait() == 0, terminal.text()
    lines = [line for line in terminal.lines() if line and "work" not in line]
    expected = [(f"out {n} error out error", "raw", "unfinished C", "child") for n in range(50)]
    assert lines == [line for lines in expected for line in lines]


ENDS = {
    "end": "",
    "exit": "sys.exit(0)",
    "exception": "1 / 0",
    "interrupt": "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
    "thread": """
threading.Thread(target=print, args=["in a thread"], kwargs={"end": ""}, daemon=True).start()
    """,
    "pool": """
child = multiprocessing.get_context("fork").Process(target=print, args=["child"],
    kwargs={"end": " "})
child.start()
child.join()
    """,
    "libc": "ctypes.PyDLL(None).exit(0)",
    "exec": "sys.stdout.flush(); os.execv('/bin/echo', ['echo', 'new'])",
}


@pytest.mark.faults("F109")
@pytest.mark.parametrize("stays", ["open", "closed"])
@pytest.mark.parametrize("end", ENDS)
def test_a_text_without_a_line_end_shows_at_the_end(
    terminal: Terminal, program: Program, end: str, stays: str
) -> None:
    source = f"""
import ctypes, multiprocessing, os, signal, sys, threading, time
from mp_tqdm import mp_tqdm
bar = mp_tqdm(total=3, desc="work")
if {stays == "closed"}:
    bar.close()
print("the last", "text", end="")
{ENDS[end].strip()}
"""
    terminal.start(program(source), env=environment(**UNBUFFERED))
    terminal.wait()
    programs.sweep()
    text = terminal.text()
    assert "the last text" in text
    texts = {"thread": "in a thread", "pool": "child", "exec": "new", "exception": "Traceback"}
    assert texts.get(end, "") in text
    if stays == "closed" and end in texts:
        assert text.index("the last text") < text.index(texts[end])


def test_a_prompt_stands_behind_what_was_printed(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, desc="work") as bar:
                print("may I", end=" ")
                print("ask", end=": ")
                answer = input("who? ")
                print("hello", end=" ")
                breakpoint()
                print(answer)
        """),
        env=environment(**UNBUFFERED),
    )
    terminal.wait_for(lambda screen: "may I ask: who?" in screen.text())
    terminal.press(b"me\n")
    terminal.wait_for(lambda screen: "(Pdb)" in screen.text())
    terminal.press(b"c\n")
    assert terminal.wait() == 0, terminal.text()
    assert "me" in terminal.lines()


def test_a_fork_beside_unfinished_lines_warns_of_nothing(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program(
            """
            import os
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=3, desc="work"):
                for number in range(30):
                    print(f"parent {number}", end=" ")
                    if not os.fork():
                        print("child", end=" ", flush=True)
                        os._exit(0)
                    os.wait()
                    print("is whole")
            """,
            options=("-W", "error::DeprecationWarning"),
        ),
        env=environment(**UNBUFFERED),
    )
    assert terminal.wait() == 0, terminal.text()
    lines = [line for line in terminal.lines() if line and "work" not in line]
    assert lines == [f"parent {number} child is whole" for number in range(30)]


def test_a_stream_may_change_its_buffering_and_its_encoding(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import sys
            from mp_tqdm import mp_tqdm
            out = sys.stdout
            with mp_tqdm(total=3, desc="work") as bar:
                print("a", end="")
                out.reconfigure(line_buffering=False)
                print("b")
                print("c")
                out.reconfigure(write_through=True)
                print("d", "e")
                out.reconfigure(line_buffering=True, encoding="latin-1", errors="replace")
                print("é", "\\u2713", "\\udcff")
                try:
                    out.reconfigure(encoding="ascii", errors="strict")
                    print("é")
                except UnicodeEncodeError:
                    print("f")
                out.reconfigure(encoding="utf-8")
                print("\\u2713", "x" * 20000)  # is wrapped
                print("g", end="")
            print("h")
        """)
    )
    assert terminal.wait() == 0, terminal.text()
    lines = [line for line in terminal.lines() if line and "work" not in line]
    assert lines[:3] == ["ab", "c", "d e"]
    assert lines[4] == "f"
    text = "".join(lines[5:])
    assert text == "✓ " + "x" * 20000 + "gh"


CRASHES = {
    "abort": ("os.abort()", signal.SIGABRT),
    "null": ("ctypes.string_at(0)", signal.SIGSEGV),
    "null in a thread": ("run_in_a_thread(ctypes.string_at, 0)", signal.SIGSEGV),
    "kill": ("os.kill(os.getpid(), signal.SIGBUS)", signal.SIGBUS),
    "faulthandler": ("faulthandler.enable(); ctypes.string_at(0)", signal.SIGSEGV),
}


@pytest.mark.faults("F109")
@pytest.mark.parametrize("handler", ["no handler", "handler"])
@pytest.mark.parametrize("crash", CRASHES)
def test_a_text_without_a_line_end_shows_before_a_crash(
    terminal: Terminal, program: Program, crash: str, handler: str
) -> None:
    statement, number = CRASHES[crash]
    terminal.start(
        program(f"""
            import ctypes, faulthandler, os, signal, threading
            from mp_tqdm import mp_tqdm
            bar = mp_tqdm(total=3, desc="work")
            def run_in_a_thread(call, *arguments):
                thread = threading.Thread(target=call, args=arguments)
                thread.start()
                thread.join()
            print("first")
            print("the last", "words", end=" ")
            {statement}
        """),
        env=environment(**UNBUFFERED, PYTHONFAULTHANDLER="1" if handler == "handler" else None),
    )
    assert terminal.wait() == -number, terminal.text()
    programs.sweep()
    text = terminal.text()
    assert text.startswith("first\nthe last words")
    assert ("Fatal Python error" in text) == (handler == "handler" or crash == "faulthandler")
