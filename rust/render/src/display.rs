//! Everything that one process draws: rows of all bars in, frames on all outputs out.

#[cfg(doc)]
use crate::block::ERASE_BELOW;
use crate::block::{block_rows, hidden_line, line_columns, split_rows};
use crate::output::{Kind, Output};
use crate::row::{Ended, Room, Row};
use crate::sink::Size;
use crate::tracks::{LastText, Tracks};

/// Between the outermost and the innermost bar on one line of a log.
const LOG_SEPARATOR: &str = "  ";

/// One output among those of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputId(pub u64);

/// All outputs of one owner, and what it has learned about each bar.
///
/// It knows no clock: the same scenes at the same times give the same bytes.
#[derive(Default)]
pub struct Display {
    outputs: Vec<(OutputId, Output)>,
    tracks: Tracks,
}

/// What came of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Outputs that will never take anything again. They are gone from the display.
    pub died: Vec<OutputId>,
    /// Whether some output has not taken all that it was given, so that a later frame has something
    /// to do even if the scene stays as it is.
    pub is_behind: bool,
}

impl Display {
    /// A display without outputs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output, in place of one with that id.
    pub fn add_output(&mut self, id: OutputId, output: Output) {
        self.outputs.retain(|(known, _)| *known != id);
        self.outputs.push((id, output));
    }

    /// Forgets an output, and closes what it writes to.
    pub fn remove_output(&mut self, id: OutputId) {
        self.outputs.retain(|(known, _)| *known != id);
    }

    /// Whether an output has not taken all that it was given.
    #[must_use]
    pub fn is_behind(&self, id: OutputId) -> bool {
        let output = self.outputs.iter().find(|(known, _)| *known == id);
        output.is_some_and(|(_, output)| output.is_behind())
    }

    /// Whether an output of that id can still be drawn on.
    #[must_use]
    pub fn has_output(&self, id: OutputId) -> bool {
        self.outputs.iter().any(|(known, _)| *known == id)
    }

    /// Makes the next frame draw everything, because something else may have been written over it.
    pub fn redraw(&mut self) {
        for (_, output) in &mut self.outputs {
            output.invalidate();
        }
        self.tracks.forget_texts();
    }

    /// Takes note that the `rest_s` seconds before `now_s` were a pause of these bars.
    pub fn rest(&mut self, is_meant: impl Fn(u64) -> bool, rest_s: f64, now_s: f64) {
        self.tracks.rest(is_meant, rest_s, now_s);
    }

    /// Whether live lines stand on this output.
    #[must_use]
    pub fn is_shown(&self, id: OutputId) -> bool {
        let output = self.outputs.iter().find(|(known, _)| *known == id);
        output.is_some_and(|(_, output)| output.is_shown())
    }

    /// Takes note that somebody erased the live lines of this output, or drew over them: the next
    /// frame draws all of them.
    pub fn damage(&mut self, id: OutputId) {
        for (_, output) in self.outputs.iter_mut().filter(|(known, _)| *known == id) {
            output.invalidate();
        }
    }

    /// Draws the lines of this output again, as they were, where somebody erased them.
    pub fn mend(&mut self, id: OutputId) {
        for (_, output) in self.outputs.iter_mut().filter(|(known, _)| *known == id) {
            output.mend();
        }
    }

    /// What a text of somebody else is to be followed by, so that the live lines that it erased
    /// ([`ERASE_BELOW`]) stand below it again at once. The next frame draws them anew in any case:
    /// nobody knows whether that text was written.
    ///
    /// `None` where there are no lines, or none that fit the terminal as it is now.
    pub fn behind_text(&mut self, id: OutputId) -> Option<String> {
        let again = self
            .outputs
            .iter()
            .find(|(known, _)| *known == id)?
            .1
            .again()?;
        self.damage(id);
        Some(again)
    }

    /// What the terminal has not taken of the last frame and of the lines that stay, mostly nothing.
    /// Whoever takes it writes it before a text of his own, which would else stand in the middle of that
    /// frame, or above the last line of a bar that ended before.
    pub fn take_rest(&mut self, id: OutputId) -> Vec<u8> {
        let output = self.outputs.iter_mut().find(|(known, _)| *known == id);
        output.map_or_else(Vec::new, |(_, output)| output.take_rest())
    }

    /// Takes the live lines off every terminal, so that somebody else can write. The next frame draws
    /// them again.
    pub fn wipe(&mut self) {
        for (_, output) in &mut self.outputs {
            if output.kind() == Kind::Terminal {
                let size = output.size();
                output.draw_block(Vec::new(), size);
            }
        }
    }

    /// What the latest text of a bar said: see [`LastText`].
    #[must_use]
    pub fn last_text(&self, id: u64) -> Option<LastText> {
        self.tracks.last_text(id)
    }

