"""Fixtures for all tests: a terminal, programs to run, and a guard against what is left behind."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from support import leaks, programs
from support.terminal import Terminal

# A slow machine is no failure; what failed can be run again from the printed lines alone.
hypothesis.settings.register_profile("mp_tqdm", deadline=None, print_blob=True)
hypothesis.settings.load_profile("mp_tqdm")

_numbers = itertools.count(1)

# A round of a complete run of the failure tests takes minutes, not the seconds of other tests.
_COMPLETE_TIMEOUT_S = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--complete", action="store_true", help="run the tests marked `faults` at full length"
    )


def pytest_configure() -> None:
    # What runs behind nohup, or in the background of a script, ignores these, and so would all
    # programs that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--complete"):
        for item in items:
            if item.get_closest_marker("faults"):
                item.add_marker(pytest.mark.timeout(_COMPLETE_TIMEOUT_S), append=False)


def pytest_unconfigure() -> None:
    # Some tests report without a bar in this process, which would say so when it ends.
    os.environ["MP_TQDM_MODE"] = "off"


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`rounds(short, complete)`: how often to try, by whether the run is a `--complete` one."""
    is_complete = request.config.getoption("--complete")
    return lambda short, complete: complete if is_complete else short


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails the test after which a segment, a descriptor, a thread or a process is left."""
    token = leaks.token_of(str(next(_numbers)))
    monkeypatch.setenv(leaks.TEST_VARIABLE, token)
    before = leaks.belongings(token)
    yield
    left = leaks.left_behind(before, token)
    if left:
        pytest.fail("left behind:\n" + "\n".join(left), pytrace=False)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 24 rows and 80 columns."""
    with Terminal() as window:
        yield window


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., list[str]]:
    """`program(source, *arguments, options=())`: the command that runs a script; see `python`."""

    def command(source: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        return programs.python(source, *arguments, directory=tmp_path, options=options)

    return command
