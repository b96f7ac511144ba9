//! What a bar came to, rank by rank: for the last line of several processes, and for Python.

use std::collections::HashSet;

use mp_tqdm_counters::{BarView, CellView, ProcessId, RankShare, Reduction, Value, combine};
use mp_tqdm_render::{Remark, Row};

use crate::bar::BarCore;
use crate::group::Group;
use crate::line::{seconds, signed_seconds};
use crate::process::{Process, now_ns};

/// What one rank did, its workers included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) rank: u16,
    /// Items, without the initial count.
    pub(crate) done: Value,
    /// From its opening to its closing, or to now.
    pub(crate) elapsed_s: f64,
    /// Whether a process of the rank has the bar open.
    pub(crate) is_open: bool,
    /// Whether a process of the rank died with the bar open.
    pub(crate) is_dead: bool,
    /// How many of its processes counted. One that took the place of another counts with that as one.
    pub(crate) processes: usize,
}

/// The shares of all ranks that opened the bar or counted in it.
pub(crate) fn shares(process: &'static Process, core: &BarCore) -> Vec<Share> {
    if let Some(view) = core.view(process)
        && core.is_alone(process)
    {
        // The usual case, for which no cell but one is looked at: loops close bars by the thousand.
        let done = core.n_own(process);
        return vec![Share {
            rank: process.home.rank.0,
            done,
            elapsed_s: clocked(seconds(now_ns().saturating_sub(view.start_ns)), Some(&view)),
            is_open: !core.is_closed(),
            is_dead: false,
            processes: usize::from(is_some(done)),
        }];
    }
    let cells = core.views(process);
    let line = combine(&cells, Reduction::Shards, &process.home.liveness());
    let (now_ns, view) = (now_ns(), core.view(process));
    let share = |share: &RankShare| Share {
        rank: share.rank.0,
        done: share.n - share.initial,
        elapsed_s: match (share.start_ns, share.end_ns) {
            (0, _) => 0.0,
            (start, end) => {
                let is_on = share.open || end == 0;
                let end_ns = if is_on { now_ns } else { end };
                clocked(seconds(end_ns.saturating_sub(start)), view.as_ref())
            }
        },
        is_open: share.open,
        is_dead: share.dead,
        processes: counted(cells.iter().filter(|cell| cell.key.rank == share.rank)),
    };
    line.ranks.iter().map(share).collect()
}

/// Seconds since an opening as the bar's clock has them: pauses are not in.
fn clocked(seconds_since: f64, view: Option<&BarView>) -> f64 {
    let shift_s = view.map_or(0.0, |view| signed_seconds(view.clock_shift_ns));
    (seconds_since - shift_s).max(0.0)
}

/// How many processes counted in these cells. A worker has one for each of its open bars.
fn counted<'a>(cells: impl Iterator<Item = &'a CellView>) -> usize {
    let at_work = cells.filter(|cell| is_some(cell.n));
    let processes: HashSet<ProcessId> = at_work.map(|cell| cell.process).collect();
    processes.len()
}

fn is_some(done: Value) -> bool {
    done.as_f64().abs() > 0.0
}

/// Says on the last state of a bar's line who did the work, where nothing else is said there.
pub(crate) fn sign(row: &mut Row, process: &'static Process, core: &BarCore) {
    if row.remarks.is_empty() {
        row.remarks
            .extend(makers(&shares(process, core), &row.style.unit));
    }
}

/// How the ranks differ, or how many processes counted; `None` of one process alone.
fn makers(shares: &[Share], unit: &str) -> Option<Remark> {
    spread(shares, unit).or_else(|| crew(shares.iter().map(|share| share.processes).sum()))
}

/// The same of a bar that workers opened, which are no ranks.
pub(crate) fn workers(cells: &[CellView]) -> Option<Remark> {
    crew(counted(cells.iter()))
}

/// Seconds from the first opening of a bar of workers to its last close: nobody knows how soon the line
/// is seen to be over. `None` where one was killed with the bar open.
pub(crate) fn worked_s(group: &Group) -> Option<f64> {
    let was_left_open = group.cells.iter().any(|cell| cell.opens > 0);
    let end_ns = group.cells.iter().map(|cell| cell.end_ns).max()?;
    let is_known = end_ns > 0 && !was_left_open;
    is_known.then(|| seconds(end_ns.saturating_sub(group.view.start_ns)))
}

fn crew(processes: usize) -> Option<Remark> {
    (processes > 1).then(|| Remark::new(format!("{processes} processes")))
}

fn spread(shares: &[Share], unit: &str) -> Option<Remark> {
    let rates = shares
        .iter()
        .filter(|share| share.elapsed_s > 0.0)
        .map(|share| share.done.as_f64() / share.elapsed_s);
    let (slowest, fastest) = rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| {
        (low.min(rate), high.max(rate))
    });
    if shares.len() < 2 || !slowest.is_finite() {
        return None;
    }
    let (low, high) = (three_digits(slowest), three_digits(fastest));
    let ranks = format!("{} ranks", shares.len());
    Some(if low == high {
        Remark::new(format!("{ranks} at {low}{unit}/s")).or(ranks)
    } else {
        let rates = format!("{low} to {high}{unit}/s");
        Remark::new(format!("{ranks} at {rates}"))
            .or(rates)
            .or(ranks)
    })
}

fn three_digits(rate: f64) -> String {
    let decimals = match rate {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{rate:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(rank: u16, done: i64, elapsed_s: f64) -> Share {
        Share {
            rank,
            done: Value::Int(done),
            elapsed_s,
            is_open: false,
            is_dead: false,
            processes: 1,
        }
    }

    fn text(remark: Option<Remark>) -> String {
        remark.unwrap().text().to_owned()
    }

    #[test]
    fn several_processes_of_one_rank_are_told_by_their_number() {
        let mut rank = share(0, 100, 10.0);
        assert_eq!(makers(&[rank], "it"), None);
        rank.processes = 4;
        assert_eq!(text(makers(&[rank], "it")), "4 processes");
        let ranks = [rank, share(1, 100, 10.0)];
        assert_eq!(text(makers(&ranks, "it")), "2 ranks at 10.0it/s");
    }

    #[test]
    fn ranks_that_differ_are_told_by_the_slowest_and_the_fastest() {
        let ranks = [share(0, 100, 10.0), share(1, 100, 8.0), share(2, 9, 10.0)];
        assert_eq!(text(spread(&ranks, "it")), "3 ranks at 0.90 to 12.5it/s");
        assert_eq!(spread(&ranks[..1], "it"), None);
        let equal = [share(0, 5000, 10.0), share(1, 5001, 10.0)];
        assert_eq!(text(spread(&equal, "B")), "2 ranks at 500B/s");
        assert_eq!(spread(&[share(0, 1, 0.0), share(1, 1, 0.0)], "it"), None);
    }
}
