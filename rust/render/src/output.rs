//! The two kinds of output: a terminal with a live block, and a log of whole lines.

use std::collections::VecDeque;

use crate::block::{Block, Remains};
use crate::clean::clean;
use crate::encoding::Encoding;
use crate::lines::Schedule;
use crate::outlet::{Outlet, Sent};
use crate::sink::{Sink, Size};
use crate::width::fit_to_columns;

/// The most permanent lines that wait for an output that takes nothing. Beyond it the oldest goes:
/// a terminal that nobody has read for so long would have scrolled it away.
const WAITING_MAX: usize = 1000;

/// Something that rows are drawn on.
pub struct Output {
    kind: Kind,
    outlet: Outlet,
    block: Block,
    schedule: Schedule,
    /// Lines of ended bars that are not out yet.
    waiting: VecDeque<String>,
    is_refused: bool,
    has_colours: bool,
    has_prompts: bool,
    encoding: Encoding,
}

/// What an output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Live lines, drawn in place.
    Terminal,
    /// Whole lines, one after the other.
    Log,
    /// As a log, an object a line.
    Json,
}

impl Output {
    /// A terminal: live lines that are drawn in place.
    #[must_use]
    pub fn terminal(sink: Box<dyn Sink + Send>) -> Self {
        Self::new(Kind::Terminal, sink)
    }

    /// Anything else: whole lines, seldom, with no escape sequence in them.
    #[must_use]
    pub fn log(sink: Box<dyn Sink + Send>) -> Self {
        Self::new(Kind::Log, sink)
    }

    /// A log of JSON objects, one a line, as seldom as the lines of a log.
    #[must_use]
    pub fn json(sink: Box<dyn Sink + Send>) -> Self {
        Self::new(Kind::Json, sink)
    }

    /// The same output, with no colours on it (`NO_COLOR`).
    #[must_use]
    pub fn without_colours(self) -> Self {
        Self {
            has_colours: false,
            ..self
        }
    }

    /// The same output, in another encoding.
    #[must_use]
    pub fn encoded(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// The same output, beside prompts at which somebody types: what stands behind the cursor there
    /// may be his.
    #[must_use]
    pub fn with_prompts(self) -> Self {
        Self {
            has_prompts: true,
            ..self
        }
    }

    fn new(kind: Kind, sink: Box<dyn Sink + Send>) -> Self {
        Self {
            kind,
            outlet: Outlet::new(sink),
            block: Block::default(),
            schedule: Schedule::default(),
            waiting: VecDeque::new(),
            is_refused: false,
            has_colours: true,
            has_prompts: false,
            encoding: Encoding::default(),
        }
    }

    pub(crate) fn has_colours(&self) -> bool {
        self.has_colours
    }

    /// A line as this output can show it, on so many columns.
    pub(crate) fn shown(&self, line: String, cols: u32) -> String {
        let line = if self.has_colours { line } else { clean(&line) };
        match self.encoding {
            Encoding::Utf8 => line,
            // A mark without a column of its own has one now.
            encoding => fit_to_columns(&encoding.shown(line), cols as usize),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn size(&self) -> Size {
        self.outlet.size().unwrap_or(Size::UNKNOWN)
    }

    pub(crate) fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.outlet.is_dead()
    }

    /// Whether something that was to be written is not out yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.is_dead() && (self.is_refused || self.outlet.has_rest() || !self.waiting.is_empty())
    }

    /// Forgets what stands on the screen: somebody else wrote there.
    pub(crate) fn invalidate(&mut self) {
        self.block.invalidate();
        self.outlet.drop_stale_rest();
    }

    /// What draws the live lines again behind a text that erased them; see [`Block::again`].
    pub(crate) fn again(&self) -> Option<String> {
        self.block.again(self.size())
    }

    /// Hands over what the terminal has not taken: the rest of the last frame, and the lines that wait.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = self.outlet.take_rest();
        if self.kind == Kind::Terminal && !self.waiting.is_empty() {
            let waiting = self.waiting.make_contiguous();
            let size = self.outlet.size().unwrap_or(Size::UNKNOWN);
            let lines = self.block.compose(waiting, &[], size, Remains::Erase);
            rest.extend_from_slice(&self.encoding.encoded(&lines));
            self.waiting.clear();
        }
        rest
    }

    /// Draws the live lines again that somebody erased.
    pub(crate) fn mend(&mut self) {
        if let Some(again) = self.again() {
            self.outlet.send(&self.encoding.encoded(again.as_bytes()));
        }
    }

    /// Whether live lines stand on the screen.
    pub(crate) fn is_shown(&self) -> bool {
        self.block.is_shown()
    }

    /// Adds a line that stays. An empty one is all that a bar shows on no columns: nothing.
    pub(crate) fn keep(&mut self, line: String) {
        if line.is_empty() {
            return;
        }
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(line);
    }

    /// Makes a terminal show these lines, below those that wait.
    pub(crate) fn draw_block(&mut self, lines: Vec<String>, size: Size) {
        self.block.resize(size);
        let behind_cursor = if self.has_prompts && self.outlet.is_edited() {
            Remains::Keep
        } else {
            Remains::Erase
        };
        let waiting = self.waiting.make_contiguous();
        let frame = self.block.compose(waiting, &lines, size, behind_cursor);
        if self.send(&frame) {
            self.block.commit(lines);
        }
    }

    /// Writes the lines that wait, and `line` if one is due.
    pub(crate) fn write_lines(&mut self, line: Option<String>) {
        let mut frame = String::new();
        for line in self.waiting.iter().chain(&line) {
            frame.push_str(line);
            frame.push('\n');
        }
        self.send(frame.as_bytes());
    }

    /// Sends a frame with all lines that wait in it; `true` if it was taken.
    fn send(&mut self, frame: &[u8]) -> bool {
        let is_taken = self.outlet.send(&self.encoding.encoded(frame)) == Sent::Taken;
        self.is_refused = !is_taken;
        if is_taken {
            self.waiting.clear();
        }
        is_taken
    }
}
