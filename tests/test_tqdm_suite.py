"""What tqdm passes of its own tests passes with this package in its place."""

import enum
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from support import programs

VERSION = importlib.metadata.version("tqdm")
STAND_IN = Path(__file__).parent / "stand_in"

# Modules of tqdm that have a namesake here.
NAMESAKES = (
    "tqdm.asyncio",
    "tqdm.auto",
    "tqdm.contrib.itertools",
    "tqdm.contrib.logging",
)

# How many tests a version has, run or skipped, and how many of them pass wherever all is installed
# that this project's own tests need.
TESTS_OF_VERSION = {"4.70.1": 186}
PASSED_BY_STOCK = 174

# Tests that compare times, and how often they are tried again if they did not pass.
SPEED = "tests/tests_perf.py"
TRIES_OF_SPEED = 3

# Tests that cannot pass here, each with its row in docs/migration.md.
BY_NATURE: frozenset[str] = frozenset()


class Result(enum.Enum):
    """What came of a test."""

    PASSED = enum.auto()
    UNRELIABLE = enum.auto()
    OTHER = enum.auto()


@pytest.fixture(scope="module")
def source() -> Path:
    """The source distribution of tqdm, which has the tests that the wheel has not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mp_tqdm"
    place = cache / f"tqdm-{VERSION}"
    if not place.is_dir():
        download = cache / f"tqdm-{VERSION}.{os.getpid()}"
        try:
            _fetch(download)
            (download / f"tqdm-{VERSION}").rename(place)
        except OSError:
            if not place.is_dir():  # else another run was quicker
                raise
        finally:
            shutil.rmtree(download, ignore_errors=True)
    return place


def _fetch(directory: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    what = [f"tqdm=={VERSION}", "--no-binary", ":all:", "--no-deps", "--dest", str(directory)]
    done = subprocess.run([*pip, *what], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tqdm's source is not to be had: {done.stderr.strip()[-300:]}")
    with tarfile.open(next(directory.glob("tqdm-*.tar.gz"))) as archive:
        archive.extractall(directory, filter="data")


def _start(source: Path, directory: Path, tests: list[str], **env: str) -> subprocess.Popen[str]:
    """Starts the suite, or some of its tests, in a directory that holds nothing but it."""
    directory.mkdir()
    shutil.copytree(source / "tests", directory / "tests")
    shutil.copy(source / "pyproject.toml", directory)
    # Without the plugins of this project's own tests; the suite names those it needs.
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *plugins, "--junitxml=results.xml", *tests],
        cwd=directory,
        env=programs.environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", LC_ALL="C.UTF-8", **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _results(suite: subprocess.Popen[str], directory: Path) -> tuple[dict[str, Result], str]:
    """What came of each test, by its name for pytest, and all that the suite said."""
    try:
        output, _ = suite.communicate(timeout=240)
    finally:
        programs.kill_session(suite.pid)
    cases = ET.parse(directory / "results.xml").iter("testcase")  # noqa: S314 - our own
    return {_name(case): _result(case) for case in cases}, output


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _result(case: ET.Element) -> Result:
    """A test of speed skips itself where the time that the processor took cannot be told."""
    skipped = case.find("skipped")
    if skipped is not None and "not reliable" in skipped.get("message", ""):
        return Result.UNRELIABLE
    return Result.OTHER if len(case) else Result.PASSED


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_tqdm_passes_of_its_own_tests_passes_here(source: Path, tmp_path: Path) -> None:
    for plugin in ("pytest_asyncio", "pytest_timeout"):
        if importlib.util.find_spec(plugin) is None:
            pytest.skip(f"{plugin} is not installed")
    stand_in = {
        "PYTHONPATH": str(STAND_IN),
        "SOURCE_OF_TQDM": str(source / "tqdm"),
        "STOOD_IN_FOR": " ".join(NAMESAKES),
    }
    stock, ours = tmp_path / "stock", tmp_path / "ours"
    suites = (
        _start(source, stock, ["tests"], PYTHONPATH=str(source)),
        _start(source, ours, ["tests"], **stand_in),
    )
    by_stock, _ = _results(suites[0], stock)
    by_ours, output = _results(suites[1], ours)
    assert len(by_stock) == TESTS_OF_VERSION.get(VERSION), VERSION
    assert by_ours.keys() == by_stock.keys()
    expected = {name for name, result in by_stock.items() if result is not Result.OTHER} - BY_NATURE
    assert len(expected) >= PASSED_BY_STOCK
    for number in range(TRIES_OF_SPEED):
        # Of a test that compares times, others on the machine may have been the trouble.
        again = sorted(name for name in _left(expected, by_ours) if name.startswith(SPEED))
        if not again:
            break
        place = tmp_path / f"again{number}"
        results, told = _results(_start(source, place, again, **stand_in), place)
        by_ours |= results
        output += told
    left = _left(expected, by_ours)
    unreliable = {name for name in left if by_ours[name] is Result.UNRELIABLE}
    assert left == unreliable, output
    if unreliable:
        pytest.skip(f"all else passed, but speed could not be measured: {sorted(unreliable)}")


def _left(expected: set[str], results: dict[str, Result]) -> set[str]:
    return {name for name in expected if results[name] is not Result.PASSED}
