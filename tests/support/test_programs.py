"""Programs start in a clean environment, and end."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs

pytestmark = pytest.mark.once

Program = Callable[..., list[str]]


def test_a_run_returns_what_the_program_did(program: Program) -> None:
    done = programs.run(program("import sys; print(sys.argv[1:]); sys.exit('no')", "a", "b"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "['a', 'b']\n", "no\n")


def test_a_program_that_hangs_is_killed_with_its_children(program: Program) -> None:
    source = f"""
        import subprocess, sys
        print("started", flush=True)
        subprocess.run([{sys.executable!r}, "-c", "import time; time.sleep(100)"])
    """
    said = ""
    for timeout in (1, 15):  # the second for a machine on which it did not start in the first
        with pytest.raises(AssertionError, match="still running") as caught:
            programs.run(program(source), timeout=timeout)
        said = str(caught.value)
        if "started" in said:
            break
    assert "started" in said


def test_children_of_spawn_find_the_script(program: Program) -> None:
    done = programs.run(
        program("""
            import multiprocessing
            def double(n): return 2 * n
            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.apply(double, (21,)))
        """)
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_a_launcher_around_the_tests_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "MP_TQDM_MODE", "PYTHONPATH"):
        monkeypatch.setenv(name, "1")
    assert (
        programs.environment(LC_ALL="C", TERM=None, A="b")
        .keys()
        .isdisjoint({"RANK", "LOCAL_RANK", "SLURM_PROCID", "MP_TQDM_MODE", "PYTHONPATH", "TERM"})
    )


def test_ranks_of_one_directory_are_one_launch(tmp_path: Path) -> None:
    first, second = (programs.rank_variables(tmp_path, rank, 2) for rank in range(2))
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"LOCAL_RANK", "RANK", "ROLE_RANK", "TORCHELASTIC_ERROR_FILE"}
