"""At each call within the package, in turn, something comes that may come at any time."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# What is done with a bar, as `work(bar, file)`; `bar` is an open one on that file.
WORK = {
    "construct": "mp_tqdm(range(3), desc='new', postfix={'loss': Value()}, file=file).close()",
    "iterate": "for _ in mp_tqdm(items(), total=3, file=file, mininterval=0): pass",
    "break": "for _ in mp_tqdm(items(), total=3, file=file, mininterval=0): break",
    "update": "bar.update(1); bar.update(2.5); report_progress(1); bar.update(Number())",
    "postfix": "bar.set_postfix(loss=Value()); bar.set_postfix_str('text'); bar.postfix",
    "read": "bar.n += 1; str(bar); repr(bar); bar.format_dict; bar.set_description('text')",
    "reset": "bar.reset(5); bar.update(1); bar.unpause(); bar.refresh(); bar.clear()",
    "close": "bar.set_postfix(loss=Value()); bar.close()",
    "drop": "mp_tqdm(total=3, file=file).update(1)",
    "write": "mp_tqdm.write('text', file=file)",
}

# What comes at a step.
COMES = {
    "an exception of a signal handler": "signal.raise_signal(signal.SIGUSR1)",
    "the same in another thread": "beside()",
    "the same once more": "again()",
    "a reset": "bar.reset(7)",
    "a close": "bar.close()",
    "a collection": "gc.collect()",
}

AT_EVERY_CALL = """
    import gc, io, os, signal, sys, threading, time
    from mp_tqdm import mp_tqdm, report_progress

    HERE = os.path.dirname(sys.modules["mp_tqdm"].__file__)
    stride = int(sys.argv[1])

    class Late(Exception):
        pass

    def handle(*_):
        raise Late

    class Value:
        def __str__(self):
            return "1.5"

    class Number:
        def __float__(self):
            return 1.0

    def items():
        yield from range(3)

    unraisable = []
    sys.unraisablehook = lambda args: unraisable.append(args.exc_value)
    threading.excepthook = lambda args: wrong.append(f"in a thread: {args.exc_value!r}")
    signal.signal(signal.SIGUSR1, handle)
    wrong = []

    def work(bar, file):
        WORK

    def attempt(step, is_python):
        seen = 0
        file = io.StringIO() if is_python else sys.stderr
        bar = mp_tqdm(total=9, file=file, mininterval=0, leave=False)

        def beside():
            other = threading.Thread(target=lambda: work(bar, file))
            other.start()
            time.sleep(0.001)
            others.append(other)

        def again():
            work(bar, file)

        def look(frame, event, argument):
            nonlocal seen
            if not frame.f_code.co_filename.startswith(HERE) and event != "c_call":
                return
            seen += 1
            if seen == step:
                sys.setprofile(None)
                COMES

        others, is_late = [], False
        del unraisable[:]
        try:
            sys.setprofile(look)
            try:
                work(bar, file)
            finally:
                sys.setprofile(None)
            for _ in range(3):
                str(seen)  # what was put off comes now
        except Late:
            is_late = True
        sys.setprofile(None)
        for other in others:
            other.join()
        is_late |= any(type(error) is Late for error in unraisable)
        if "SIGUSR1" in '''COMES''' and seen >= step and not is_late:
            wrong.append(f"step {step}: the exception of the handler is gone")
        for error in unraisable:
            if isinstance(error, SystemError) or "Panic" in type(error).__name__:
                wrong.append(f"step {step}: {error!r}")
        bar.close()
        return seen >= step

    for is_python in True, False:
        step = 1
        while True:
            try:
                if not attempt(step, is_python):
                    break
            except BaseException as error:
                wrong.append(f"step {step}: {error!r}")
            step += stride
        if is_python and step < 2 * stride:
            wrong.append("nothing was called")
    print(*wrong[:9], "done", sep="\\n")
"""


@pytest.mark.faults("F102", "F103")
@pytest.mark.parametrize("comes", COMES)
@pytest.mark.parametrize("work", WORK)
def test_no_step_loses_an_exception_or_crashes(
    program: Program, rounds: Rounds, work: str, comes: str
) -> None:
    source = AT_EVERY_CALL.replace("WORK", WORK[work]).replace("COMES", COMES[comes])
    env = programs.environment(MALLOC_PERTURB_="165", PYTHONMALLOC="debug", MP_TQDM_MODE="lines")
    command = program(source, str(rounds(5, 1)), options=("-X", "dev", "-W", "ignore"))
    process = programs.run(command, env=env, timeout=rounds(28, 300))
    said = process.stdout + process.stderr[-3000:]
    assert process.returncode == 0, said
    assert process.stdout.splitlines() == ["done"], said
    assert "panicked" not in process.stderr, said