    /// Draws one frame: for each output its rows, outermost first. An output that is left out has
    /// none. A row that has ended is given once; its line waits here until it is out.
    pub fn draw(&mut self, now_s: f64, scene: &[(OutputId, Vec<Row>)]) -> Drawn {
        let mut drawn = Drawn::default();
        for (id, output) in &mut self.outputs {
            let of_output = scene.iter().filter(|(of, _)| of == id);
            let rows: Vec<&Row> = of_output.flat_map(|(_, rows)| rows).collect();
            match output.kind() {
                Kind::Terminal => draw_terminal(output, &mut self.tracks, now_s, &rows),
                Kind::Log => draw_log(output, &mut self.tracks, now_s, &rows, Room::Log),
                Kind::Json => draw_log(output, &mut self.tracks, now_s, &rows, Room::Json),
            }
            if output.is_dead() {
                drawn.died.push(*id);
            }
            drawn.is_behind |= output.is_behind();
        }
        self.outputs.retain(|(_, output)| !output.is_dead());
        self.tracks.forget_unseen();
        drawn
    }

    /// The line of one bar as a terminal line of `cols` columns would show it; without `cols`, as a
    /// log would.
    #[must_use]
    pub fn format_row(&self, now_s: f64, row: &Row, cols: Option<u32>) -> String {
        let rate = if row.ended.is_none() {
            self.tracks.smoothed_rate(row)
        } else {
            None
        };
        let room = match cols {
            Some(cols) => Room::Columns {
                cols,
                rows: u32::from(Size::UNKNOWN.rows),
                has_colours: true,
            },
            None => Room::Log,
        };
        row.line(now_s, rate, room)
    }
}

fn draw_terminal(output: &mut Output, tracks: &mut Tracks, now_s: f64, rows: &[&Row]) {
    let size = output.size();
    let cols = line_columns(size);
    let room = Room::Columns {
        cols,
        rows: u32::from(size.rows),
        has_colours: output.has_colours(),
    };
    let mut live = Vec::new();
    for row in rows {
        match row.ended {
            _ if row.is_delayed(now_s) => {}
            None => live.push(*row),
            Some(Ended::Keep) => {
                let line = output.shown(tracks.line(now_s, row, room), cols);
                output.keep(line);
            }
            Some(Ended::Erase) => {}
        }
        tracks.touch(row);
    }
    let asked = live
        .iter()
        .filter_map(|row| row.style.nrows)
        .filter(|rows| *rows > 0)
        .min();
    let limit = asked
        .map_or(usize::MAX, |rows| rows as usize)
        .min(block_rows(size));
    // Nothing can be read on no columns.
    let shown = if cols == 0 {
        0
    } else {
        split_rows(live.len(), limit)
    };
    let mut lines: Vec<String> = live[..shown]
        .iter()
        .map(|row| output.shown(tracks.line(now_s, row, room), cols))
        .collect();
    if shown < live.len() && shown < limit && cols > 0 {
        lines.push(hidden_line(live.len() - shown, cols));
    }
    output.draw_block(lines, size);
}

fn draw_log(output: &mut Output, tracks: &mut Tracks, now_s: f64, rows: &[&Row], room: Room) {
    if let Some(oldest_start_s) = rows.iter().map(|row| row.start_s).reduce(f64::min) {
        let interval_s = rows
            .iter()
            .filter_map(|row| row.style.mininterval_s)
            .reduce(f64::min);
        output.schedule().observe(oldest_start_s, interval_s);
    }
    let mut live: Vec<&Row> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let stays = match row.ended {
            _ if row.is_delayed(now_s) => false,
            None => {
                live.push(row);
                false
            }
            Some(Ended::Keep) => true,
            // A bar that is to vanish leaves a line only if it was the outermost, and no more of
            // them than the schedule has lines.
            Some(Ended::Erase) => place == 0 && output.schedule().has_room(now_s),
        };
        if stays {
            output.schedule().replace_one(now_s);
            output.keep(tracks.line(now_s, row, room));
        }
        tracks.touch(row);
    }
    let due = match *live {
        [] => None,
        _ if !output.schedule().take(now_s) => None,
        [only] => Some(tracks.line(now_s, only, room)),
        [outermost, .., innermost] => {
            let how_far = tracks.line(now_s, outermost, room);
            let doing_what = tracks.line(now_s, innermost, room);
            Some(how_far + separator(room) + &doing_what)
        }
    };
    output.write_lines(due);
}

/// What stands between the outermost and the innermost bar of one tick.
fn separator(room: Room) -> &'static str {
    if room == Room::Json {
        "\n"
    } else {
        LOG_SEPARATOR
    }
}
