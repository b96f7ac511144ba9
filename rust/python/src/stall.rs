//! What a line says when nothing is counted any more: for how long, and no rate or time left.

use std::collections::{HashMap, HashSet};

use mp_tqdm_render::{Number, Remark, Row};

/// Nothing is said before a bar stood still for so many of its usual gaps between two counts,
const USUAL_GAPS: f64 = 3.0;
/// and not before so many seconds: a checkpoint or a slow batch is no news.
const SILENT_S: f64 = 5.0;
/// How much the latest gap weighs in the usual one.
const WEIGHT: f64 = 0.3;

/// What is remembered of each row from frame to frame.
#[derive(Default)]
pub(crate) struct Stalls(HashMap<u64, Pace>);

struct Pace {
    /// Where in the program the bar was opened.
    path: u64,
    start_s: f64,
    n: Number,
    moved_s: f64,
    /// When it was last seen before it moved: the count came after that.
    before_s: f64,
    seen_s: f64,
    /// When others were last open inside it.
    around_s: f64,
    /// Known from the second gap on: the first one has the start of the work in it.
    usual_s: Option<f64>,
    moves: u32,
}

impl Pace {
    /// Whether a bar is told of by this one: it was opened since the other's last count, and elsewhere
    /// in the program, so that it is no other turn of the same.
    fn is_inside(&self, other: &Self) -> bool {
        self.path != other.path && self.start_s >= other.before_s
    }
}

impl Stalls {
    /// Looks at a row that is drawn at `now_s`, of a bar that was opened at `path`.
    pub(crate) fn look(&mut self, row: &Row, path: u64, now_s: f64) {
        let pace = self.0.entry(row.id).or_insert(Pace {
            path,
            start_s: row.start_s,
            n: row.n,
            moved_s: now_s,
            before_s: now_s,
            seen_s: now_s,
            around_s: now_s,
            usual_s: None,
            moves: 0,
        });
        if pace.n != row.n {
            if pace.moves > 0 {
                let gap_s = now_s - pace.moved_s;
                let usual_s = pace.usual_s.unwrap_or(gap_s);
                pace.usual_s = Some(usual_s + WEIGHT * (gap_s - usual_s));
            }
            pace.moves += 1;
            (pace.n, pace.moved_s, pace.before_s) = (row.n, now_s, pace.seen_s);
        }
        pace.seen_s = now_s;
    }

    /// Once all rows were looked at: where nothing was counted for long, says so in a remark, and
    /// takes away what was learned while it moved: nobody knows when it goes on. A bar with others
    /// inside it says nothing: their counts are the work.
    pub(crate) fn note(&mut self, row: &mut Row, now_s: f64) {
        let is_around = |pace: &Pace| self.0.values().any(|other| other.is_inside(pace));
        let is_around = self.0.get(&row.id).is_some_and(is_around);
        let Some(pace) = self.0.get_mut(&row.id) else {
            return;
        };
        if is_around {
            pace.around_s = now_s;
        }
        let is_done = row
            .total
            .is_some_and(|total| row.n.as_f64() >= total.as_f64());
        let still_s = now_s - pace.moved_s.max(pace.around_s);
        let is_usual = pace
            .usual_s
            .is_none_or(|usual_s| still_s <= USUAL_GAPS * usual_s);
        if is_done || is_usual || still_s < SILENT_S {
            return;
        }
        row.remarks
            .push(Remark::new(format!("nothing for {still_s:.0}s")));
        (row.rate, row.remaining_s) = (Some(0.0), None);
    }

    /// For how long none of these rows has moved; that begins anew. `None` where none is drawn. The last
    /// count came between two looks: from the former on, so that nothing of a pause is left in.
    pub(crate) fn rest(&mut self, is_meant: impl Fn(u64) -> bool, now_s: f64) -> Option<f64> {
        let meant = self.0.iter_mut().filter(|(id, _)| is_meant(**id));
        let rests = meant.map(|(_, pace)| {
            pace.moved_s = now_s;
            now_s - std::mem::replace(&mut pace.before_s, now_s)
        });
        rests.reduce(f64::min)
    }

