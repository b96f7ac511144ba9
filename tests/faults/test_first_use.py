"""The first thing that a program's threads do is to count: all at once, and whatever they do."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = pytest.mark.faults

Program = Callable[..., list[str]]
Rounds = Callable[[int, int], int]

ACTS = ("bar", "report", "session", "fork", "pool")

# Each round is a program of its own: forked before the package is imported, it is a first process.
FIRST_USE = """
    import os, sys, threading, traceback

    place = sys.argv[1]
    pairs = [pair.split("+") for pair in sys.argv[2].split(",")]
    rounds = int(sys.argv[3])

    def is_in(segment):
        from mp_tqdm import _core

        seen = _core.observe(segment)
        return isinstance(seen, dict) and os.getpid() in [one[1] for one in seen["processes"]]

    def round_of(acts, threads):
        from mp_tqdm import mp_tqdm, report_progress, session_env

        bars, sessions, wrong = {}, [], []
        go = threading.Barrier(threads)

        def child(count):
            pid = os.fork()
            if pid == 0:
                try:
                    count()
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)

        def bar(number):
            bars[number] = mp_tqdm(total=1000, desc=f"bar{number}", key=f"key{number}")
            bars[number].update(1)

        def report(number):
            report_progress(1)

        def session(number):
            sessions.append(session_env())

        def fork(number):
            child(report_progress)

        def pool(number):
            import multiprocessing

            with multiprocessing.get_context("fork").Pool(1) as pool:
                pool.apply(report_progress)

        def work(number):
            go.wait()
            try:
                locals_ = {"bar": bar, "report": report, "session": session, "fork": fork}
                (locals_ | {"pool": pool})[acts[number % 2]](number)
            except BaseException:
                wrong.append(traceback.format_exc())

        if "pool" in acts:
            import multiprocessing.pool
        sys.setswitchinterval(1e-5)
        workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        sys.setswitchinterval(0.005)
        # What a child counts reaches the bar that it is meant for.
        child(lambda: [bars[number].update(5) for number in bars])
        from mp_tqdm import _core

        lost = _core.lost_reports()
        segments = [name for name in os.listdir("/dev/shm") if is_in(f"/dev/shm/{name}")]
        counted = sum(one.n for one in bars.values()) + (lost[0] if lost else 0)
        given = {"bar": 1, "report": 1, "session": 0, "fork": 1, "pool": 1}
        want = sum(given[acts[number % 2]] for number in range(threads)) + 5 * len(bars)
        if not lost and acts[0] in ("fork", "pool"):
            want = 0  # no thread of this process counted: the children's job names what is lost
        if counted != want:
            wrong.append(f"counted {counted} of {want}")
        if not any(act in ("report", "fork", "pool") for act in acts):
            wrong += [f"bar {one.n}" for one in bars.values() if one.n != 6]
        if len(segments) != (1 if lost else 0):
            wrong.append(f"segments {segments}")
        if any(one != sessions[0] or not one for one in sessions):
            wrong.append(f"sessions {sessions}")
        for one in bars.values():
            one.close()
        print(*wrong, sep="\\n", end="", flush=True)

    for number in range(rounds):
        for acts in pairs:
            path = os.path.join(place, "stderr")
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 2)
                round_of(acts, 2 + (number * 7 + len(acts[0])) % 15)
                sys.exit(0)
            status = os.waitpid(pid, 0)[1]
            with open(path) as file:
                said = file.read()
            lines = said.replace("\\r", "\\n").split("\\n")
            for name in {line.split(":")[0] for line in lines if line.startswith("bar")}:
                last = [line for line in lines if line.startswith(name + ":")][-1]
                if not any(f"| {n}/1000 [" in last for n in range(6, 40)):
                    print(acts, "no last line:", last)
            if status or "Traceback" in said or "ignored" in said:
                print(acts, "status", status, said)
    print("done")
