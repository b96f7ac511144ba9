"""The surface: what is exported, and that the constructor is tqdm's."""

import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest
from tqdm import tqdm

import mp_tqdm as package
from mp_tqdm import _core, mp_tqdm, trange


@pytest.fixture(autouse=True)
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_TQDM_MODE", "off")


def test_all_names_are_there_and_are_all() -> None:
    assert sorted(package.__all__) == [
        "TqdmDeprecationWarning",
        "TqdmExperimentalWarning",
        "TqdmKeyError",
        "TqdmMonitorWarning",
        "TqdmSynchronisationWarning",
        "TqdmTypeError",
        "TqdmWarning",
        "__version__",
        "mp_tqdm",
        "patch",
        "report_progress",
        "session_env",
        "tqdm",
        "trange",
        "unpatch",
    ]
    for name in package.__all__:
        assert getattr(package, name) is not None
    public = {name for name in vars(package) if not name.startswith("_")}
    public = {name for name in public if not inspect.ismodule(getattr(package, name))}
    assert public - {"annotations"} <= set(package.__all__)


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def test_the_constructor_has_tqdms_parameters_in_tqdms_order_with_its_defaults() -> None:
    theirs = [
        (name, parameter.default, parameter.kind)
        for name, parameter in parameters(tqdm.__init__).items()
    ]
    ours = [
        (name, parameter.default, parameter.kind)
        for name, parameter in parameters(mp_tqdm.__init__).items()
        if name not in {"reduce", "key", "redirect"}
    ]
    assert [entry for entry in ours if entry[0] != "disable"] == [
        entry for entry in theirs if entry[0] != "disable"
    ]
    assert [name for name, *_ in ours] == [name for name, *_ in theirs]


