"""IPython, a notebook's kernel, pdb and pytest work as ever beside bars that move."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

pytestmark = pytest.mark.once


def whole_lines(terminal: Terminal) -> list[str]:
    """What is on the screen, without empty lines and without what the clock decides of bars."""
    return [re.sub(r"\|.*", "", line) for line in terminal.lines() if line]


# Three lines in one piece: with nothing done about it, the bar shows through in the second one.
CELLS = """
    import time
    from mp_tqdm import mp_tqdm

    def work(name):
        for number in mp_tqdm(range(10), desc=name, mininterval=0.02):
            print(*[f"{name} {number} {part} is whole" for part in "abc"], sep="\\n")
            time.sleep(0.02)
"""


def test_cells_of_ipython_print_above_their_bars_and_its_prompts_stay_whole(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    programs.needs_package("IPython")
    terminal.resize(90, 120)
    cells = [
        "work('first')",
        "bar = mp_tqdm(total=4, desc='open'); _ = bar.update()",  # stays open at the prompt
        "work('second')",
        "bar.update(); bar.close()",
        # What IPython keeps of a cell's text has nothing of the bars in it.
        "''.join(get_ipython().history_manager.outputs[1][0].bundle['stream'])[:20]",
        "exit",
    ]
    shell = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor"]
    options = ["--no-confirm-exit", "--HistoryManager.enabled=False", "-i"]
    # This terminal says nothing of where its cursor is; the prompt would wait for that.
    env = programs.environment(PROMPT_TOOLKIT_NO_CPR="1", IPYTHONDIR=str(tmp_path / "settings"))
    terminal.start([*shell, *options, program(CELLS)[-1]], env=env)
    for number, cell in enumerate(cells, 1):
        terminal.wait_for(lambda screen, prompt=f"In [{number}]:": prompt in screen.text())
        terminal.press(cell.encode() + b"\r")
    assert terminal.wait() == 0, terminal.text()
    texts = {
        name: [f"{name} {number} {part} is whole" for number in range(10) for part in "abc"]
        for name in ("first", "second")
    }
    assert whole_lines(terminal) == [
        f"In [1]: {cells[0]}",
        *texts["first"],
        "first: 100%",
        f"In [2]: {cells[1]}",
        f"In [3]: {cells[2]}",
        *texts["second"],
        "second: 100%",
        f"In [4]: {cells[3]}",
        "open:  50%",
        f"In [5]: {cells[4]}",
        "Out[5]: 'first 0 a is whole\\nf'",
        "In [6]: exit",
    ]


# Runs the cells in a kernel and prints what came of them. Whoever counts waits for what was shown.
DRIVER = """
    import json, os, re, sys
    from pathlib import Path
    from jupyter_client.manager import start_new_kernel

    told = []
    def hear(message):
        if message["msg_type"] in ("stream", "error"):
            told.append(message["content"])
            for count in re.findall(r"(\\d+)/16", message["content"].get("text", "")):
                Path(os.environ["SHOWN"], count).touch()

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for cell in json.loads(sys.argv[1]):
            for shown in Path(os.environ["SHOWN"]).iterdir():
                shown.unlink()
            reply = client.execute_interactive(cell, output_hook=hear, timeout=25)
            told.append({"status": reply["content"]["status"]})
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    print(json.dumps(told))
"""
COUNTING = """
import os, time
from mp_tqdm import report_progress

def work(number):
    deadline = time.monotonic() + 15
    while number > 5 + max(map(int, os.listdir(os.environ["SHOWN"])), default=0):
        assert time.monotonic() < deadline, f"no news at {number}"
        time.sleep(0.01)
    report_progress()

if __name__ == "__main__":
    for number in range(16):
        work(number)
"""
POOL = """
import multiprocessing
from counting import work
from mp_tqdm import mp_tqdm
with multiprocessing.get_context("fork").Pool(2) as pool:
    with mp_tqdm(total=16, desc="counted", mininterval=0.02) as bar:
        pool.map(work, range(16), chunksize=1)
"""
PROGRAM = """
import os, subprocess, sys
from mp_tqdm import mp_tqdm, session_env
with mp_tqdm(total=16, desc="counted", mininterval=0.02) as bar:
    subprocess.run([sys.executable, "-m", "counting"], env=os.environ | session_env(), check=True)
