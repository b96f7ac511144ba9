"""The lines of a training in several ranks, by torchrun and by `torch.multiprocessing.spawn`."""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

import pytest

from support import leaks, programs
from support.terminal import Terminal

pytest.importorskip("torch")

# PyTorch takes many seconds to load on a busy machine, and here there are eight processes.
WATCHDOG_S = 200.0

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(WATCHDOG_S + 20)]

RANKS = 3

SCENES = """
    import sys, time
    import torch.multiprocessing
    from mp_tqdm import mp_tqdm
    from mp_tqdm.torch import barrier, get_rank, is_main_process, mp_print, setup_ddp


    def loop(items, **options):
        # The first rank is the last to finish: its line then shows all of them.
        for item in mp_tqdm(range(items), **options):
            time.sleep(0.02)
            if get_rank() == 0 and item == items - 1:
                barrier()
        if get_rank():
            barrier()
        barrier()


    def missing():
        if get_rank() < 2:
            loop(20, desc="missing")
        else:
            barrier()
            barrier()


    def ahead():
        for epoch in range(2):
            for item in mp_tqdm(range(10), desc=f"epoch {epoch}"):
                if get_rank() == 0 and (epoch, item) in ((0, 5), (1, 0), (1, 9)):
                    barrier()
                if get_rank() and (epoch, item) == (1, 7):
                    time.sleep(1.6)  # shown after a second
                    barrier()
                if get_rank() and (epoch, item) == (1, 8):
                    barrier()  # until the first is here, too
        if get_rank():
            barrier()
        barrier()


    def alone():
        # All others are a step ahead and wait; the first one validates for longer than it takes
        # to be called silent. The second is through with its small shard, and waits as well.
        shards = mp_tqdm(total=(30, 3, 30)[get_rank()], desc="shards", leave=False)
        shards.update((10, 3, 20)[get_rank()])
        with mp_tqdm(total=20, desc="steps") as steps:
            steps.update(5 if get_rank() == 0 else 6)
            if get_rank() == 0:
                for _ in mp_tqdm(range(60), desc="validation", leave=False):
                    time.sleep(0.1)
            barrier()
            steps.update(15 if get_rank() == 0 else 14)
            barrier()
            if get_rank():
                steps.close()
                shards.close()
            barrier()
        shards.close()


    def main(rank=None, world_size=None):
        with setup_ddp(rank=rank, world_size=world_size) as ddp:
            loop(20, desc="even")
            loop(10 + 10 * ddp.rank, desc="uneven")
            loop(15, desc="main only", disable=not is_main_process())
            loop(16, desc="places", position=ddp.rank)
            loop(17, desc="own", disable=False)
            missing()
            ahead()
            alone()
        mp_print("trained on", ddp.world_size)


    if __name__ == "__main__":
        if len(sys.argv) > 1:
            ranks = int(sys.argv[1])
            torch.multiprocessing.spawn(main, args=(ranks,), nprocs=ranks)
        else:
            main()
"""

LINE = re.compile(
    r"(?P<desc>.+?): +(?P<percent>\d+)%\|[^|]*\| (?P<n>\d+)/(?P<total>\d+)"
    r" \[\d\d:\d\d<(?:\d\d:\d\d|\?), +[\d.?]+(?:it/s|s/it)(?:, (?P<note>.*))?\]"
)


class Screens(NamedTuple):
    """What was to be seen while the scenes were played."""

    frames: list[list[re.Match[str]]]
    lines: list[str]

    def of(self, desc: str) -> list[re.Match[str]]:
        """Each state of a line."""
        return [line for frame in self.frames for line in frame if line["desc"] == desc]

    def together(self, desc: str) -> list[list[str]]:
        """The descs that were to be seen at the same time, for each frame with one like this."""
        shown = [[line["desc"] for line in frame] for frame in self.frames]
        same = re.compile(rf"(\[\d\] )?{desc}")
        alike = [[found for found in descs if same.match(found)] for descs in shown]
        return [descs for descs in alike if descs]


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Screens]:
    """The scenes by each kind of start, at the same time, in two windows."""
    script = programs.python(SCENES, directory=tmp_path_factory.mktemp("scenes"))
    # Its local rank is 0 in all ranks.
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--virtual-local-rank", f"--nproc-per-node={RANKS}", script[1]]
    token = leaks.token_of("scenes")
    env = programs.environment(OMP_NUM_THREADS="1", **{leaks.TEST_VARIABLE: token})
    before = leaks.belongings(token)
    found = {}
    with Terminal(40, 100) as first, Terminal(40, 100) as second:
        first.start(torchrun, env=env)
        second.start([*script, str(RANKS)], env=env)
        for name, terminal in (("torchrun", first), ("spawn", second)):
            assert terminal.wait(WATCHDOG_S) == 0, terminal.text()
            frames = [map(LINE.fullmatch, frame.lines) for frame in terminal.frames()]
            found[name] = Screens(
                [[line for line in frame if line] for frame in frames], terminal.lines()
            )
    assert leaks.left_behind(before, token) == []
    return found


