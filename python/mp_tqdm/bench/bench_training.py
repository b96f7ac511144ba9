"""A training loop of PyTorch on the processor, with its bar, above the same loop without one.

A step is a forward pass of a linear layer, the gradient of its squared error and a step of SGD. The
gradient is written out: autograd alone takes longer than the shorter step.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from mp_tqdm.bench import wrapped
from mp_tqdm.bench.clocks import Clocked
from mp_tqdm.bench.estimate import beside
from mp_tqdm.bench.subject import Subject, Suite

if TYPE_CHECKING:
    from collections.abc import Callable


# The loop without a bar is a subject, too: what is between it and itself is noise.
_NO_BAR = "no bar"


@cache
def _step(width: int, outputs: int, batch: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Linear(width, outputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    inputs, targets = torch.randn(batch, width), torch.randn(batch, outputs)

    @torch.no_grad()
    def step() -> None:
        error = model(inputs) - targets
        model.weight.grad = error.T @ inputs
        model.bias.grad = error.sum(0)
        optimizer.step()

    for _ in range(100):
        step()
    return step


# Input and output features and examples of a step that takes so long on one core of 2020.
STEPS = {"50 µs": (32, 1, 8), "1 ms": (256, 256, 256)}

# A second of what it imports is imported by the first step.
PREPARE = """
import torch, torch.utils.data
torch.set_num_threads(1)
layer = torch.nn.Linear(1, 1)
layer.weight.grad = torch.ones(1, 1)
torch.optim.SGD(layer.parameters()).step()
"""


def train(library: str, takes: str, steps: int) -> tuple[float, ...]:
    """Wall and processor time of so many steps, then those of as many without a bar.

    One half of these comes before, and one after: in one process, where code and data lie does not
    differ, which makes a percent or two. The opening and the closing of the bar are left out.
    """
    half = steps // 2
    before = _timed(_NO_BAR, takes, half)
    own = _timed(library, takes, steps)
    after = _timed(_NO_BAR, takes, steps - half)
    return *own, before[0] + after[0], before[1] + after[1]


def _timed(library: str, takes: str, steps: int) -> tuple[float, float]:
    step = _step(*STEPS[takes])
    clocked = Clocked(range(steps))
    for _ in clocked if library == _NO_BAR else wrapped.WRAPS[library](clocked, steps):
        step()
    return clocked.seconds


def _suite(name: str, takes: str, steps: int) -> Suite:
    return Suite(
        name=name,
        title=f"A training step of PyTorch, some {takes}, and how much longer with a bar",
        subjects=tuple(
            Subject(library, partial(train, library, takes), wrapped.PACKAGES.get(library))
            for library in (_NO_BAR, *wrapped.WRAPS)
        ),
        baseline=None,
        ours="mp_tqdm",
        unit="µs",
        scale=1e6,
        repetitions=steps,
        rounds=30,
        quick_repetitions=steps // 10,
        package="torch",
        prepare=PREPARE,
        summary=beside,
    )


SUITES = (_suite("training", "50 µs", 6_000), _suite("training-1ms", "1 ms", 400))
