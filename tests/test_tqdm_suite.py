"""What tqdm passes of its own tests passes with this package in its place."""

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

# Tests that cannot pass here, each with its row in docs/migration.md.
BY_NATURE: frozenset[str] = frozenset()


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


def _start(source: Path, directory: Path, path: str, **variables: str) -> subprocess.Popen[str]:
    """Starts the suite in a directory that holds nothing but it."""
    directory.mkdir()
    shutil.copytree(source / "tests", directory / "tests")
    shutil.copy(source / "pyproject.toml", directory)
    # Without the plugins of this project's own tests; the suite names those it needs.
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *plugins, "--junitxml=results.xml", "tests"],
        cwd=directory,
        env=programs.environment(
            PYTHONPATH=path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", LC_ALL="C.UTF-8", **variables
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _passed(suite: subprocess.Popen[str], directory: Path) -> tuple[set[str], str]:
    try:
        output, _ = suite.communicate(timeout=240)
    finally:
        programs.kill_session(suite.pid)
    cases = ET.parse(directory / "results.xml").iter("testcase")  # noqa: S314 - our own
    return {
        f"{case.get('classname')}::{case.get('name')}" for case in cases if _is_well(case)
    }, output


def _is_well(case: ET.Element) -> bool:
    """Whether it passed; its tests of speed skip themselves where other programs run."""
    skipped = case.find("skipped")
    return not len(case) or (skipped is not None and "not reliable" in skipped.get("message", ""))


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_tqdm_passes_of_its_own_tests_passes_here(source: Path, tmp_path: Path) -> None:
    for plugin in ("pytest_asyncio", "pytest_timeout"):
        if importlib.util.find_spec(plugin) is None:
            pytest.skip(f"{plugin} is not installed")
    stock, ours = tmp_path / "stock", tmp_path / "ours"
    suites = (
        _start(source, stock, str(source)),
        _start(
            source,
            ours,
            str(STAND_IN),
            SOURCE_OF_TQDM=str(source / "tqdm"),
            STOOD_IN_FOR=" ".join(NAMESAKES),
        ),
    )
    by_stock, _ = _passed(suites[0], stock)
    by_ours, output = _passed(suites[1], ours)
    assert len(by_stock) > 150
    assert by_stock - by_ours == BY_NATURE, output
