"""In the place of tqdm: by `patch()`, and in the programs of others."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import programs
from support.terminal import Terminal

Program = Callable[..., list[str]]

# Says whose bars they are.
WHOSE = """
    import tqdm, tqdm.auto, tqdm.std, tqdm.asyncio
    from tqdm import tqdm as late
    bars = [tqdm.tqdm, tqdm.auto.tqdm, tqdm.std.tqdm, tqdm.asyncio.tqdm, late]
    ranges = [tqdm.trange, tqdm.auto.trange, tqdm.std.trange, tqdm.asyncio.trange]
    def ours():
        from mp_tqdm import mp_tqdm
        bars[:] = [tqdm.tqdm, tqdm.auto.tqdm, tqdm.std.tqdm, tqdm.asyncio.tqdm, late]
        made = [count(2, disable=True) for count in (tqdm.trange, tqdm.auto.trange)]
        kinds = [*bars, *map(type, made)]
        return {issubclass(kind, mp_tqdm) for kind in kinds}
"""


def ends_well(command: list[str], **variables: str) -> str:
    """What a program printed, that ended with 0."""
    process = programs.run(command, env=programs.environment(**variables), timeout=28)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize("order", ["before", "after"])
def test_names_are_ours_until_they_are_given_back(program: Program, order: str) -> None:
    early = WHOSE if order == "before" else ""
    late = WHOSE if order == "after" else ""
    ends_well(
        program(f"""
{early}
    import mp_tqdm
    assert mp_tqdm.patch() is True
    assert mp_tqdm.patch() is True
{late}
    assert ours() == {{True}}, bars
    assert issubclass(tqdm.auto.tqdm, tqdm.tqdm)
    assert isinstance(tqdm.auto.trange(3, disable=True), tqdm.auto.tqdm)
    mp_tqdm.unpatch()
    if {order == "before"}:
        assert ours() == {{False}}, bars
    mp_tqdm.unpatch()
    assert not issubclass(tqdm.tqdm, mp_tqdm.mp_tqdm)
    assert not issubclass(tqdm.auto.tqdm, mp_tqdm.mp_tqdm)
        """)
    )


def test_a_name_that_another_module_has_already_is_ours(program: Program, tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("from tqdm.auto import tqdm as bar, trange as count\n")
    ends_well(
        program("""
            import library, mp_tqdm
            stock = library.bar
            mp_tqdm.patch()
            assert issubclass(library.bar, mp_tqdm.mp_tqdm)
            assert isinstance(library.count(2, disable=True), mp_tqdm.mp_tqdm)
            mp_tqdm.unpatch()
            assert library.bar is stock
        """)
    )


def test_without_tqdm_there_is_nothing_to_patch(program: Program) -> None:
    ends_well(
        program("""
            import sys
            sys.modules["tqdm"] = None
            import mp_tqdm
            assert mp_tqdm.patch() is False
            mp_tqdm.unpatch()
        """),
        MP_TQDM_PATCH="1",
    )


def test_reports_do_not_reach_a_bar_that_tqdm_made(program: Program) -> None:
    ends_well(
        program("""
            import io, mp_tqdm
            from mp_tqdm import report_progress
            mp_tqdm.patch()
            from tqdm.auto import tqdm
            with mp_tqdm.mp_tqdm(total=5, file=io.StringIO()) as ours:
                with tqdm(total=5, file=io.StringIO()) as theirs:
                    report_progress(3)
                    assert (ours.n, theirs.n) == (3, 0)
        """)
    )


def test_run_draws_a_program_with_bars_of_ours(program: Program, terminal: Terminal) -> None:
    command = program("""
        import time
        from tqdm import tqdm
        with tqdm(total=3, desc="unedited") as bar:
            bar.update(3)
            time.sleep(0.3)
        print(type(bar).__mro__[1].__module__)
    """)
    terminal.start([sys.executable, "-m", "mp_tqdm", "run", command[-1]])
    assert terminal.wait() == 0, terminal.text()
    assert "mp_tqdm._bar" in terminal.text()
    assert "unedited: 100%" in terminal.text()


def ended_bars(log: str) -> list[tuple[str, int, int | None]]:
    """What the bars came to that left a line: `desc`, `n` and `total`; no other bar has one."""
    bars = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    ended = [(bar["desc"], bar["n"], bar["total"]) for bar in bars if bar["ended"]]
    assert {bar["desc"] for bar in bars} == {desc for desc, _, _ in ended}, log
    return ended


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_datasets_map_draws_one_line_of_ours(program: Program, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    command = program("""
        import mp_tqdm
        mp_tqdm.patch()
        import datasets
        from datasets.utils.tqdm import tqdm as hf_tqdm
        assert issubclass(hf_tqdm, mp_tqdm.mp_tqdm)

        def double(example):
            return {"y": example["x"] * 2}

        if __name__ == "__main__":
            data = datasets.Dataset.from_dict({"x": list(range(400))})
            mapped = data.map(double, num_proc=4, desc="map")
            assert mapped["y"][:3] == [0, 2, 4]
            assert len(mapped) == 400
    """)
    variables = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "MP_TQDM_MODE": "json"}
    process = programs.run(command, env=programs.environment(**variables), timeout=100)
    assert process.returncode == 0, process.stderr
    assert ended_bars(process.stderr) == [("map (num_proc=4)", 400, 400)], process.stderr


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_trainer_trains_with_bars_of_ours(program: Program, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    command = program(
        """
        import sys
        import torch
        from transformers import Trainer, TrainingArguments
        from transformers import trainer_callback
        import mp_tqdm
        from mp_tqdm import mp_tqdm as bar_class

        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = torch.nn.Linear(2, 1)
            def forward(self, x, labels):
                y = self.linear(x)
                return {"loss": ((y - labels) ** 2).mean(), "logits": y}

        data = [{"x": torch.randn(2), "labels": torch.zeros(1)} for _ in range(32)]
        arguments = TrainingArguments(
            sys.argv[1], max_steps=8, per_device_train_batch_size=4, use_cpu=True, report_to=[],
            save_strategy="no", logging_steps=4, disable_tqdm=False,
        )
        trainer = Trainer(Model(), arguments, train_dataset=data, eval_dataset=data)
        trainer.train()
        trainer.evaluate()
        print(issubclass(trainer_callback.tqdm, bar_class))
        """,
        str(tmp_path / "out"),
    )
    runner = [sys.executable, "-m", "mp_tqdm", "run", *command[1:]]
    variables = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    env = programs.environment(MP_TQDM_MODE="json", **variables)
    process = programs.run(runner, env=env, timeout=100)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().endswith("True"), process.stdout
    # Its steps, and the batches of the evaluation.
    assert ended_bars(process.stderr) == [("", 8, 8), ("", 4, 4)], process.stderr
