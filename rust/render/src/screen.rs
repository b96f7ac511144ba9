//! The screen of a terminal, as far as frames use it.

use std::mem;

use unicode_width::UnicodeWidthChar;

use crate::sink::Size;

/// What a terminal shows: enough of one for the sequences that frames are made of.
///
/// It knows printable characters of one and two columns, CR, LF, index, cursor up, save and restore,
/// erase to the end of line and screen, wrapping as late as a VT100 wraps, and scrolling. Colours
/// are read over. Anything else shows as `�`, so that a test sees it.
#[derive(Debug)]
pub struct Screen {
    size: Size,
    scrolled: Vec<String>,
    cells: Vec<Vec<char>>,
    column: usize,
    line: usize,
    saved: (usize, usize),
    wraps_next: bool,
    /// The beginning of a character or sequence whose end has not come yet.
    pending: Vec<u8>,
}

/// What the second cell of a wide character holds.
const CONTINUATION: char = '\0';

impl Screen {
    /// An empty screen with the cursor in its first cell.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            size,
            scrolled: Vec::new(),
            cells: vec![Vec::new()],
            column: 0,
            line: 0,
            saved: (0, 0),
            wraps_next: false,
            pending: Vec::new(),
        }
    }

    /// Shows text.
    pub fn feed(&mut self, text: &str) {
        self.feed_bytes(text.as_bytes());
    }

    /// Shows bytes, of which the last sequence may still be open.
    pub fn feed_bytes(&mut self, bytes: &[u8]) {
        let mut all = mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut rest = &all[..];
        while !rest.is_empty() {
            match next_token(rest) {
                Some((token, length)) => {
                    self.apply(token);
                    rest = &rest[length..];
                }
                None => break,
            }
        }
        self.pending = rest.to_vec();
    }

    /// All lines from the first that scrolled away to the last that is not empty, without trailing
    /// spaces.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let shown = self.cells.iter().map(|cells| text_of(cells));
        let mut lines: Vec<String> = self.scrolled.iter().cloned().chain(shown).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Column and line of the cursor, from 0; the line counts from the first that scrolled away.
    #[must_use]
    pub fn cursor(&self) -> (usize, usize) {
        (self.column, self.scrolled.len() + self.line)
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    pub(crate) fn resize(&mut self, size: Size) {
        self.size = size;
        // Lines below the cursor go first, then those at the top scroll away, as in xterm.
        self.cells.truncate(self.rows().max(self.line + 1));
        while self.cells.len() > self.rows() {
            self.scroll();
        }
        self.column = self.column.min(self.cols() - 1);
        self.wraps_next = false;
    }

    fn cols(&self) -> usize {
        usize::from(self.size.cols.max(1))
    }

    fn rows(&self) -> usize {
        usize::from(self.size.rows.max(1))
    }

    fn scroll(&mut self) {
        let first = self.cells.remove(0);
        self.scrolled.push(text_of(&first));
        self.line = self.line.saturating_sub(1);
    }

    fn apply(&mut self, token: Token) {
        if !matches!(token, Token::Shown(_) | Token::Nothing) {
            self.wraps_next = false;
        }
        match token {
            Token::Shown(c) => self.show(c),
            Token::Nothing => {}
            Token::CarriageReturn => self.column = 0,
            Token::LineFeed => self.down(),
            Token::Up(count) => self.line = self.line.saturating_sub(count),
            Token::Save => self.saved = (self.column, self.line),
            Token::Restore => {
                self.column = self.saved.0.min(self.cols() - 1);
                self.line = self.saved.1.min(self.rows() - 1);
                self.fill_lines();
            }
            Token::EraseLine => self.cells[self.line].truncate(self.column),
            Token::EraseBelow => {
                self.cells[self.line].truncate(self.column);
                self.cells.truncate(self.line + 1);
            }
        }
    }

    fn down(&mut self) {
        self.line += 1;
        if self.line == self.rows() {
            self.cells.resize(self.line, Vec::new());
            self.cells.push(Vec::new());
            self.scroll();
        }
        self.fill_lines();
    }

    fn fill_lines(&mut self) {
        if self.cells.len() <= self.line {
            self.cells.resize(self.line + 1, Vec::new());
        }
    }

    fn show(&mut self, c: char) {
        let width = c.width().unwrap_or(0);
        if width == 0 {
            return;
        }
        if self.wraps_next || self.column + width > self.cols() {
            self.wraps_next = false;
            self.column = 0;
            self.down();
        }
        let cells = &mut self.cells[self.line];
        if cells.len() < self.column + width {
            cells.resize(self.column + width, ' ');
        }
        cells[self.column] = c;
        cells[self.column + 1..self.column + width].fill(CONTINUATION);
        self.column += width;
        if self.column >= self.cols() {
            self.column = self.cols() - 1;
            self.wraps_next = true;
        }
    }
}

/// What the bytes of a frame mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Shown(char),
    Nothing,
    CarriageReturn,
    LineFeed,
    Up(usize),
    Save,
    Restore,
    EraseLine,
    EraseBelow,
}

/// The first token of `bytes` and its length; `None` if its end is missing.
fn next_token(bytes: &[u8]) -> Option<(Token, usize)> {
    const UNKNOWN: Token = Token::Shown('\u{fffd}');
    match bytes {
        [b'\r', ..] => Some((Token::CarriageReturn, 1)),
        [b'\n', ..] => Some((Token::LineFeed, 1)),
        [0x1b, b'D', ..] => Some((Token::LineFeed, 2)),
        [0x1b, b'7', ..] => Some((Token::Save, 2)),
        [0x1b, b'8', ..] => Some((Token::Restore, 2)),
        [0x1b, b'[', rest @ ..] => {
            let parameters = rest
                .iter()
                .take_while(|b| b.is_ascii_digit() || **b == b';')
                .count();
            let number = || String::from_utf8_lossy(&rest[..parameters]).parse().ok();
            let token = match (rest.get(parameters)?, parameters) {
                (b'A', _) => Token::Up(number().unwrap_or(1)),
                (b'K', 0) => Token::EraseLine,
                (b'J', 0) => Token::EraseBelow,
                (b'm', _) => Token::Nothing,
                _ => UNKNOWN,
            };
            Some((token, parameters + 3))
        }
        [0x1b] => None,
        [control, ..] if control.is_ascii_control() => Some((UNKNOWN, 1)),
        _ => {
            let longest = &bytes[..bytes.len().min(4)];
            let valid = match std::str::from_utf8(longest) {
                Ok(text) => text,
                Err(error) if error.valid_up_to() > 0 => {
                    std::str::from_utf8(&longest[..error.valid_up_to()]).unwrap_or_default()
                }
                Err(error) => return error.error_len().map(|length| (UNKNOWN, length)),
            };
            valid
                .chars()
                .next()
                .map(|c| (Token::Shown(c), c.len_utf8()))
        }
    }
}

fn text_of(cells: &[char]) -> String {
    let text: String = cells.iter().filter(|c| **c != CONTINUATION).collect();
    text.trim_end().to_owned()
}
