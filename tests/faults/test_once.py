"""What each process of a job could warn of is said once."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = [pytest.mark.faults("F123"), pytest.mark.once]

Program = Callable[..., list[str]]

WARN = """
    import multiprocessing, os, sys
    from mp_tqdm import mp_tqdm, report_progress

    def task(number):
        report_progress()
        report_progress(bar="unknown")
        with mp_tqdm(total=1, colour="nonsense", leave=False) as bar:
            bar.update(float("nan"))

    if __name__ == "__main__":
        method, has_bar, tasks = sys.argv[1:]
        bar = mp_tqdm(total=60) if has_bar == "bar" else None
        if method == "os.fork":
            for number in range(30):
                if not os.fork():
                    task(number)
                    os._exit(0)
                os.wait()
        else:
            context = multiprocessing.get_context(method)
            with context.Pool(3, maxtasksperchild=int(tasks)) as pool:
                pool.map(task, range(30), chunksize=1)
"""
# Jobs of other versions on the machine would remove what these workers leave to each other.
APART = 'mount -t tmpfs tmpfs /dev/shm\nexec "$@"'
FULL = """
    mount -t tmpfs -o size=64k tmpfs /dev/shm
    mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp
    exec "$@"
"""


def warned(command: list[str], setup: str) -> list[str]:
    """What a program with mounts of its own warned of, in the order of the alphabet."""
    unshare = programs.needs("unshare")
    if programs.run([unshare, "-m", "true"]).returncode:
        pytest.skip("no mount namespace here")
    command = [unshare, "-m", "sh", "-ec", setup, "sh", *command]
    nowhere: dict[str, str | None] = {"XDG_RUNTIME_DIR": None, "TMPDIR": None}
    defaults = {"TQDM_NCOLS": "wide", "TQDM_DELAY": "long"}
    env = programs.environment(MP_TQDM_MODE="off", **defaults, **nowhere)
    process = programs.run(command, env=env)
    assert process.returncode == 0, process.stderr
    lines = process.stderr.splitlines()
    return sorted(line.split("Warning: ")[1] for line in lines if "Warning: " in line)


@pytest.mark.parametrize("has_bar", ["bar", "no bar"])
@pytest.mark.parametrize("method", ["os.fork", *programs.START_METHODS])
def test_what_workers_warn_of_is_said_once(program: Program, method: str, has_bar: str) -> None:
    said = warned(program(WARN, method, has_bar, "10"), APART)
    begins = [
        "TQDM_DELAY='long' is no number",
        "TQDM_NCOLS='wide' is no number",
        "Unknown colour (nonsense)",
        "mp_tqdm ignored a count that is NaN",
        "report_progress(bar='unknown'): no open bar",
    ]
    lost = [line for line in said if "found no open bar and were dropped" in line]
    assert len(lost) <= 1  # of the whole job, at its end
    said = [line for line in said if line not in lost]
    assert len(said) == len(begins), said
    assert all(line.startswith(begin) for line, begin in zip(said, begins, strict=True)), said


@pytest.mark.parametrize("method", ["os.fork", *programs.START_METHODS])
def test_where_no_memory_is_shared_one_process_says_why(program: Program, method: str) -> None:
    said = warned(program(WARN, method, "bar", "1"), FULL)
    (place,) = [line for line in said if "found no place for shared memory" in line]
    assert "No space left on device" in place
    # Workers that fork from the program share its memory all the same.
    assert method not in {"os.fork", "fork"} or len(set(said)) == len(said), said