"""
PRINTS = """
for _ in mp_tqdm(range(3), desc="here"):
    print("printed")
"""


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_cell_of_a_notebook_shows_what_others_count_while_it_waits_for_them(
    program: Program, tmp_path: Path
) -> None:
    programs.needs_package("ipykernel")
    programs.needs_package("jupyter_client")
    (tmp_path / "counting.py").write_text(COUNTING)
    places = {name: tmp_path / name for name in ("SHOWN", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    for place in places.values():
        place.mkdir()
    env = programs.environment(
        PYTHONPATH=str(tmp_path), **{name: str(place) for name, place in places.items()}
    )
    command = program(DRIVER, json.dumps([POOL, PROGRAM, PRINTS]))
    done = programs.run(command, env=env, timeout=90)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    texts: list[dict[str, str]] = [{"stdout": "", "stderr": ""}]
    for content in told:
        if "name" in content:
            texts[-1][content["name"]] += content["text"]
        else:
            assert content == {"status": "ok"}, told
            texts.append({"stdout": "", "stderr": ""})
    for text in texts[:2]:
        counts = [int(count) for count in re.findall(r"counted: .*? (\d+)/16", text["stderr"])]
        # It went on only because it saw itself count.
        assert counts == sorted(counts), told
        assert counts[-1] == 16, told
        assert text["stdout"] == "", told
    assert texts[2]["stdout"] == "printed\n" * 3, told
    assert "here: 100%" in texts[2]["stderr"], told


def test_a_debugger_stops_in_a_loop_and_goes_on(terminal: Terminal, program: Program) -> None:
    terminal.start(
        program("""
            from mp_tqdm import mp_tqdm
            for number in mp_tqdm(range(4), desc="work", mininterval=0.02):
                print(number, "is whole")
                if number == 1:
                    breakpoint()
                    print("on again")
        """)
    )
    for number, keys in enumerate((b"p number\r", b"p 6 * 7\r", b"c\r"), 1):
        terminal.wait_for(lambda screen, count=number: screen.text().count("(Pdb)") == count)
        terminal.press(keys)
    assert terminal.wait() == 0, terminal.text()
    before, after = ["0 is whole", "1 is whole"], ["on again", "2 is whole", "3 is whole"]
    talk = ["(Pdb) p number", "1", "(Pdb) p 6 * 7", "42", "(Pdb) c"]
    lines = whole_lines(terminal)
    assert lines[:2] == before, terminal.text()
    assert lines[-9:] == [*talk, *after, "work: 100%"], terminal.text()


IN_PYTEST = """
    import time
    from mp_tqdm import mp_tqdm

    def test_loop():
        with mp_tqdm(total=10, desc="work", mininterval=0.02) as bar:
            for number in range(10):
                print(*[f"{number} {part} is whole" for part in "abc"], sep="\\n")
                bar.update()
                time.sleep(0.02)

    def test_other():
        print("other is whole")
"""


@pytest.mark.parametrize("option", ["-s", "-rP"])
def test_pytest_reports_as_ever(terminal: Terminal, program: Program, option: str) -> None:
    plain = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--color=no"]
    env = programs.environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    command = [sys.executable, "-m", "pytest", *plain, option, program(IN_PYTEST)[-1]]
    terminal.start(command, env=env)
    assert terminal.wait() == 0, terminal.text()
    texts = [f"{number} {part} is whole" for number in range(10) for part in "abc"]
    *lines, last = [line.strip("-=_ ") for line in whole_lines(terminal)]
    assert last.startswith("2 passed in"), terminal.text()
    if option == "-s":
        expected = [*texts, "work: 100%", ".other is whole", "."]
    else:  # what each test left to pytest's capture
        loop = ["test_loop", "Captured stdout call", *texts, "Captured stderr call", "work: 100%"]
        other = ["test_other", "Captured stdout call", "other is whole"]
        expected = [lines[0], "PASSES", *loop, *other]
        assert re.fullmatch(r"\.\. +\[100%\]", lines[0]), terminal.text()
    assert lines == expected, terminal.text()
