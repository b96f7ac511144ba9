"""What `python -m mp_tqdm run` does to the Pythons below it, and what it leaves alone in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.terminal import Terminal

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.faults("F129")

RUN = [sys.executable, "-m", "mp_tqdm", "run"]

WHOSE = """
from tqdm import tqdm

def whose():
    homes = {base.__module__.partition(".")[0] for base in tqdm.__mro__}
    return "ours" if "mp_tqdm" in homes else "tqdm's"
"""


def printed(command: list[str], **variables: str) -> str:
    """What a program prints that ends well and has nothing to say."""
    done = programs.run(command, env=programs.environment(**variables))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def script(directory: Path, source: str) -> str:
    """A script that knows `whose`."""
    (directory / "whose.py").write_text(WHOSE)
    return programs.python(source, directory=directory)[-1]


def bare(directory: Path, *packages: str) -> str:
    """The Python of an environment with nothing but these packages of the tests' own."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=25
    )
    python = directory / "bin" / "python"
    libraries = next((directory / "lib").iterdir()) / "site-packages"
    for name in packages:
        module = __import__(name)
        (libraries / name).symlink_to(Path(module.__file__ or "").parent)
    return str(python)


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_workers_have_the_bars_of_their_program(tmp_path: Path, method: str) -> None:
    path = script(
        tmp_path,
        f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from whose import tqdm, whose

        def work(number):
            return whose()

        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with context.Pool(1) as pool:
                done = list(tqdm(pool.imap(work, range(3)), total=3, disable=True))
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                done += executor.map(work, range(3))
            print(whose(), *sorted(set(done)))
        """,
    )
    assert printed([*RUN, path]) == "ours ours"


@pytest.mark.once
def test_pythons_below_a_shell_have_them_and_may_be_left_out(tmp_path: Path) -> None:
    path = script(tmp_path, "from whose import whose; print(whose())")
    shell = f"{sys.executable} {path}; MP_TQDM_PATCH=no {sys.executable} {path}; exit $?"
    assert printed([*RUN, "sh", "-c", shell]).split("\n") == ["ours", "tqdm's"]


@pytest.mark.once
def test_pytest_runs_tests_with_them(tmp_path: Path) -> None:
    script(tmp_path, "")
    test = tmp_path / "test_bars.py"
    test.write_text("from whose import whose\ndef test_it():\n    assert whose() == 'ours'\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", str(test)]
    assert "1 passed" in printed([*RUN, *command])


@pytest.mark.once
@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("inside", [False, True], ids=["before torchrun", "behind torchrun"])
def test_ranks_of_torchrun_have_them_and_draw_one_line(
    terminal: Terminal, tmp_path: Path, *, inside: bool
) -> None:
    programs.needs_package("torch")
    path = script(
        tmp_path,
        """
        from whose import tqdm, whose
        assert whose() == "ours"
        for _ in tqdm(range(8), desc="steps"):
            pass
        """,
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2"]
    rest = ["-m", "mp_tqdm", "run", path] if inside else [path]
    command = [*torchrun, *rest] if inside else [*RUN, *torchrun, *rest]
    terminal.start(command, env=programs.environment(OMP_NUM_THREADS="1"))
    assert terminal.wait(100) == 0, terminal.text()
    (line,) = [line for line in terminal.lines() if "steps" in line]
    assert "8/8" in line, terminal.text()


def test_a_python_that_does_not_import_tqdm_imports_nothing(program: Program) -> None:
    command = program("""
        import importlib.util, sys
        assert importlib.util.find_spec("tqdm").loader.get_filename("tqdm")
        print(sorted(name for name in sys.modules if "tqdm" in name))
    """)
    assert printed([*RUN, *command]) == "['mp_tqdm_at_import']"


def test_tqdm_has_its_own_loader(program: Program) -> None:
    command = program("""
        import importlib.resources, inspect, sys, tqdm
        assert type(tqdm.__loader__).__module__ == type(tqdm.__spec__.loader).__module__
        assert type(tqdm.__loader__).__module__ == "_frozen_importlib_external"
        assert "tqdm" in inspect.getsource(tqdm)
        assert importlib.resources.files("tqdm").joinpath("std.py").is_file()
    """)
    assert printed([*RUN, *command]) == ""


def test_tqdm_in_an_archive_is_replaced_too(program: Program, tmp_path: Path) -> None:
    import shutil

    import tqdm

    shutil.copytree(Path(tqdm.__file__).parent, tmp_path / "packed" / "tqdm")
    archive = shutil.make_archive(str(tmp_path / "tqdm"), "zip", tmp_path / "packed")
    command = program("""
        import tqdm.auto
        assert ".zip" in tqdm.__file__
        print("mp_tqdm" in str(tqdm.tqdm.__mro__))
    """)
    assert printed([*RUN, *command], PYTHONPATH=archive) == "True"


def test_names_that_are_given_back_are_not_taken_at_the_import(program: Program) -> None:
    command = program("""
        import mp_tqdm
        mp_tqdm.unpatch()
        import tqdm
        assert not issubclass(tqdm.tqdm, mp_tqdm.mp_tqdm)
    """)
    assert printed([*RUN, *command]) == ""


@pytest.mark.once
@pytest.mark.parametrize("content", ["import builtins; builtins.other = 5", "raise OSError(5)", ""])
def test_the_sitecustomize_that_it_hides_runs_as_before(
    program: Program, tmp_path: Path, content: str
) -> None:
    (tmp_path / "other").mkdir()
    if content:
        (tmp_path / "other" / "sitecustomize.py").write_text(f"import sys\n{content}\n")
    command = program("""
        import builtins, sys
        place = getattr(sys.modules.get("sitecustomize"), "__file__", "")
        print(getattr(builtins, "other", 0), "other" in place)
    """)
    env = programs.environment(PYTHONPATH=str(tmp_path / "other"))
    without, with_run = programs.run(command, env=env), programs.run([*RUN, *command], env=env)
    assert with_run.returncode == 0
    # `run` is a Python, too.
    assert (with_run.stdout, with_run.stderr) == (without.stdout, without.stderr * 2)


@pytest.mark.once
def test_a_program_hands_its_path_to_another_python(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        import os, subprocess, sys
        from whose import whose
        print(whose(), flush=True)
        if len(sys.argv) == 1:
            env = {"PYTHONPATH": os.pathsep.join(sys.path), "MP_TQDM_PATCH": "1"}
            subprocess.run([sys.executable, __file__, "again"], env=env, check=True)
        """,
    )
    assert printed([*RUN, path]).split("\n") == ["ours", "ours"]


