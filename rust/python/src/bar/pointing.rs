//! Where the counts of a handle go: what its hot entry points at.

use mp_tqdm_counters::Cell;
use mp_tqdm_counters::sync::Ordering;

use super::{BarCore, FRAMES};
use crate::hot;
use crate::locks::lock;
use crate::process::Process;

impl BarCore {
    /// Lets counts take the hot path into `cell`, as far as they may.
    fn warm(&self, cell: &'static Cell) {
        let frames = FRAMES.load(Ordering::Relaxed);
        // One off where every count is to be a cold one.
        let seen = frames.wrapping_sub(u64::from(self.is_self_drawn));
        hot::warm(self.entry(), cell, &FRAMES, seen);
        if cell.is_near_limit() || self.is_off() {
            hot::set_aside(self.entry());
        }
    }

    /// As [`BarCore::warm`] after a cold count in `cell`, unless the handle was closed meanwhile.
    pub(super) fn warm_again(&self, cell: &'static Cell) {
        let points_at = lock(&self.points_at);
        if std::ptr::eq(points_at.unwrap_or(self.own), cell) {
            self.warm(cell);
        }
    }

    /// Makes the next count a cold one.
    pub(super) fn cool(&self) {
        let _entry_is_kept = lock(&self.points_at);
        hot::set_aside(self.entry());
    }

    /// Whether Python code has the handle switched off.
    pub(crate) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed) != 0
    }

    /// Switches the handle off, or on again. The next count is a cold one, which finds the cell where
    /// it was, and asks.
    pub(crate) fn switch_off(&self, is_off: bool) {
        self.off.store(u32::from(is_off), Ordering::Relaxed);
        self.cool();
    }

    /// Lets counts go to a cell of the segment.
    pub(super) fn point_at(&self, process: &Process, cell: &'static Cell) {
        process.held.add(cell);
        let mut points_at = lock(&self.points_at);
        let before = points_at.replace(cell);
        self.warm(cell);
        drop(points_at);
        if let Some(before) = before {
            process.held.remove(before);
        }
    }

    /// Lets counts go to the private cell, and so to nobody.
    pub(super) fn point_nowhere(&self) {
        let mut points_at = lock(&self.points_at);
        let before = points_at.take();
        self.warm(self.own);
        drop(points_at);
        if let (Some(cell), Some(process)) = (before, hot::process()) {
            process.held.remove(cell);
        }
    }
}
