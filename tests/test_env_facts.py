"""The facts are those of the kernel, and reading them imports next to nothing."""

import itertools
import os
import sys
from collections.abc import Callable

import pytest

from mp_tqdm import _env
from support import programs
from support.who import WHO

Program = Callable[..., list[str]]


def test_the_rules_import_os_and_sys_alone() -> None:
    source = """
import __future__, os, sys
package = type(sys)("mp_tqdm")
package.__path__ = [sys.argv[1]]
sys.modules["mp_tqdm"] = package
before = set(sys.modules)
from mp_tqdm import _env, _launchers
print(sorted(name for name in set(sys.modules) - before if not name.startswith("mp_tqdm.")))
"""
    directory = os.path.dirname(_env.__file__)
    done = programs.run([sys.executable, "-S", "-c", source, directory])
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_first_use_imports_neither_multiprocessing_nor_torch(program: Program) -> None:
    source = """
    before = set(sys.modules)
    _env.publish(os.environ, _env.identify(_env.read_facts()), 1, 1)
    print(sorted(set(sys.modules) - before - {"_blake2", "itertools"}))
    """
    assert programs.run(program(WHO + source)).stdout == "[]\n"


def test_the_facts_of_this_process_are_the_kernels() -> None:
    found = _env.read_facts()
    assert (found.pid, found.ppid, found.uid) == (os.getpid(), os.getppid(), os.getuid())
    ancestors = found.ancestors()
    assert ancestors[0].pid == os.getppid()
    assert ancestors is not found.ancestors()
    assert ancestors == found.ancestors()
    starts = [found.start, *(process.start for process in ancestors)]
    assert all(after >= before for after, before in itertools.pairwise(starts))


def test_a_name_full_of_parentheses_does_not_confuse_the_start(program: Program) -> None:
    source = """
    with open("/proc/self/comm", "w") as name:
        name.write(") 1 (x) 9 9 9")
    assert _proc.status(os.getpid()) == before, before
    """
    before = "    from mp_tqdm import _proc\n    before = _proc.status(os.getpid())\n"
    assert programs.run(program(WHO + before + source)).stderr == ""


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import multiprocessing.process",
        "os.environ['RANK'] = '0'",
        "os.environ['MP_TQDM_SESSION'] = 'x'",
        "if os.fork(): os._exit(os.wait()[1] >> 8)",
    ],
)
def test_a_program_by_itself_is_who_the_rules_say(program: Program, before: str) -> None:
    source = f"""
    import os
    from mp_tqdm import _env, _forks, _job

    {before}
    alone = _job.alone()
    if alone:
        found = _env.identify(_env.read_facts())
        assert {{name: getattr(alone, name) for name in found._fields}} == found._asdict()
        assert _forks.told(alone, 1, 2, "0") == _forks.told(found, 1, 2, "0")
    print(alone is not None)
    """
    assert programs.run(program(source)).stdout == f"{not before}\n"


@pytest.mark.parametrize(
    ("change", "is_child"),
    [
        ("", True),
        ("import multiprocessing.process", False),
        ("os.environ['RANK'] = '0'", False),
        ("if os.fork(): os._exit(os.wait()[1] >> 8)", False),
    ],
)
def test_a_forked_child_of_a_program_by_itself_is_who_the_rules_say(
    program: Program, change: str, is_child: bool
) -> None:
    source = f"""
    import os
    from mp_tqdm import _env, _job, mp_tqdm

    bar = mp_tqdm(total=1)
    if os.fork():
        os._exit(os.wait()[1] >> 8)
    {change}
    alone = _job.alone()
    if alone:
        found = _env.identify(_env.read_facts())
        place = ("rank", "local_world", "world", "node", "nodes")
        for name in ("job", "rule", "role", "pid", "start", "fallback_job", "elsewhere", *place):
            assert getattr(alone, name) == getattr(found, name), name
        for name in ("slot", "incarnation", "pid", "job"):
            assert getattr(alone.parent, name) == getattr(found.parent, name), name
    os.write(1, str(alone is not None).encode())
    os._exit(0)
    """
    process = programs.run(program(source), env=programs.environment(MP_TQDM_MODE="off"))
    programs.sweep()  # `os._exit` removes nothing
    assert (process.stdout, process.stderr) == (str(is_child), "")
