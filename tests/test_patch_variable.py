"""`MP_TQDM_PATCH=1`: it patches where it is read; where it is not, or too late, that is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mp_tqdm
from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    Program = Callable[..., list[str]]

pytestmark = pytest.mark.faults("F128")

WHOSE = """
    import tqdm, tqdm.auto, tqdm.std, tqdm.asyncio

    def whose():
        bars = [tqdm.tqdm, tqdm.auto.tqdm, tqdm.std.tqdm, tqdm.asyncio.tqdm]
        bars += [type(tqdm.trange(2, disable=True)), type(tqdm.auto.trange(2, disable=True))]
        found = {any(base.__module__.startswith("mp_tqdm") for base in bar.__mro__) for bar in bars}
        return "/".join("ours" if one else "tqdm's" for one in found)
"""
RUN = ["-m", "mp_tqdm", "run"]
DOCTOR = ["-m", "mp_tqdm", "doctor", "--json"]


def done(command: list[str], **variables: str) -> tuple[str, str]:
    """What a program wrote to stdout and stderr, that ended with 0."""
    process = programs.run(command, env=programs.environment(**variables))
    assert process.returncode == 0, process.stderr
    return process.stdout.strip(), process.stderr


@pytest.mark.parametrize(
    ("value", "expected"), [("1", "ours"), ("yes", "ours"), ("0", "tqdm's"), ("false", "tqdm's")]
)
def test_it_patches_where_the_package_is_imported(
    program: Program, value: str, expected: str
) -> None:
    command = program(f"import mp_tqdm\n{WHOSE}\n    print(whose())".replace("\n    ", "\n"))
    assert done(command, MP_TQDM_PATCH=value) == (expected, "")


def test_it_imports_nothing_into_a_program_that_does_not_import_the_package() -> None:
    source = "import sys, tqdm; print([name for name in sys.modules if 'mp_tqdm' in name])"
    assert done([sys.executable, "-c", source], MP_TQDM_PATCH="1") == ("[]", "")


@pytest.mark.parametrize("module", ["tqdm", "tqdm.auto", "tqdm.std"])
@pytest.mark.parametrize("value", ["1", "0"])
def test_it_patches_where_a_sitecustomize_reads_it(
    program: Program, tmp_path: Path, module: str, value: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import mp_tqdm\n")
    command = program(f"""
        import importlib.util, multiprocessing
        assert importlib.util.find_spec("tqdm") is not None  # to look is no import
        from {module} import tqdm as bar, trange

        def are_ours():
            homes = [[base.__module__.partition(".")[0] for base in cls.__mro__] for cls in
                     (bar, type(trange(2, disable=True)))]
            return {{"mp_tqdm" in home for home in homes}}

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(are_ours(), pool.apply(are_ours))
    """)
    expected = {value == "1"}
    variables = {"MP_TQDM_PATCH": value, "PYTHONPATH": str(tmp_path)}
    assert done(command, **variables)[0] == f"{expected} {expected}"


# --- too late ------------------------------------------------------------------------------------

LATE = """
import tqdm
from tqdm import tqdm as kept

class Bar(tqdm.tqdm):
    pass
