//! One line's numbers from the cells of all processes that count in it.

use crate::cell::CellView;
use crate::tag::{CellState, Liveness, Rank};
use crate::value::Value;

/// How a bar combines its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Shards of one loop: n, total and initial count add up.
    Shards,
    /// One counter of the whole job: n adds up, total and initial count are given once.
    Job,
    /// Copies of one loop: the mean over the ranks, floored; where totals differ, the share of the
    /// mean total that all items are of all totals.
    Mean,
    /// The rank that is furthest behind.
    Min,
    /// The rank that is furthest ahead.
    Max,
    /// One rank's own numbers: the given one's, or the lowest if that has none.
    Rank(Rank),
}

/// What one rank, its workers included, did in a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankShare {
    /// The rank.
    pub rank: Rank,
    /// Items, the initial count included.
    pub n: Value,
    /// Its total.
    pub total: Option<Value>,
    /// Its initial count.
    pub initial: Value,
    /// Whether a live process of the rank has the bar open.
    pub open: bool,
    /// Whether a process of the rank ever had it open (else it only reported).
    pub opened: bool,
    /// Whether a process of the rank died with the bar open, and no other has it open.
    pub dead: bool,
    /// When it first opened, in nanoseconds of the monotonic clock; 0 if it never did.
    pub start_ns: u64,
    /// When it closed; 0 while it is open.
    pub end_ns: u64,
    /// The rank asked for a line of its own.
    pub own_line: bool,
    /// The position asked for.
    pub position: Option<u32>,
}

/// The numbers of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Combined {
    /// Items, the initial count included.
    pub n: Value,
    /// The total, if every process that counts in it gave one.
    pub total: Option<Value>,
    /// The initial count.
    pub initial: Value,
    /// The share done, where it differs from `n / total`: of a part of a job.
    pub fraction: Option<f64>,
    /// Each rank, in order.
    pub ranks: Vec<RankShare>,
}

/// Adds up the cells of a bar rank by rank.
fn shares(cells: &[CellView], alive: &impl Liveness) -> Vec<RankShare> {
    let mut shares: Vec<RankShare> = Vec::new();
    let mut unknown: Vec<Rank> = Vec::new();
    for cell in cells {
        let rank = cell.key.rank;
        let gone = cell.state == CellState::Live && alive.is_dead(cell.process);
        let open = cell.opens > 0 && !gone && cell.state != CellState::Released;
        let index = shares
            .iter()
            .position(|share| share.rank == rank)
            .unwrap_or_else(|| {
                shares.push(RankShare {
                    rank,
                    n: Value::ZERO,
                    total: None,
                    initial: Value::ZERO,
                    open: false,
                    opened: false,
                    dead: false,
                    start_ns: 0,
                    end_ns: 0,
                    own_line: false,
                    position: None,
                });
                shares.len() - 1
            });
        let share = &mut shares[index];
        share.n = share.n + cell.n + cell.initial;
        share.initial = share.initial + cell.initial;
        if let Some(total) = cell.total {
            share.total = Some(share.total.map_or(total, |sum| sum + total));
        }
        if cell.without_total {
            unknown.push(rank);
        }
        share.open |= open;
        share.opened |= cell.opened;
        share.dead |= gone && cell.opens > 0;
        if cell.start_ns != 0 && (share.start_ns == 0 || cell.start_ns < share.start_ns) {
            share.start_ns = cell.start_ns;
        }
        share.end_ns = share.end_ns.max(cell.end_ns);
        share.own_line |= cell.own_line;
        share.position = share.position.or(cell.position);
    }
    for share in &mut shares {
        if unknown.contains(&share.rank) {
            share.total = None;
        }
        if share.open {
            share.end_ns = 0;
            share.dead = false;
        }
    }
    shares.sort_by_key(|share| share.rank);
    shares
}

/// The line's numbers from the cells of a bar (of all entries of that bar, if it has several).
#[must_use]
pub fn combine(cells: &[CellView], reduction: Reduction, alive: &impl Liveness) -> Combined {
    let ranks = shares(cells, alive);
    let sum = |values: &mut dyn Iterator<Item = Value>| values.fold(Value::ZERO, |a, b| a + b);
    let openers: Vec<RankShare> = ranks.iter().filter(|share| share.opened).copied().collect();
    let done = sum(&mut ranks.iter().map(|share| share.n));
    let initial = sum(&mut ranks.iter().map(|share| share.initial));
    let one = |share: Option<&RankShare>| {
        share.map_or((done, None, initial), |share| {
            (share.n, share.total, share.initial)
        })
    };
    let (n, total, initial) = match reduction {
        Reduction::Shards => {
            let known = openers.iter().all(|share| share.total.is_some()) && !openers.is_empty();
            let total = sum(&mut openers.iter().filter_map(|share| share.total));
            (done, known.then_some(total), initial)
        }
        Reduction::Job => {
            let total = openers
                .iter()
                .filter_map(|share| share.total)
                .reduce(Value::max);
            let given = openers
                .iter()
                .map(|share| share.initial)
                .fold(Value::ZERO, Value::max);
            (done - initial + given, total, given)
        }
        Reduction::Mean if !openers.is_empty() => {
            let count = openers.len();
            let totals: Vec<Value> = openers.iter().filter_map(|share| share.total).collect();
            let all = sum(&mut totals.iter().copied());
            let known = totals.len() == count;
            let total = known.then(|| Value::floor_mean(totals.into_iter(), count));
            let n = total
                .and_then(|total| done.floor_share(total, all))
                .unwrap_or_else(|| Value::floor_mean(ranks.iter().map(|share| share.n), count));
            let initial = Value::floor_mean(ranks.iter().map(|share| share.initial), count);
            (n, total, initial)
        }
        Reduction::Mean => (done, None, initial),
        Reduction::Min => one(openers.iter().min_by(|a, b| order(a, b))),
        Reduction::Max => one(openers.iter().max_by(|a, b| order(a, b))),
        Reduction::Rank(rank) => one(openers
            .iter()
            .find(|share| share.rank == rank)
            .or(openers.first())),
    };
    Combined {
        n,
        total,
        initial,
        fraction: None,
        ranks,
    }
}

