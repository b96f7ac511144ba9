"""Daemon threads that are within a bar while the interpreter ends: the program ends as it would."""

from collections.abc import Callable

import pytest

from support import programs
from support.terminal import Terminal

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# What each of three daemon threads does over and over while the program ends.
ACTS = {
    "counts in a bar that Python draws": """
        bar = mp_tqdm(file=io.StringIO(), mininterval=0, miniters=1)
        while True:
            bar.update(1)
            note()
    """,
    "counts in a bar on a slow file": """
        class Slow(io.StringIO):
            def write(self, text):
                time.sleep(0.005)
                return super().write(text)

        bar = mp_tqdm(file=Slow(), mininterval=0, miniters=1)
        while True:
            bar.update(1)
            note()
    """,
    "iterates over a generator": """
        for _ in mp_tqdm(items()):
            note()
    """,
    "iterates over what is drawn by Python code": """
        for _ in mp_tqdm(items(), file=io.StringIO(), mininterval=0):
            note()
    """,
    "iterates over map": """
        for _ in mp_tqdm(map(slow_sum, iter(int, 1))):
            note()
    """,
    "ends loops": """
        while True:
            for _ in mp_tqdm(range(3)):
                note()
    """,
    "breaks out of loops": """
        while True:
            for _ in mp_tqdm(items(), file=io.StringIO()):
                note()
                break
    """,
    "opens and drops bars": """
        while True:
            mp_tqdm(total=3, file=io.StringIO(), mininterval=0).update(1)
            note()
    """,
    "reads and sets": """
        bar = mp_tqdm(total=100)
        while True:
            bar.n = bar.n + 1
            bar.total = 5
            bar.set_description(str(bar))
            bar.set_postfix(loss=Number())
            bar.refresh()
            note()
    """,
    "counts numbers of its own": """
        bar = mp_tqdm(total=100)
        while True:
            bar.update(Number())
            report_progress(Number())
            note()
    """,
    "resets": """
        bar = mp_tqdm(total=100)
        while True:
            bar.update(1)
            bar.reset(slow_sum() or 5)
            note()
    """,
    "prints": """
        with mp_tqdm(total=100) as bar:
            while True:
                mp_tqdm.write("text", file=io.StringIO())
                bar.clear()
                note()
    """,
    "fills in templates": """
        line = "{l_bar}{bar}{postfix[0]}{eta:%H:%M}"
        bar = mp_tqdm(total=100, bar_format=line, postfix=[Number()], file=io.StringIO())
        while True:
            str(bar)
            bar.refresh()
            note()
    """,
    "formats": """
        while True:
            mp_tqdm.format_num(Number())
            mp_tqdm.format_sizeof(Number())
            mp_tqdm.format_meter(Number(), Number(), Number(), unit_scale=Number(), ascii=Number())
            note()
    """,
    "iterates over an object": """
        class Items:
            def __iter__(self):
                return self

            def __next__(self):
                if slow_sum():
                    raise StopIteration
                return 1

            def __getattr__(self, name):
                slow_sum()
                raise AttributeError

        while True:
            for number, _ in enumerate(mp_tqdm(Items(), mininterval=0)):
                if number == 10:
                    break
            note()
    """,
    "names bars that are none": """
        while True:
            try:
                report_progress(Named())
            except TypeError:
                note()
    """,
    "warns": """
        import warnings

        warnings.simplefilter("always")
        # CPython itself aborts where the lock of its stderr is held at the end.
        warnings.showwarning = lambda *_: slow_sum()
        bar = mp_tqdm(total=100)
        while True:
            bar.update(float("nan"))
            report_progress(bar="nobody")
            note()
    """,
}

# Each round is a program of its own, that takes a moment to end.
AT_EXIT = """
    import io, os, sys, threading, time

    def slow_sum(_=0):
        return sum(number * 0 for number in range(50))

    class Number:
        def __index__(self):
            raise TypeError

        def __float__(self):
            return slow_sum() + 1.0

        def __str__(self):
            return str(slow_sum())

        def __format__(self, spec):
            return str(slow_sum())

        def __bool__(self):
            return not slow_sum()

        def __eq__(self, other):
            return bool(slow_sum())

        __hash__ = None

    class Named:
        def __getattr__(self, name):
            slow_sum()
            raise AttributeError

        def __repr__(self):
            return str(slow_sum())

    class Ends:
        def __del__(self):
            for _ in range(10):
                time.sleep(0.003)

    def items():
        while True:
            slow_sum()
            yield 1

    def act(note):
        from mp_tqdm import mp_tqdm, report_progress
        ACT

    def act_first(note):
        time.sleep(0.02 * step / rounds)
        from mp_tqdm import mp_tqdm, report_progress
        report_progress()
        act(note)

    rounds = int(sys.argv[1])
    for step in range(rounds):
        pid = os.fork()
        if pid == 0:
            sys.setswitchinterval(1e-5)
            at_exit = Ends()
            noted = set()
            is_first = step % 2
            for number in range(3):
                note = lambda number=number: noted.add(number)
                work = act_first if is_first else act
                threading.Thread(target=work, args=(note,), daemon=True).start()
            while len(noted) < 3 and not is_first:
                time.sleep(0.001)
            time.sleep(0.02)
            sys.exit(7)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # 3.10 itself has a thread of a program without a bar wake in an interpreter that is freed.
        if code != 7 and not (code == -11 and sys.version_info < (3, 11)):
            print("round", step, "code", code, flush=True)
    print("done")
"""


@pytest.mark.faults("F106")
@pytest.mark.parametrize("act", ACTS)
def test_a_daemon_thread_does_not_change_how_the_program_ends(
    program: Program, rounds: Rounds, act: str
) -> None:
    source = AT_EXIT.replace("ACT\n", ACTS[act].strip() + "\n")
    env = programs.environment(PYTHONFAULTHANDLER=None)
    process = programs.run(program(source, str(rounds(10, 300))), env=env, timeout=rounds(28, 900))
    assert process.stdout.splitlines() == ["done"], process.stdout + process.stderr[-3000:]
    assert "panicked" not in process.stderr


PRINTS = {
    "text": """
        with mp_tqdm(total=100):
            while True:
                print("a line")
                note()
    """,
    # A codec in Python.
    "another encoding": """
        import codecs

        def encode(text, errors="strict"):
            slow_sum()
            return codecs.ascii_encode(text, errors)

        class Encoder(codecs.IncrementalEncoder):
            def encode(self, text, final=False):
                return encode(text)[0]

        def find(name):
            if name == "slow":
                return codecs.CodecInfo(encode, codecs.ascii_decode, incrementalencoder=Encoder)

        codecs.register(find)
        sys.stdout.reconfigure(encoding="slow")
        with mp_tqdm(total=100):
            while True:
                print("a line")
                note()
    """,
}


@pytest.mark.faults("F106")
@pytest.mark.parametrize("prints", PRINTS)
def test_a_daemon_thread_that_prints_above_a_bar_does_not_either(
    terminal: Terminal, program: Program, rounds: Rounds, prints: str
) -> None:
    # Where a stream has a buffer CPython itself aborts, as its lock is held at the end.
    source = AT_EXIT.replace("ACT\n", PRINTS[prints].strip() + "\n")
    terminal.start(program(source, str(rounds(10, 300)), options=("-u",)))
    assert terminal.wait(timeout=rounds(28, 900)) == 0
    assert [line for line in terminal.lines() if "code" in line or "Fatal" in line] == []
