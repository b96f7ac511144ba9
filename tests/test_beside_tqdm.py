"""Beside tqdm: without it, as the class of its functions, and with its bars on one screen."""

import io
import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tqdm.contrib import concurrent, itertools, tenumerate, tmap, tzip
from tqdm.contrib.logging import logging_redirect_tqdm, tqdm_logging_redirect

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]


def test_everything_works_without_tqdm(program: Program) -> None:
    process = programs.run(
        program(
            """
            import io, sys
            sys.modules["tqdm"] = None
            import mp_tqdm, mp_tqdm.asyncio, mp_tqdm.auto, mp_tqdm.contrib.logging
            from mp_tqdm.contrib import concurrent, itertools, tenumerate, tzip
            from mp_tqdm import mp_tqdm as bar, trange

            def double(n):
                return n * 2

            for file in (io.StringIO(), sys.stderr):
                assert list(bar(range(3), file=file)) == [0, 1, 2]
                with bar(total=3, file=file) as one:
                    one.update(3), one.set_postfix(loss=1), one.write("text", file=io.StringIO())
                assert list(tenumerate("ab", file=file)) == [(0, "a"), (1, "b")]
                assert concurrent.thread_map(double, [1, 2], file=file) == [2, 4]
                assert concurrent.process_map(double, [1, 2], file=file) == [2, 4]
                with bar.wrapattr(io.BytesIO(b"abc"), "read", file=file) as stream:
                    assert stream.read() == b"abc"
                assert len(list(itertools.product("ab", "cd", file=file))) == 4
            """,
            options=("-W", "error"),
        )
    )
    assert process.returncode == 0, process.stderr


def double(number: int) -> int:
    return number * 2


@pytest.mark.parametrize("mapper", ["thread_map", "process_map"])
def test_tqdms_maps_take_the_class(mapper: str) -> None:
    file = io.StringIO()
    mapped = getattr(concurrent, mapper)(double, range(9), tqdm_class=mp_tqdm, file=file)
    assert mapped == [n * 2 for n in range(9)]
    assert "| 9/9 [" in file.getvalue()


def test_tqdms_small_functions_take_the_class() -> None:
    options: dict[str, Any] = {"tqdm_class": mp_tqdm, "file": io.StringIO()}
    assert list(tenumerate("ab", **options)) == [(0, "a"), (1, "b")]
    assert list(tzip("ab", "cd", **options)) == [("a", "c"), ("b", "d")]
    assert list(tmap(str.upper, "ab", **options)) == ["A", "B"]
    assert len(list(itertools.product("ab", "cd", **options))) == 4
    assert "| 4/4 [" in options["file"].getvalue()


