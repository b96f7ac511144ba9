//! What others print on the terminal that shows the lines: what goes around a text so that it comes
//! out whole, in every process of the job.
//!
//! One word of the segment says on which terminal lines are drawn. Who prints there erases them in the
//! same write, whether they stand or not, and marks the word; the owner takes the mark away, and then
//! draws them again. All orders of these steps end well: at worst the lines are drawn once more.
//!
//! A single text of the owner's own is followed by the lines in that very write. Where texts come one
//! after the other the lines stay away until there is a short silence: drawn behind each of them, they
//! would be ten times as much as the texts.

use std::time::Duration;

use mp_tqdm_counters::Header;
use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_render::{Wait, monotonic};
use pyo3::prelude::*;

use crate::process::{LAST, Process};
use crate::shared::Shared;
use crate::stage::Stage;
use crate::writing::{self, Writing};
use crate::{beside, hot};

/// How long Python code may write before the lines come back of themselves.
const HOLD_S: f64 = 1.0;
/// How often it is looked for lines that others erased, while they do.
const QUICK_S: f64 = 0.01;
/// How often while they are away: they come back after a silence of one or two such looks.
const SILENCE_S: f64 = 0.002;
/// A text is a single one so long after the last.
const ALONE_S: f64 = 0.005;
/// They come back for a moment after so long without a silence.
const AWAY_S: f64 = 0.04;
/// How often else, where frames are more seldom than that.
const CALM_S: f64 = 0.25;
/// A look that is this much early is in time for its frame.
const EARLY_S: f64 = 0.005;
/// For how long after the last such text.
const NOISE_S: f64 = 1.0;
/// The bit of the word that says that the lines were erased.
const ERASED: u64 = 1;
/// The bit that says besides that the owner has seen it, and nobody erased them since.
const SEEN: u64 = 1 << 63;

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

/// Whether texts come beside the lines just now.
#[derive(Default)]
pub(crate) struct Noise {
    /// Until when it is looked for erased lines more often than a frame is drawn.
    until_s: f64,
    next_frame_s: f64,
    /// Since when the lines are away.
    away_since_s: Option<f64>,
    /// When this process wrote a text.
    text_s: f64,
}

impl Stage {
    /// Between two frames: draws again what was erased. `None` if it is time for a whole frame.
    pub(crate) fn mend(&self, process: &Process, now_s: f64, now_ms: u64) -> Option<Wait> {
        let mut shared = self.shared();
        let ownership = process.home.tables.ownership();
        if now_s + EARLY_S >= shared.noise.next_frame_s || !ownership.is_owner(process.home.me) {
            return None;
        }
        ownership.beat(now_ms);
        let header = &process.home.tables.header;
        if let Some((output, device)) = shared.shown
            && shared.is_to_mend(header, device, now_s)
        {
            shared.note_printed(header, now_s);
            shared.display.mend(output);
        }
        Some(shared.noise.pause(now_s))
    }
}

impl Noise {
    /// How long until the thread looks again, on its way to the next frame.
    fn pause(&self, now_s: f64) -> Wait {
        let look_s = if self.away_since_s.is_some() {
            SILENCE_S
        } else if now_s < self.until_s {
            QUICK_S
        } else {
            CALM_S
        };
        let left_s = (self.next_frame_s - now_s).clamp(0.001, look_s);
        Wait::For(Duration::from_secs_f64(left_s))
    }
}

impl Shared {
    /// Before lines are drawn: takes the mark of texts that erased them away.
    pub(crate) fn note_printed(&mut self, header: &Header, now_s: f64) {
        self.noise.away_since_s = None;
        let Some((output, device)) = self.shown else {
            return;
        };
        if header.shown_on.swap(word(device), Ordering::Relaxed) != word(device) {
            self.display.damage(output);
            self.noise.until_s = now_s + NOISE_S;
        }
    }

    /// Whether the lines are away and nobody writes just now, or they are away for long.
    fn is_to_mend(&mut self, header: &Header, device: u64, now_s: f64) -> bool {
        let now = header.shown_on.load(Ordering::Relaxed);
        if now == word(device) {
            self.noise.away_since_s = None;
            return false;
        }
        self.noise.until_s = now_s + NOISE_S;
        let since_s = *self.noise.away_since_s.get_or_insert(now_s);
        let seen = now | SEEN;
        // Where this fails, somebody wrote just now.
        let _ = header
            .shown_on
            .compare_exchange(now, seen, Ordering::Relaxed, Ordering::Relaxed);
        now == seen || now_s - since_s >= AWAY_S
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
            .filter(|(output, device)| *device != 0 && !self.apart.contains(output))
            .filter(|(output, _)| has_bar(*output) || self.display.is_shown(*output))
            .min_by_key(|(output, _)| output.0);
        // Where that is as before, somebody may have marked it since.
        if shown != self.shown {
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

/// This process in its job; of one that has not counted, what it prints beside, or its parent's before a
/// fork.
fn header() -> Option<&'static Header> {
    let of = |process: &'static Process| &process.home.tables.header;
    let before_fork = || hot::process_at(&LAST).map(of);
    let process = hot::process().map(of);
    process.or_else(beside::header).or_else(before_fork)
}

/// Whether lines of the job are drawn on the terminal of that device number.
pub(crate) fn draws_on(device: u64) -> bool {
    let shown_on = header().map_or(0, |of| of.shown_on.load(Ordering::Relaxed));
    device != 0 && shown_on & !(ERASED | SEEN) == word(device)
}

/// Draws the lines once more, below the cursor; before somebody writes who does not ask.
pub(crate) fn draw_again(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.draw_again(process));
    }
}

