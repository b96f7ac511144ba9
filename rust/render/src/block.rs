//! The block of live lines on a terminal, and the bytes that turn one frame into the next.
//!
//! The block stands *below* the line on which the cursor rests, and after each frame the cursor is
//! back there, in its column. Text that anybody prints between two frames thus lands where it would
//! without us and is never drawn over; the next frame clears what is left of the old block behind it
//! and draws the block one line further down. Measured with a process that printed 60 lines beside
//! the bar: all 60 stayed whole; with the cursor resting on the bar, as in tqdm, 50 did.
//!
//! Because everything of ours is below the cursor, "erase to the end of the screen" removes all of
//! it, also after a resize has wrapped it. A frame with any change is therefore drawn whole: rows
//! left out because they stand there already would stand in the wrong line once a foreign line has
//! moved the cursor, and nobody tells us that it has.

use std::fmt::Write as _;

use crate::sink::Size;
use crate::width::fit_to_columns;

/// Moves one line down and scrolls at the bottom, without leaving the column.
const INDEX: &str = "\x1bD";
const SAVE_CURSOR: &str = "\x1b7";
const RESTORE_CURSOR: &str = "\x1b8";
const ERASE_LINE: &str = "\x1b[K";
/// Takes every line of ours off the screen, from wherever others left the cursor.
pub const ERASE_BELOW: &str = "\x1b[J";

/// How many bytes of a cut frame's rest would bring back a cursor from before the cut: where somebody
/// wrote since, what follows would be drawn over that.
pub(crate) fn stale_bytes(rest: &[u8]) -> usize {
    let find = |what: &str| {
        let is_it = |bytes: &[u8]| bytes == what.as_bytes();
        rest.windows(what.len()).position(is_it)
    };
    match (find(RESTORE_CURSOR), find(SAVE_CURSOR)) {
        (Some(restores), saves) if saves.is_none_or(|saves| restores < saves) => {
            restores + RESTORE_CURSOR.len()
        }
        _ => 0,
    }
}

/// What stands on the screen, as far as we know.
#[derive(Debug, Default)]
pub(crate) struct Block {
    drawn: Vec<String>,
    drawn_for: Option<Size>,
    size: Option<Size>,
    is_damaged: bool,
}

/// What becomes of the rest of the cursor's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// The cursor may stand where the block stood: what is behind it is ours.
    Erase,
    /// Somebody edits that line: what is behind the cursor is his.
    Keep,
}

impl Block {
    /// Forgets what stands there, so that the next frame draws everything.
    pub(crate) fn invalidate(&mut self) {
        self.is_damaged = true;
    }

    /// Takes note of the terminal's size. Another one has moved or cut what stood there, also if no
    /// frame came through before it changed back.
    pub(crate) fn resize(&mut self, size: Size) {
        self.is_damaged |= self.size != Some(size);
        self.size = Some(size);
    }

    /// The bytes that put `permanent` above the block and make the block show `rows`; empty if it
    /// does already. No text may be wider than [`line_columns`].
    pub(crate) fn compose(
        &self,
        permanent: &[String],
        rows: &[String],
        size: Size,
        behind_cursor: Remains,
    ) -> Vec<u8> {
        let nothing_there = rows.is_empty() && self.drawn.is_empty();
        let same = rows == self.drawn && !self.is_damaged;
        if permanent.is_empty() && (same || nothing_there) {
            return Vec::new();
        }
        let mut frame = String::new();
        if !permanent.is_empty() {
            start_of_line(&mut frame, size);
            for line in permanent {
                frame.push_str(line);
                frame.push_str(ERASE_LINE);
                frame.push_str("\r\n");
            }
        }
        match (rows, behind_cursor) {
            ([], Remains::Erase) => frame.push_str(ERASE_BELOW),
            ([], Remains::Keep) => push_rows(&mut frame, &[String::new()], behind_cursor),
            _ => push_rows(&mut frame, rows, behind_cursor),
        }
        frame.into_bytes()
    }

