"""What a bar came to, as a dict for programs that keep records."""

from __future__ import annotations

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def of(bar: Any) -> dict[str, Any]:
    """The receipt of a bar; `mp_tqdm.receipt` says what is in it."""
    shares = [] if bar._native is None else bar._native.shares()  # noqa: SLF001
    ranks = {
        rank: {
            "n": n,
            "elapsed_s": elapsed_s,
            "rate": n / elapsed_s if elapsed_s else None,
            "open": is_open,
            "dead": is_dead,
            "processes": processes,
        }
        for rank, n, elapsed_s, is_open, is_dead, processes in shares
    }
    done = sum(rank["n"] for rank in ranks.values()) if ranks else bar.n
    elapsed_s = max((rank["elapsed_s"] for rank in ranks.values()), default=0.0)
    lost = _core.lost_reports()
    return {
        "desc": bar.desc,
        "n": done,
        "total": bar.total,
        "elapsed_s": elapsed_s,
        "rate": done / elapsed_s if elapsed_s else None,
        "processes": sum(rank["processes"] for rank in ranks.values()),
        "ranks": ranks,
        "lost": lost[0] if lost is not None else 0,
    }