/// What goes around a text, beside [`ERASE_BELOW`] before it.
#[derive(Default)]
pub(crate) struct Around {
    /// The rest of a frame that the terminal has taken a part of, mostly nothing. It goes before all.
    pub(crate) rest: Vec<u8>,
    /// What draws them again. Without it, [`printed`] is to be called after the text.
    pub(crate) behind: Option<String>,
}

/// What to write before and behind a text for the terminal of that device number; `None`: nothing,
/// because no lines are drawn there. Of whole lines alone something is to be written behind.
pub(crate) fn around(device: u64, is_whole: bool) -> Option<Around> {
    if !draws_on(device) {
        return None;
    }
    let here = |process: &'static Process| process.stage.around(process, device, is_whole);
    Some(hot::process().and_then(here).unwrap_or_default())
}

impl Stage {
    /// Of the process that draws the lines.
    fn around(&self, process: &'static Process, device: u64, is_whole: bool) -> Option<Around> {
        if !process.home.tables.ownership().is_owner(process.home.me) {
            return None;
        }
        let mut shared = self.try_shared()?;
        let (output, _) = shared.shown.filter(|(_, of)| *of == device)?;
        let now_s = monotonic().as_secs_f64();
        if !shared.finished.is_empty() {
            // Bars ended, and the thread did not get the processor for their last lines.
            self.look(process, &mut shared, now_s);
        }
        let text_s = std::mem::replace(&mut shared.noise.text_s, now_s);
        let shown_on = &process.home.tables.header.shown_on;
        let stand = shown_on.load(Ordering::Relaxed) == word(device);
        let is_alone = is_whole && stand && now_s - text_s >= ALONE_S;
        if !stand {
            shared.display.damage(output);
        }
        let rest = shared.display.take_rest(output);
        let behind = is_alone.then(|| shared.display.behind_text(output));
        Some(Around {
            rest,
            behind: behind.flatten(),
        })
    }
}

/// Whether somebody erased the lines, to print, and the owner has not taken note of it.
pub(crate) fn is_erased(header: &Header) -> bool {
    header.shown_on.load(Ordering::Relaxed) & ERASED != 0
}

/// Where the job says that it draws lines on the terminal of that device number, if it does.
pub(crate) fn header_of_lines(device: u64) -> Option<&'static Header> {
    header().filter(|_| draws_on(device))
}

/// Takes the terminal of that device number for a text, if lines are drawn there. Where another process
/// has it for too long, the text is written all the same.
pub(crate) fn take_terminal(py: Python<'_>, device: u64) -> Option<Writing> {
    let header = header_of_lines(device)?;
    if header.is_terminal_free()
        && let Some(writing) = Writing::take(header, Duration::ZERO)
    {
        return Some(writing);
    }
    // A frame may have been cut. Its rest is not to follow, whenever this text comes out.
    printed(device);
    py.detach(|| Writing::take(header, writing::MOST))
}

/// Before a text for the terminal of that device number: lines that wait for nobody any more end above it.
pub(crate) fn end_lines_before_text(py: Python<'_>, device: u64) {
    if draws_on(device)
        && let Some(process) = hot::process()
    {
        end_lines_of_gone(py, process);
    }
}

/// Ends the lines that wait for nobody any more.
pub(crate) fn end_lines_of_gone(py: Python<'_>, process: &'static Process) {
    let has_children = || {
        let forks = hot::import(py, c"mp_tqdm._forks");
        let asked =
            forks.and_then(|forks| hot::call_method(&forks, "has_children", &[])?.is_truthy());
        asked.unwrap_or(true)
    };
    process.stage.end_lines_of_gone(process, has_children);
}

/// At the end: the last lines of all bars that nobody has open, before something is said about them.
#[pyfunction]
pub(crate) fn end_lines(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.finish(process));
    }
}

/// Says that a text erased the lines on the terminal of that device number.
pub(crate) fn printed(device: u64) {
    let Some(header) = header() else {
        return;
    };
    let erased = word(device) | ERASED;
    let seen = header.shown_on.load(Ordering::Relaxed);
    // Not if somebody said so just now, or the lines are drawn elsewhere by now.
    if seen == erased || seen & !(ERASED | SEEN) != word(device) {
        return;
    }
    let said = header
        .shown_on
        .compare_exchange(seen, erased, Ordering::Relaxed, Ordering::Relaxed);
    if said == Ok(word(device))
        && let Some(process) = hot::process()
        && process.home.tables.ownership().is_owner(process.home.me)
    {
        process.stage.wake();
    }
}
