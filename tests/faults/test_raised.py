"""What a program raises reaches it, whatever a bar does meanwhile."""

import signal
from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

CLOSE_FAILS = """
    import sys
    from mp_tqdm import mp_tqdm

    class Bar(mp_tqdm):
        def close(self):
            super().close()
            raise RuntimeError("close")

    class Loss:
        is_broken = False

        def __str__(self):
            if Loss.is_broken:
                raise RuntimeError("text")
            return "1.5"

    def items(end):
        yield from range(3)
        if end == "data":
            raise ValueError("data")

    def chain(error):
        while error is not None:
            yield str(error)
            error = error.__context__

    for kind in Bar, mp_tqdm:
        for end in "body", "data", "normal":
            Loss.is_broken = False
            bar = kind(items(end), total=3)
            try:
                for item in bar:
                    bar.set_postfix(loss=Loss())
                    if item == 2:
                        Loss.is_broken = True
                        if end == "body":
                            raise ValueError("body")
                print(kind is Bar, end, "nothing")
            except (RuntimeError, ValueError) as error:
                print(kind is Bar, end, *chain(error))
            del bar
"""


@pytest.mark.faults("F102")
def test_an_exception_of_the_loop_is_raised_though_closing_the_bar_fails(program: Program) -> None:
    process = programs.run(program(CLOSE_FAILS), env=programs.environment(MALLOC_PERTURB_="165"))
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        "True body body",  # as in a `finally` of a generator that is dropped: said and gone
        "True data close data",
        "True normal close",
        "False body body",
        "False data data",
        "False normal nothing",
    ]


NEAR_THE_LIMIT = """
    import io, sys
    from mp_tqdm import mp_tqdm, report_progress

    file = io.StringIO() if sys.argv[1] == "python" else sys.stderr
    seen, wrong = set(), []
    sys.unraisablehook = lambda args: wrong.append(repr(args.exc_value))

    def loop():
        for _ in mp_tqdm(range(2), file=file, mininterval=0):
            pass

    def fail():
        for _ in mp_tqdm(iter([1]), file=file, mininterval=0):
            raise ValueError

    def drop():
        mp_tqdm(total=3, file=file).update(1)

    def use():
        bar = mp_tqdm(total=9, file=file, mininterval=0)
        bar.update(1.5)
        report_progress(1)
        bar.set_postfix(loss=object())
        str(bar)
        bar.reset()
        bar.close()

    def dig(depth, act):
        if depth:
            dig(depth - 1, act)
        else:
            act()

    for act in loop, fail, drop, use:
        for depth in range(1, 75):
            try:
                dig(sys.getrecursionlimit() - depth - 5, act)
            except (RecursionError, ValueError) as error:
                seen.add(type(error).__name__)
            except BaseException as error:
                wrong.append(f"{act.__name__} {depth} {error!r}")
    print(sorted(seen), [error for error in wrong if "RecursionError" not in error])
"""


@pytest.mark.faults("F102")
@pytest.mark.parametrize("drawn_by", ["python", "renderer"])
def test_near_the_recursion_limit_that_is_what_is_raised(program: Program, drawn_by: str) -> None:
    process = programs.run(program(NEAR_THE_LIMIT, drawn_by, options=("-W", "ignore")))
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.splitlines() == ["['RecursionError', 'ValueError'] []"]


