"""Forked processes that begin to work at the same moment."""

import multiprocessing
import os
from collections.abc import Callable, Sequence

# What a process does. It calls its argument when it is ready; that returns when all are.
Part = Callable[[Callable[[], object]], object]


def at_once(parts: Sequence[Part]) -> None:
    """Run each part in a process of its own, and wait for all.

    Raises:
        RuntimeError: One of them failed.
    """
    # Nobody writes into the gate: it opens when its other end is closed.
    (gate, opener), (told, ready) = os.pipe(), os.pipe()

    def run(part: Part) -> None:
        os.close(opener)

        def wait() -> None:
            os.write(ready, b".")
            os.read(gate, 1)

        try:
            part(wait)
        finally:
            os.write(ready, b".")  # whoever fails before it is ready keeps nobody waiting

    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=run, args=(part,)) for part in parts]
    for process in processes:
        process.start()
    os.close(ready)
    for _ in processes:
        os.read(told, 1)
    os.close(opener)
    for process in processes:
        process.join()
    os.close(gate)
    os.close(told)
    failed = sum(process.exitcode != 0 for process in processes)
    if failed:
        raise RuntimeError(f"{failed} of {len(processes)} processes failed")
