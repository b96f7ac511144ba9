//! Which cells this process counts in. A cell is given back only when no hot entry points at it.
//!
//! Two handles of one bar in one process (the bar and a pickled copy of it) count into one cell, and a
//! copy may outlive the bar. Given back too early, its next count would land in another bar.

use std::collections::HashMap;
use std::sync::Mutex;

use mp_tqdm_counters::{Cell, Claimed, Home, Value};

use crate::process::lock;

/// What this process knows of the cells it counts in.
#[derive(Default)]
pub(crate) struct Held {
    /// Cells in use, with how many entries point at each.
    pointers: Mutex<HashMap<usize, u32>>,
    /// What others left in cells that this process took over.
    left: Mutex<HashMap<usize, Value>>,
}

fn address(cell: &Cell) -> usize {
    std::ptr::from_ref(cell).addr()
}

impl Held {
    pub(crate) fn add(&self, cell: &Cell) {
        *lock(&self.pointers).entry(address(cell)).or_insert(0) += 1;
    }

    /// Notes a claim, before anything is counted there.
    pub(crate) fn note(&self, claimed: &Claimed<'_>) {
        match claimed.left {
            Some(Value::ZERO) => drop(lock(&self.left).remove(&address(claimed.cell))),
            Some(left) => drop(lock(&self.left).insert(address(claimed.cell), left)),
            None => {}
        }
    }

    /// What others counted in a cell before it was this process's.
    pub(crate) fn left(&self, cell: &Cell) -> Value {
        lock(&self.left)
            .get(&address(cell))
            .copied()
            .unwrap_or(Value::ZERO)
    }

    pub(crate) fn has(&self, cell: &Cell) -> bool {
        lock(&self.pointers).contains_key(&address(cell))
    }

    pub(crate) fn remove(&self, cell: &Cell) {
        let mut held = lock(&self.pointers);
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
        let held = lock(&self.pointers);
        home.tables.cells().free_own(home.me, |cell, key| {
            bars.is_gone(key.bar) && !held.contains_key(&address(cell))
        });
    }
}