def test_tqdms_logging_takes_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    console = io.StringIO()
    monkeypatch.setattr(sys, "stderr", console)
    logger = logging.Logger("test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(logging.StreamHandler(console))
    bar = mp_tqdm(total=1, bar_format="{n}|")
    with logging_redirect_tqdm(loggers=[logger], tqdm_class=mp_tqdm):
        logger.warning("first")
    bar.close()
    with tqdm_logging_redirect(total=1, loggers=[logger], tqdm_class=mp_tqdm) as bar:
        assert isinstance(bar, mp_tqdm)
        logger.warning("second")
    lines = re.split(r"[\r\n]+", console.getvalue())
    assert {"first", "second"} <= set(lines)


MIXED = """
    import sys, threading, time
    from mp_tqdm import mp_tqdm
    from tqdm import tqdm
    outer, inner = (tqdm, mp_tqdm) if sys.argv[1] == "theirs outside" else (mp_tqdm, tqdm)
    if sys.argv[2] == "threads":
        def run(bar, name, position):
            for _ in bar(range(20), desc=name, mininterval=0.02, position=position):
                time.sleep(0.02)
        threads = [
            threading.Thread(target=run, args=(bar, name, position))
            for position, (bar, name) in enumerate([(outer, "outer"), (inner, "inner")])
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    else:
        for _ in outer(range(4), desc="outer", mininterval=0.02):
            for _ in inner(range(10), desc="inner", mininterval=0.02, leave=False):
                time.sleep(0.01)
            mp_tqdm.write("a line of ours")
            tqdm.write("a line of theirs")
    print("after")
"""


@pytest.mark.parametrize("order", ["theirs outside", "ours outside"])
@pytest.mark.parametrize("how", ["nested", "threads"])
def test_bars_of_both_end_whole_on_one_screen(
    terminal: Terminal, program: Program, order: str, how: str
) -> None:
    terminal.start(program(MIXED, order, how))
    assert terminal.wait() == 0
    lines = [line for line in terminal.lines() if line.strip()]
    count = 4 if how == "nested" else 20
    assert [
        line for line in lines if line.startswith("outer: 100%") and f"{count}/{count}" in line
    ], lines
    # A bar of tqdm that ends on another line than the first leaves its last but one frame there.
    assert lines[-1].startswith("after")
    if how == "nested":
        assert lines.count("a line of ours") == lines.count("a line of theirs") == 4
    else:
        assert [line for line in lines if line.startswith("inner: 100%") and "20/20" in line], lines


@pytest.mark.parametrize("order", ["theirs outside", "derived outside", "ours outside"])
def test_inner_bars_of_the_other_kind_leave_a_line_each(
    terminal: Terminal, program: Program, order: str
) -> None:
    source = """
        import sys, time
        from mp_tqdm import mp_tqdm, patch
        from tqdm import tqdm

        outer, inner = (mp_tqdm, tqdm) if sys.argv[1] == "ours outside" else (tqdm, mp_tqdm)
        if sys.argv[1] == "derived outside":
            outer = type("Derived", (tqdm,), {})
            patch()  # which does not change what was derived before
            assert not issubclass(outer, mp_tqdm)
        for _ in outer(range(3), desc="outer"):
            for _ in inner(range(5), desc="inner"):
                time.sleep(0.04)
        print("after")
    """
    terminal.start(program(source, order))
    assert terminal.wait() == 0
    lines = [" ".join(line.split()[:2]).split("|")[0] for line in terminal.lines() if line]
    assert lines == ["inner: 100%"] * 3 + ["outer: 100%", "after"], terminal.text()


@pytest.mark.once
@pytest.mark.parametrize("where", ["a terminal", "a pipe", "memory"])
def test_ten_thousand_bars_leave_nothing_behind(
    terminal: Terminal, program: Program, where: str
) -> None:
    command = program(
        """
        import gc, io, os, sys, threading
        from mp_tqdm import mp_tqdm
        file = io.StringIO() if sys.argv[1] == "memory" else sys.stderr
        def bars(count):
            for number in range(count):
                bar = mp_tqdm(total=2, leave=False, file=file, desc="short")
                bar.update(2)
                if number % 2:
                    bar.close()
                del bar
        def left():
            gc.collect()
            if file is not sys.stderr:
                file.truncate(0), file.seek(0)
            pages = int(open("/proc/self/statm").read().split()[1])
            return len(os.listdir("/proc/self/fd")), pages, len(mp_tqdm._instances)
        bars(1000)
        before = left()
        bars(10_000)
        after = left()
        assert after[0] <= before[0] + 1, (before, after)
        assert after[1] <= before[1] + 512, (before, after)  # 2 MiB
        assert after[2] == 0
        print("clean")
        """,
        where,
    )
    if where == "a terminal":
        terminal.start(command)
        assert terminal.wait() == 0, terminal.text()
        assert [line for line in terminal.lines() if line.strip()] == ["clean"]
    else:
        process = programs.run(command)
        assert process.stdout == "clean\n", process.stderr
        # A bar during which the program had no processor for long enough to be drawn writes a line,
        # where it is the first of the log or one is due.
        lines = process.stderr.splitlines()
        assert len(lines) < 5, process.stderr
        assert all(line.startswith("short: ") for line in lines), process.stderr


@pytest.mark.once
def test_a_thousand_log_files_leave_no_descriptor_behind(program: Program, tmp_path: Any) -> None:
    process = programs.run(
        program(
            """
            import os, sys
            from mp_tqdm import mp_tqdm
            def logs(count):
                for number in range(count):
                    with open(f"{sys.argv[1]}/{number}.log", "w") as log:
                        with mp_tqdm(total=1, file=log) as bar:
                            bar.update()
            logs(3)
            before = len(os.listdir("/proc/self/fd"))
            logs(200)
            print(len(os.listdir("/proc/self/fd")) - before)
            """,
            str(tmp_path),
        )
    )
    assert int(process.stdout) <= 16, process.stderr
    assert "1/1" in (tmp_path / "150.log").read_text()