fn order(a: &RankShare, b: &RankShare) -> std::cmp::Ordering {
    a.n.order(b.n)
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;
    use crate::tag::{BarId, CellKey, Dead, Incarnation, ProcessId, Slot};

    fn cell(slot: u16, rank: u16, n: i64, total: Option<i64>, opened: bool) -> CellView {
        CellView {
            key: CellKey {
                bar: BarId {
                    index: 0,
                    generation: 0,
                },
                rank: Rank(rank),
            },
            process: ProcessId {
                slot: Slot(slot),
                incarnation: Incarnation(1),
            },
            state: CellState::Live,
            n: Value::Int(n),
            total: total.map(Value::Int),
            without_total: opened && total.is_none(),
            initial: Value::ZERO,
            opens: u32::from(opened),
            opened,
            own_line: false,
            position: None,
            start_ns: u64::from(opened),
            end_ns: 0,
        }
    }

    #[test]
    fn each_reduction_of_two_ranks_and_a_worker() {
        let cells = [
            cell(0, 0, 390, Some(782), true),
            cell(1, 1, 380, Some(782), true),
            cell(2, 1, 11, None, false),
        ];
        let table = [
            (Reduction::Mean, 390, Some(782)),
            (Reduction::Min, 390, Some(782)),
            (Reduction::Max, 391, Some(782)),
            (Reduction::Rank(Rank(1)), 391, Some(782)),
            (Reduction::Rank(Rank(5)), 390, Some(782)),
            (Reduction::Shards, 781, Some(1564)),
            (Reduction::Job, 781, Some(782)),
        ];
        for (reduction, n, total) in table {
            let line = combine(&cells, reduction, &Dead(vec![]));
            let expected = (Value::Int(n), total.map(Value::Int));
            assert_eq!((line.n, line.total), expected, "{reduction:?}");
        }
        let mean = combine(&cells, Reduction::Mean, &Dead(vec![]));
        assert_eq!(mean.ranks[1].n, Value::Int(391));
    }

    // faults: F127
    #[test]
    fn copies_of_different_lengths_are_done_only_with_the_last_item() {
        for (done, n) in [(0, 0), (96, 95), (97, 96), (98, 97)] {
            let cells = [
                cell(0, 0, done, Some(98), true),
                cell(1, 1, done.min(97), Some(97), true),
            ];
            let line = combine(&cells, Reduction::Mean, &Dead(vec![]));
            let numbers = (line.n, line.total);
            assert_eq!(numbers, (Value::Int(n), Some(Value::Int(97))), "{done}");
        }
    }

    #[test]
    fn finished_copies_show_the_whole_total() {
        let cells = [
            cell(0, 0, 782, Some(782), true),
            cell(1, 1, 782, Some(782), true),
        ];
        let line = combine(&cells, Reduction::Mean, &Dead(vec![]));
        assert_eq!(
            (line.n, line.total),
            (Value::Int(782), Some(Value::Int(782)))
        );
    }

    #[test]
    fn a_missing_total_makes_the_sum_unknown() {
        let cells = [cell(0, 0, 1, Some(5), true), cell(1, 0, 1, None, true)];
        assert_eq!(
            combine(&cells, Reduction::Shards, &Dead(vec![])).total,
            None
        );
    }

    #[test]
    fn a_dead_rank_keeps_its_count_and_is_called_dead() {
        let cells = [cell(0, 0, 7, Some(10), true), cell(1, 1, 5, Some(10), true)];
        let line = combine(&cells, Reduction::Job, &Dead(vec![Slot(1)]));
        assert_eq!(line.n, Value::Int(12));
        assert!(line.ranks[1].dead && !line.ranks[1].open);
        assert!(!line.ranks[0].dead && line.ranks[0].open);
    }

    #[test]
    fn a_rank_is_dead_only_if_it_died_with_the_bar_open() {
        let mut closed = cell(1, 1, 5, Some(10), true);
        closed.opens = 0;
        let mut worker = cell(2, 2, 3, None, false);
        let cells = [closed, cell(3, 2, 4, Some(10), true), worker];
        let dead = |cells: &[CellView], slots: &[u16]| {
            let gone = Dead(slots.iter().map(|slot| Slot(*slot)).collect());
            let line = combine(cells, Reduction::Mean, &gone);
            let dead = line.ranks.iter().filter(|share| share.dead);
            dead.map(|share| share.rank.0).collect::<Vec<_>>()
        };
        // It had closed the bar; only a worker of the rank, that has it not open, is gone.
        assert_eq!(dead(&cells, &[1]), [0; 0]);
        assert_eq!(dead(&cells, &[2]), [0; 0]);
        // What a worker left orderly keeps nobody alive.
        worker.state = CellState::Released;
        assert_eq!(dead(&[cells[1], worker], &[3]), [2]);
    }

    #[test]
    fn a_job_counter_takes_its_initial_count_once() {
        let mut cells = [
            cell(0, 0, 5, Some(100), true),
            cell(1, 1, 5, Some(100), true),
        ];
        for cell in &mut cells {
            cell.initial = Value::Int(50);
        }
        let line = combine(&cells, Reduction::Job, &Dead(vec![]));
        assert_eq!((line.n, line.initial), (Value::Int(60), Value::Int(50)));
    }
}
