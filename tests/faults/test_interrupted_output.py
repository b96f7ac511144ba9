"""Writes that signals interrupt, slow lines, a disk that is full for a while: no line is lost."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import programs
from support.polling import wait_until
from support.programs import environment
from support.screen import Screen
from support.system_calls import trace
from support.terminal import Terminal

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

# Draws from the loop's thread, at the end of each bar, and from the renderer's. On a terminal it
# waits for its reader now and then: what is printed beside a full one need not stay whole.
MANY_BARS = """
    import os, signal, sys, time
    from mp_tqdm import mp_tqdm

    interrupted = 0
    def count(*_):
        global interrupted
        interrupted += 1

    bars = int(sys.argv[1])
    if "storm" in sys.argv:
        signal.signal(signal.SIGALRM, count)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    for number in range(bars):
        for _ in mp_tqdm(range(1000), desc=f"bar {number}", mininterval=0.02):
            pass
        print("printed", number)
        while "storm" in sys.argv and number % 4 == 3:
            if os.path.exists(f"{os.path.dirname(__file__)}/read.{number}"):
                break
            time.sleep(0.001)
    if "storm" in sys.argv:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        assert interrupted > 10
    sys.exit(5)
"""


def assert_all_is_there(lines: list[str], bars: int) -> None:
    """Each bar's last line and each print, whole and in order."""
    shown = [re.sub(r" 100%\|█+\| 1000/1000 \[.*it/s\]$", "", line) for line in lines]
    assert shown == [line for n in range(bars) for line in (f"bar {n}:", f"printed {n}")]


@pytest.mark.faults("F45")
def test_signals_at_a_high_rate_change_nothing_on_the_screen(
    program: Program, rounds: Rounds, tmp_path: Path
) -> None:
    bars = rounds(200, 20_000)
    with Terminal() as terminal:
        terminal.start(program(MANY_BARS, str(bars), "storm"))
        for number in range(3, bars, 4):
            printed = f"printed {number}"
            terminal.wait_for(lambda screen, printed=printed: printed in screen.visible())
            (tmp_path / f"read.{number}").touch()
        assert terminal.wait(rounds(20, 600)) == 5, terminal.text()[-2000:]
        assert_all_is_there(terminal.lines(), bars)


@pytest.mark.once
@pytest.mark.faults("F45")
def test_a_write_that_a_signal_interrupts_is_made_again(program: Program, tmp_path: Path) -> None:
    # Of a real storm few signals meet a write; here a third of a thread's writes are.
    drawn = tmp_path / "stderr"
    traced = trace(
        ["sh", "-c", f'exec "$@" 2>"{drawn}"', "sh", *program(MANY_BARS, "10")],
        inject=["write:error=EINTR:when=1+3"],
        env=environment(MP_TQDM_MODE="tty"),
    )
    assert traced.process.returncode == 5, drawn.read_text()
    interrupted = [call for call in traced.calls if call.name == "write" and "EINTR" in call.text]
    # All that is printed goes out in one write at the end: the others are frames.
    assert len(interrupted) > 2, interrupted
    screen = Screen()
    screen.feed(drawn.read_bytes().replace(b"\n", b"\r\n"))
    assert [line.split(":")[0] for line in screen.lines()] == [f"bar {n}" for n in range(10)]
    assert traced.process.stdout.splitlines() == [f"printed {n}" for n in range(10)]


@pytest.mark.once
@pytest.mark.faults("F45")
def test_prints_beside_bars_on_a_slow_line_stay_whole(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    # The line takes less than the frames that are due, so that some are cut by a print. At the end
    # it takes what it gets: a bar that closes waits 50 ms for it, and no longer.
    terminal.read_slowly(30)
    terminal.start(
        program("""
            import os, time
            from mp_tqdm import mp_tqdm
            bars = [mp_tqdm(total=60, desc=f"bar {n}" * 4, mininterval=0.02) for n in range(5)]
            for number in range(60):
                for bar in bars:
                    bar.update()
                print("printed", number)
                time.sleep(0.021)
            while not os.path.exists(f"{os.path.dirname(__file__)}/end"):
                time.sleep(0.005)
            for bar in bars:
                bar.close()
        """)
    )
    terminal.wait_for(lambda screen: "printed 59" in screen.text())
    terminal.read_on()
    terminal.settle()
    (tmp_path / "end").touch()
    assert terminal.wait() == 0
    lines = terminal.lines()
    assert lines[:-5] == [f"printed {number}" for number in range(60)], terminal.text()
    assert all("60/60" in line for line in lines[-5:]), terminal.text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 KiB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = programs.needs("mount")
    process = programs.run([mount, "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(mounted)])
    if process.returncode:
        pytest.skip(f"no file system can be mounted here: {process.stderr.strip()}")
    try:
        yield mounted
    finally:
        programs.run(["umount", str(mounted)])


@pytest.mark.once
@pytest.mark.faults("F46")
def test_a_log_on_a_full_disk_goes_on_once_there_is_room(
    program: Program, small_disk: Path
) -> None:
    log, filler = small_disk / "log", small_disk / "filler"
    command = program(
        """
        import os, sys
        from mp_tqdm import mp_tqdm
        os.set_blocking(0, False)
        bar = mp_tqdm(desc="outer", mininterval=0.02)
        for number in range(10**12):
            bar.update()
            if number % 1000 == 0:
                os.pwrite(1, b"%20d" % number, 0)
                try:
                    word = os.read(0, 1)
                except BlockingIOError:
                    continue
                if not word:
                    break
                with mp_tqdm(total=1, desc="inner"):
                    pass
        bar.close()
        sys.exit(5)
        """
    )
    progress = small_disk.parent / "progress"
    with log.open("wb") as stderr, progress.open("wb") as stdout:
        process = subprocess.Popen(
            command,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        wait_until(lambda: log.stat().st_size > 0, "the first line")
        filler.write_bytes(bytes(24 * 1024))
        # Now the log has one page more, at most two.
        wait_until(lambda: os.statvfs(small_disk).f_bfree == 0, "a full disk")
        full = log.stat().st_size
        process.stdin.write(b"x")
        process.stdin.flush()
        before = int(progress.read_bytes())
        wait_until(lambda: int(progress.read_bytes()) > before + 100_000, "the loop to go on")
        wait_until(lambda: log.stat().st_size % 4096 == 0, "the last page to fill")
        full = log.stat().st_size
        filler.unlink()
        wait_until(lambda: log.stat().st_size > full, "a line after there was room")
        process.stdin.close()
        assert process.wait(20) == 5
    finally:
        if process.poll() is None:
            programs.kill_session(process.pid)
        process.stdin.close()
        process.wait()
    lines = log.read_text().splitlines()
    assert sum(line.startswith("inner:   0%|") for line in lines) == 1
    assert all(re.fullmatch(r"(outer: \d+it \[.*it/s\]|inner: .*)", line) for line in lines), lines
    assert re.fullmatch(r"outer: \d+it \[.*it/s\]", lines[-1])
