//! What a display learns about each bar from one frame to the next: its rate and its last text.

use std::collections::HashMap;
use std::mem;

use crate::estimate::Estimator;
use crate::number::Number;
use crate::row::{Room, Row};

/// The share of a bar's interval after which its text is made anew: frames come at slightly uneven
/// moments, and one that is a millisecond early must not cost a whole further frame.
const INTERVAL_SLACK: f64 = 0.9;

/// The memory of all bars that are drawn now, by their ids.
#[derive(Default)]
pub(crate) struct Tracks {
    tracks: HashMap<u64, Track>,
}

/// What the latest text of a bar said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastText {
    /// The count.
    pub n: Number,
    /// When the text was made.
    pub at_s: f64,
    /// The smoothed rate; `None` before its first sample.
    pub rate: Option<f64>,
}

struct Track {
    estimator: Estimator,
    text: Option<MadeText>,
    last: Option<LastText>,
    is_seen: bool,
}

struct MadeText {
    text: String,
    at_s: f64,
    room: Room,
}

impl Tracks {
    /// The line of a row, which is also a sample of its rate. A bar whose user asked for a longer
    /// interval keeps its text for so long.
    pub(crate) fn line(&mut self, now_s: f64, row: &Row, room: Room) -> String {
        let track = self.tracks.entry(row.id).or_insert_with(|| Track::new(row));
        track.estimator.start_at(row.start_s);
        track.is_seen = true;
        if row.ended.is_some() {
            // What it took as a whole counts at the end.
            return row.line(now_s, None, room);
        }
        let interval_s = row.style.mininterval_s.unwrap_or(0.0) * INTERVAL_SLACK;
        if let Some(made) = &track.text
            && made.room == room
            && (row.is_still || now_s - made.at_s < interval_s)
        {
            return made.text.clone();
        }
        track.estimator.update(now_s, row.n.as_f64());
        let rate = track.estimator.smoothed_rate();
        let text = row.line(now_s, rate, room);
        track.last = Some(LastText {
            n: row.n,
            at_s: now_s,
            rate,
        });
        track.text = Some(MadeText {
            text: text.clone(),
            at_s: now_s,
            room,
        });
        text
    }

    /// Takes note that a bar still exists, though it is not shown.
    pub(crate) fn touch(&mut self, row: &Row) {
        if let Some(track) = self.tracks.get_mut(&row.id) {
            track.is_seen = true;
        }
    }

    /// The rate of a row as it was at the last frame.
    pub(crate) fn smoothed_rate(&self, row: &Row) -> Option<f64> {
        self.tracks.get(&row.id)?.estimator.smoothed_rate()
    }

    /// What the latest text of a bar said; `None` before the first one and after the last.
    pub(crate) fn last_text(&self, id: u64) -> Option<LastText> {
        self.tracks.get(&id)?.last
    }

    /// The seconds before `now_s` were a pause of these bars; their texts are made anew.
    pub(crate) fn rest(&mut self, is_meant: impl Fn(u64) -> bool, rest_s: f64, now_s: f64) {
        for (_, track) in self.tracks.iter_mut().filter(|(id, _)| is_meant(**id)) {
            track.estimator.rest(rest_s, now_s);
            track.text = None;
        }
    }

    /// Makes every text anew at the next frame.
    pub(crate) fn forget_texts(&mut self) {
        for track in self.tracks.values_mut() {
            track.text = None;
        }
    }

    /// Forgets the bars that no call since the last one of this was about.
    pub(crate) fn forget_unseen(&mut self) {
        self.tracks.retain(|_, track| mem::take(&mut track.is_seen));
    }
}

impl Track {
    fn new(row: &Row) -> Self {
        let estimator = Estimator::new(row.style.smoothing, row.start_s, row.initial.as_f64());
        Self {
            estimator,
            text: None,
            last: None,
            is_seen: true,
        }
    }
}