ALARMS = """
    import io, os, random, signal, sys, time
    from mp_tqdm import mp_tqdm, report_progress, session_env

    kind, rounds = sys.argv[1], int(sys.argv[2])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    fired = 0

    def handle(*_):
        global fired
        fired += 1
        raise TimeoutError  # which is an OSError, too

    def items():
        yield 1
        raise KeyError("data")

    def use(act):
        if act == "loop":
            for _ in mp_tqdm(range(3), leave=False):
                pass
        elif act == "kept lines":
            for _ in mp_tqdm(range(3)):
                pass
        elif act == "drawn by Python":
            for _ in mp_tqdm(range(3), file=io.StringIO(), mininterval=0, postfix={"a": [1]}):
                pass
        elif act == "break":
            for _ in mp_tqdm(range(3), leave=False):
                break
        elif act == "with":
            with mp_tqdm(total=3) as bar:
                bar.set_postfix(loss=[1])
                bar.update(1)
        else:
            for _ in mp_tqdm(items()):
                pass

    def attempt():
        before, raised = fired, set()
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(2e-5, 4e-4))
                end = time.monotonic() + 1e-3
                while fired == before and time.monotonic() < end:
                    use(kind)
            except KeyError:
                raised.add("data")
            for _ in range(10_000):  # a lost wake-up of the interpreter ends with a system call
                if fired > before:
                    break
                time.sleep(1e-4)
        except TimeoutError:
            raised.add("time")
        return ("time" in raised) or (kind == "data" and "data" in raised), fired - before

    try:
        use(kind)  # what is imported late is there
    except KeyError:
        pass
    signal.signal(signal.SIGALRM, handle)
    lost = unseen = 0
    for _ in range(rounds):
        try:
            came, count = attempt()
            lost += not came and count > 0
            unseen += count == 0
        except TimeoutError:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print("lost", lost, "unseen", unseen)
"""


@pytest.mark.faults("F103", "F113")
@pytest.mark.parametrize("kind", ["loop", "kept lines", "drawn by Python", "break", "with", "data"])
def test_a_timeout_that_falls_into_a_bar_is_raised_to_the_program(
    program: Program, rounds: Rounds, kind: str
) -> None:
    process = programs.run(
        program(ALARMS, kind, str(rounds(700, 100_000))), timeout=rounds(28, 900)
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "lost 0 unseen 0\n"


AT_FIRST_USE = """
    import os, signal, sys
    import mp_tqdm._job

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    class Late(Exception):  # an OSError would be lost in an import, which looks for files
        pass

    def handle(*_):
        raise Late

    signal.signal(signal.SIGALRM, handle)
    wrong = []
    for step in range(1, int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            seen = 0

            def look(frame, *_):
                global seen
                # Within an import CPython itself drops an exception now and then.
                seen += not frame.f_code.co_filename.startswith("<frozen")
                if seen == 3 * step:
                    sys.setprofile(None)
                    signal.raise_signal(signal.SIGALRM)

            code = 2
            try:
                sys.setprofile(look)
                bar = mp_tqdm.mp_tqdm(total=3)
                sys.setprofile(None)
                code = 0 if seen < 3 * step else 1
            except Late:
                bar = mp_tqdm.mp_tqdm(total=3)  # and the next one is as any
                bar.update(1)
                code = 0 if bar.n == 1 else 3
            bar.close()
            sys.exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            wrong.append((step, code))
    print(wrong)
"""


@pytest.mark.faults("F103")
def test_a_timeout_while_the_process_attaches_is_raised(program: Program, rounds: Rounds) -> None:
    process = programs.run(program(AT_FIRST_USE, str(rounds(40, 300))), timeout=rounds(28, 300))
    assert process.stdout == "[]\n", process.stderr


PUT_OFF = """
    import signal, sys, threading, time
    from mp_tqdm import mp_tqdm

    class Bar(mp_tqdm):
        def close(self):
            super().close()
            if not done:
                done.append(1)
                signal.raise_signal(getattr(signal, sys.argv[1]))

    class Asked(BaseException):
        pass

    def handle(number, frame):
        if number == signal.SIGTERM:
            sys.exit(5)
        raise Asked

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGUSR1, handle)
    done = []
    try:
        bar = Bar(total=3)
        del bar
        for _ in range(1000):
            len("a")
        print("went on")
    except BaseException as error:
        print(type(error).__name__, error)
"""


@pytest.mark.faults("F103")
@pytest.mark.parametrize(
    ("number", "said"),
    [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "SystemExit 5"), ("SIGUSR1", "Asked")],
)
def test_what_ends_the_program_does_so_from_a_bar_that_is_dropped(
    program: Program, number: str, said: str
) -> None:
    assert signal.Signals[number]
    process = programs.run(program(PUT_OFF, number))
    assert process.stdout.strip() == said, process.stderr
