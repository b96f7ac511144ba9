"""Processes of all kinds of parents find the job, and programs of their own do not."""

from collections.abc import Callable

import pytest

from support import programs
from support.launches import HYDRA
from support.who import WHO, lines

Program = Callable[..., list[str]]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("joined", ["before", "after"])
def test_children_of_each_method_find_the_job(program: Program, method: str, joined: str) -> None:
    source = """
    import multiprocessing

    def work(label):
        who(label)
        child = multiprocessing.get_context(sys.argv[1]).Process(target=who, args=(label + "'s",))
        child.start()
        child.join()

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        if sys.argv[2] == "before":
            who("root", publish=True)
        child = context.Process(target=work, args=("child",))
        child.start()
        child.join()
        who("root", publish=True)
        child = context.Process(target=who, args=("late",))
        child.start()
        child.join()
    """
    found = lines(programs.run(program(WHO + source, method, joined)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert found["root"]["job"].startswith("family:")
    assert [found[label]["role"] for label in ("root", "child", "child's", "late")] == [
        "root",
        "worker",
        "worker",
        "worker",
    ]
    makers = {label: line["parent"] for label, line in found.items() if label != "root"}
    # Who starts a process joins before that.
    assert makers == dict.fromkeys(makers, found["root"]["pid"])


@pytest.mark.parametrize("joined", ["before", "after"])
def test_forked_children_find_the_job(program: Program, joined: str) -> None:
    source = """
    def fork(work):
        pid = os.fork()
        if not pid:
            work()
            os._exit(0)
        os.waitpid(pid, 0)

    if sys.argv[1] == "before":
        who("root", publish=True)
    fork(lambda: (who("child"), fork(lambda: who("grandchild"))))
    who("root")
    """
    found = lines(programs.run(program(WHO + source, joined)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert [line["role"] for line in found.values()].count("worker") == 2
    assert found["root"]["rule"] == "process"


def test_a_process_forked_without_pythons_knowledge_finds_its_parent(program: Program) -> None:
    source = """
    import ctypes
    who("root", publish=True)
    pid = ctypes.PyDLL(None).fork()
    if not pid:
        who("child")
        os._exit(0)
    os.waitpid(pid, 0)
    """
    found = lines(programs.run(program(WHO + source)))
    assert found["child"]["job"] == found["root"]["job"]
    assert (found["child"]["role"], found["child"]["parent"]) == ("worker", found["root"]["pid"])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_forks_and_methods_may_be_mixed_below_a_rank(program: Program, method: str) -> None:
    source = f"""
    import multiprocessing, subprocess

    def fork(work, *arguments):
        pid = os.fork()
        if not pid:
            work(*arguments)
            os._exit(0)
        os.waitpid(pid, 0)

    def make(work, *arguments):
        child = multiprocessing.get_context({method!r}).Process(target=work, args=arguments)
        child.start()
        child.join()

    def work(label):
        fork(who, label + ".forked")
        make(who, label + ".made")
        subprocess.run([sys.executable, sys.argv[0], label + ".program"])

    if __name__ == "__main__":
        label = (sys.argv[1:] or ["rank"])[0]
        fork(who, label + ".forked")
        make(fork, who, label + ".made.forked")
        make(who, label + ".made")
        if label == "rank":
            make(work, label + ".worker")
        who(label)
    """
    environ = programs.environment(**HYDRA)
    found = lines(programs.run(program(WHO + source), env=environ))
    jobs: dict[bool, set[str]] = {True: set(), False: set()}
    for label, line in found.items():
        jobs["program" in label].add(line["job"])
        assert (line["role"] == "worker") == (label not in {"rank", "rank.worker.program"}), label
        assert line["rank"] == ("program" not in label), label
    assert len(found) == 10
    assert len(jobs[True]) == len(jobs[False]) == len(jobs[True] | jobs[False]) - 1 == 1


def test_a_pool_of_multiprocess_counts_for_its_parent(program: Program) -> None:
    pytest.importorskip("multiprocess")
    source = """
    import multiprocess

    def task(label):
        who(label)

    if __name__ == "__main__":
        who("root", publish=True)
        for method in ("fork", "spawn", "forkserver"):
            with multiprocess.get_context(method).Pool(1) as pool:
                pool.map(task, [method])
    """
    found = lines(programs.run(program(WHO + source)))
    assert {line["job"] for line in found.values()} == {found["root"]["job"]}
    assert {line["role"] for label, line in found.items() if label != "root"} == {"worker"}


@pytest.mark.parametrize("package", ["multiprocessing", "multiprocess"])
def test_a_forkserver_that_knows_the_package_changes_nothing(
    program: Program, package: str
) -> None:
    pytest.importorskip(package)
    source = f"""
    import {package} as processes

    if __name__ == "__main__":
        processes.set_forkserver_preload(["multiprocessing.process", "mp_tqdm._env"])
        context = processes.get_context("forkserver")
        for label in ("one", "two"):
            child = context.Process(target=who, args=(label,))
            child.start()
            child.join()
        who("root")
    """
    found = lines(programs.run(program(WHO + source)))
    assert {found[label]["role"] for label in ("one", "two")} == {"worker"}
    assert found["one"]["job"] == found["two"]["job"]
    # (The root goes by the key of multiprocessing, if that is loaded as well.)
    if package == "multiprocessing":
        assert found["one"]["job"] == found["root"]["job"]


def test_loky_workers_find_the_job(program: Program) -> None:
    pytest.importorskip("joblib")
    source = """
    from joblib import Parallel, delayed

    if __name__ == "__main__":
        who("root", publish=len(sys.argv) > 1)
        Parallel(n_jobs=2)(delayed(who)(label) for label in ("one", "two"))
    """
    for arguments in ([], ["publish"]):
        found = lines(programs.run(program(WHO + source, *arguments)))
        assert {line["job"] for line in found.values()} == {found["root"]["job"]}
        assert found["one"]["role"] == found["two"]["role"] == "worker"


def test_a_literal_key_joins_parent_and_children_and_nobody_else(program: Program) -> None:
    source = """
    import multiprocessing

    if __name__ == "__main__":
        multiprocessing.current_process().authkey = b"secret"
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=who, args=(method,))
            child.start()
            child.join()
        who("root")
    """
    command = program(WHO + source)
    first, second = (lines(programs.run(command)) for _ in range(2))
    assert {line["job"] for line in first.values()} == {first["root"]["job"]}
    assert first["root"]["job"] != second["root"]["job"]


def test_a_subprocess_is_on_its_own_unless_it_is_given_the_session(program: Program) -> None:
    below = """
    import subprocess
    who(sys.argv[1], publish=True)
    if len(sys.argv) > 2:
        subprocess.run([sys.executable, __file__, *sys.argv[2:]])
    """
    command = program(WHO + below, "program", "below")
    source = """
    import shlex, subprocess
    from mp_tqdm import _session
    found = _env.identify(_env.read_facts())
    who("root", publish=True)
    given = dict(os.environ)
    if sys.argv[1] == "given":
        given["MP_TQDM_SESSION"] = _session.value(found, 1, 1)
    subprocess.run(["sh", "-c", shlex.join(sys.argv[2:]) + "; true"], env=given)
    """
    found = lines(programs.run(program(WHO + source, "kept", *command)))
    assert len({line["job"] for line in found.values()}) == 3
    assert {line["role"] for line in found.values()} == {"root"}
    found = lines(programs.run(program(WHO + source, "given", *command)))
    assert found["program"]["job"] == found["root"]["job"]
    assert (found["program"]["role"], found["program"]["rule"]) == ("worker", "session")


@pytest.mark.once
@pytest.mark.timeout(120)
def test_fifty_pairs_of_one_program_are_a_hundred_jobs(program: Program) -> None:
    source = """
    import subprocess
    if len(sys.argv) > 1:
        import multiprocessing
        who(sys.argv[1])
    else:
        for pair in range(50):
            both = [subprocess.Popen([sys.executable, __file__, f"{pair}.{n}"]) for n in range(2)]
            for one in both:
                one.wait()
    """
    found = lines(programs.run(program(WHO + source), timeout=100))
    assert len({line["job"] for line in found.values()}) == 100
