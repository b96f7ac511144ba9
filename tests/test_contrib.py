"""The functions beside the bar: asynchronous, mapped over workers, for logging, for pandas."""

import asyncio
import contextlib
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mp_tqdm as package
from mp_tqdm import TqdmTypeError, mp_tqdm, report_progress
from mp_tqdm.asyncio import mp_tqdm as awaited
from mp_tqdm.asyncio import tarange, tqdm_asyncio
from mp_tqdm.auto import tqdm as tqdm_auto
from mp_tqdm.contrib import DummyTqdmFile, tenumerate, tmap, tzip
from mp_tqdm.contrib.concurrent import process_map, thread_map
from mp_tqdm.contrib.logging import logging_redirect_tqdm, tqdm_logging_redirect
from support import programs

Program = Callable[..., list[str]]


def test_the_module_has_the_class_under_both_names() -> None:
    assert package.tqdm is package.mp_tqdm
    assert issubclass(tqdm_auto, mp_tqdm)


async def numbers(count: int) -> Any:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("make", [lambda: range(5), lambda: iter(range(5)), lambda: numbers(5)])
def test_async_for_counts_any_iterable(make: Callable[[], Any]) -> None:
    async def loop() -> tuple[list[int], Any]:
        bar = tqdm_asyncio(make(), file=io.StringIO())
        return [item async for item in bar], bar

    items, bar = asyncio.run(loop())
    assert items == [0, 1, 2, 3, 4]
    assert (bar.n, bar.disable) == (5, True)


def test_async_for_ends_with_its_iterables_exception() -> None:
    async def broken() -> Any:
        yield 1
        raise KeyError

    bar = tqdm_asyncio(broken(), file=io.StringIO())

    async def loop() -> None:
        async for _ in bar:
            pass

    with pytest.raises(KeyError):
        asyncio.run(loop())
    assert (bar.n, bar.disable) == (1, True)


def test_arange_is_asynchronous_and_not() -> None:
    async def loop() -> list[int]:
        awaited_items = [item async for item in awaited(range(3), file=io.StringIO())]
        assert awaited_items == [0, 1, 2]
        return [item async for item in tarange(3, file=io.StringIO())]

    assert asyncio.run(loop()) == list(tarange(3, file=io.StringIO())) == [0, 1, 2]


