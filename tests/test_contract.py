"""tqdm's surface beyond the constructor: positions, the set of bars, text between them."""

import io
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import TqdmDeprecationWarning, TqdmWarning, mp_tqdm
from support import programs
from support.polling import wait_until


@pytest.mark.parametrize("disable", [False, True])
def test_open_bars_are_in_the_set_and_closed_ones_are_not(disable: bool) -> None:
    bar = mp_tqdm(total=2, file=io.StringIO(), disable=disable)
    instances = mp_tqdm._instances
    assert (bar in instances) is not disable
    assert list(instances) == list(instances.copy()) == ([] if disable else [bar])
    bar.close()
    assert bar not in instances
    assert len(instances) == 0


def test_a_bar_that_nobody_holds_is_not_in_the_set() -> None:
    bar = mp_tqdm(total=2, file=io.StringIO())
    assert len(mp_tqdm._instances) == 1
    del bar
    assert len(mp_tqdm._instances) == 0


def test_the_set_can_be_cleared_and_filled() -> None:
    bar = mp_tqdm(total=2, file=io.StringIO())
    instances = mp_tqdm._instances
    instances.remove(bar)
    with pytest.raises(KeyError):
        instances.remove(bar)
    instances.discard(bar)
    instances.add(bar)
    instances.clear()
    assert not instances
    bar.close()


@pytest.mark.parametrize("kind", [mp_tqdm, tqdm])
def test_bars_take_the_first_free_line(kind: Any) -> None:
    file = io.StringIO()
    one, two, three = (kind(total=2, file=file) for _ in range(3))
    assert [abs(bar.pos) for bar in (one, two, three)] == [0, 1, 2]
    two.close()
    four = kind(total=2, file=file)
    five = kind(total=2, file=file, position=7)
    assert (four.pos, five.pos) == (1, -7)
    assert one < four < three < five
    for bar in (one, three, four, five):
        bar.close()


def test_a_bar_that_did_not_fit_takes_the_line_that_is_free_now() -> None:
    def lines(kind: Any) -> str:
        file = io.StringIO()
        bars = [
            kind(total=2, file=file, nrows=2, desc=name, bar_format="{desc}{n}", mininterval=0)
            for name in ("one", "two", "three")
        ]
        bars[0].close()
        bars[2].update()
        bars[1].update()
        for bar in bars[1:]:
            bar.close()
        return file.getvalue()

    assert lines(mp_tqdm) == lines(tqdm)


@pytest.mark.parametrize("file", ["terminal", "memory"])
def test_moveto_and_sp_write_where_python_code_draws(file: str) -> None:
    target: Any = io.StringIO()
    if file == "terminal":
        target.isatty = lambda: True
    bar = mp_tqdm(total=2, file=target, bar_format="{n}")
    target.truncate(0)
    target.seek(0)
    bar.moveto(2)
    bar.sp("text")
    bar.moveto(-2)
    assert target.getvalue() == "\n\n\rtext\x1b[A\x1b[A"
    assert bar.fp is target
    bar.close()


def test_a_bar_with_a_screen_of_its_own_has_no_sp() -> None:
    bar = mp_tqdm(total=2, gui=True, file=io.StringIO(), mininterval=0, miniters=1)
    assert not hasattr(bar, "sp")
    with pytest.raises(TqdmDeprecationWarning):
        bar.update()
    bar.close()


def test_nested_is_refused_as_in_tqdm() -> None:
    file = io.StringIO()
    with pytest.raises(TqdmDeprecationWarning):
        mp_tqdm(total=2, nested=True, file=file)
    assert "Use `position` instead" in file.getvalue()


@pytest.mark.parametrize("colour", ["charm", "#12345", "#gggggg"])
def test_an_unknown_colour_warns(colour: str) -> None:
    with pytest.warns(TqdmWarning, match="Unknown colour"):
        bar = mp_tqdm(total=1, colour=colour, file=io.StringIO())
    bar.close()


def test_the_figures_of_a_bar_that_is_off_have_no_end() -> None:
    bar = mp_tqdm(total=4, disable=True, initial=1)
    assert bar.format_dict["n"] == 1
    assert bar.format_dict["whatever"] is None
    assert not hasattr(bar, "unit")
    bar.update(3)
    assert bar.n == 1
    bar.reset(total=7)
    assert (bar.n, bar.total) == (0, 7)


def test_reset_to_an_infinite_total_is_unknown() -> None:
    with mp_tqdm(total=4, file=io.StringIO()) as bar:
        bar.reset(total=float("inf"))
        assert bar.total is None


def test_bytes_are_written_to_a_file_of_bytes() -> None:
    file = io.BytesIO()
    with mp_tqdm(total=4, file=file, write_bytes=True, ascii=True) as bar:
        bar.update(4)
    assert b"100%|##########| 4/4 [" in file.getvalue()


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize("kind", [mp_tqdm, tqdm])
def test_wrapattr_counts_what_passes_through(kind: Any, method: str) -> None:
    stream, file = io.BytesIO(b"x" * 3000), io.StringIO()
    with kind.wrapattr(stream, method, total=3000, file=file) as wrapped:
        if method == "read":
            while wrapped.read(1000):
                pass
        else:
            for _ in range(3):
                wrapped.write(b"y" * 1000)
        assert wrapped.tell() == 3000
    assert "2.93k/2.93k" in file.getvalue()


