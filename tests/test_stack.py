"""The path of calls: the same in all processes that do the same, another for another place."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mp_tqdm import _stack
from support import programs

Program = Callable[..., list[str]]
Call = tuple[str, str]  # file and name

PACKAGE = "/site-packages/mp_tqdm"


def through(*calls: Call) -> tuple[int, str]:
    """The path in the innermost of these calls, given from the outermost on."""
    function: Callable[[], tuple[int, str]] = lambda: _stack.call_path(PACKAGE, sys._getframe(1))  # noqa: E731
    for file, name in reversed(calls):
        scope: dict[str, Any] = {"inner": function}
        exec(compile(f"def {name}():\n  return inner()", file, "exec"), scope)  # noqa: S102
        function = scope[name]
    return function()


MAIN = ("/home/me/train.py", "main")
OTHER = ("/home/me/other.py", "main")
TASK = ("/home/me/task.py", "task")


# --- What makes a path


def test_one_place_is_one_path() -> None:
    assert through(MAIN, TASK) == through(MAIN, TASK)
    assert len({through(MAIN, TASK)[0] for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("one", "another"),
    [
        pytest.param((MAIN,), (OTHER,), id="file"),
        pytest.param((MAIN, TASK), (OTHER, TASK), id="caller of a helper"),
        pytest.param((MAIN, OTHER), (OTHER, MAIN), id="order"),
        pytest.param((MAIN,), (MAIN, MAIN), id="depth"),
    ],
)
def test_another_place_is_another_path(one: tuple[Call, ...], another: tuple[Call, ...]) -> None:
    assert through(*one)[0] != through(*another)[0]


def test_another_line_is_another_path() -> None:
    def here() -> tuple[int, str]:
        return _stack.call_path(PACKAGE, sys._getframe(1))

    def helper() -> tuple[int, str]:
        return here()

    first = here()
    second = here()
    assert first[0] != second[0]
    by_helper = [helper(), helper()]
    one_line_further = helper()
    assert len({path for path, _ in by_helper}) == 1
    assert one_line_further[0] not in {path for path, _ in by_helper}


def test_calls_of_the_package_are_no_part_of_the_path() -> None:
    inside = (f"{PACKAGE}/_bar.py", "__init__")
    assert through(MAIN, inside, inside) == through(MAIN)
    assert through(MAIN, inside, TASK, inside) == through(MAIN, TASK)
    beside = (f"{PACKAGE}_examples/train.py", "main")
    assert through(MAIN, beside) != through(MAIN)


def test_the_text_is_the_innermost_call_that_is_not_the_packages() -> None:
    inside = (f"{PACKAGE}/_bar.py", "__init__")
    assert through(MAIN, TASK, inside)[1] == "task.py:2 in task"


def test_no_frame_is_a_path_of_its_own() -> None:
    assert _stack.call_path(PACKAGE, None) == (1, "?")


def test_numbers_have_64_bits() -> None:
    numbers = [through((f"/home/me/{n}.py", "main"))[0] for n in range(200)]
    assert len(set(numbers)) == 200
    assert all(0 < number < 1 << 64 for number in numbers)
    assert any(number >> 63 for number in numbers)


@pytest.mark.parametrize(
    "file", ["<stdin>", "<ipython-input-3-1f>", "/tmp/a\udcffb.py", "\ud800.py"]
)
def test_code_may_come_from_anywhere(file: str) -> None:
    assert through((file, "cell")) != through(MAIN)


def test_code_that_is_gone_is_forgotten() -> None:
    for n in range(2 * _stack._REMEMBERED):
        through((f"/cells/{n}.py", "cell"))
    assert len(_stack._steps[PACKAGE]) <= _stack._REMEMBERED


def test_a_key_is_a_path_of_its_own() -> None:
    numbers = {_stack.key_path(key) for key in ("", "a", "b", "ab", "a\ud800")}
    assert len(numbers) == 5
    assert all(0 < number < 1 << 64 for number in numbers)
    assert _stack.key_path("a") == _stack.key_path("a")


# --- Where a path ends

LIBRARY = "/usr/lib/python3.12"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (f"{LIBRARY}/multiprocessing/process.py", "_bootstrap"),
        (f"{LIBRARY}/multiprocessing/pool.py", "worker"),
        (f"{LIBRARY}/concurrent/futures/process.py", "_process_worker"),
        (f"{LIBRARY}/concurrent/futures/thread.py", "_worker"),
        (f"{LIBRARY}/threading.py", "_bootstrap"),
        (f"{LIBRARY}/threading.py", "_bootstrap_inner"),
        ("/site-packages/multiprocess/process.py", "_bootstrap"),
        ("/site-packages/multiprocess/pool.py", "worker"),
        ("/site-packages/billiard/process.py", "_bootstrap"),
        ("/site-packages/loky/process_executor.py", "_process_worker"),
        ("/site-packages/joblib/externals/loky/process_executor.py", "_process_worker"),
        ("/site-packages/torch/utils/data/_utils/worker.py", "_worker_loop"),
    ],
)
def test_a_path_ends_where_a_process_begins_its_work(file: str, name: str) -> None:
    run = (f"{LIBRARY}/multiprocessing/pool.py", "mapstar")
    assert through(MAIN, (file, name), run, TASK) == through(OTHER, (file, name), run, TASK)
    namesake = ("/home/me/my_" + os.path.basename(file), name)
    assert through(MAIN, namesake, TASK) != through(OTHER, namesake, TASK)
    assert through(MAIN, (file, "start"), TASK) != through(OTHER, (file, "start"), TASK)


@pytest.mark.parametrize("file", ["<frozen runpy>", "/usr/lib/python3.10/runpy.py"])
def test_running_as_a_module_is_no_part_of_the_path(file: str) -> None:
    assert through((file, "_run_module_as_main"), (file, "_run_code"), MAIN) == through(MAIN)


def test_a_thread_has_the_path_of_its_own_work() -> None:
    found: list[tuple[int, str]] = []

    def task() -> None:
        found.append(_stack.call_path(PACKAGE, sys._getframe(0)))

    def start() -> None:
        thread = threading.Thread(target=task)
        thread.start()
        thread.join()

    start()
    start()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(task).result()
        pool.submit(task).result()
    assert found[0] == found[1]
    assert found[2] == found[3]


# --- Real processes

# `here(label)` prints the path that leads to its caller.
HERE = """
    import json, os, sys
    from mp_tqdm import _stack

    def here(label):
        path, text = _stack.call_path("/nowhere", sys._getframe(1))
        os.write(1, (json.dumps([label, path, text]) + "\\n").encode())