def test_gather_returns_in_order_and_counts() -> None:
    file = io.StringIO()

    async def one(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        if number == 2:
            raise ValueError
        return number

    async def loop() -> list[Any]:
        return await tqdm_asyncio.gather(*map(one, range(3)), return_exceptions=True, file=file)

    results = asyncio.run(loop())
    assert results[:2] == [0, 1]
    assert isinstance(results[2], ValueError)
    assert "| 3/3 [" in file.getvalue()


def test_as_completed_counts_what_is_done() -> None:
    file = io.StringIO()

    async def loop() -> list[int]:
        tasks = [asyncio.sleep(0, number) for number in range(4)]
        return [await done for done in tqdm_asyncio.as_completed(tasks, file=file)]

    assert sorted(asyncio.run(loop())) == [0, 1, 2, 3]
    assert "| 4/4 [" in file.getvalue()


def test_enumerate_zip_and_map_are_python_s_with_a_bar() -> None:
    files = [io.StringIO() for _ in range(3)]
    assert list(tenumerate("ab", 5, file=files[0])) == [(5, "a"), (6, "b")]
    assert list(tzip("ab", "cd", file=files[1])) == [("a", "c"), ("b", "d")]
    assert list(tmap(str.upper, "ab", file=files[2], tqdm_class=mp_tqdm)) == ["A", "B"]
    assert all("| 2/2 [" in file.getvalue() for file in files)


def test_a_dummy_file_prints_whole_lines_above_the_bar() -> None:
    file = io.StringIO()
    with mp_tqdm(total=2, file=file, bar_format="{n}|"):
        dummy = DummyTqdmFile(file)
        file.truncate(0)
        file.seek(0)
        print("begun", end=" ", file=dummy)
        assert file.getvalue() == ""
        print("and done", file=dummy)
        assert "\rbegun and done\n\r0|" in file.getvalue().replace("  ", "")
        assert not dummy.closed


def double(number: int) -> int:
    return number * 2


@pytest.mark.parametrize("mapper", [thread_map, process_map])
@pytest.mark.parametrize("options", [{}, {"chunksize": 7}, {"max_workers": 1}])
def test_a_map_returns_in_order_and_counts_all(
    mapper: Callable[..., Any], options: dict[str, Any]
) -> None:
    file = io.StringIO()
    assert mapper(double, range(50), file=file, **options) == [n * 2 for n in range(50)]
    assert "| 50/50 [" in file.getvalue()


def test_a_map_has_the_total_of_the_shortest() -> None:
    file = io.StringIO()
    assert thread_map(lambda a, b: a + b, range(9), [1, 2], file=file) == [1, 3]
    assert "| 2/2 [" in file.getvalue()
    file = io.StringIO()
    assert thread_map(double, (n for n in range(3)), file=file) == [0, 2, 4]
    assert "3it [" in file.getvalue()


def reports(number: int) -> int:
    report_progress()
    return number


@pytest.mark.parametrize("mapper", [thread_map, process_map])
def test_what_a_mapped_function_reports_is_for_the_programs_bar(
    mapper: Callable[..., Any],
) -> None:
    file = io.StringIO()
    with mp_tqdm(total=20, file=io.StringIO()) as bar:
        mapper(reports, range(20), file=file)
        assert bar.n == 20
    assert "| 20/20 [" in file.getvalue()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_map_moves_within_a_chunk(program: Program, method: str, tmp_path: Path) -> None:
    process = programs.run(
        program(
            """
            import io, multiprocessing, os, sys, time
            from mp_tqdm.contrib.concurrent import process_map

            def work(number):
                deadline = time.monotonic() + 10
                while number == 3 and not os.path.exists(sys.argv[2]):
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                return number

            class Shown(io.StringIO):
                def write(self, text):
                    if "| 3/4 [" in text:
                        open(sys.argv[2], "w").close()
                    return super().write(text)

            if __name__ == "__main__":
                file = Shown()
                context = multiprocessing.get_context(sys.argv[1])
                done = process_map(
                    work, range(4), file=file, chunksize=4, max_workers=1, mp_context=context
                )
                assert done == [0, 1, 2, 3]
                print([n for n in (1, 2, 3) if f"| {n}/4 [" in file.getvalue()] != [])
                print("| 4/4 [" in file.getvalue())
            """,
            method,
            str(tmp_path / "shown"),
            options=("-W", "error"),
        )
    )
    assert process.stdout.split() == ["True", "True"], process.stderr


@pytest.mark.parametrize("mapper", [thread_map, process_map])
def test_a_map_raises_what_its_function_raises(mapper: Callable[..., Any]) -> None:
    with pytest.raises(TypeError):
        mapper(double, [None], file=io.StringIO())


def test_an_option_that_no_bar_has_is_refused() -> None:
    with pytest.raises(KeyError):
        thread_map(double, [1], chunk_size=4, file=io.StringIO())
    with pytest.raises(TqdmTypeError):
        thread_map(double, [1], desc=3, file=io.StringIO())


def test_log_records_go_above_the_bar_and_to_the_files_they_went_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console, log = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", console)
    logger = logging.Logger("test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(to_console := logging.StreamHandler(console))
    logger.addHandler(logging.StreamHandler(log))
    to_console.setFormatter(logging.Formatter("said: %(message)s"))
    to_console.setLevel(logging.WARNING)
    before = list(logger.handlers)
    with tqdm_logging_redirect(total=1, loggers=[logger], bar_format="{n}|") as bar:
        logger.info("quiet")
        logger.warning("loud")
        bar.update()
    assert "\rsaid: loud\n" in console.getvalue().replace("  ", "")
    assert "quiet" not in console.getvalue()
    assert log.getvalue() == "quiet\nloud\n"
    assert logger.handlers == before


def test_handlers_come_back_after_an_exception() -> None:
    logger = logging.Logger("test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(logging.StreamHandler(sys.stderr))
    before = list(logger.handlers)
    with contextlib.suppress(KeyError), logging_redirect_tqdm([logger]):
        assert logger.handlers != before
        raise KeyError
    assert logger.handlers == before


@pytest.mark.once
def test_pandas_gets_progress_apply_and_its_kin(program: Program) -> None:
    process = programs.run(
        program("""
            import io
            import pandas as pd
            from mp_tqdm import tqdm
            file = io.StringIO()
            tqdm.pandas(file=file, desc="rows")
            frame = pd.DataFrame({"a": range(12), "b": [0, 1, 2] * 4})
            def shown(call, figures):
                file.truncate(0), file.seek(0)
                result = call()
                assert figures in file.getvalue(), (figures, file.getvalue())
                return result
            double = lambda x: x * 2
            assert shown(lambda: frame.a.progress_apply(double), "12/12").equals(frame.a * 2)
            assert shown(lambda: frame.a.progress_map(double), "12/12").equals(frame.a * 2)
            assert shown(lambda: frame.progress_apply(double), "2/2").equals(frame * 2)
            rows = shown(lambda: frame.progress_apply(sum, axis=1), "12/12")
            assert rows.equals(frame.sum(axis=1))
            groups = frame.groupby("b").a
            assert list(shown(lambda: groups.progress_apply(sum), "3/3")) == [18, 22, 26]
            assert list(shown(lambda: groups.progress_transform(max), "/3"))[-1] == 11
            windows = frame.a.rolling(2)
            assert list(shown(lambda: windows.progress_apply(sum, raw=True), "11it"))[-1] == 21
            try:
                frame.a.progress_apply(lambda x: 1 / (x - 3))
            except ZeroDivisionError:
                pass
            assert not tqdm._instances
        """),
        timeout=28,
    )
    assert process.returncode == 0, process.stderr
