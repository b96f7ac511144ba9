//! Reports that found no bar: counted all the same, so that they can be named and are not lost silently.
//!
//! In cells of a bar that is none, [`BarId::LOST`]: so a process that is killed leaves its count, and
//! the next one goes on from it, as in any bar.

use crate::cell::Cell;
use crate::cells::Claimed;
use crate::layout::Tables;
use crate::sync::Ordering;
use crate::tag::{BarId, CellKey, Liveness, ProcessId, Rank};
use crate::value::Value;

/// What a job lost so far, by processes that ended too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    /// The sum of what they reported.
    pub items: Value,
    /// How many processes did.
    pub processes: u32,
}

impl Lost {
    /// Nothing.
    pub const NONE: Self = Self {
        items: Value::ZERO,
        processes: 0,
    };
}

impl Tables {
    /// The cell in which `me` counts what it reports while no bar is open; `None` where all are taken.
    #[must_use]
    pub fn claim_lost(
        &self,
        rank: Rank,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<Claimed<'_>> {
        let bar = BarId::LOST;
        let key = CellKey { bar, rank };
        self.bars().attach(&self.cells(), key, me, alive)
    }

    /// Notes more processes of which some report found no bar; each says it once.
    pub fn note_losers(&self, processes: u32) {
        let header = &self.header;
        header
            .lost_processes
            .fetch_add(processes, Ordering::Relaxed);
    }

    /// What was lost so far.
    #[must_use]
    pub fn lost(&self) -> Lost {
        let cells = self.cells();
        let views = cells.used().filter_map(Cell::read);
        let items = views.filter(|cell| cell.key.bar == BarId::LOST);
        Lost {
            items: items.fold(Value::ZERO, |sum, cell| sum + cell.n),
            processes: self.header.lost_processes.load(Ordering::Relaxed),
        }
    }
}
