"""Wall and processor time of a loop, for suites that show how much longer it takes with a bar."""

import resource
import time
from collections.abc import Iterable, Iterator
from typing import Any


class Clocked:
    """Hands on items; the clocks run from the first that is asked for to the end of them.

    Put inside a bar it leaves out the opening and the closing of the bar.

    Attributes:
        seconds: Wall and processor time, once the items have ended.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self.seconds = 0.0, 0.0

    def __iter__(self) -> Iterator[Any]:
        wall, processor = time.perf_counter(), processor_s()
        yield from self._items
        self.seconds = time.perf_counter() - wall, processor_s() - processor


def processor_s() -> float:
    """Processor time so far, user and system, of all threads and of the children waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
