"""One bar, or one iterator of it, in the hands of several threads at once."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

HARD = {"MALLOC_PERTURB_": "165", "PYTHONMALLOC": "debug"}

SHARED = """
    import sys, threading, time
    from mp_tqdm import mp_tqdm

    def items():
        for number in range(20):
            time.sleep(0.002)
            yield number

    def what():
        yield WHAT

    inner = next(what())
    bar = mp_tqdm(inner, total=20)
    shared, got, refused = iter(bar), [], []
    del inner

    def work():
        try:
            for item in shared:
                got.append(item)
        except ValueError as error:
            refused.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(sorted(got) == list(range(20)), len(set(refused)), bar.n, bar.disable)
"""


@pytest.mark.faults("F104")
@pytest.mark.parametrize(
    "what", ["items()", "map(abs, items())", "(i for _, i in enumerate(items()))"]
)
def test_threads_that_share_a_generators_iterator_are_refused_but_one_which_gets_all(
    program: Program, what: str
) -> None:
    env = programs.environment(**HARD)
    process = programs.run(program(SHARED.replace("WHAT", what)), env=env)
    assert process.stdout.splitlines() == ["True 1 20 True"], (
        process.stdout + process.stderr[-2000:]
    )


ENDED_BY_ANOTHER = """
    import gc, sys, threading, time
    from mp_tqdm import mp_tqdm

    class Items:
        # Each thread is within `__next__` when another one comes to the end, or fails.
        def __init__(self):
            self.left = 40

        def __iter__(self):
            return self

        def __next__(self):
            self.left -= 1
            if self.left < 0:
                if self.left % 3 == 0:
                    raise KeyError
                raise StopIteration
            time.sleep(0.0005)
            return self.left

    def work(shared):
        try:
            for _ in shared:
                pass
        except KeyError:
            pass

    sys.setswitchinterval(1e-5)
    for turn in range(int(sys.argv[1])):
        shared = iter(mp_tqdm(map(abs, Items()) if turn % 2 else Items(), total=40))
        workers = [threading.Thread(target=work, args=(shared,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        del shared
        for worker in workers:
            worker.join()
        gc.collect()
    print("done")
"""


@pytest.mark.faults("F104")
def test_the_inner_iterator_lives_while_a_thread_is_within_it(
    program: Program, rounds: Rounds
) -> None:
    command = program(ENDED_BY_ANOTHER, str(rounds(15, 1000)))
    env = programs.environment(MP_TQDM_MODE="off", **HARD)
    process = programs.run(command, env=env, timeout=rounds(28, 600))
    assert process.stdout == "done\n", process.stderr[-2000:]


WITHIN_ITSELF = """
    from mp_tqdm import mp_tqdm

    def items():
        for number in range(5):
            if number == 2:
                try:
                    next(shared)
                except ValueError as error:
                    print(error)
            yield number

    bar = mp_tqdm(items(), total=5)
    shared = iter(bar)
    print(list(shared), bar.n, bar.disable)
"""


@pytest.mark.faults("F104")
def test_an_iterable_that_asks_its_own_bar_is_refused_and_goes_on(program: Program) -> None:
    process = programs.run(program(WITHIN_ITSELF), env=programs.environment(**HARD))
    said = ["generator already executing", "[0, 1, 2, 3, 4] 5 True"]
    assert process.stdout.splitlines() == said, process.stderr


RESET_MEANWHILE = """
    import os, sys, threading
    from mp_tqdm import mp_tqdm

    sys.setswitchinterval(1e-6)
    bars = [mp_tqdm(total=10) for _ in range(4)]
    for turn in range(int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:  # where no count is a warm one yet
            bars = bars if turn % 2 else [mp_tqdm(total=10) for _ in range(4)]

            def count(bar):
                for _ in range(5):
                    bar.update(1)
                    bar.update(1.5)
                    bar.n += 1

            def reset(bar):
                for _ in range(5):
                    bar.reset(9)

            def go_round(bar):
                for _ in bar:
                    pass

            workers = [
                threading.Thread(target=target, args=(bar,))
                for bar in bars
                for target in (count, reset, count)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            print("turn", turn, "code", code)
    print("done")
"""


@pytest.mark.faults("F107")
def test_a_reset_beside_counting_threads_takes_no_memory_from_them(
    program: Program, rounds: Rounds
) -> None:
    command = program(RESET_MEANWHILE, str(rounds(20, 1000)), options=("-W", "ignore"))
    env = programs.environment(MP_TQDM_MODE="off", **HARD)
    process = programs.run(command, env=env, timeout=rounds(28, 600))
    assert process.stdout.splitlines() == ["done"], process.stdout + process.stderr[-2000:]


CLOSED_TOGETHER = """
    import sys, threading
    from mp_tqdm import mp_tqdm

    sys.setswitchinterval(1e-6)
    for turn in range(int(sys.argv[1])):
        bar = mp_tqdm(total=3, desc=f"turn {turn}")
        bar.update(3)
        workers = [threading.Thread(target=bar.close) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
"""


@pytest.mark.faults("F107")
def test_threads_that_close_a_bar_together_leave_one_last_line(
    program: Program, rounds: Rounds
) -> None:
    turns = rounds(20, 500)
    process = programs.run(program(CLOSED_TOGETHER, str(turns)), timeout=rounds(28, 600))
    last = [line for line in process.stderr.splitlines() if "3/3" in line]
    assert len(last) == len({line.split(":")[0] for line in last}) == turns, process.stderr[-2000:]
