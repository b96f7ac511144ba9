//! What a line says when nothing is counted any more: for how long, and no rate or time left.

use std::collections::{HashMap, HashSet};

use mp_tqdm_render::{Number, Row};

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
    n: Number,
    moved_s: f64,
    /// Known from the second gap on: the first one has the start of the work in it.
    usual_s: Option<f64>,
    moves: u32,
}

impl Stalls {
    /// Looks at a row that is drawn at `now_s`. Where nothing was counted for long it says so in the
    /// row's note, and takes away what was learned while it moved: nobody knows when it goes on.
    pub(crate) fn note(&mut self, row: &mut Row, now_s: f64) {
        let pace = self.0.entry(row.id).or_insert(Pace {
            n: row.n,
            moved_s: now_s,
            usual_s: None,
            moves: 0,
        });
        let still_s = now_s - pace.moved_s;
        if pace.n != row.n {
            if pace.moves > 0 {
                let usual_s = pace.usual_s.unwrap_or(still_s);
                pace.usual_s = Some(usual_s + WEIGHT * (still_s - usual_s));
            }
            pace.moves += 1;
            (pace.n, pace.moved_s) = (row.n, now_s);
            return;
        }
        let is_done = row
            .total
            .is_some_and(|total| row.n.as_f64() >= total.as_f64());
        let Some(usual_s) = pace.usual_s.filter(|_| !is_done) else {
            return;
        };
        if still_s >= SILENT_S && still_s > USUAL_GAPS * usual_s {
            if !row.note.is_empty() {
                row.note.push_str(", ");
            }
            row.note.push_str(&format!("nothing for {still_s:.0}s"));
            (row.rate, row.remaining_s) = (Some(0.0), None);
        }
    }

    /// For how long none of these rows has moved; that begins anew. `None` where none is drawn.
    pub(crate) fn rest(&mut self, is_meant: impl Fn(u64) -> bool, now_s: f64) -> Option<f64> {
        let meant = self.0.iter_mut().filter(|(id, _)| is_meant(**id));
        let rests = meant.map(|(_, pace)| now_s - std::mem::replace(&mut pace.moved_s, now_s));
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

    use mp_tqdm_render::Style;

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
            stalls.note(&mut row, f64::from(second));
            let expected = if row.note.is_empty() {
                (None, Some(3.0))
            } else {
                (Some(0.0), None)
            };
            assert_eq!((row.rate, row.remaining_s), expected, "at {second}s");
            if !row.note.is_empty() {
                said.push((second, row.note));
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
}
