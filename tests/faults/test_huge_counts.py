"""Counts of any size and kind, from any thread: none wraps, none is cut, none is lost."""

from collections.abc import Callable

import pytest

from support.programs import printed

pytestmark = pytest.mark.faults("F108")

Program = Callable[..., list[str]]

COUNT = """
    import os, sys
    from mp_tqdm import mp_tqdm, report_progress

    def in_a_child(n):
        if not os.fork():
            bar.update(n)
            os._exit(0)
        os.wait()

    def set_n(n):
        bar.n += n

    bar = mp_tqdm(total=2**62)
    count = {
        "update": bar.update,
        "report": report_progress,
        "report to it": lambda n: report_progress(n, bar=bar),
        "in a child": in_a_child,
        "set n": set_n,
    }[sys.argv[1]]
    for n in (2**31, 2**60, 2**62, -5, 2**62 - 2**60 - 2**31 + 4):
        count(n)
    print(bar.n == 2**63 - 1, type(bar.n).__name__)
    for _ in range(3):
        count(1)
    print(2**63 <= bar.n < 2**63 + 10_000)
    for _ in range(20):
        count(2**61 - 1)
    print(round(bar.n / 2**61, 6))
    for _ in range(30):
        count(-(2**61))
    print(round(bar.n / 2**61, 6))
"""


@pytest.mark.once
@pytest.mark.parametrize("way", ["update", "report", "report to it", "in a child", "set n"])
def test_counts_are_exact_to_63_bits_and_go_on_as_floats(program: Program, way: str) -> None:
    assert printed(program(COUNT, way)) == ["True int", "True", "24.0", "-6.0"]


@pytest.mark.once
def test_a_bar_that_is_nearly_full_counts_on_by_every_way(program: Program) -> None:
    lines = printed(
        program("""
            from mp_tqdm import mp_tqdm, report_progress

            bar = mp_tqdm(range(1000), total=2**63 - 1)
            bar.n = 2**63 - 100
            seen = [bar.n for _ in bar]
            print(all(n > 0 for n in (*seen, bar.n)), bar.n >= 2**63)
            with mp_tqdm(initial=2**62, total=2**64) as bar:
                bar.update(2**62 - 1)
                for _ in range(100):
                    bar.update()
                    report_progress()
                print(bar.n >= 2**63, bar.initial == 2**62, bar.total == 2**64)
            with mp_tqdm(total=1) as bar:
                bar.update(1e308)
                bar.update(1e308)
                print(bar.n > 1.7e308)
        """)
    )
    assert lines == ["True True", "True True True", "True"]


ADD_BESIDE_THREADS = """
    import os, sys, threading
    from mp_tqdm import mp_tqdm

    sys.setswitchinterval(1e-6)
    ITEMS = 3000

    def update(bar):
        for _ in range(ITEMS):
            bar.update()

    def add(bar):
        for _ in range(ITEMS):
            bar.n += 1

    def add_in_two_steps(bar):
        for _ in range(ITEMS):
            n = bar.n
            bar.n = n + 1

    def endless():
        while True:
            yield

    def iterate(bar):
        for number, _ in enumerate(bar):  # an item counts when the next one is asked for
            if number == ITEMS:
                return

    def together(bar, *works):
        threads = [threading.Thread(target=work, args=(bar,)) for work in works]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return bar.n

    for works in ((update, add), (add, add), (update, update, add_in_two_steps, add)):
        with mp_tqdm(total=10**6, initial=5) as bar:
            print(together(bar, *works) == 5 + len(works) * ITEMS)
        with mp_tqdm(total=10**6) as bar:
            # This thread counts and reads first.
            bar.update(10)
            assert bar.n == 10
            print(together(bar, *works) == 10 + len(works) * ITEMS)
    bar = mp_tqdm(endless(), total=10**6)
    print(together(bar, iterate, add) == 2 * ITEMS)
"""


def test_what_is_added_to_n_beside_counting_threads_loses_nothing(program: Program) -> None:
    assert printed(program(ADD_BESIDE_THREADS)) == ["True"] * 7


def test_what_is_added_to_n_while_another_thread_closes_the_bar_is_kept(program: Program) -> None:
    lines = printed(
        program("""
            import sys, threading
            from mp_tqdm import mp_tqdm

            sys.setswitchinterval(1e-6)

            def add():
                for _ in range(1000):
                    bar.n += 1

            def add_and_look():
                for _ in range(1000):
                    n = bar.n
                    bar.n = n + 1
                    if not n < bar.n <= 10_000:
                        print("fell from", n)

            for number in range(60):
                bar = mp_tqdm(iter(int, 1), total=10**6)
                counted = 0
                thread = threading.Thread(target=add_and_look if number % 3 else add)
                thread.start()
                for _ in bar:  # closed by `break`, or by hand
                    counted += 1
                    if counted > 10 * number:
                        break
                bar.close()
                thread.join()
                if bar.n != 1000 + 10 * number:
                    print(number, bar.n)
        """)
    )
    assert lines == []


def test_n_that_is_set_in_one_thread_is_what_it_reads(program: Program) -> None:
    lines = printed(
        program("""
            import threading
            from mp_tqdm import mp_tqdm

            # Another thread that reads, and none that counts.
            idle = threading.Event()
            watcher = threading.Thread(target=idle.wait)
            watcher.start()
            bar = mp_tqdm(total=100)
            bar.n = 7
            print(bar.n)
            bar.update(5)
            bar.n = 20
            print(bar.n)
            read = bar.n
            bar.update(5)
            bar.update()
            bar.n = read + 1
            print(bar.n)
            for n in range(30, 33):
                bar.n = n
            print(bar.n, bar.n_own)
            idle.set()
        """)
    )
    assert lines == ["7", "20", "21", "32 32"]


def test_n_that_is_set_is_read_to_the_last_bit_whatever_stood_there(program: Program) -> None:
    lines = printed(
        program("""
            from mp_tqdm import mp_tqdm

            def wrong(bar):
                numbers = [25.51, 0.21, 22.88, 1e-10, 7, 1e20, 3, -0.1, 2**62, 0.3, 2**70, 5, 0]
                for n in numbers:
                    for before in numbers:
                        bar.n = before
                        bar.update(0.1)
                        bar.n = n
                        shown = repr(n if n < 2**63 else float(n))
                        if repr(bar.n) != shown or not bar.receipt()["n"] == n:
                            yield before, n, bar.n

            print(*wrong(mp_tqdm(total=100)))
            bar = mp_tqdm(total=100, bar_format="{n_fmt}/{total_fmt}")
            for n in (93.88, 25.51, 100):
                bar.n = n
                print(bar)
        """)
    )
    assert lines == ["", "93.88/100", "25.51/100", "100/100"]


def test_n_that_is_set_in_a_fork_child_adds_to_what_the_child_read(program: Program) -> None:
    lines = printed(
        program("""
            import os
            from mp_tqdm import mp_tqdm

            bar = mp_tqdm(total=100)
            bar.update(32)
            bar.n = bar.n
            child = os.fork()
            if not child:
                bar.n = bar.n + 1
                bar.update()
                os._exit(0)
            os.waitpid(child, 0)
            print(bar.n, bar.n_own)
        """)
    )
    assert lines == ["34 32"]
