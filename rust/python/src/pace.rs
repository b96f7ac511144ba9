//! How fast each rank counts in a bar, and which one the others will wait for.

use std::collections::HashMap;

use mp_tqdm_counters::{BarId, Rank, RankShare};
use mp_tqdm_render::Estimator;

use crate::line::seconds;
use crate::silent::SILENT_S;

/// A rank is slow at less than this part of the others' rate, and no more above that one. (The gap
/// keeps the word from coming and going.)
const SLOW_BELOW: f64 = 0.8;
const SLOW_ABOVE: f64 = 0.9;
/// It is told if the others will wait at least so long for it, and once that has held for some time.
const SLOW_WAIT_S: f64 = 10.0;
const SLOW_SINCE_S: f64 = 5.0;
/// The rate of a rank that could have counted so many items meanwhile, and did not, says nothing.
const STALE_ITEMS: f64 = 3.0;
/// Weight of a frame in the rates that are compared: at ten frames a second they look back over some
/// five seconds.
const SLOW_SMOOTHING: f64 = 0.02;

/// How a rank does in a bar, beside the others.
pub(crate) struct Pace {
    n: f64,
    /// When it last counted.
    pub(crate) moved_s: f64,
    /// The highest count of any rank then.
    pub(crate) best: f64,
    /// Since when the others have been going on ahead of it, or been through.
    passed_s: Option<f64>,
    estimator: Estimator,
    /// Since when it has been falling behind.
    behind_s: Option<f64>,
}

impl Pace {
    pub(crate) fn new(share: &RankShare, best: f64, now_s: f64) -> Self {
        let (start_s, initial) = (seconds(share.start_ns), share.initial.as_f64());
        Self {
            n: share.n.as_f64(),
            moved_s: now_s,
            best,
            passed_s: None,
            estimator: Estimator::new(SLOW_SMOOTHING, start_s, initial),
            behind_s: None,
        }
    }

    /// Takes note that the rank's count reads `n`, and the highest one of all ranks `best`.
    pub(crate) fn note(&mut self, n: f64, best: f64, now_s: f64) {
        if self.n.to_bits() == n.to_bits() {
            return;
        }
        if self.estimator.rate(now_s).is_some() && self.rate(now_s).is_none() {
            // It goes on after a stop: what it does from now on counts.
            self.estimator = Estimator::new(SLOW_SMOOTHING, now_s, n);
        }
        self.estimator.update(now_s, n);
        (self.n, self.moved_s, self.best) = (n, now_s, best);
    }

    /// Takes note whether the others are going on ahead of it, and says whether they have for so long
    /// that it is silent. They are not while all wait: then somebody will be the first to go on, and
    /// somebody the last.
    pub(crate) fn was_passed(&mut self, is_passed: bool, now_s: f64) -> bool {
        self.passed_s = is_passed.then(|| self.passed_s.unwrap_or(now_s));
        self.passed_s
            .is_some_and(|passed_s| now_s - passed_s >= SILENT_S)
    }

    /// Items a second; `None` where it has not counted long enough, or not for long.
    pub(crate) fn rate(&self, now_s: f64) -> Option<f64> {
        let rate = self.estimator.rate(now_s)?;
        (now_s - self.moved_s < SILENT_S.max(STALE_ITEMS / rate)).then_some(rate)
    }
}

/// The rank of a bar that the others will wait for: the last of those that have been counting slower
/// than the others for some time. By rate, since the one with more to do is not slow; and by the
/// time left, since nobody waits for one that is slow and has less to do.
pub(crate) fn slow(
    paces: &mut HashMap<(BarId, Rank), Pace>,
    id: BarId,
    totals: &[(Rank, f64)],
    now_s: f64,
) -> Option<Rank> {
    let mut at_work: Vec<(Rank, f64, f64)> = Vec::new();
    for (rank, total) in totals {
        let pace = paces.get(&(id, *rank))?;
        if let Some(rate) = pace.rate(now_s)
            && let Some(left_s) = pace.estimator.remaining_s(now_s, *total)
        {
            at_work.push((*rank, rate, left_s));
        }
    }
    let mut slowest: Option<(Rank, f64)> = None;
    for (rank, rate, left_s) in &at_work {
        let others = || at_work.iter().filter(|(other, _, _)| other != rank);
        let usual_rate = median(others().map(|(_, rate, _)| *rate)).unwrap_or(0.0);
        let usual_s = median(others().map(|(_, _, left_s)| *left_s)).unwrap_or(*left_s);
        let is_behind =
            |part: f64, wait_s: f64| *rate < part * usual_rate && left_s - usual_s >= wait_s;
        let pace = paces.get_mut(&(id, *rank))?;
        if is_behind(SLOW_BELOW, SLOW_WAIT_S) {
            pace.behind_s.get_or_insert(now_s);
        } else if !is_behind(SLOW_ABOVE, SLOW_WAIT_S / 2.0) {
            pace.behind_s = None;
        }
        let is_slow = pace
            .behind_s
            .is_some_and(|since_s| now_s - since_s >= SLOW_SINCE_S);
        if is_slow && slowest.is_none_or(|(_, most_s)| *left_s > most_s) {
            slowest = Some((*rank, *left_s));
        }
    }
    slowest.map(|(rank, _)| rank)
}

/// The middle one, the lower of two.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}