def test_an_environment_without_the_package_has_that_of_run(tmp_path: Path) -> None:
    python = bare(tmp_path / "venv", "tqdm")
    path = script(tmp_path, "from whose import whose; print(whose())")
    assert printed([*RUN, python, path]) == "ours"
    assert printed([python, path], MP_TQDM_PATCH="1") == "tqdm's"


def test_an_environment_without_tqdm_runs_as_before(tmp_path: Path) -> None:
    python = bare(tmp_path / "venv")
    source = "import sys; print([name for name in sys.modules if name in ('mp_tqdm', 'tqdm')])"
    assert printed([*RUN, python, "-c", source]) == "[]"


@pytest.mark.once
def test_a_package_that_does_not_load_leaves_tqdm_as_it_is_and_one_warning(tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "mp_tqdm"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('built for another system')\n")
    path = script(
        tmp_path,
        """
        import multiprocessing
        from whose import whose

        def work(number):
            return whose()

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(whose(), *set(pool.map(work, range(4))))
        """,
    )
    python = bare(tmp_path / "venv", "tqdm")
    env = programs.environment(PYTHONPATH=str(broken.parent))
    done = programs.run([*RUN[:1], "-c", _RUNS_FROM, str(broken.parent), python, path], env=env)
    assert (done.returncode, done.stdout) == (0, "tqdm's tqdm's\n"), done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    assert f"cannot replace tqdm's bars in {python}: ImportError: built for" in done.stderr
    for variables in ({"LOCAL_RANK": "1"}, {"PYTHONWARNINGS": "error"}):
        env = programs.environment(PYTHONPATH=str(broken.parent), **variables)
        command = [*RUN[:1], "-c", _RUNS_FROM, str(broken.parent), python, path]
        done = programs.run(command, env=env)
        assert (done.stdout, done.stderr) == ("tqdm's tqdm's\n", "")


# Runs the command although the package in PYTHONPATH is broken.
_RUNS_FROM = """
import sys
sys.path.remove(sys.argv[1])
from mp_tqdm import _run
sys.exit(_run.main(sys.argv[2:]))
"""


def old_pythons() -> list[Path]:
    """Pythons of this machine that the package is not for."""
    found = Path(os.path.expanduser("~/.pyenv/versions")).glob("*/bin/python")
    return [path for path in found if path.parts[-3].startswith(("2.", "3.6.", "3.8.", "3.9."))]


@pytest.mark.once
def test_a_python_that_the_package_is_not_for_says_so_where_it_imports_tqdm(tmp_path: Path) -> None:
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python before 3.10 is installed")
    (tmp_path / "tqdm.py").write_text("mine = True\n")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.other = 5\n")
    env = programs.environment(PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    (tmp_path / "old.py").write_text("import tqdm\nprint(tqdm.mine)\n")
    for python in pythons:
        assert printed([*RUN, str(python), "-c", "import sys; print(sys.other)"], **env) == "5"
        done = programs.run([*RUN, str(python), str(tmp_path / "old.py")], env=env)
        assert (done.returncode, done.stdout) == (0, "True\n")
        is_read = not python.parts[-3].startswith("2.")
        assert done.stderr.count("mp_tqdm is for CPython 3.10 or newer") == is_read
        assert done.stderr.count("old.py:1: RuntimeWarning") == is_read