def test_wrapattr_wraps_read_and_write_alone() -> None:
    with (
        pytest.raises(KeyError),
        mp_tqdm.wrapattr(io.BytesIO(), "seek", file=io.StringIO()),
    ):
        pass


def test_nothing_is_written_where_there_is_no_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    mp_tqdm.write("lost")
    with mp_tqdm.external_write_mode():
        pass


def test_bars_of_both_standard_streams_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with mp_tqdm(total=2, bar_format="{n}|") as bar:
        bar.update(2)
        err.truncate(0)
        err.seek(0)
        mp_tqdm.write("text")
        assert err.getvalue() == "\r  \r\r2|"
    assert out.getvalue() == "text\n"


@pytest.mark.parametrize("position", [-1, 1])
def test_the_sign_of_a_position_does_not_matter(position: int) -> None:
    ours, theirs = io.StringIO(), io.StringIO()
    for kind, file in ((mp_tqdm, ours), (tqdm, theirs)):
        bar = kind(total=3, file=file, position=position, bar_format="{n}/{total}")
        bar.close()
    assert ours.getvalue() == theirs.getvalue()


@pytest.mark.parametrize("leave", [0, 1, "", "yes", None])
def test_what_to_leave_is_a_question_of_truth(leave: Any) -> None:
    ours, theirs = io.StringIO(), io.StringIO()
    for kind, file in ((mp_tqdm, ours), (tqdm, theirs)):
        bar = kind(total=3, file=file, leave=leave, bar_format="{n}/{total}")
        bar.leave = leave
        bar.close()
    assert ours.getvalue() == theirs.getvalue()


def test_a_fast_loop_that_becomes_slow_is_drawn() -> None:
    file = io.StringIO()
    with mp_tqdm(total=1000, file=file, miniters=500, mininterval=0.01, maxinterval=0.1) as bar:
        bar.update(3)
        wait_until(lambda: "| 3/1000 " in file.getvalue(), "the monitor's frame")
        assert bar.miniters == 1


def test_without_an_interval_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    if mp_tqdm.monitor is not None:
        mp_tqdm.monitor.exit()
    monkeypatch.setattr(mp_tqdm, "monitor_interval", 0)
    monkeypatch.setattr(mp_tqdm, "monitor", None)
    with mp_tqdm(total=2, file=io.StringIO(), miniters=500):
        assert mp_tqdm.monitor is None


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_parent_that_waits_for_its_pool_is_drawn_all_the_same(
    method: str, program: Any, tmp_path: Path
) -> None:
    process = programs.run(
        program(
            """
            import io, os, sys, time
            from mp_tqdm import mp_tqdm, report_progress

            def work(_):
                report_progress()
                deadline = time.monotonic() + 10
                while not os.path.exists(sys.argv[2]) and time.monotonic() < deadline:
                    time.sleep(0.01)

            class Shim(io.StringIO):
                "A logging shim: it keeps the lines, and says when one has a count."

                def write(self, text):
                    if any(f"| {n}/4 " in text for n in (1, 2, 3)):
                        open(sys.argv[2], "w").close()
                    return super().write(text)

            if __name__ == "__main__":
                file = Shim()
                with mp_tqdm(total=4, file=file) as bar:
                    assert "multiprocessing" not in sys.modules
                    import multiprocessing  # only now: nobody knew that there would be a pool
                    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                        pool.map(work, range(4), 1)
                    shown = file.getvalue()
                print([n for n in (1, 2, 3) if f"| {n}/4 " in shown] != [])
                print("| 4/4 " in file.getvalue())
            """,
            method,
            str(tmp_path / "shown"),
            options=("-W", "error"),
        )
    )
    assert process.stdout.split() == ["True", "True"], process.stderr


def test_nobody_is_warned_of_a_fork_while_python_code_draws(program: Any) -> None:
    process = programs.run(
        program(
            """
            import io, os, threading
            from mp_tqdm import mp_tqdm
            with mp_tqdm(total=4, file=io.StringIO()) as bar:
                for _ in range(50):
                    child = os.fork()
                    if child == 0:
                        os._exit(0)
                    os.waitpid(child, 0)
                print([thread.name for thread in threading.enumerate()])
            """,
            options=("-W", "always"),
        )
    )
    assert (process.stdout, process.stderr) == ("['MainThread', 'mp-tqdm-monitor']\n", "")


def test_a_pickled_bar_counts_and_is_in_no_set() -> None:
    with mp_tqdm(total=4, file=io.StringIO()) as bar:
        copy = pickle.loads(pickle.dumps(bar))  # noqa: S301 - our own
        copy.update(2)
        assert bar.n == 2
        assert list(mp_tqdm._instances) == [bar]
        copy.close()