"""


@pytest.mark.faults("F101")
@pytest.mark.slow
@pytest.mark.parametrize("first", ACTS)
def test_threads_that_begin_at_once_are_one_process_of_one_job(
    program: Program, rounds: Rounds, tmp_path: str, first: str
) -> None:
    behind = ACTS[ACTS.index(first) :]
    pairs = ",".join(f"{first}+{second}" for second in behind)
    command = program(
        FIRST_USE, str(tmp_path), pairs, str(rounds(4, 1000)), options=("-W", "ignore")
    )
    process = programs.run(command, timeout=rounds(28, 3000))
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == ["done"], process.stdout


# At each step of attaching in turn, something else comes that wants the same: also while the rules
# are imported that a rank needs.
WITHIN = """
    import os, sys, threading, time

    act, stride = sys.argv[1], int(sys.argv[2])

    def attempt(step):
        from mp_tqdm import mp_tqdm, report_progress, session_env
        from mp_tqdm import _core

        bars, sessions, children, threads = [], [], [], []
        seen = 0

        def bar():
            bars.append(mp_tqdm(total=10, key=f"within{len(bars)}"))
            bars[-1].update(1)

        def fork():
            children.append(os.fork())
            if children[-1] == 0:
                outer.clear()  # the child goes on in the midst of it

        def begin():
            threads.append(threading.Thread(target=bar))
            threads[-1].start()
            time.sleep(0.002)

        def session():
            sessions.append(session_env())

        outer = [1]
        acts = {"bar": bar, "session": session, "fork": fork, "thread": begin}

        def look(frame, event, argument):
            nonlocal seen
            seen += 1
            if seen == step:
                sys.setprofile(None)
                acts[act]()

        sys.setprofile(look)
        try:
            first = mp_tqdm(total=10, key="first")
        finally:
            sys.setprofile(None)
        first.update(1)
        if not outer:
            report_progress(1)
            os._exit(0)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        for thread in threads:
            thread.join()
        # Once each: those of other jobs come and go.
        seen_all = [_core.observe(f"/dev/shm/{name}") for name in os.listdir("/dev/shm")]
        found = [one["processes"] for one in seen_all if isinstance(one, dict)]
        segments = [ids for ids in found if os.getpid() in [one[1] for one in ids]]
        assert len(segments) == 1, segments
        pid = os.fork()
        if pid == 0:
            for one in [first, *bars]:
                one.update(5)
            os._exit(0)
        os.waitpid(pid, 0)
        counted = [one.n for one in [first, *bars]]
        # The child of the fork counted in the bar that it had opened, and lost a report.
        assert all(n == 6 for n in counted) or (children and counted == [8]), counted
        assert all(one == session_env() and one for one in sessions), sessions
        for one in [first, *bars]:
            one.close()
        return seen >= step

    step = 1
    while True:
        pid = os.fork()
        if pid == 0:
            sys.exit(0 if attempt(step) else 3)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 3:
            break
        if status:
            print("step", step, "status", status, flush=True)
        step += stride
    print("done", step > 100)
"""


RANK = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}


@pytest.mark.faults("F101")
@pytest.mark.parametrize("act", ["bar", "session", "fork", "thread"])
@pytest.mark.parametrize("launch", [{}, RANK], ids=["alone", "rank"])
def test_what_comes_at_any_step_of_attaching_finds_it_done_or_does_it(
    program: Program, rounds: Rounds, act: str, launch: dict[str, str]
) -> None:
    stride = rounds(47 if launch else 7, 1)
    command = program(WITHIN, act, str(stride), options=("-W", "ignore"))
    env = programs.environment(MP_TQDM_MODE="off", **launch)
    process = programs.run(command, env=env, timeout=rounds(28, 600))
    assert process.stdout.splitlines() == ["done True"], process.stdout + process.stderr


ONE_LOCK = """
    import io, sys, threading
    from mp_tqdm import mp_tqdm

    sys.setswitchinterval(1e-6)
    for _ in range(int(sys.argv[1])):
        class Bar(mp_tqdm):
            pass

        mp_tqdm.get_lock()
        del mp_tqdm._lock
        go, locks = threading.Barrier(4), []

        def work():
            go.wait()
            locks.append(Bar.get_lock())

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert all(lock is locks[0] for lock in locks), locks
        mp_tqdm.get_lock()
    go = threading.Barrier(8)

    def draw():
        go.wait()
        with mp_tqdm(file=io.StringIO()) as bar:
            bar.update()
            go.wait()
            watching.append([one for one in threading.enumerate() if "monitor" in one.name])
            go.wait()

    watching = []
    workers = [threading.Thread(target=draw) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(*{len(threads) for threads in watching})
"""


@pytest.mark.faults("F101")
def test_threads_that_draw_at_once_have_one_lock_and_one_thread_that_watches(
    program: Program, rounds: Rounds
) -> None:
    process = programs.run(program(ONE_LOCK, str(rounds(300, 10_000))), timeout=rounds(28, 600))
    assert process.stdout.splitlines() == ["1"], process.stdout + process.stderr
