"""The bar for wherever it runs: `from mp_tqdm.auto import tqdm`, also for `async for`."""

from __future__ import annotations

from mp_tqdm.asyncio import tarange as trange
from mp_tqdm.asyncio import tqdm_asyncio as tqdm

__all__ = ["mp_tqdm", "tqdm", "trange"]

mp_tqdm = tqdm
