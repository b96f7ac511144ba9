//! What others print on the terminal that shows the lines: what goes around a text so that it comes
//! out whole, in every process of the job.
//!
//! One word of the segment says on which terminal lines are drawn. Who prints there erases them in the
//! same write, whether they stand or not, and marks the word; the owner draws them again. Printing in
//! the owner itself does so in that very write. All orders of these steps end well: at worst the lines
//! are drawn once more.

use std::borrow::Cow;
use std::time::Duration;

use mp_tqdm_counters::Header;
use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_render::{ERASE_BELOW, Wait, monotonic};
use pyo3::prelude::*;

use crate::hot;
use crate::process::{LAST, Process};
use crate::shared::Shared;
use crate::stage::Stage;

/// How long Python code may write before the lines come back of themselves.
const HOLD_S: f64 = 1.0;
/// How often it is looked for lines that others erased, while they do: a screen's refresh.
const QUICK_S: f64 = 0.02;
/// How often else, where frames are more seldom than that.
const CALM_S: f64 = 0.25;
/// A look that is this much early is in time for its frame.
const EARLY_S: f64 = 0.005;
/// For how long after the last such text.
const NOISE_S: f64 = 1.0;
/// The bit of the word that says that the lines were erased.
const ERASED: u64 = 1;

impl Stage {
    /// Takes the lines off the terminals and draws none until [`Stage::unhold`].
    pub(crate) fn hold(&self, process: &Process) {
        let mut shared = self.shared();
        shared.held_until_s = monotonic().as_secs_f64() + HOLD_S;
        shared.display.wipe();
        shared.tell_shown(&process.home.tables.header);
    }

    /// Draws again, from the next frame on.
    pub(crate) fn unhold(&self) {
        self.shared().held_until_s = 0.0;
    }

    /// Draws the lines now, below the cursor, wherever that is.
    fn draw_again(&self, process: &'static Process) {
        {
            let mut shared = self.shared();
            let Some((output, _)) = shared.shown else {
                return;
            };
            shared.display.damage(output);
        }
        self.flush(process);
    }
}

/// Whether others print beside the lines just now.
#[derive(Default)]
pub(crate) struct Noise {
    /// Until when it is looked for erased lines more often than a frame is drawn.
    until_s: f64,
    next_frame_s: f64,
}

impl Stage {
    /// Between two frames: draws again what others erased. `None` if it is time for a whole frame.
    pub(crate) fn mend(&self, process: &Process, now_s: f64, now_ms: u64) -> Option<Wait> {
        let mut shared = self.shared();
        let ownership = process.home.tables.ownership();
        if now_s + EARLY_S >= shared.noise.next_frame_s || !ownership.is_owner(process.home.me) {
            return None;
        }
        ownership.beat(now_ms);
        let header = &process.home.tables.header;
        if let Some((output, _)) = shared.shown
            && shared.note_printed(header, now_s)
        {
            shared.display.mend(output);
            shared.tell_shown(header);
        }
        Some(shared.noise.pause(now_s))
    }
}

impl Noise {
    /// How long until the thread looks again, on its way to the next frame.
    fn pause(&self, now_s: f64) -> Wait {
        let look_s = if now_s < self.until_s {
            QUICK_S
        } else {
            CALM_S
        };
        let left_s = (self.next_frame_s - now_s).clamp(0.001, look_s);
        Wait::For(Duration::from_secs_f64(left_s))
    }
}

impl Shared {
    /// Before a frame: whether somebody erased the lines since the last one.
    pub(crate) fn note_printed(&mut self, header: &Header, now_s: f64) -> bool {
        let Some((output, device)) = self.shown else {
            return false;
        };
        let is_printed = header.shown_on.load(Ordering::Relaxed) != word(device);
        if is_printed {
            self.display.damage(output);
            self.noise.until_s = now_s + NOISE_S;
        }
        is_printed
    }

    /// Before the first frame of a bar: tells the job that lines will be drawn. Who looked just
    /// before that frame would write over it.
    pub(crate) fn announce(&mut self, header: &Header) {
        if self.shown.is_none() {
            self.tell_shown(header);
        }
    }

    /// After a frame: tells the job on which terminal lines are drawn. (Where bars have several, those
    /// who print know of one.)
    pub(crate) fn tell_shown(&mut self, header: &Header) {
        let has_bar = |output| self.local.values().any(|local| local.output == output);
        let shown = self
            .devices
            .iter()
            .map(|(output, device)| (*output, *device))
            .filter(|(_, device)| *device != 0)
            .filter(|(output, _)| has_bar(*output) || self.display.is_shown(*output))
            .min_by_key(|(output, _)| output.0);
        if shown.is_some() || self.shown.is_some() {
            let shown_on = shown.map_or(0, |(_, device)| word(device));
            header.shown_on.store(shown_on, Ordering::Relaxed);
        }
        self.shown = shown;
    }

    /// After a frame: how long until the thread looks again.
    pub(crate) fn until_next(&mut self, now_s: f64, interval: Duration) -> Wait {
        self.noise.next_frame_s = now_s + interval.as_secs_f64();
        self.noise.pause(now_s)
    }
}

/// How the segment says that lines are drawn on this terminal.
fn word(device: u64) -> u64 {
    device << 1
}

/// This process in its job; of a fork child that has not counted yet, its parent's.
fn header() -> Option<&'static Header> {
    let process = hot::process().or_else(|| hot::process_at(&LAST))?;
    Some(&process.home.tables.header)
}

/// Whether lines of the job are drawn on the terminal of that device number.
#[pyfunction]
pub(crate) fn draws_on(device: u64) -> bool {
    let shown_on = header().map_or(0, |of| of.shown_on.load(Ordering::Relaxed));
    device != 0 && shown_on & !ERASED == word(device)
}

/// Draws the lines once more, below the cursor; before somebody writes who does not ask.
#[pyfunction]
pub(crate) fn draw_again(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.draw_again(process));
    }
}

/// What goes before a text, what goes behind it, and the rest of a frame, which goes before all.
type Around = (&'static str, Option<String>, Cow<'static, [u8]>);

/// What to write before and behind a text for the terminal of that device number; `None`: nothing,
/// because no lines are drawn there. Without a part behind, `printed` is to be called after the text.
/// Last comes the rest of a frame that the terminal has taken a part of: it goes before all of that.
#[pyfunction]
pub(crate) fn around_text(device: u64) -> Option<Around> {
    if !draws_on(device) {
        return None;
    }
    let here = |process: &'static Process| {
        let mut shared = process.stage.try_shared()?;
        let (output, _) = shared.shown.filter(|(_, of)| *of == device)?;
        Some((
            shared.display.behind_text(output),
            shared.display.take_rest(output),
        ))
    };
    let (behind, rest) = hot::process().and_then(here).unwrap_or_default();
    Some((ERASE_BELOW, behind, rest.into()))
}

/// Says that a text erased the lines on the terminal of that device number.
#[pyfunction]
pub(crate) fn printed(device: u64) {
    if let Some(header) = header() {
        let drawn = word(device);
        // Not if somebody said so meanwhile, or the lines are drawn elsewhere by now.
        let _ = header.shown_on.compare_exchange(
            drawn,
            drawn | ERASED,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
