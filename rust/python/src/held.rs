//! Which cells this process counts in, and for whom.
//!
//! A cell is given back only when no hot entry points at it. Two handles of one bar in one process (the
//! bar and a pickled copy of it) count into one cell, and a copy may outlive the bar. Given back too
//! early, its next count would land in another bar.
//!
//! A bar that a worker opened counts alone in its cell, so that it reads what it counted itself: the
//! worker may have several of one line.

use std::collections::HashMap;
use std::sync::Mutex;

use mp_tqdm_counters::{BarId, Cell, Claimed, Home, REPORTABLE, Value};

use crate::hot;
use crate::locks::lock;

/// What this process knows of the cells it counts in.
#[derive(Default)]
pub(crate) struct Held {
    /// Cells in use, with how many entries point at each.
    pointers: Mutex<HashMap<usize, u32>>,
    /// What others left in cells that this process took over.
    left: Mutex<HashMap<usize, Value>>,
    /// Open bars of a worker, in order of opening.
    alone: Mutex<Vec<Alone>>,
}

/// A bar that counts alone in its cell.
struct Alone {
    id: BarId,
    cell: &'static Cell,
    is_reportable: bool,
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

    pub(crate) fn remove(&self, cell: &Cell) {
        let mut held = lock(&self.pointers);
        if let Some(count) = held.get_mut(&address(cell)) {
            *count -= 1;
            if *count == 0 {
                held.remove(&address(cell));
            }
        }
    }

    /// Notes that a worker's bar counts in this cell, and nothing else does.
    pub(crate) fn begin_alone(&self, id: BarId, cell: &'static Cell, traits: u32) {
        lock(&self.alone).push(Alone {
            id,
            cell,
            is_reportable: traits & REPORTABLE != 0,
        });
    }

    pub(crate) fn end_alone(&self, cell: &Cell) {
        lock(&self.alone).retain(|one| !std::ptr::eq(one.cell, cell));
    }

    /// Whether a bar of a worker counts alone in this cell.
    pub(crate) fn is_alone(&self, cell: &Cell) -> bool {
        lock(&self.alone)
            .iter()
            .any(|one| std::ptr::eq(one.cell, cell))
    }

    /// The cell of the newest bar of this worker that reports to `id` reach.
    pub(crate) fn newest(&self, id: BarId) -> Option<&'static Cell> {
        let alone = lock(&self.alone);
        let mut newest = alone.iter().rev();
        let found = newest.find(|one| one.id == id && one.is_reportable);
        found.map(|one| one.cell)
    }

    /// Whether anything in this process counts in the cell.
    pub(crate) fn is_used(&self, cell: &Cell) -> bool {
        let reports = hot::report_entry().and_then(hot::cell_of);
        reports.is_some_and(|reports| std::ptr::eq(reports, cell))
            || lock(&self.pointers).contains_key(&address(cell))
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
