"""Workers by the thousand, each alive for one update: the sum is exact, and nothing grows."""

from collections.abc import Callable

import pytest

from support import programs

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.slow]

Program = Callable[..., list[str]]


@pytest.mark.faults("F17")
@pytest.mark.timeout(300)
def test_short_processes_leave_an_exact_sum_and_nothing_else(
    program: Program, rounds: Callable[[int, int], int]
) -> None:
    # Each reports; every second one counts in a bar it inherited, every third opens one of its own.
    workers = rounds(3000, 20_000)
    process = programs.run(
        program(
            """
            import os, sys
            from mp_tqdm import _job, mp_tqdm, report_progress

            bar = mp_tqdm(desc="reports")
            copies = mp_tqdm(desc="inherited")
            segment = _job._place[2]
            size = os.stat(segment).st_size
            descriptors = len(os.listdir("/proc/self/fd"))
            for number in range(int(sys.argv[1])):
                child = os.fork()
                if not child:
                    report_progress(bar="reports")
                    if number % 2:
                        copies.update()
                    if number % 3 == 0:
                        mp_tqdm(total=1, desc="own").update()
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            print(bar.n, copies.n)
            print(os.stat(segment).st_size == size, len(os.listdir("/proc/self/fd")) - descriptors)
            # Their own bars are over, and so there is room for all bars that a job can have.
            more = [mp_tqdm(total=1) for _ in range(100)]
            child = os.fork()
            if not child:
                for one in more:
                    one.update()
                os._exit(0)
            os.waitpid(child, 0)
            print(sum(one.n for one in more))
            """,
            str(workers),
        ),
        env=programs.environment(MP_TQDM_MODE="off"),
        timeout=280 if workers <= 3000 else 3000,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"{workers} {workers // 2}\nTrue 0\n100\n", process.stderr
