//! Where a report counts that names no bar: which open bar of the job a process means.

use crate::bar::{BarView, NAMED, REPORTABLE};
use crate::bars::Bars;
use crate::cell::Cell;
use crate::cells::Cells;
use crate::process::{Processes, Role};
use crate::tag::{BarId, BarState, CellState, Liveness, ProcessId, Rank};

/// Who asks, and who draws.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    /// The reporting process.
    pub process: ProcessId,
    /// Its rank.
    pub rank: Rank,
    /// The process that draws, if there is one.
    pub owner: Option<ProcessId>,
}

/// How far an opener is from the reporter; the nearest one's bars are meant, a sibling's never.
fn distance(opener: ProcessId, reporter: &Reporter, ancestors: &[ProcessId]) -> Option<usize> {
    if opener == reporter.process {
        return Some(0);
    }
    if let Some(steps) = ancestors.iter().position(|ancestor| *ancestor == opener) {
        return Some(1 + steps);
    }
    None
}

/// The bar that a report of `reporter` reaches: one without an iterable, open in the process itself,
/// else in its nearest ancestor, else in its rank's own process, else in the owner. Among several
/// those that were given a key or a reduction, then the newest.
#[must_use]
pub fn target(
    bars: &Bars<'_>,
    cells: &Cells<'_>,
    processes: &Processes<'_>,
    reporter: &Reporter,
    alive: &impl Liveness,
) -> Option<BarId> {
    let candidates: Vec<BarView> = bars
        .views()
        .filter(|bar| bar.has(REPORTABLE) && bar.state == BarState::Open)
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let ancestors = processes.ancestors(reporter.process);
    let far = ancestors.len() + 1;
    let place = |opener: ProcessId| {
        distance(opener, reporter, &ancestors).or_else(|| {
            let view = processes.view(opener)?;
            let is_head = view.role != Role::Worker;
            if is_head && view.rank == reporter.rank {
                return Some(far);
            }
            (Some(opener) == reporter.owner).then_some(far + 1)
        })
    };
    let openers = cells.used().filter_map(Cell::read).filter(|cell| {
        cell.opens > 0 && cell.state == CellState::Live && !alive.is_dead(cell.process)
    });
    openers
        .filter_map(|cell| {
            let bar = candidates.iter().find(|bar| bar.id == cell.key.bar)?;
            Some((place(cell.process)?, bar))
        })
        .min_by_key(|(place, bar)| (*place, !bar.has(NAMED), std::cmp::Reverse(bar.sequence)))
        .map(|(_, bar)| bar.id)
}
