"""Objects of the program that fail at some call, and memory that runs out at some request."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# What is done with an object that fails, a file that Python draws on, and an iterable.
USES = {
    "construct": "mp_tqdm(value, total=value, file=file, desc='new').close()",
    "construct with numbers": "mp_tqdm(total=value, initial=value, file=file).close()",
    "construct with looks": "mp_tqdm(ascii=value, unit_scale=value, mininterval=value, file=file)",
    "iterate": "for _ in mp_tqdm(value, file=file): pass",
    "update": "bar.update(value); report_progress(value); bar.n = value; bar.total = value",
    "postfix": "bar.set_postfix(loss=value, text='t'); bar.refresh(); str(bar); bar.close()",
    "postfix of another kind": "mp_tqdm(postfix=value, file=file).close()",
    "compare": "bar == value; value in bar; report_progress(bar=value)",
    "attributes": "bar.desc = value; bar.unit = value; bar.colour = bar.leave = value; bar.close()",
    "a file": "mp_tqdm(total=3, file=value, mininterval=0).update(1)",
}

FAILS = """
    import gc, io, sys
    from mp_tqdm import mp_tqdm, report_progress

    class Broken(Exception):
        pass

    RESULTS = {
        "__str__": "a", "__repr__": "a", "__format__": "a", "__len__": 2, "__index__": 2,
        "__bool__": True, "__float__": 2.0, "__hash__": 3, "__int__": 2, "__eq__": False,
        "__lt__": False, "__contains__": False, "__iter__": None, "__getitem__": None,
        "__call__": None, "isatty": False, "write": None, "flush": None, "fileno": None,
        "keys": None,
    }

    def fails_at(number):
        calls = 0

        def call(self, *args, name):
            nonlocal calls
            calls += 1
            if calls == number:
                raise kind(name)
            return self if name == "__iter__" else RESULTS.get(name, 1)

        def method(name):
            return lambda self, *args: call(self, *args, name=name)

        class Value:
            def __del__(self):
                if number % 2:
                    raise kind("__del__")

        for name in RESULTS:
            setattr(Value, name, method(name))
        rest = []

        def following(self):
            rest.append(1)
            if len(rest) > 3:
                raise StopIteration
            return call(self, name="__next__")

        Value.__next__ = following
        return Value(), lambda: calls >= number

    unraisable, outcomes = [], set()
    sys.unraisablehook = lambda args: unraisable.append(type(args.exc_value))

    def use(value, bar, file):
        USE

    for kind in Broken, KeyboardInterrupt, AttributeError, MemoryError:
        number = 1
        while True:
            file = io.StringIO() if number % 2 else sys.stderr
            bar = mp_tqdm(total=9, file=file, mininterval=0, leave=False)
            value, is_reached = fails_at(number)
            try:
                use(value, bar, file)
            except BaseException as error:
                outcomes.add(type(error))
            del value
            bar.close()
            if not is_reached():
                break
            number += 1
    gc.collect()
    names = {kind.__name__ for kind in outcomes | set(unraisable)}
    print(*sorted(names & {"SystemError", "PanicException", "RuntimeError"}), "done")
"""


@pytest.mark.faults("F102")
@pytest.mark.parametrize("use", USES)
def test_a_value_that_fails_at_any_of_its_calls_does_no_more_than_that(
    program: Program, use: str
) -> None:
    env = programs.environment(MALLOC_PERTURB_="165", PYTHONMALLOC="debug")
    command = program(FAILS.replace("USE", USES[use]), options=("-X", "dev", "-W", "ignore"))
    process = programs.run(command, env=env)
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.splitlines() == ["done"], process.stdout + process.stderr[-3000:]
    assert "panicked" not in process.stderr


NO_MEMORY = """
    import io, sys
    import _testcapi
    from mp_tqdm import mp_tqdm, report_progress

    file = io.StringIO() if sys.argv[1] == "python" else sys.stderr
    unraisable, wrong = [], set()
    sys.unraisablehook = lambda args: unraisable.append(args.exc_type)

    def use(bar):
        USE

    def attempt(number):
        bar = mp_tqdm(total=9, file=file, mininterval=0, leave=False)
        try:
            _testcapi.set_nomemory(number, number + 1)
            use(bar)
            outcome = None
        except BaseException as error:
            outcome = error
        finally:
            _testcapi.remove_mem_hooks()
        bar.close()
        # CPython itself says so of `os.environ.get`, and of its own imports.
        is_pythons = str(outcome) == "error return without exception set"
        if not (outcome is None or isinstance(outcome, MemoryError) or is_pythons):
            wrong.add(f"{type(outcome).__name__}: {outcome}")
        return outcome is not None or number < 40

    attempt(10_000)
    number = 0
    while attempt(number) and number < 400:
        number += 1
    wrong.update(kind.__name__ for kind in unraisable if kind is not MemoryError)
    print(*sorted(wrong), "done")
"""

IN_NO_MEMORY = {
    "open and close": "mp_tqdm(total=3, file=file).close()",
    "iterate": "for _ in mp_tqdm(range(3), file=file): pass",
    "update": "bar.update(1); bar.update(2.5); bar.update(1 << 62); report_progress(2.5)",
    "read": "bar.n; bar.n_own; bar.total; bar.initial; bar.n = 5.5; bar.total = 7",
    "postfix": "bar.set_postfix(loss=1.5, text='t'); bar.set_postfix_str('text')",
    "reset": "bar.reset(5); bar.close()",
}


@pytest.mark.faults("F133")
@pytest.mark.parametrize("use", IN_NO_MEMORY)
@pytest.mark.parametrize("drawn_by", ["python", "renderer"])
def test_where_memory_ran_out_that_is_what_is_raised(
    program: Program, use: str, drawn_by: str
) -> None:
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    source = NO_MEMORY.replace("USE", IN_NO_MEMORY[use])
    process = programs.run(program(source, drawn_by, options=("-W", "ignore")))
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.splitlines() == ["done"], process.stdout + process.stderr[-3000:]


TORN_DOWN = """
    import gc, io, sys
    from mp_tqdm import mp_tqdm

    kept = sys.argv[1]

    class Bar(mp_tqdm):
        pass

    kind = Bar if "class" in kept else mp_tqdm
    bar = kind(total=3, file=io.StringIO() if "python" in kept else None)
    del kind
    bar.update(1)
    bar.itself = bar
    if "builtins" in kept:
        import builtins

        builtins.bar = bar
        sys.modules["kept"] = bar
    if "class" in kept:
        Bar.kept = bar
        Bar.other = Bar
        for _ in range(5):
            class Inner(Bar):
                pass

            Inner.kept = Inner(total=3)
            Inner.kept.update(1)
        del Bar, Inner
    if "collected" in kept:
        del bar
        gc.collect()
    if "generator" in kept:
        items = iter(mp_tqdm(range(3)))
        next(items)
        items_of = [items]
"""


@pytest.mark.faults("F133")
@pytest.mark.parametrize("collected", ["", "collected"])
@pytest.mark.parametrize("kept", ["", "builtins", "class", "generator", "builtins class generator"])
@pytest.mark.parametrize("drawn_by", ["python", "renderer"])
def test_a_bar_that_goes_with_its_class_or_the_interpreter_goes_in_silence(
    program: Program, kept: str, collected: str, drawn_by: str
) -> None:
    command = program(TORN_DOWN, f"{kept} {collected} {drawn_by}", options=("-X", "dev"))
    process = programs.run(command)
    assert process.returncode == 0
    assert "ignored" not in process.stderr, process.stderr
    assert "Error" not in process.stderr, process.stderr