    /// The bytes that draw the block again below the cursor, wherever that is now; `None` where the
    /// block was not drawn for a terminal of this size.
    pub(crate) fn again(&self, size: Size) -> Option<String> {
        if self.drawn_for != Some(size) || self.drawn.is_empty() {
            return None;
        }
        let mut frame = String::new();
        push_rows(&mut frame, &self.drawn, Remains::Erase);
        Some(frame)
    }

    /// Whether lines of ours stand on the screen.
    pub(crate) fn is_shown(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Takes note that a composed frame was written.
    pub(crate) fn commit(&mut self, rows: Vec<String>) {
        self.drawn = rows;
        self.drawn_for = self.size;
        self.is_damaged = false;
    }
}

/// The widest line that is drawn. A frame of a few such lines is taken at once by the buffer of a
/// terminal; one that is cut is in the way of whatever a program prints next.
const LINE_COLUMNS_MAX: u16 = 500;

/// The widest line on a terminal of this size. The last column stays empty: a terminal that has
/// filled it is about to wrap, and some then erase it.
pub(crate) fn line_columns(size: Size) -> u32 {
    u32::from(size.cols.saturating_sub(1).min(LINE_COLUMNS_MAX))
}

/// The live lines that fit on a terminal of this size below the cursor's own.
pub(crate) fn block_rows(size: Size) -> usize {
    usize::from(size.rows.saturating_sub(1))
}

/// How many of `live` bars get a line of their own among `rows`; the number of the others takes the
/// last line, unless that is the only one, in which the outermost bar says more.
pub(crate) fn split_rows(live: usize, rows: usize) -> usize {
    match rows {
        _ if live <= rows => live,
        0 | 1 => rows,
        _ => rows - 1,
    }
}

/// The line that stands for the bars without one.
pub(crate) fn hidden_line(hidden: usize, columns: u32) -> String {
    fit_to_columns(
        &format!(" ... ({hidden} more hidden) ..."),
        columns as usize,
    )
}

/// Draws rows below the cursor, which then is where it was.
fn push_rows(frame: &mut String, rows: &[String], behind_cursor: Remains) {
    // Room first: if the screen scrolls, it does so before the cursor is saved.
    frame.push_str(&INDEX.repeat(rows.len()));
    // Writing to a `String` cannot fail.
    let _ = write!(frame, "\x1b[{}A", rows.len());
    if behind_cursor == Remains::Erase {
        frame.push_str(ERASE_LINE);
    }
    frame.push_str(SAVE_CURSOR);
    for row in rows {
        frame.push_str("\r\n");
        frame.push_str(row);
        frame.push_str(ERASE_LINE);
    }
    frame.push_str(ERASE_BELOW);
    frame.push_str(RESTORE_CURSOR);
}

/// Goes to the start of a line without knowing the column: a line full of spaces wraps if the
/// cursor stood right of the first column, after somebody's text without a line end, and only then.
fn start_of_line(frame: &mut String, size: Size) {
    frame.push_str(&" ".repeat(usize::from(size.cols)));
    frame.push('\r');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Screen;

    const SIZE: Size = Size { cols: 20, rows: 5 };

    /// What stands on the screen after a frame of one line and one of none, drawn while the cursor is
    /// at the start of a line that reads `>>> typed`.
    fn drawn_over(behind_cursor: Remains) -> [Vec<String>; 2] {
        let mut screen = Screen::new(SIZE);
        screen.feed(">>> typed\r");
        let mut block = Block::default();
        [vec!["a bar".to_owned()], Vec::new()].map(|rows| {
            let frame = block.compose(&[], &rows, SIZE, behind_cursor);
            block.commit(rows);
            screen.feed_bytes(&frame);
            assert_eq!(screen.cursor(), (0, 0));
            screen.lines()
        })
    }

    #[test]
    fn a_line_that_somebody_edits_is_his_up_to_its_end() {
        let [shown, ended] = drawn_over(Remains::Keep);
        assert_eq!(shown, [">>> typed", "a bar"]);
        assert_eq!(ended, [">>> typed"]);
    }

    #[test]
    fn else_what_stands_behind_the_cursor_is_an_old_line_of_ours() {
        let [shown, ended] = drawn_over(Remains::Erase);
        assert_eq!(shown, ["", "a bar"]);
        assert!(ended.is_empty());
    }
}
