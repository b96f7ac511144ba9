"""What processes count that were forked, by whatever call and wherever in a loop, is exact."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.polling import wait_until
from support.programs import printed
from support.terminal import Terminal

Program = Callable[..., list[str]]


def test_fork_children_of_every_kind_count(program: Program) -> None:
    lines = printed(
        program("""
            import ctypes, os
            from mp_tqdm import mp_tqdm, report_progress

            libc = ctypes.PyDLL(None)
            forks = [os.fork, libc.fork, libc._Fork]
            bar = mp_tqdm()
            bar.update()
            report_progress(2)
            for fork in forks:
                for _ in range(20):
                    child = fork()
                    if not child:
                        for _ in range(10):
                            bar.update()
                            report_progress()
                        os._exit(0)
                    assert os.waitpid(child, 0)[1] == 0
                print(bar.n, bar.n_own)
        """)
    )
    assert lines == ["403 3", "803 3", "1203 3"]


@pytest.mark.parametrize("imports", ["", "import multiprocessing"])
@pytest.mark.parametrize("counts", [True, False])
def test_forks_from_before_the_first_count_share_their_makers_job(
    terminal: Terminal, program: Program, imports: str, counts: bool
) -> None:
    # Whether the maker comes to count or not: one line, and nothing left behind. (Where it does
    # not, the child that draws may end first; then its line stays, and another goes on.) No child
    # ends before all are there and the maker has counted: the line of the one that draws would stay
    # there, too, and a line that nobody has open ends.
    terminal.start(
        program(f"""
            import os, sys, time
            {imports}
            from mp_tqdm import mp_tqdm

            there, arrive = os.pipe()
            may_end, hold = os.pipe()
            children = []
            for _ in range(3):
                child = os.fork()
                if not child:
                    os.close(hold)
                    for item in mp_tqdm(range(20), desc="work"):
                        time.sleep(0.01)
                        if item == 10:
                            os.write(arrive, b"x")
                            os.read(may_end, 1)
                    sys.exit()
                children.append(child)
            if {counts}:
                mp_tqdm(total=1, desc="own", leave=False).update()
            for child in children:
                os.read(there, 1)
            os.close(hold)
            for child in children:
                os.waitpid(child, 0)
        """)
    )
    assert terminal.wait() == 0
    *others, line = terminal.lines()
    assert re.fullmatch(r"work: 100%\|█+\| 60/60 \[.*", line)
    assert not (counts and others)


def test_a_daemon_is_a_program_of_its_own(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "n"
    printed(
        program(
            """
            import os, sys, time
            from mp_tqdm import mp_tqdm

            for _ in range(2):
                maker = os.getpid()
                if os.fork():
                    os._exit(0)
                while os.getppid() == maker:
                    time.sleep(0.001)
                os.setsid()
            bar = mp_tqdm(range(5))
            for _ in bar:
                pass
            with open(sys.argv[1], "w") as file:
                print(bar.n, file=file)
            """,
            str(path),
        )
    )
    wait_until(path.exists, "the daemon's end")


def test_a_fork_in_a_loop_body_counts_what_each_process_does(program: Program) -> None:
    lines = printed(
        program("""
            import ctypes, os
            from mp_tqdm import mp_tqdm

            for fork in (os.fork, ctypes.PyDLL(None)._Fork):
                bar = mp_tqdm(range(100))
                child = None
                for item in bar:
                    if item == 49:
                        child = fork()
                if child == 0:
                    print(bar.n_own, flush=True)
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                print(bar.n_own, bar.n, flush=True)
        """)
    )
    # The child was handed item 49 as well and finishes it: 49 to 99. The parent's bar is over when
    # its loop is, whether the child is behind or ahead.
    assert lines[0::2] == ["51", "51"]
    assert [line.split()[0] for line in lines[1::2]] == ["100", "100"]


def test_forks_in_every_body_of_a_loop_leave_its_count_exact(program: Program) -> None:
    lines = printed(
        program("""
            import os
            from mp_tqdm import mp_tqdm

            bar = mp_tqdm(range(100))
            children = []
            seen = []
            for item in bar:
                child = os.fork()
                if not child:
                    bar.update(3)
                    os._exit(0)
                os.waitpid(child, 0)
                seen.append(bar.n)
            print(seen == [4 * item + 3 for item in range(100)], bar.n)
        """)
    )
    assert lines == ["True 400"]


def test_two_threads_that_fork_together_have_no_renderer_at_any_fork(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(
        program("""
            import os, threading, time, warnings
            from pathlib import Path

            def renderers():
                for task in Path("/proc/self/task").iterdir():
                    try:
                        name = (task / "comm").read_text()
                    except (FileNotFoundError, ProcessLookupError):
                        continue  # a thread that just ended
                    if name.startswith("mp-tqdm"):
                        yield task.name

            fork_of = threading.local()
            looks, given_up = [], set()
            def begin():
                fork_of.begin = time.monotonic()
            def look():
                alive = set(renderers())
                looks.append(alive)
                # A fork waits half a second for one that does not get the processor.
                if time.monotonic() - fork_of.begin >= 0.5:
                    given_up.update(alive)
            # Registered first, so called last before a fork.
            os.register_at_fork(before=look)

            from mp_tqdm import mp_tqdm
            warnings.simplefilter("ignore", DeprecationWarning)
            bar = mp_tqdm(total=100, mininterval=0.01)
            os.register_at_fork(before=begin)

            def fork():
                for _ in range(50):
                    child = os.fork()
                    if not child:
                        bar.update()
                        os._exit(0)
                    assert os.waitpid(child, 0)[1] == 0

            threads = [threading.Thread(target=fork) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            n = bar.n
            bar.close()
            print(len(looks), sum(bool(alive - given_up) for alive in looks), n)
        """)
    )
    assert terminal.wait() == 0
    assert terminal.lines()[-1] == "100 0 100"
