//! Which ranks of a bar are silent: the others went on without them, or wait for them.

use mp_tqdm_counters::{Rank, RankShare, Reduction};

use crate::pace::Pace;

/// A rank that the others passed is called silent after this long.
pub(crate) const SILENT_S: f64 = 5.0;
/// The others went on without a rank if one of them counted this long after it.
const AHEAD_S: f64 = SILENT_S / 2.0;

/// How the ranks of a bar stand to each other in one frame.
pub(crate) struct Standing {
    now_s: f64,
    is_of_job: bool,
    /// The highest count of any rank.
    best: f64,
    /// When one of them counted last.
    moved_s: f64,
    they_go_on: bool,
    /// All but one are through with the bar, and none of them counts in whatever bar: they wait for
    /// the last one. Of several that are left each may wait for another.
    wait_for_last: bool,
    /// None that has the bar open counts in whatever bar.
    nobody_moves: bool,
}

impl Standing {
    /// Of the shares of a bar and the highest count in them, what is known of each rank's pace in it, and
    /// for how many seconds a rank has counted in no bar.
    pub(crate) fn of<'a>(
        reduction: Reduction,
        ranks: &[RankShare],
        best: f64,
        pace_of: impl Fn(Rank) -> Option<&'a Pace>,
        still_s: impl Fn(Rank) -> f64,
        now_s: f64,
    ) -> Self {
        let goes_on = |share: &RankShare| {
            let pace = pace_of(share.rank);
            pace.is_some_and(|pace| pace.rate(now_s).is_some())
        };
        let is_still = |share: &RankShare| still_s(share.rank) >= SILENT_S;
        let alive = || ranks.iter().filter(|share| share.opened && !share.dead);
        let is_last_left = alive().filter(|share| is_at_work(share)).count() == 1;
        let is_of_job = reduction == Reduction::Job;
        Self {
            now_s,
            is_of_job,
            best,
            moved_s: ranks
                .iter()
                .filter_map(|share| Some(pace_of(share.rank)?.moved_s))
                .fold(f64::NEG_INFINITY, f64::max),
            they_go_on: ranks.iter().any(goes_on),
            // What is left of a counter of the job is nobody's part.
            wait_for_last: !is_of_job
                && is_last_left
                && alive().count() > 1
                && alive().all(|share| is_still(share) && !goes_on(share)),
            nobody_moves: ranks.iter().filter(|share| share.open).all(is_still),
        }
    }

    /// Whether a rank is silent that has counted in no bar for `still_s`; asked of each in each frame.
    pub(crate) fn is_silent(&self, share: &RankShare, pace: &mut Pace, still_s: f64) -> bool {
        let n = share.n.as_f64();
        let is_behind = self.best > n;
        let is_passed = self.wait_for_last || self.they_go_on && self.best > pace.best;
        let has_fallen_back = pace.was_passed(is_passed, self.now_s)
            && (self.wait_for_last || is_behind && self.moved_s - pace.moved_s >= AHEAD_S);
        // All wait, one step ahead of it, and it is no rank at work in another bar that they wait for.
        let is_waited_for = is_behind && self.nobody_moves && pace.best <= n;
        // Of a counter of the job a rank may only be the one that shows it.
        let has_part = !self.is_of_job || share.n != share.initial;
        is_at_work(share) && has_part && (has_fallen_back || is_waited_for) && still_s >= SILENT_S
    }
}

/// Whether the rank has the bar open, and something left to do in it.
pub(crate) fn is_at_work(share: &RankShare) -> bool {
    let is_done = share
        .total
        .is_some_and(|total| share.n.as_f64() >= total.as_f64());
    share.opened && share.open && !is_done
}
