"""System calls are attributed to their thread, counted, and made to fail on demand."""

import sys
from collections.abc import Callable

import pytest

from support.system_calls import trace

pytestmark = pytest.mark.once

Program = Callable[..., list[str]]


def test_calls_between_two_marks_are_those_of_the_thread_that_set_them(program: Program) -> None:
    traced = trace(
        program("""
            import os, threading
            other = threading.Thread(target=lambda: [os.getppid() for _ in range(1000)])
            os.path.exists("/mark/begin")
            sum(range(100_000))
            os.path.exists("/mark/middle")
            os.getppid()
            os.path.exists("/mark/end")
            other.start()
            other.join()
        """)
    )
    assert traced.process.returncode == 0, traced.process.stderr
    assert traced.between("begin", "middle") == []
    assert [call.name for call in traced.between("middle", "end")] == ["getppid"]
    assert traced.counts()["getppid"] == 1001


def test_calls_of_another_thread_at_the_same_time_are_not_counted(program: Program) -> None:
    traced = trace(
        program("""
            import os, threading
            end = False
            def work():
                while not end: os.getppid()
            other = threading.Thread(target=work)
            other.start()
            os.path.exists("/mark/begin")
            os.getpgid(0)
            os.path.exists("/mark/end")
            end = True
            other.join()
        """)
    )
    names = [call.name for call in traced.between("begin", "end")]
    assert "getpgid" in names
    assert "getppid" not in names


def test_a_call_can_be_made_to_fail() -> None:
    source = "import os; os.getpgid(0)"
    traced = trace([sys.executable, "-c", source], inject=["getpgid:error=EPERM"])
    assert traced.process.returncode == 1
    assert "PermissionError" in traced.process.stderr
