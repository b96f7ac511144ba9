//! Which cells the hot entries of this process point at: a cell is given back only when none does.
//!
//! Two handles of one bar in one process (the bar and a pickled copy of it) count into one cell, and a
//! copy may outlive the bar. Given back too early, its next count would land in another bar.

use std::collections::HashMap;
use std::sync::Mutex;

use mp_tqdm_counters::{Cell, Home};

use crate::process::lock;

/// Cells in use, with how many entries point at each.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<usize, u32>>);

fn address(cell: &Cell) -> usize {
    std::ptr::from_ref(cell).addr()
}

impl Held {
    pub(crate) fn add(&self, cell: &Cell) {
        *lock(&self.0).entry(address(cell)).or_insert(0) += 1;
    }

    pub(crate) fn has(&self, cell: &Cell) -> bool {
        lock(&self.0).contains_key(&address(cell))
    }

    pub(crate) fn remove(&self, cell: &Cell) {
        let mut held = lock(&self.0);
        if let Some(count) = held.get_mut(&address(cell)) {
            *count -= 1;
            if *count == 0 {
                held.remove(&address(cell));
            }
        }
    }

    /// Gives back the cells of this process whose bar is gone and that nothing points at.
    pub(crate) fn collect(&self, home: &Home) {
        let bars = home.tables.bars();
        let held = lock(&self.0);
        home.tables.cells().free_own(home.me, |cell, key| {
            bars.is_gone(key.bar) && !held.contains_key(&address(cell))
        });
    }
}
