"""One report from an actor of Ray: to Ray's own bar, and to an actor that counts.

Ours is not among them: actors are no children of the program, and are not counted with it.
"""

import subprocess
import sys
from collections.abc import Callable

from mp_tqdm.bench.subject import Subject, Suite


def _in_actor(method: str, times: int) -> Callable[[int], float]:
    """Times so many times as many reports as asked for; the seconds are those for one part."""

    def run(count: int) -> float:
        command = [sys.executable, "-m", "mp_tqdm.bench.actors", method, str(count * times)]
        printed = subprocess.check_output(command, text=True)
        return float(printed.splitlines()[-1]) / times  # Ray may print warnings before

    return run


SUITE = Suite(
    name="ray",
    title="One report from an actor of Ray, above the empty loop",
    subjects=tuple(
        Subject(name, _in_actor(method, times), "ray", is_slow=True)
        for name, method, times in (
            ("empty loop", "empty", 100),
            ("tqdm_ray update()", "tqdm_ray", 100),
            ("actor, not waited for", "sent", 1),
            ("actor, waited for", "awaited", 1),
        )
    ),
    baseline="empty loop",
    ours="mp_tqdm",
    repetitions=2000,
    rounds=10,
)
