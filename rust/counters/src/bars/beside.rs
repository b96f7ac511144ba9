//! Handles of one process that count in one bar each for itself.

use super::{Bars, Joined};
use crate::cell::Cell;
use crate::cells::{Cells, Claimed};
use crate::sync::Ordering;
use crate::tag::{CellKey, Liveness, ProcessId, Rank};

impl<'a> Bars<'a> {
    /// As [`Bars::attach`], in none of the cells that another handle of `me` counts in alone.
    #[must_use]
    pub fn attach_beside(
        &self,
        cells: &Cells<'a>,
        key: CellKey,
        me: ProcessId,
        alive: &impl Liveness,
        is_taken: impl Fn(&Cell) -> bool,
    ) -> Option<Claimed<'a>> {
        let claimed = cells.claim(key, me, alive, |old| self.is_gone(old.bar), is_taken)?;
        if claimed.fresh
            && let Some(entry) = self.entry(key.bar)
        {
            entry.cells.fetch_add(1, Ordering::Relaxed);
        }
        Some(claimed)
    }

    /// Moves a handle of `me` that has just joined out of a cell that is taken, into one that is not.
    /// Where all are, it stays, and has to count as in a shared one.
    #[must_use]
    pub fn move_beside(
        &self,
        cells: &Cells<'a>,
        joined: Joined<'a>,
        rank: Rank,
        me: ProcessId,
        alive: &impl Liveness,
        is_taken: impl Fn(&Cell) -> bool,
    ) -> Joined<'a> {
        let (id, here) = (joined.id, joined.claimed);
        if here.shared || !is_taken(here.cell) {
            return joined;
        }
        let key = CellKey { bar: id, rank };
        let claimed = match self.attach_beside(cells, key, me, alive, is_taken) {
            Some(claimed) => {
                // In this order, so that the bar is open all the time.
                claimed.cell.announce();
                here.cell.renounce();
                claimed
            }
            None => Claimed {
                shared: true,
                ..here
            },
        };
        Joined { id, claimed }
    }
}