@pytest.fixture(params=["torchrun", "spawn"])
def shown(screens: dict[str, Screens], request: pytest.FixtureRequest) -> Screens:
    return screens[request.param]


def test_the_lines_are_the_same_however_the_ranks_were_started(screens: dict[str, Screens]):
    def said(screen: Screens) -> list[str]:
        lines = list(map(LINE.fullmatch, screen.lines))
        assert sum(line is None for line in lines) == 1, screen.lines  # what was printed at the end
        groups = [line.group("desc", "percent", "n", "total", "note") for line in lines if line]
        # How fast the slowest and the fastest rank were differs from run to run.
        return [re.sub(r"at .*it/s", "", " ".join(map(str, group))) for group in groups]

    assert said(screens["torchrun"]) == said(screens["spawn"])
    assert screens["spawn"].lines[-1] == screens["torchrun"].lines[-1] == f"trained on {RANKS}"


def test_copies_of_one_loop_are_one_line_of_their_mean(shown: Screens):
    assert {line["total"] for line in shown.of("even")} == {"20"}
    assert shown.of("even")[-1]["n"] == "20"
    assert max(map(len, shown.together("even"))) == 1


def test_uneven_shards_end_at_the_mean_of_all(shown: Screens):
    # 10, 20 and 30; while not all have opened the bar, less is known.
    assert shown.of("uneven")[-1].group("n", "total", "percent") == ("20", "20", "100")
    assert max(int(line["n"]) for line in shown.of("uneven")) == 20


def test_ranks_that_are_off_have_no_part_in_the_line(shown: Screens):
    assert {line["total"] for line in shown.of("main only")} == {"15"}
    assert shown.of("main only")[-1]["n"] == "15"
    assert max(map(len, shown.together("main only"))) == 1


@pytest.mark.parametrize(("desc", "total"), [("places", "16"), ("own", "17")])
def test_ranks_that_ask_for_it_have_a_labelled_line_each(shown: Screens, desc: str, total: str):
    assert [f"[{rank}] {desc}" for rank in range(RANKS)] in shown.together(desc)
    for rank in range(RANKS):
        states = shown.of(f"[{rank}] {desc}")
        assert {line["total"] for line in states} == {total}
        # Live, and its own: not the same number all along.
        assert len({line["n"] for line in states}) > 1


def test_a_rank_that_never_opens_the_bar_is_missed(shown: Screens):
    assert {line["note"] for line in shown.of("missing")} >= {f"2/{RANKS} ranks"}
    assert shown.of("missing")[-1].group("n", "total") == ("20", "20")


def test_ranks_an_epoch_ahead_count_in_a_line_of_their_own(shown: Screens):
    ahead = [line for line in shown.of("[1] epoch 1") if line["n"] == "7"]
    assert ahead, shown.together("epoch")
    assert {"epoch 0", "[1] epoch 1"} in map(set, shown.together("epoch"))
    # The first has done 5, the others 10 each; nothing of the epoch after is in it.
    assert "8" in {line["n"] for line in shown.of("epoch 0")}
    assert max(int(line["n"]) for line in shown.of("epoch 0")) == 10
    assert shown.of("epoch 1")[-1].group("n", "total") == ("10", "10")


def test_while_the_first_rank_validates_alone_nobody_is_called_silent(shown: Screens):
    assert int(shown.of("validation")[-1]["n"]) > 50
    notes = {line["note"] for frame in shown.frames for line in frame}
    assert not [note for note in notes if note and "silent" in note], notes
    assert shown.of("steps")[-1].group("n", "total") == ("20", "20")