"""


def paths(done: subprocess.CompletedProcess[str]) -> dict[str, set[int]]:
    """The numbers found under each label."""
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, set[int]] = {}
    for line in done.stdout.splitlines():
        label, path, _ = json.loads(line)
        found.setdefault(label, set()).add(path)
    return found


def test_a_path_does_not_depend_on_the_hash_seed(program: Program) -> None:
    command = program(HERE + "here('main')")
    found = [
        programs.run(command, env=programs.environment(PYTHONHASHSEED=seed)).stdout
        for seed in ("0", "1", "random")
    ]
    assert len(set(found)) == 1


def test_a_script_and_a_module_are_one_path(program: Program, tmp_path: Path) -> None:
    command = program(HERE + "def work(): here('main')\n    work()")
    as_module = [sys.executable, "-m", Path(command[1]).stem]
    environ = programs.environment(PYTHONPATH=str(tmp_path))
    assert programs.run(command).stdout == programs.run(as_module, env=environ).stdout


@pytest.mark.parametrize("package", ["multiprocessing", "multiprocess"])
def test_workers_of_all_methods_have_one_path(program: Program, package: str) -> None:
    pytest.importorskip(package)
    source = f"""
    import {package} as processes

    def task(label):
        here(label)

    def start(context):
        child = context.Process(target=task, args=("process",))
        child.start()
        child.join()
        # One task for each worker: the second task is for a worker that replaced another.
        with context.Pool(1, maxtasksperchild=1) as pool:
            pool.map(task, ["pool", "pool"], chunksize=1)

    if __name__ == "__main__":
        here("root")
        start(processes.get_context("fork"))
        start(processes.get_context("spawn"))
        start(processes.get_context("forkserver"))
    """
    found = paths(programs.run(program(HERE + source)))
    assert {label: len(numbers) for label, numbers in found.items()} == {
        "root": 1,
        "process": 1,
        "pool": 1,
    }


def test_workers_of_executors_have_one_path(program: Program) -> None:
    source = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    def task(label):
        here(label)

    if __name__ == "__main__":
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                for _ in range(3):
                    pool.submit(task, "executor").result()
    """
    assert len(paths(programs.run(program(HERE + source)))["executor"]) == 1


@pytest.mark.timeout(120)
def test_workers_of_loky_have_one_path(program: Program) -> None:
    pytest.importorskip("joblib")
    source = """
    from joblib import Parallel, delayed

    def task():
        here("loky")

    if __name__ == "__main__":
        for _ in range(2):
            Parallel(n_jobs=2)(delayed(task)() for _ in range(4))
    """
    done = programs.run(program(HERE + source), timeout=100)
    assert len(paths(done)["loky"]) == 1


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_workers_of_a_data_loader_have_one_path_in_all_epochs(program: Program) -> None:
    pytest.importorskip("torch")
    source = """
    from torch.utils.data import DataLoader, IterableDataset

    class Stream(IterableDataset):
        def __iter__(self):
            here("loader")
            yield 1

    if __name__ == "__main__":
        for method in ("fork", "spawn"):
            loader = DataLoader(
                Stream(), num_workers=1, persistent_workers=True, multiprocessing_context=method
            )
            for _ in range(2):
                list(loader)
    """
    done = programs.run(program(HERE + source), timeout=100)
    found = [json.loads(line)[1] for line in done.stdout.splitlines()]
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_forked_process_is_where_it_was(program: Program) -> None:
    source = """
    for _ in range(2):
        pid = os.fork()
        for _ in range(1):
            here("both")
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    """
    done = programs.run(program(HERE + source))
    assert len(done.stdout.splitlines()) == 4
    assert len(paths(done)["both"]) == 1
