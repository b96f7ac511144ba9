"""The benchmarks of real loops, of pipes and of tails, in their shortest form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mp_tqdm.bench import bench_pipe, prepared
from mp_tqdm.bench.at_once import at_once
from mp_tqdm.bench.estimate import part
from mp_tqdm.bench.measure import Effort, measure
from mp_tqdm.bench.suites import SUITES
from support import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mp_tqdm.bench.measure import Measured


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # On a busy machine a process may take long to end, and one that is killed leaves its segment.
    monkeypatch.setattr("mp_tqdm.bench.measure.GOODBYE_S", 20.0)
    yield
    prepared.close()


def measured(name: str, *subjects: str) -> Measured:
    """One quick round of some subjects."""
    suite = SUITES[name]
    chosen = [subject for subject in suite.subjects if subject.name in subjects]
    assert len(chosen) == len(subjects)
    found = measure(suite, chosen, Effort(1, 0.1, is_quick=True))
    assert (dict(found.left_out), list(found.failed)) == ({}, [])
    assert list(found.figures) == [subject.name for subject in chosen]
    return found


@pytest.mark.once
@pytest.mark.torch
@pytest.mark.timeout(120)
def test_loops_of_pytorch_are_timed_with_and_without_a_bar() -> None:
    ours = "mp_tqdm report_progress() in workers"
    training = measured("training", "mp_tqdm").figures["mp_tqdm"]
    loader = measured("dataloader", "no bar", ours).figures
    for figure in (training, loader[ours]):
        assert list(figure.columns) == ["time", "wall time, %", "processor time, %"]
    assert list(loader["no bar"].columns) == ["time"]
    times = [training.samples[0], *(figure.samples[0] for figure in loader.values())]
    assert [len(sample) for sample in times if isinstance(sample, tuple)] == [4, 2, 2]
    assert all(time > 0 for sample in times if isinstance(sample, tuple) for time in sample)


@pytest.mark.once
def test_a_pool_that_tokenises_is_timed_with_every_text_counted() -> None:
    names = (
        "no progress",
        "mp_tqdm report_progress() of each text",
        "enlighten in the parent, of each 500 texts",
    )
    figures = measured("tokenising", *names).figures
    # The chunks of the pool and those of the parent add up, else the subject had failed.
    assert {len(figure.samples) for figure in figures.values()} == {1}


@pytest.mark.once
def test_a_crew_is_timed_over_all_its_items() -> None:
    figures = measured("crew", "silent", "mp_tqdm report_progress()").figures
    wall, processor = (part(figures["silent"].samples[0], place) for place in (0, 1))
    # Some microseconds of 2,948,390 items, of which the run did a few.
    assert processor > 2_948_390 * 1e-6
    assert wall > 0


@pytest.mark.once
def test_work_of_bars_that_workers_share_with_their_parent_is_counted_whole() -> None:
    programs.needs_package("mqdm")
    mqdm = "mqdm, a bar in each worker"
    crew = measured("crew", "silent", mqdm).figures
    pool = measured("tokenising", "no progress", f"{mqdm}, of each").figures
    # Its reports add up, else the subjects had failed.
    assert {len(figure.samples) for figure in (*crew.values(), *pool.values())} == {1}


@pytest.mark.once
def test_half_of_a_crew_reports_and_half_does_not() -> None:
    (figure,) = measured("halves", "mp_tqdm report_progress()").figures.values()
    reporting, silent = (part(figure.samples[0], place) for place in (0, 1))
    assert min(reporting, silent) > 0.5, "some microseconds a line"
    # The reports of the reporting half were all there, else the subject had failed.
    assert figure.value("processor time, %") == pytest.approx(100 * (reporting / silent - 1))


@pytest.mark.once
def test_a_process_that_fails_is_told_of() -> None:
    def fail(wait: Callable[[], object]) -> None:
        del wait
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="1 of 2 processes failed"):
        at_once([fail, lambda wait: wait()])


@pytest.mark.once
def test_tails_are_those_of_single_calls() -> None:
    names = "the clock alone", "mp_tqdm bar.update(1), one bar", "enlighten update(1), a bar each"
    figures = measured("tails", *names).figures
    for figure in figures.values():
        p50, p99, p999, longest = (figure.value(column) for column in figure.columns)
        assert 0 < p50 <= p99 <= p999 <= longest


@pytest.mark.once
def test_pipes_are_timed_of_programs_that_pass_all_bytes() -> None:
    figures = measured("pipe", "floor: cat", "mp_tqdm pipe", "tqdm --bytes").figures
    assert all(figure.value("best") > 0 for figure in figures.values())
    for command, passed in (["head", "-c", "100"], 100), (["tee", "/dev/stdout"], 2 << 20):
        with pytest.raises(RuntimeError, match=f"{passed} of 1048576 bytes passed"):
            bench_pipe.through(command, 1)