"""


@pytest.mark.parametrize("derives", [True, False])
def test_behind_tqdms_import_it_patches_what_it_can_and_warns(
    program: Program, tmp_path: Path, derives: bool
) -> None:
    (tmp_path / "library.py").write_text(LATE if derives else LATE.partition("class")[0])
    command = program("""
        import library
        import mp_tqdm
        print(issubclass(library.kept, mp_tqdm.mp_tqdm))
    """)
    said, warned = done(command, MP_TQDM_PATCH="1")
    assert said == "True"
    assert warned.count("TqdmWarning") == 1
    assert "program0.py:3" in warned
    assert "tqdm was imported before mp_tqdm" in warned
    assert ("these stay tqdm's: library.Bar." in warned) == derives
    assert "`python -m mp_tqdm run COMMAND`" in warned


@pytest.mark.parametrize("method", programs.START_METHODS)
def test_it_warns_once_in_a_job(program: Program, method: str) -> None:
    command = program(f"""
        import multiprocessing, subprocess, sys
        import tqdm, mp_tqdm

        def work(number):
            return number

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(sum(pool.map(work, range(5))), flush=True)
            if len(sys.argv) == 1:
                subprocess.run([sys.executable, __file__, "again"], check=True)
    """)
    said, warned = done(command, MP_TQDM_PATCH="1")
    assert said.split() == ["10", "10"]
    assert warned.count("TqdmWarning") == 1


@pytest.mark.once
def test_of_the_ranks_of_a_job_the_first_warns(program: Program, tmp_path: Path) -> None:
    command = program("import tqdm, mp_tqdm")
    warned = []
    for rank in range(3):
        variables = programs.rank_variables(tmp_path, rank, 3)
        warned.append(done(command, MP_TQDM_PATCH="1", **variables)[1].count("TqdmWarning"))
    assert warned == [1, 0, 0]


@pytest.mark.once
def test_a_tqdm_that_cannot_be_patched_is_named(tmp_path: Path) -> None:
    (tmp_path / "tqdm").mkdir()
    (tmp_path / "tqdm" / "__init__.py").write_text("class tqdm:\n    pass\n")
    late = done(
        [sys.executable, "-c", "import tqdm, mp_tqdm"],
        PYTHONPATH=str(tmp_path),
        MP_TQDM_PATCH="1",
    )
    assert late[1].count("TqdmWarning") == 1
    assert "Its version is too old to replace its bars." in late[1]
    command = [sys.executable, *RUN, sys.executable, "-c", "import tqdm, mp_tqdm"]
    prepared = done(command, PYTHONPATH=str(tmp_path))
    assert prepared[1].count("Warning") == 1
    assert "this version of tqdm is too old. They stay tqdm's." in prepared[1]
    found = doctor([sys.executable, *RUN, sys.executable], PYTHONPATH=str(tmp_path))
    assert any("this version of tqdm is too old" in problem for problem in found)


# --- not read at all -----------------------------------------------------------------------------


def doctor(python: list[str], **variables: str) -> list[str]:
    """What the doctor says of the variable, asked in the way in which the program is started."""
    process = programs.run([*python, *DOCTOR], env=programs.environment(**variables))
    found: Any = json.loads(process.stdout)["findings"]
    said = [finding for finding in found if "MP_TQDM_PATCH" in finding["text"]]
    assert process.returncode == int(any(finding["is_problem"] for finding in found))
    assert all(finding["is_problem"] for finding in said)
    return [finding["text"] for finding in said]


@pytest.fixture(scope="module")
def set_ups(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict[str, str]]]:
    """Python and variables, by how the package came to it."""
    import subprocess

    import tqdm

    top = tmp_path_factory.mktemp("set-ups")
    packages = [Path(module.__file__ or "").parent for module in (mp_tqdm, tqdm)]
    for name in ("plain", "venv"):
        command = [sys.executable, "-m", "venv", "--without-pip", str(top / name)]
        subprocess.run(command, check=True, timeout=25)
    (top / "target").mkdir()
    for place in (next((top / "venv" / "lib").iterdir()) / "site-packages", top / "target"):
        for package in packages:
            (place / package.name).symlink_to(package)
    return {
        "venv": (str(top / "venv" / "bin" / "python"), {}),
        "target": (str(top / "plain" / "bin" / "python"), {"PYTHONPATH": str(top / "target")}),
    }


@pytest.mark.once
@pytest.mark.parametrize("name", ["venv", "target"])
def test_in_each_set_up_run_patches_and_the_doctor_says_that_the_variable_does_not(
    set_ups: dict[str, tuple[str, dict[str, str]]], program: Program, name: str
) -> None:
    python, variables = set_ups[name]
    path = program(f"{WHOSE}\n    print(whose())")[-1]
    assert done([python, path], MP_TQDM_PATCH="1", **variables) == ("tqdm's", "")
    assert done([python, *RUN, python, path], **variables) == ("ours", "")
    (finding,) = doctor([python], MP_TQDM_PATCH="1", **variables)
    assert "nothing reads it where this Python starts. Start the program by `python -m" in finding
    assert doctor([python, *RUN, python], **variables) == []
    assert doctor([python], **variables) == []


@pytest.mark.once
@pytest.mark.parametrize("option", ["-I", "-E"])
def test_the_doctor_names_the_option_that_keeps_python_from_reading_it(
    set_ups: dict[str, tuple[str, dict[str, str]]], option: str
) -> None:
    (finding,) = doctor([set_ups["venv"][0], option], MP_TQDM_PATCH="1")
    assert f"with {option} Python does not read it" in finding


@pytest.mark.once
def test_the_doctor_names_s_where_nothing_but_the_path_leads_to_the_package(
    set_ups: dict[str, tuple[str, dict[str, str]]],
) -> None:
    python, variables = set_ups["target"]
    (finding,) = doctor([python, "-S"], MP_TQDM_PATCH="1", **variables)
    assert "with -S Python does not read it" in finding


@pytest.mark.once
def test_the_doctor_notes_that_there_is_no_tqdm(
    set_ups: dict[str, tuple[str, dict[str, str]]], tmp_path: Path
) -> None:
    (tmp_path / "mp_tqdm").symlink_to(Path(mp_tqdm.__file__).parent)
    env = programs.environment(MP_TQDM_PATCH="1", PYTHONPATH=str(tmp_path))
    process = programs.run([set_ups["target"][0], "-m", "mp_tqdm", "doctor"], env=env)
    assert "  - MP_TQDM_PATCH is set, and tqdm is not installed for this" in process.stdout


@pytest.mark.once
def test_the_doctor_is_content_where_a_sitecustomize_reads_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import mp_tqdm\n")
    assert doctor([sys.executable], MP_TQDM_PATCH="1", PYTHONPATH=str(tmp_path)) == []
