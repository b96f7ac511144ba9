"""Trains a network on handwritten digits with DistributedDataParallel; one screen for all ranks.

    torchrun --standalone --nproc-per-node 2 examples/train_ddp.py
    python examples/train_ddp.py

Every rank opens the same three bars, and nothing else is wired: one process draws them for all.
`epochs` and `batches` are the loop of each rank; `samples` is one counter of the whole job, to
which the DataLoader workers of all ranks report each image. On a GPU if there is one (nccl), else
on the CPU (gloo). Needs torch and scikit-learn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from mp_tqdm import mp_tqdm, report_progress
from mp_tqdm.torch import barrier, cleanup_ddp, is_main_process, mp_print, setup_ddp


class Digits(Dataset):
    """Images of 8x8 pixels, each shifted by up to a pixel whenever it is loaded."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        # Runs in a worker of the DataLoader, some batches ahead of the training: what is counted
        # here is loaded, not yet trained. To count trained images instead, call
        # `samples.update(len(labels))` in the training loop.
        report_progress()
        down, right = torch.randint(-1, 2, (2,)).tolist()
        return self.images[index].roll((down, right), (1, 2)), self.labels[index]


def network() -> nn.Module:
    """A small convolutional network: 8x8 pixels in, ten digits out."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 10),
    )


def main() -> None:
    """Train, test, and say what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--report", type=Path, help="write the counts of all ranks there, as JSON")
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # the ranks share the cores
    torch.manual_seed(0)
    ddp = setup_ddp()  # without torchrun a world of one

    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, test = Digits(images[:1440], labels[:1440]), (images[1440:], labels[1440:])

    sampler = DistributedSampler(train)
    loader = DataLoader(train, batch_size=32, sampler=sampler, num_workers=2)
    model = DistributedDataParallel(network().to(ddp.device))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    trained = 0

    # The sampler repeats images until every rank has as many as the others: `len(sampler)` each.
    total = arguments.epochs * len(sampler) * ddp.world_size
    with mp_tqdm(total=total, desc="samples", unit="img") as samples:
        for epoch in mp_tqdm(range(arguments.epochs), desc="epochs", unit="epoch"):
            sampler.set_epoch(epoch)
            with mp_tqdm(loader, desc="batches", unit="batch", leave=False) as batches:
                for inputs, targets in batches:
                    outputs = model(inputs.to(ddp.device))
                    loss = nn.functional.cross_entropy(outputs, targets.to(ddp.device))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    trained += len(targets)
                    batches.set_postfix(loss=loss.item())
        # The other ranks may still be counting: the job's counter is complete when all are here.
        barrier()

    with torch.no_grad():
        guesses = model.module(test[0].to(ddp.device)).argmax(1).cpu()
    accuracy = (guesses == test[1]).float().mean().item()
    counts = {"rank": ddp.rank, "trained": trained, "samples": samples.n, "accuracy": accuracy}
    gathered = [None] * ddp.world_size
    dist.all_gather_object(gathered, counts)
    mp_print(
        f"test accuracy {accuracy:.1%}, {samples.n:,} samples counted on {ddp.world_size} rank(s)"
    )
    if arguments.report and is_main_process():
        arguments.report.write_text(json.dumps({"total": total, "ranks": gathered}))
    cleanup_ddp()


if __name__ == "__main__":
    main()
