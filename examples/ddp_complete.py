"""A whole DDP training: what it needs around the loop, and what its bars and prints look like.

    torchrun --standalone --nproc-per-node 2 examples/ddp_complete.py
    python examples/ddp_complete.py

`docs/pytorch.md` goes through it. Learns a line from noisy points, on GPUs if there are some.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from mp_tqdm import mp_tqdm, report_progress
from mp_tqdm.torch import DDP, barrier, is_main_process, mp_print, setup_ddp

SLOPE = 3.0


class Points(Dataset):
    """Points near a line."""

    def __init__(self, count: int) -> None:
        self.x = torch.linspace(-1, 1, count)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        # In a worker of the DataLoader, some batches ahead of the training.
        report_progress(bar="loaded")
        x = self.x[index]
        return x, SLOPE * x + 0.1 * torch.randn(())


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader,
    device: torch.device,
    trained: mp_tqdm,
) -> float:
    """One pass of this rank over its share of the points; returns the mean loss."""
    losses = []
    with mp_tqdm(loader, desc="batches", unit="batch", leave=False) as batches:
        for x, y in batches:
            loss = nn.functional.mse_loss(model(x.unsqueeze(1).to(device)).squeeze(1), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            batches.set_postfix(loss=losses[-1])
            trained.update(len(x))
    return sum(losses) / len(losses)


def validate(model: nn.Module, device: torch.device) -> float:
    """The error on points without noise; needs no other rank."""
    points = torch.linspace(-1, 1, 10)
    error = 0.0
    with torch.no_grad():
        for x in mp_tqdm(points, desc="validation", leave=False):
            error += abs(model(x.view(1, 1).to(device)).item() - SLOPE * x.item())
    return error / len(points)


def train(ddp: DDP, epochs: int, workers: int) -> dict[str, object]:
    """Train, and return what this rank did and read."""
    points = Points(1000)
    sampler = DistributedSampler(points)
    loader = DataLoader(points, batch_size=10, sampler=sampler, num_workers=workers)
    model = DistributedDataParallel(nn.Linear(1, 1).to(ddp.device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    error, own = 0.0, 0

    # The sampler repeats points until every rank has as many as the others: `len(sampler)` each.
    total = epochs * len(sampler) * ddp.world_size
    with (
        mp_tqdm(total=total, desc="loaded", unit="pt", key="loaded") as loaded,
        mp_tqdm(total=total, desc="trained", unit="pt", reduce="sum") as trained,
    ):
        for epoch in mp_tqdm(range(epochs), desc="epochs", unit="epoch"):
            sampler.set_epoch(epoch)
            loss = train_epoch(model, optimizer, loader, ddp.device, trained)
            own += len(sampler)
            mp_print(f"epoch {epoch}: loss {loss:.4f}", all_ranks=True)
            if is_main_process():  # the others wait at the barrier
                error = validate(model.module, ddp.device)
                mp_print(f"epoch {epoch}: error {error:.4f}")
            barrier()
        # All ranks are here: the counters of the job are complete.
        return {
            "rank": ddp.rank,
            "own": own,
            "trained": trained.n,
            "loaded": loaded.n,
            "total": total,
            "error": error,
        }


def main() -> None:
    """Set up, train, say what was counted; clean up whatever happened."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="of each rank's DataLoader")
    parser.add_argument("--report", type=Path, help="write the counts of all ranks there, as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the ranks share the cores

    with setup_ddp() as ddp:
        torch.manual_seed(ddp.rank)
        mp_print(f"{ddp.world_size} rank(s), on {ddp.device.type}")
        did = train(ddp, arguments.epochs, arguments.workers)
        gathered = [did] * ddp.world_size
        dist.all_gather_object(gathered, did)
        mp_print(f"trained {did['trained']:,} points, loaded {did['loaded']:,}")
        if arguments.report and is_main_process():
            arguments.report.write_text(json.dumps(gathered))


if __name__ == "__main__":
    main()
