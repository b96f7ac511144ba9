"""Waiting for a condition under a watchdog: the one place where tests sleep."""

import time
from collections.abc import Callable

# Below the 30 s after which pytest ends a test, so that the failure names the condition.
PATIENCE_S = 20.0


def wait_until(condition: Callable[[], bool], what: str, timeout: float = PATIENCE_S) -> None:
    """Return once the condition holds.

    Args:
        condition: Asked about every 5 ms.
        what: What is waited for, for the message.
        timeout: Seconds until the wait is given up.

    Raises:
        AssertionError: The condition did not hold in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        time.sleep(0.005)