    /// Forgets the rows that are no longer drawn.
    pub(crate) fn keep(&mut self, shown: &HashSet<u64>) {
        self.0.retain(|id, _| shown.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mp_tqdm_render::{Style, note_of};

    use super::*;

    /// The notes of a bar of ten that counts at these seconds, looked at once a second until `end_s`.
    fn notes(counts_s: &[u32], end_s: u32) -> Vec<(u32, String)> {
        let mut stalls = Stalls::default();
        let style = Arc::new(Style::default());
        let mut said = Vec::new();
        for second in 0..=end_s {
            let n = counts_s.iter().filter(|at| **at <= second).count() as i64;
            let mut row = Row::new(1, n.into(), 0.0, Arc::clone(&style));
            row.total = Some(10.into());
            row.remaining_s = Some(3.0);
            stalls.look(&row, 1, f64::from(second));
            stalls.note(&mut row, f64::from(second));
            let expected = if row.remarks.is_empty() {
                (None, Some(3.0))
            } else {
                (Some(0.0), None)
            };
            assert_eq!((row.rate, row.remaining_s), expected, "at {second}s");
            if !row.remarks.is_empty() {
                said.push((second, note_of(&row.remarks)));
            }
        }
        said
    }

    #[test]
    fn a_bar_that_stands_still_says_for_how_long() {
        let said = notes(&[1, 2, 3, 4], 11);
        let expected = [5, 6, 7].map(|still| (4 + still, format!("nothing for {still}s")));
        assert_eq!(said, expected);
    }

    /// What an outer bar, that counts at 1, 2, 3 and 4 s, says at 40 s, beside one of that start and end.
    fn beside(path: u64, start_s: f64, end_s: f64) -> String {
        let mut stalls = Stalls::default();
        let style = Arc::new(Style::default());
        let mut note = String::new();
        for second in 0..=40 {
            let now_s = f64::from(second);
            let mut outer = Row::new(1, i64::from(second.min(4)).into(), 0.0, Arc::clone(&style));
            stalls.look(&outer, 1, now_s);
            if now_s >= start_s && now_s < end_s {
                let other = Row::new(2, i64::from(second).into(), start_s, Arc::clone(&style));
                stalls.look(&other, path, now_s);
            }
            let shown = if now_s < end_s { vec![1, 2] } else { vec![1] };
            stalls.keep(&shown.into_iter().collect());
            stalls.note(&mut outer, now_s);
            note = note_of(&outer.remarks);
        }
        note
    }

    #[test]
    fn a_bar_around_others_leaves_it_to_them() {
        assert_eq!(beside(2, 3.5, 99.0), "", "opened after the last count");
        assert_eq!(beside(2, 3.5, 30.0), "nothing for 11s", "closed");
        assert_eq!(beside(2, 1.0, 99.0), "nothing for 36s", "there before");
        assert_eq!(beside(1, 9.0, 99.0), "nothing for 36s", "of one kind");
    }

    #[test]
    fn a_slow_bar_has_more_patience() {
        let said = notes(&[10, 20, 30, 40], 75);
        assert_eq!(said.first(), Some(&(71, "nothing for 31s".to_owned())));
    }

    #[test]
    fn a_count_ends_it() {
        let said = notes(&[1, 2, 3, 12], 16);
        assert_eq!(said.last(), Some(&(11, "nothing for 8s".to_owned())));
    }

    #[test]
    fn nothing_is_said_before_there_is_a_usual_gap_and_after_the_end() {
        assert_eq!(notes(&[1, 3], 5), []);
        assert_eq!(notes(&[1], 500), []);
        assert_eq!(notes(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 500), []);
    }

    #[test]
    fn a_rest_begins_at_the_look_before_the_last_count_was_seen() {
        let mut stalls = Stalls::default();
        let style = Arc::new(Style::default());
        for (now_s, n) in [(0.0, 0_i64), (1.0, 0), (2.0, 3), (3.0, 3)] {
            stalls.look(&Row::new(1, n.into(), 0.0, Arc::clone(&style)), 1, now_s);
        }
        assert_eq!(stalls.rest(|_| true, 9.0), Some(8.0));
        assert_eq!(stalls.rest(|_| true, 9.5), Some(0.5));
    }
}