def test_what_is_new_is_by_keyword_only() -> None:
    ours = parameters(mp_tqdm.__init__)
    for name, default in (("reduce", "auto"), ("key", None), ("redirect", True)):
        assert ours[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert ours[name].default == default
    assert not ours["disable"].default
    assert ours["disable"].default is not False
    assert ours["disable"].default is not None


METHODS = [
    "update", "close", "clear", "refresh", "display", "moveto", "reset", "unpause",
    "set_description", "set_description_str", "set_postfix", "set_postfix_str", "write",
    "external_write_mode",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_what_tqdms_takes(name: str) -> None:
    theirs, ours = parameters(getattr(tqdm, name)), parameters(getattr(mp_tqdm, name))
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]


ATTRIBUTES = [
    "ascii",
    "bar_format",
    "colour",
    "delay",
    "desc",
    "disable",
    "dynamic_miniters",
    "dynamic_ncols",
    "fp",
    "gui",
    "initial",
    "iterable",
    "last_print_n",
    "last_print_t",
    "leave",
    "lock_args",
    "maxinterval",
    "mininterval",
    "miniters",
    "n",
    "ncols",
    "nrows",
    "pos",
    "postfix",
    "smoothing",
    "start_t",
    "total",
    "unit",
    "unit_divisor",
    "unit_scale",
    "format_dict",
]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_bar_has_tqdms_attributes(name: str) -> None:
    with open("/dev/null", "w", encoding="utf-8") as file:
        bar, other = mp_tqdm(range(5), file=file), tqdm(range(5), file=file)
        mine, theirs = getattr(bar, name), getattr(other, name)
        if name not in {"last_print_t", "start_t", "fp", "iterable", "format_dict", "ascii"}:
            assert mine == theirs
        bar.close()
        other.close()


def test_format_dict_has_tqdms_keys() -> None:
    with open("/dev/null", "w", encoding="utf-8") as file:
        bar, other = mp_tqdm(total=5, file=file), tqdm(total=5, file=file)
        assert set(bar.format_dict) >= set(other.format_dict)
        bar.close()
        other.close()


@pytest.mark.parametrize(
    "name",
    [
        "monitor",
        "monitor_interval",
        "_instances",
        "write",
        "external_write_mode",
        "format_sizeof",
        "format_interval",
        "format_num",
        "format_meter",
    ],
)
def test_the_class_has_what_tqdms_class_has(name: str) -> None:
    assert hasattr(mp_tqdm, name)


@pytest.mark.parametrize(
    "name",
    ["mininterval", "smoothing", "unit", "unit_scale", "colour", "bar_format", "ncols", "ascii"],
)
def test_looks_can_be_set(name: str) -> None:
    value = {"unit": "B", "unit_scale": True, "colour": "red", "bar_format": "{n}", "ncols": 50}
    with mp_tqdm(total=3) as bar:
        setattr(bar, name, value.get(name, 0.5 if name != "ascii" else True))
        assert getattr(bar, name) == value.get(name, 0.5 if name != "ascii" else True)


def test_any_attribute_can_be_set_on_a_bar() -> None:
    with mp_tqdm(total=3) as bar:
        bar.mine = 7  # type: ignore[attr-defined]
        bar.pos = -3
        assert (bar.mine, bar.pos) == (7, -3)  # type: ignore[attr-defined]


def test_a_subclass_may_override_update_and_close() -> None:
    calls: list[Any] = []

    class Mine(mp_tqdm):
        def update(self, n: Any = 1) -> bool | None:
            calls.append(n)
            return super().update(n)

        def close(self) -> None:
            calls.append("close")
            super().close()

    with Mine(total=5) as bar:
        bar.update(2)
        bar.update()
    assert bar.n == 3
    assert calls[:3] == [2, 1, "close"]


def test_bars_compare_by_position_and_hash_by_identity() -> None:
    one, two = mp_tqdm(), mp_tqdm()
    one.pos, two.pos = 0, -1
    assert one < two
    assert two > one
    assert one <= two
    assert two >= one
    assert one != two
    assert len({one, two, one}) == 2
    one.close()
    two.close()


def test_a_disabled_bar_has_what_tqdms_has() -> None:
    bar = mp_tqdm(range(5), disable=True, initial=2)
    other = tqdm(range(5), disable=True, initial=2)
    names = ("n", "total", "leave", "pos", "disable", "iterable")
    assert [getattr(bar, name) for name in names] == [getattr(other, name) for name in names]
    for one in (bar, other):
        one.update(3)
        one.refresh()
        one.clear()
        one.unpause()
        one.set_description("x")
        one.set_postfix(a=1)
        assert list(one) == list(range(5))
        assert one.n == 2
        assert str(one)
        one.reset(total=9)
        assert one.total == 9
        one.close()


def test_the_import_brings_in_no_framework() -> None:
    source = "import sys; import mp_tqdm; print(*sorted(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"tqdm", "numpy", "torch", "multiprocessing", "typing", "subprocess", "asyncio", "json"}
    assert not heavy & set(out)


def test_the_import_brings_in_what_the_first_bar_needs_and_no_more() -> None:
    """Finding and reading a module takes as long as running what it says, or longer."""
    source = """
import sys
before = set(sys.modules)
from mp_tqdm import mp_tqdm
print(*sorted(set(sys.modules) - before))
before = set(sys.modules)
mp_tqdm(total=1).close()
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    )
    imported, used = (line.split() for line in done.stdout.split("\n")[:2])
    names = "_bar _core _forks _frames _job _stack _streams _texts _together"
    assert imported == ["atexit", "mp_tqdm", *(f"mp_tqdm.{name}" for name in names.split())]
    assert not used


def test_trange_and_the_alias() -> None:
    assert package.tqdm is mp_tqdm
    assert list(trange(3)) == [0, 1, 2]


def test_a_debug_build_says_so_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _core.__debug_build__ is False
    monkeypatch.setattr(_core, "__debug_build__", True)
    with pytest.warns(package.TqdmWarning, match="--release"):
        importlib.reload(package)
