"""What a bar came to, as a dict for programs that keep records."""

from __future__ import annotations

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Receipt:
    """The receipt of a bar."""

    _native: Any
    total: Any
    n: Any
    desc: Any

    def receipt(self) -> dict[str, Any]:
        """What the whole job did in this bar, so far or until it was closed here.

        Returns:
            `desc`; `n`, the items of all ranks without the initial count; `total`, that of this
            process's bar, or `None`; `elapsed_s`, of the rank that took longest; `rate`, items a
            second over that time, or `None`; `ranks`, by the rank's number: `n`, `elapsed_s`,
            `rate`, `open` and `dead`; `lost`, the items that the job reported to no bar at all.
        """
        shares = [] if self._native is None else self._native.shares()
        ranks = {
            rank: {
                "n": n,
                "elapsed_s": elapsed_s,
                "rate": n / elapsed_s if elapsed_s else None,
                "open": is_open,
                "dead": is_dead,
            }
            for rank, n, elapsed_s, is_open, is_dead in shares
        }
        done = sum(rank["n"] for rank in ranks.values()) if ranks else self.n
        elapsed_s = max((rank["elapsed_s"] for rank in ranks.values()), default=0.0)
        lost = _core.lost_reports()
        return {
            "desc": self.desc,
            "n": done,
            "total": self.total,
            "elapsed_s": elapsed_s,
            "rate": done / elapsed_s if elapsed_s else None,
            "ranks": ranks,
            "lost": lost[0] if lost is not None else 0,
        }
