//! What the numbers of a line do not tell: ranks that are missing, dead, silent or slow.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashMap, HashSet};

use mp_tqdm_counters::{BY_WORKERS, BarId, Combined, Rank, RankShare, Reduction, Role};
use mp_tqdm_render::Remark;

use crate::group::Group;
use crate::line::seconds;
use crate::pace::{self, Pace};
use crate::process::Process;
use crate::rank_words::{self, Trouble};
use crate::silent::{Standing, is_at_work};

/// Ranks that are not there this long after a bar opened are called out of sight.
const UNSEEN_S: f64 = 5.0;

/// What is remembered of each rank from frame to frame.
#[derive(Default)]
pub(crate) struct Notes {
    /// Each rank's count in all bars, and when it last changed.
    moves: HashMap<Rank, (f64, f64)>,
    paces: HashMap<(BarId, Rank), Pace>,
}

impl Notes {
    pub(crate) fn forget_gone(&mut self, is_gone: impl Fn(BarId) -> bool) {
        self.paces.retain(|(id, _), _| !is_gone(*id));
    }

    /// Takes note of which ranks are at work, in whatever bar.
    pub(crate) fn note_moves(&mut self, groups: &[Group], now_s: f64) {
        let mut sums: HashMap<Rank, f64> = HashMap::new();
        for cell in groups.iter().flat_map(|group| &group.cells) {
            *sums.entry(cell.key.rank).or_default() += cell.n.as_f64();
        }
        for (rank, sum) in sums {
            let entry = self.moves.entry(rank).or_insert((sum, now_s));
            if entry.0.to_bits() != sum.to_bits() {
                *entry = (sum, now_s);
            }
        }
    }

    /// What stands behind the numbers of a bar's line.
    pub(crate) fn of(
        &mut self,
        process: &Process,
        group: &Group,
        reduction: Reduction,
        line: &Combined,
        now_s: f64,
    ) -> Vec<Remark> {
        let mut remarks = Vec::from_iter(node_note(process, reduction).map(Remark::new));
        let expected = process.world.local_world as usize;
        // Workers share a loop among them as it comes: none is behind another.
        if expected > 1 && !group.view.has(BY_WORKERS) {
            let openers = line.ranks.iter().filter(|share| share.opened).count();
            if openers < expected && openers * 2 >= expected && openers > 1 {
                remarks.push(Remark::new(format!("{openers}/{expected} ranks")));
            }
            if now_s - seconds(group.view.start_ns) >= UNSEEN_S
                && let Some(seen) = seen_without_the_first(process, line)
            {
                let remark = Remark::new(format!("{seen} of {expected} ranks visible"));
                remarks.push(remark.or(format!("{seen}/{expected} visible")));
            }
            remarks.extend(self.of_ranks(group.view.id, reduction, &line.ranks, now_s));
        }
        remarks
    }

    fn of_ranks(
        &mut self,
        id: BarId,
        reduction: Reduction,
        ranks: &[RankShare],
        now_s: f64,
    ) -> Vec<Remark> {
        let counts = ranks.iter().map(|share| share.n.as_f64());
        let best = counts.fold(f64::NEG_INFINITY, f64::max);
        for share in ranks.iter().filter(|share| share.opened) {
            let n = share.n.as_f64();
            let pace = self.paces.entry((id, share.rank));
            pace.or_insert_with(|| Pace::new(share, best, now_s))
                .note(n, best, now_s);
        }
        let at_work = ranks.iter().filter(|share| is_at_work(share));
        let totals: Vec<(Rank, f64)> = at_work
            .filter_map(|share| Some((share.rank, share.total?.as_f64())))
            .collect();
        let slow = pace::slow(&mut self.paces, id, &totals, now_s);
        let pace_of = |rank| self.paces.get(&(id, rank));
        let still_s = |rank| self.still_s(rank, now_s);
        let standing = Standing::of(reduction, ranks, best, pace_of, still_s, now_s);
        let troubled = ranks
            .iter()
            .filter(|share| share.opened)
            .filter_map(|share| {
                let still_s = self.still_s(share.rank, now_s);
                let trouble = if share.dead {
                    Trouble::Died
                } else if standing.is_silent(share, self.paces.get_mut(&(id, share.rank))?, still_s)
                {
                    Trouble::Silent
                } else {
                    (slow == Some(share.rank)).then_some(Trouble::Slow)?
                };
                Some((trouble, share, still_s))
            });
        rank_words::remarks(&Vec::from_iter(troubled))
    }

    /// For how long a rank has counted in no bar.
    fn still_s(&self, rank: Rank, now_s: f64) -> f64 {
        self.moves
            .get(&rank)
            .map_or(0.0, |(_, moved_s)| now_s - moved_s)
    }
}

/// Of which node's share a line tells, where it is not that of all.
pub(crate) fn node_note(process: &Process, reduction: Reduction) -> Option<String> {
    let world = process.world;
    let is_share = reduction == Reduction::Job && world.nodes > 1;
    is_share.then(|| format!("node {}/{}", world.node, world.nodes))
}

/// How many ranks this process sees, where these are few and rank 0 is not among them: each is in a
/// container of its own, say, with a `/dev/shm` of its own. (Rank 0 itself cannot tell that from being
/// the only one that has a bar.)
fn seen_without_the_first(process: &Process, line: &Combined) -> Option<usize> {
    let expected = process.world.local_world as usize;
    if expected < 2 || process.home.role != Role::Rank {
        return None;
    }
    let views = process.home.tables.processes().views();
    let attached: HashSet<Rank> = views
        .filter(|view| view.role == Role::Rank)
        .map(|view| view.rank)
        .collect();
    // A rank that ended may have left its place to another process, but never its counts.
    let is_first_here =
        attached.contains(&Rank(0)) || line.ranks.iter().any(|share| share.rank == Rank(0));
    (!is_first_here && attached.len() * 2 <= expected).then_some(attached.len())
}
