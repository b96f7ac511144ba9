"""What the benchmarks judge: each promise can be broken, and so can the count of instructions."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mp_tqdm.bench import command, report
from mp_tqdm.bench.estimate import Interval
from mp_tqdm.bench.measure import Figure, Measured
from mp_tqdm.bench.suites import SUITES
from mp_tqdm.bench.targets import TARGETS, Target, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTRUCTIONS = Path(__file__).parent.parent / "benches" / "instructions.py"
instructions = runpy.run_path(str(INSTRUCTIONS))


def _figure(value: float, column: str = "best") -> Figure:
    return Figure({"best": 100.0, column: value}, ())


def _verdict(target: Target, measured: float) -> Any:
    """That of a target whose peers are at 100."""
    names = (subject.name for subject in SUITES[target.suite].subjects)
    figures = {name: _figure(100.0) for name in names}
    assert target.subject in figures
    samples = [(2.0, 2.0)] * 3
    assert target.column in SUITES[target.suite].summary(samples, samples)
    figures[target.subject] = _figure(measured, target.column)
    (found,) = (one for one in verdicts({target.suite: figures}) if one.target is target)
    return found


@pytest.mark.once
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.suite}: {target.promise}")
def test_each_promise_is_kept_at_its_limit_and_broken_above_it(target: Target) -> None:
    # A peer that the suite does not know would leave the promise unjudged.
    limit = _verdict(target, 1.0).limit
    assert 0 < limit < 10_000
    assert _verdict(target, limit).holds
    broken = _verdict(target, limit + 0.01)
    assert (broken.holds, broken.measured) == (False, limit + 0.01)
    (line,) = report.verdict_lines([broken])
    assert line.startswith(f"BROKEN {target.suite}: {target.subject} at most {target.promise}: ")


@pytest.mark.once
def test_limits_are_shares_of_what_was_measured_beside_them() -> None:
    figures = {"mp_tqdm": _figure(10.0), "tqdm": _figure(160.0), "floor: C iterator": _figure(6.0)}
    found = {one.target.promise: one for one in verdicts({"iterate": figures})}
    # progressbar2 was not measured: nothing is said of it.
    assert {promise: (one.limit, one.holds) for promise, one in found.items()} == {
        "1.5 x the floor and 1 ns": (10.0, True),
        "a 20th of tqdm": (8.0, False),
    }


@pytest.mark.once
def test_of_an_interval_the_estimate_is_judged() -> None:
    figures = {
        "mp_tqdm report_progress()": Figure({"processor time, %": Interval(2.1, 0.1, 4.0)}, ())
    }
    (found,) = verdicts({"halves": figures})
    assert (found.measured, found.holds) == (2.1, False)


@pytest.mark.once
@pytest.mark.parametrize(("kib", "status"), [(1024, 0), (1025, 1)])
def test_a_check_fails_if_a_promise_is_broken(
    kib: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def measured(*_: object) -> Iterator[Measured]:
        yield Measured(SUITES["segment"], {"mp_tqdm": _figure(kib)})

    monkeypatch.setattr(command, "_measured", measured)
    path = tmp_path / "run.json"
    assert command.main(["segment", "--check", "--json", str(path)]) == status
    said = f"{'BROKEN' if status else 'kept  '} segment: mp_tqdm at most 1 MiB: {kib}.00"
    assert said in capfd.readouterr().out
    (target,) = json.loads(path.read_text())["targets"]
    assert target["holds"] is (status == 0)


@pytest.mark.once
def test_a_check_of_nothing_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_measured", lambda *_: iter([Measured(SUITES["segment"])]))
    assert command.main(["segment", "--check"]) == 2
    assert "nothing to check" in capfd.readouterr().err


# Costs are powers of ten, so that each line that is taken or left out by mistake shows in the sum.
PROFILE = """\
# callgrind format
version: 1
positions: line
events: Ir
summary: 9000000000

ob=(1) /usr/bin/python3
fl=(1) ceval.c
fn=(1) eval
16 1000000
cob=(2) /site-packages/mp_tqdm/_core.abi3.so
cfi=(2) hot.rs
cfn=(2) update
calls=3 40
17 20000000
+1 3000000

ob=(2)
fl=(2)
fn=(2)
40 1
+2 20
-1 300
* 4000
cob=(1)
cfn=(1)
calls=1 16
* 500000000
42 60000

ob=(3) /usr/lib/libc.so.6
fn=(3) memcpy
7 700000
fn=(4) other
8 80000000
totals: 9000000000
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("wanted", "own_cost"),
    [("/mp_tqdm/_core.", 64_321), ("/python3", 4_000_000), ("libc", 80_700_000), ("/absent", 0)],
)
def test_instructions_are_those_of_one_object_without_its_calls(wanted: str, own_cost: int) -> None:
    assert instructions["instructions_in"](PROFILE, wanted) == own_cost


@pytest.mark.once
@pytest.mark.parametrize(
    ("factor", "more", "compiler", "status"),
    [
        (1.0, 0.4, "the same", 0),
        (1.0, 1.0, "the same", 1),
        (1.09, 0.0, "another", 0),
        (1.1, 1.0, "another", 1),
    ],
)
def test_one_more_instruction_on_a_hot_path_fails(
    factor: float, more: float, compiler: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, loops = instructions["main"], instructions["_LOOPS"]
    baseline = json.loads(INSTRUCTIONS.with_suffix(".json").read_text())
    known = baseline["instructions"]
    assert list(known) == list(loops)
    # One path alone takes more.
    found = {loop: known[name] for name, loop in loops.items()}
    found[loops["update(1)"]] = known["update(1)"] * factor + more
    used = {"the same": baseline["compiler"]}.get(compiler, compiler)
    monkeypatch.setitem(main.__globals__, "compiler", lambda: used)
    monkeypatch.setitem(main.__globals__, "each", found.__getitem__)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/valgrind")
    monkeypatch.setattr("sys.argv", ["instructions"])
    assert main() == status
