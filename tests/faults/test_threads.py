"""Threads, interpreters, signal handlers, other writers beside a bar: exact, and no deadlock."""

import re
import sysconfig
from collections.abc import Callable

import pytest

from support import programs
from support.terminal import Terminal

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

COUNT_IN_THREADS = """
    import sys, threading
    from mp_tqdm import mp_tqdm, report_progress

    threads, updates = map(int, sys.argv[1:])
    bar = mp_tqdm(total=threads * updates, mininterval=0.05)
    start = threading.Barrier(threads)

    def work(number):
        start.wait()
        if number % 3 == 0:
            for _ in range(updates):
                bar.update()
        elif number % 3 == 1:
            for _ in range(updates):
                report_progress()
        else:
            for _ in range(updates // 2):
                bar.update(1.0)
                report_progress(1)
            bar.update(updates % 2)

    sys.setswitchinterval(1e-5)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    n = bar.n
    bar.close()
    print(int(n), getattr(sys, "_is_gil_enabled", lambda: True)())
"""


@pytest.mark.faults("F22")
def test_64_threads_count_exactly(terminal: Terminal, program: Program, rounds: Rounds) -> None:
    updates = rounds(10**6, 10**8) // 64
    terminal.start(program(COUNT_IN_THREADS, "64", str(updates)))
    assert terminal.wait(timeout=rounds(28, 600)) == 0, terminal.text()
    assert terminal.lines()[-1].split()[0] == str(64 * updates), terminal.text()


@pytest.mark.faults("F23")
@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL")
def test_without_a_gil_counts_are_exact_and_the_gil_stays_off(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program(COUNT_IN_THREADS, "8", "100001"))
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "800008 False", terminal.text()


IMPORT_IN_ANOTHER_INTERPRETER = """
    import sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    order, kind = sys.argv[1:]
    if order == "main first":
        import mp_tqdm
        bar = mp_tqdm.mp_tqdm(total=10)
        bar.update(3)
    if sys.version_info >= (3, 13):
        other = interpreters.create(kind)
    else:
        other = interpreters.create(isolated=kind == "isolated")
    interpreters.run_string(other, '''if True:
        try:
            import mp_tqdm
        except ImportError as error:
            print(error, flush=True)
    ''')
    interpreters.destroy(other)
    import mp_tqdm
    if order != "main first":
        bar = mp_tqdm.mp_tqdm(total=10)
        bar.update(3)
    mp_tqdm.report_progress(4)
    print(bar.n)
"""


@pytest.mark.faults("F24")
@pytest.mark.parametrize("order", ["main first", "other first"])
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_a_sub_interpreter_gets_an_import_error_and_the_main_one_counts_on(
    program: Program, order: str, kind: str
) -> None:
    process = programs.run(program(IMPORT_IN_ANOTHER_INTERPRETER, order, kind))
    assert process.returncode == 0, process.stderr
    refusal, n = process.stdout.splitlines()
    assert re.search(r"mp_tqdm.* does not support .*sub-?interpreters", refusal)
    assert n == "7"
    assert "Traceback" not in process.stderr


COUNT_IN_A_HANDLER = """
    import io, signal, sys
    from mp_tqdm import mp_tqdm, report_progress

    file = io.StringIO() if sys.argv[1] == "StringIO" else sys.stderr
    enough = int(sys.argv[2])
    bar = mp_tqdm(file=file, mininterval=0.02)
    beats = []  # which interrupted appends leave whole
    depth = 0

    def handle(*_):
        global depth
        if depth == 4:
            return  # on a slow machine each would interrupt the one before, without end
        depth += 1
        beats.append(1)
        bar.update()
        report_progress(2, bar=bar)  # a handler may interrupt one that has a bar open
        mp_tqdm.write("beat", file=file)
        with mp_tqdm(total=1, leave=False, file=file) as inner:
            inner.update()
        depth -= 1

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    rounds = 0
    while len(beats) < enough:
        rounds += 1
        bar.update(10)
        bar.set_postfix(beats=len(beats))
        bar.set_description(f"round {rounds}")
        mp_tqdm.write("main", file=file)
        for _ in mp_tqdm(range(10), leave=False, file=file):
            pass
        bar.refresh()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    n = bar.n
    bar.close()
    print("exact" if n == 10 * rounds + 3 * len(beats) else (n, rounds, len(beats)))
"""


@pytest.mark.faults("F25")
@pytest.mark.parametrize("file", ["terminal", "StringIO"])
def test_a_signal_handler_may_count_and_write_a_thousand_times_a_second(
    terminal: Terminal, program: Program, rounds: Rounds, file: str
) -> None:
    terminal.start(program(COUNT_IN_A_HANDLER, file, str(rounds(300, 30_000))))
    assert terminal.wait(timeout=rounds(28, 600)) == 0, terminal.text()
    assert terminal.lines()[-1] == "exact", terminal.text()[-2000:]


WRITE_FROM_C = """
    import ctypes, os, sys
    from mp_tqdm import mp_tqdm

    libc = ctypes.CDLL(None)
    bar = mp_tqdm(total=30, desc="ours", mininterval=0.02)
    for line in range(30):
        if line % 2:
            libc.printf(b"printf %d\\n", line)
            libc.fflush(None)
        else:
            os.write(2, b"write %d\\n" % line)
        bar.update()
        for _ in range(2):  # the first frame may have begun before the line was printed
            while not bar.update(0):
                pass
    bar.close()
"""


@pytest.mark.faults("F26")
def test_lines_that_c_code_prints_stay_whole_and_so_does_the_bar(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program(WRITE_FROM_C))
    assert terminal.wait() == 0, terminal.text()
    *printed, last = terminal.lines()
    assert printed == [f"{'printf' if line % 2 else 'write'} {line}" for line in range(30)]
    assert "| 30/30 [" in last


ALL_AT_ONCE = """
    import ctypes, os, sys, time
    import rich.console, rich.progress, tqdm
    from mp_tqdm import mp_tqdm

    libc = ctypes.CDLL(None)
    ours = mp_tqdm(total=300, desc="ours", mininterval=0.02)
    theirs = tqdm.tqdm(total=200, desc="theirs", mininterval=0.02)
    with rich.progress.Progress(console=rich.console.Console(force_terminal=True)) as progress:
        task = progress.add_task("rich", total=200)
        for item in range(200):
            ours.update()
            theirs.update()
            progress.advance(task)
            if item % 20 == 0:
                libc.printf(b"printf %d\\n", item)
                libc.fflush(None)
                os.write(2, b"write %d\\r\\n" % item)
            time.sleep(0.002)
    theirs.close()
    ours.update(80)
    input()
    ours.update(20)
    ours.close()
    print("end")
"""


@pytest.mark.faults("F26")
@pytest.mark.once
def test_beside_other_bars_and_c_code_the_line_is_whole_at_the_next_frame(
    terminal: Terminal, program: Program
) -> None:
    whole = re.compile(r"^ours:  93%\|.*\| 280/300 \[\d\d:\d\d<.*it/s\]$", re.MULTILINE)
    terminal.start(program(ALL_AT_ONCE))
    terminal.wait_for(lambda screen: whole.search("\n".join(screen.visible())) is not None)
    terminal.press(b"\n")
    assert terminal.wait() == 0, terminal.text()
    assert terminal.lines()[-1] == "end", terminal.text()
    assert "| 300/300 [" in terminal.text()
    assert "Traceback" not in terminal.text()
