"""An exception of a signal handler reaches the program, at whichever step of a call it comes."""

import textwrap
from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

ACTS = {
    "open": "mp_tqdm(total=3, file=file, bar_format='{l_bar}{postfix[0]}', postfix=[1]).close()",
    "open on a terminal's like": "mp_tqdm(total=3, dynamic_ncols=True).close()",
    "loop": "for _ in mp_tqdm(iter([1]), file=file, mininterval=0): pass",
    "count and show": """
        with mp_tqdm(total=3, file=file, mininterval=0) as bar:
            bar.update(1)
            bar.set_postfix(loss=[], text="x")
            bar.set_description("a")
            str(bar)
            bar.reset(5)
            bar.clear()
            bar.unpause()
    """,
    "write": "mp_tqdm.write('a', file=file); mp_tqdm.write('a', file=sys.stderr)",
    "report": "report_progress(1); session_env(); bar.receipt()",
    # What is said of the bar's end is read from the files of other jobs.
    "end in vain": "_lost.name_below(bar)",
    "beside tqdm": """
        with mp_tqdm(total=3, file=file, mininterval=0) as bar, tqdm(total=3, file=file):
            bar.update(1)
            bar.refresh()
    """,
    # Where there is no shared memory, a name in the kernel says that it was said.
    "say once": """
        _job._place = (*_job._place[:2], "private")
        _said.is_first(os.urandom(8).hex())
    """,
    "lock": "mp_tqdm(total=3, file=file).close(); _together.WriteLock().mp_lock",
}

# Python itself takes other kinds for an answer: an AttributeError within `hasattr`, say.
STEPS = """
    import inspect, io, os, signal, sys, warnings

    warnings.simplefilter("ignore")
    from multiprocessing import context
    from tqdm import tqdm
    from mp_tqdm import _job, _lost, _said, _together, mp_tqdm, report_progress, session_env

    package = os.path.dirname(_job.__file__)
    file = io.StringIO()
    sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    bar = mp_tqdm(total=3)

    def act():
        bar = globals()["bar"]
        ACT

    def handle(*_):
        raise kind("late")

    def attempt(step):
        seen, at = 0, None

        def look(frame, event, called):
            nonlocal seen, at
            file, flags = frame.f_code.co_filename, frame.f_code.co_flags
            # Generators are closed where Python drops them, and it swallows what they raise then.
            is_ours = os.path.dirname(file) in (package, os.path.dirname(context.__file__))
            if is_ours and not flags & inspect.CO_GENERATOR:
                seen += 1
            if seen == step:
                sys.setprofile(None)
                at = f"{os.path.basename(file)}:{frame.f_lineno}: {event} {called!r}"
                signal.raise_signal(signal.SIGALRM)

        try:
            try:
                sys.setprofile(look)
                act()
            finally:
                sys.setprofile(None)
                for _ in range(100):
                    len("a")  # out of what is dropped it comes with the next Python code
        except kind as error:
            if str(error) == "late":
                at = None
        if at is not None:
            wrong.add(f"{kind.__name__} at {at}")
        return seen

    wrong = set()
    sys.unraisablehook = lambda args: wrong.add(f"ignored: {args.exc_value!r}")
    signal.signal(signal.SIGALRM, handle)
    for kind in TimeoutError, RuntimeError, ValueError, KeyboardInterrupt:
        for _ in range(2):
            steps = attempt(0)  # what is imported late is there
        for step in range(1, steps + 1, max(1, steps // int(sys.argv[1]))):
            attempt(step)
    print(*sorted(wrong), "done", sep="\\n")
    sys.stdout.flush()
    os._exit(0)  # what was interrupted here may be half of anything
"""


@pytest.mark.faults("F103")
@pytest.mark.parametrize("act", ACTS)
def test_an_exception_of_a_handler_is_raised_at_each_step(
    program: Program, rounds: Rounds, act: str
) -> None:
    indented = textwrap.indent(textwrap.dedent(ACTS[act]).strip(), " " * 8)
    source = STEPS.replace("        ACT\n", indented + "\n")
    process = programs.run(program(source, str(rounds(40, 1_000_000))), timeout=rounds(28, 900))
    programs.sweep()  # `os._exit` removes nothing
    assert process.stdout.splitlines() == ["done"], process.stdout + process.stderr[-3000:]


BESIDE_TQDM = """
    import io, os, signal, threading
    from tqdm import tqdm
    from mp_tqdm import mp_tqdm

    class File(io.StringIO):
        left = 0

        def write(self, text):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGALRM)
            return super().write(text)

    def handle(*_):
        raise TimeoutError

    def is_free(lock):
        taken = []
        taker = threading.Thread(target=lambda: taken.append(lock.acquire(False)))
        taker.start()
        taker.join()
        return taken == [True]

    signal.signal(signal.SIGALRM, handle)
    file = File()
    other = tqdm(total=3, file=file)
    number = raised = 0
    while file.left <= 0:
        bar = mp_tqdm(total=3, file=file)
        number += 1
        file.left = number
        try:
            bar.close()
        except TimeoutError:
            raised += 1
    print(raised == number - 1 > 3, is_free(tqdm.get_lock().th_lock), flush=True)
    os._exit(0)
"""


@pytest.mark.faults("F103")
def test_an_exception_of_a_handler_while_bars_of_tqdm_make_room_is_raised(program: Program) -> None:
    process = programs.run(program(BESIDE_TQDM))
    programs.sweep()
    assert process.stdout == "True True\n", process.stderr
