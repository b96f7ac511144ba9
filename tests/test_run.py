"""`python -m mp_tqdm run` as a command: it becomes what it runs, and says what it cannot run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.terminal import Terminal

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.faults("F129")

RUN = [sys.executable, "-m", "mp_tqdm", "run"]

# Says whose bars it has, what it was given, and ends with a code of its own.
SAYS = """
    import sys
    from tqdm import tqdm, trange
    homes = {base.__module__.partition(".")[0] for base in type(trange(2, disable=True)).__mro__}
    print("mp_tqdm" in homes, sys.argv[1:], __name__, sys.stdout.write_through)
    sys.exit(7)
"""


def outcome(command: list[str], **variables: str) -> tuple[int, str]:
    """The exit code and what was printed; nothing may be said on stderr."""
    done = programs.run(command, env=programs.environment(**variables))
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("how", ["command", "script", "module", "option", "separator", "archive"])
def test_it_runs_what_python_runs(program: Program, tmp_path: Path, how: str) -> None:
    script = program(SAYS)[-1]
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "__main__.py").write_text((tmp_path / "program0.py").read_text())
    command = {
        "command": [sys.executable, script],
        "script": [script],
        "module": ["-m", "program0"],
        "option": ["-B", script],
        "separator": ["--", script],
        "archive": [str(tmp_path / "packed")],
    }[how]
    done = outcome([*RUN, *command, "--epochs", "3"], PYTHONPATH=str(tmp_path))
    assert done == (7, "True ['--epochs', '3'] __main__ False\n")


@pytest.mark.parametrize("options", [["-u", "-m"], ["-um"]])
def test_the_options_of_its_own_python_hold_for_a_script(
    program: Program, options: list[str]
) -> None:
    command = [sys.executable, *options, "mp_tqdm", "run", program(SAYS)[-1]]
    assert outcome(command) == (7, "True [] __main__ True\n")


@pytest.mark.once
def test_it_becomes_the_command(tmp_path: Path) -> None:
    told = tmp_path / "told"
    shell = ["sh", "-c", f"echo $$ > {told}; kill -TERM $$"]
    with subprocess.Popen([*RUN, *shell], env=programs.environment()) as process:
        assert process.wait(programs.PATIENCE_S) == -signal.SIGTERM
    assert int(told.read_text()) == process.pid


@pytest.mark.once
def test_a_pipe_whose_reader_had_enough_ends_the_command() -> None:
    shell = "yes | head -1; echo ${PIPESTATUS[0]}"
    with_run = outcome([*RUN, "bash", "-c", shell])
    assert with_run == outcome(["bash", "-c", shell]) == (0, f"y\n{128 + signal.SIGPIPE}\n")


@pytest.mark.once
def test_on_a_terminal_a_command_reads_and_an_interrupt_reaches_it(
    program: Program, terminal: Terminal
) -> None:
    command = program("""
        import time
        try:
            print("it was", input("name? "))
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted")
            raise SystemExit(5)
    """)
    terminal.start([*RUN, *command])
    terminal.wait_for(lambda screen: "name?" in screen.text())
    terminal.press(b"Ada\n")
    terminal.wait_for(lambda screen: "it was Ada" in screen.text())
    terminal.press(b"\x03")
    assert terminal.wait() == 5
    assert "interrupted" in terminal.text()
    assert "Traceback" not in terminal.text()


@pytest.mark.once
def test_a_script_without_an_interpreter_line_runs_as_from_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "go"
    script.write_text("echo gone $1\n")
    script.chmod(0o755)
    assert outcome([*RUN, str(script), "far"]) == (0, "gone far\n")


@pytest.mark.once
def test_without_a_command_it_asks_for_one() -> None:
    done = programs.run(RUN)
    assert (done.returncode, done.stdout) == (2, "")
    assert "which command?\nusage: python -m mp_tqdm run COMMAND" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("command", ["torchrn", "./train.py", ""])
def test_a_command_that_is_not_there_is_named_with_what_to_do(command: str) -> None:
    done = programs.run([*RUN, command])
    assert (done.returncode, done.stdout) == (127, "")
    assert f"{command}: not found. Give the path of a script, or" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.once
@pytest.mark.parametrize(
    ("mode", "says"), [(0o644, "not executable. Name what runs it"), (0o755, "No such file")]
)
def test_a_command_that_cannot_be_run_is_named(tmp_path: Path, mode: int, says: str) -> None:
    script = tmp_path / "train"
    script.write_text("#!/nowhere/python\n")
    script.chmod(mode)
    done = programs.run([*RUN, str(script)])
    assert done.returncode == 126
    assert f"mp_tqdm run: {script}: {says}" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-sE", "-Wd -S"])
def test_options_by_which_python_does_not_read_what_it_prepares_are_named(option: str) -> None:
    command = [sys.executable, *option.split(), "-c", "print('goes on -I')"]
    done = programs.run([*RUN, *command])
    assert (done.returncode, done.stdout) == (0, "goes on -I\n")
    assert f"with -{option[-1]} Python does not read" in done.stderr
    assert "with" not in programs.run([*RUN, sys.executable, "-c", "pass", option]).stderr


@pytest.mark.once
@pytest.mark.parametrize("arguments", [["run", "--help"], ["run", "-h"], ["--help"]])
def test_help_tells_of_it(arguments: list[str]) -> None:
    code, text = outcome([*RUN[:-1], *arguments])
    assert code == 0
    assert "torchrun" in text


@pytest.mark.once
def test_inside_itself_it_changes_nothing_more() -> None:
    command = [sys.executable, "-c", "import os; print(os.environ['PYTHONPATH'])"]
    once = outcome([*RUN, *command], PYTHONPATH="elsewhere")
    assert once == outcome([*RUN, *RUN, *command], PYTHONPATH="elsewhere")
    start, before = once[1].split(os.pathsep)
    assert start.endswith("_start")
    assert before == "elsewhere\n"
