//! One bar as the renderer is given it: its numbers, its texts and its style.

use std::sync::Arc;

use crate::charset::Charset;
use crate::clean::{clean, clean_keeping_colours};
use crate::give_way::Shown;
use crate::json::object;
use crate::line::untrimmed;
use crate::meter::{Meter, UnitScale};
use crate::number::Number;
use crate::postfix::Postfix;
use crate::remark::Remark;
use crate::sizes::UNIT_DIVISOR;
use crate::template::Template;
use crate::width::fit_to_columns;

/// What does not change from frame to frame, with tqdm's meaning and defaults.
#[derive(Clone, Debug)]
pub struct Style {
    /// What one item is called.
    pub unit: String,
    /// Whether counts are shortened or scaled.
    pub unit_scale: UnitScale,
    /// The step between two prefixes of a shortened count.
    pub unit_divisor: Number,
    /// What the bar is drawn with. Whether the output can show it is for the caller to decide.
    pub charset: Charset,
    /// Another shape of the line.
    pub bar_format: Option<Template>,
    /// The bar's colour.
    pub colour: Option<String>,
    /// The width of the line: `None` for the terminal's, 0 for statistics without a bar.
    pub ncols: Option<u32>,
    /// The most lines of the screen that bars may take; `None` for all but one.
    pub nrows: Option<u32>,
    /// How much the latest sample weighs in the rate, from 0 (average) to 1 (last).
    pub smoothing: f64,
    /// The least seconds between two texts of this bar; `None` unless the user asked for it. In a
    /// log it replaces the schedule.
    pub mininterval_s: Option<f64>,
    /// Seconds after the start during which nothing is shown.
    pub delay_s: f64,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            unit: "it".to_owned(),
            unit_scale: UnitScale::Off,
            unit_divisor: UNIT_DIVISOR,
            charset: Charset::default(),
            bar_format: None,
            colour: None,
            ncols: None,
            nrows: None,
            smoothing: 0.3,
            mininterval_s: None,
            delay_s: 0.0,
        }
    }
}

/// What becomes of a bar's line once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It stays above the live ones.
    Keep,
    /// It vanishes.
    Erase,
}

/// One bar at one frame.
#[derive(Clone, Debug)]
pub struct Row {
    /// The same at each frame of one bar, and of no other.
    pub id: u64,
    /// Items done.
    pub n: Number,
    /// Items to do.
    pub total: Option<Number>,
    /// The count at the start.
    pub initial: Number,
    /// When it started, in seconds of the clock that frames are drawn by.
    pub start_s: f64,
    /// What does not change.
    pub style: Arc<Style>,
    /// What the line begins with.
    pub desc: String,
    /// What follows the rate.
    pub postfix: Postfix,
    /// The part done, where it is not `n / total`.
    pub fraction: Option<f64>,
    /// Seconds left, where the rate does not tell.
    pub remaining_s: Option<f64>,
    /// Items a second, where the count from frame to frame does not tell: 0 of a bar that stands
    /// still, whose line then knows no rate and no time left.
    pub rate: Option<f64>,
    /// What the numbers do not tell.
    pub remarks: Vec<Remark>,
    /// Whether the last text holds, though time has passed: nothing moved, and a prompt that may
    /// stand on the screen by now is to be left alone.
    pub is_still: bool,
    /// Set in the one frame that shows the bar's end.
    pub ended: Option<Ended>,
    /// Whether an exception ended it: its line is red, or says so where there are no colours.
    pub has_failed: bool,
    /// The seconds it took, once it has ended; `None` counts them to the frame.
    pub elapsed_s: Option<f64>,
}

/// The space a line may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// A terminal: no line is wider than this, none is drawn on 0 columns.
    Columns {
        cols: u32,
        rows: u32,
        has_colours: bool,
    },
    /// A log: ten cells of bar, no limit, no colours.
    Log,
    /// A log that programs read: an object.
    Json,
}

impl Row {
    /// A bar without texts that counts from 0 to an unknown end.
    #[must_use]
    pub fn new(id: u64, n: Number, start_s: f64, style: Arc<Style>) -> Self {
        Self {
            id,
            n,
            total: None,
            initial: Number::ZERO,
            start_s,
            style,
            desc: String::new(),
            postfix: Postfix::None,
            fraction: None,
            remaining_s: None,
            rate: None,
            remarks: Vec::new(),
            is_still: false,
            ended: None,
            has_failed: false,
            elapsed_s: None,
        }
    }

    /// Seconds since the start, at `now_s` or at the end.
    pub(crate) fn elapsed_s(&self, now_s: f64) -> f64 {
        self.elapsed_s.unwrap_or(now_s - self.start_s).max(0.0)
    }

    /// Whether the user asked for silence at this age.
    pub(crate) fn is_delayed(&self, now_s: f64) -> bool {
        self.elapsed_s(now_s) < self.style.delay_s
    }

    /// The line of this bar. A `rate` of `None` is the average since the start; the row's own goes
    /// before it.
    pub(crate) fn line(&self, now_s: f64, rate: Option<f64>, room: Room) -> String {
        let style = &*self.style;
        let rate = self.rate.or(rate);
        let (limit, nrows, has_colours) = match room {
            Room::Columns { cols: 0, .. } => return String::new(),
            Room::Columns {
                cols,
                rows,
                has_colours,
            } => (Some(cols), Some(rows), has_colours),
            Room::Log => (None, None, false),
            Room::Json => return object(self, now_s, rate),
        };
        let ncols = match (style.ncols, limit) {
            (Some(asked), Some(limit)) => Some(asked.min(limit)),
            (asked, limit) => asked.or(limit),
        };
        let desc = clean(&self.desc);
        // It comes first: a narrow terminal has room for the first ones.
        let is_said = self.has_failed && !has_colours;
        let mark = is_said.then(|| Remark::new("failed").as_alarm());
        let remarks: Vec<Remark> = mark.into_iter().chain(self.remarks.clone()).collect();
        let colour = if self.has_failed {
            Some("red")
        } else {
            style.colour.as_deref()
        };
        let meter = Meter {
            ncols,
            nrows: style.nrows.or(nrows),
            prefix: &desc,
            charset: &style.charset,
            unit: &style.unit,
            unit_scale: style.unit_scale,
            rate: rate.map(Number::Float),
            bar_format: style.bar_format.as_ref(),
            unit_divisor: style.unit_divisor,
            initial: self.initial,
            colour,
            fraction: self.fraction,
            remaining_s: self.remaining_s,
            ..Meter::new(self.n, self.total, self.elapsed_s(now_s).into())
        };
        let columns = match ncols {
            Some(0) => limit,
            ncols => ncols,
        };
        let shown = match columns {
            Some(columns) => Shown::fitting(&meter, columns, &remarks, &self.postfix),
            None => Shown::everything(&meter, &remarks, &self.postfix),
        };
        let meter = shown.of(&meter);
        // A template can fit at one frame and not at another (`{rate:.1f}` before there is one):
        // then the default line is better than none.
        let line = untrimmed(&meter)
            .or_else(|_| {
                untrimmed(&Meter {
                    bar_format: None,
                    ..meter
                })
            })
            .unwrap_or_default();
        let line = match limit {
            Some(_) => clean_keeping_colours(line),
            None => clean(&line),
        };
        match columns {
            Some(columns) => fit_to_columns(&line, columns as usize),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let style = Arc::new(Style::default());
        Row {
            total: Some(10.into()),
            desc: "train".to_owned(),
            ..Row::new(1, 5.into(), 100.0, style)
        }
    }

    fn columns(cols: u32) -> Room {
        Room::Columns {
            cols,
            rows: 23,
            has_colours: true,
        }
    }

    #[test]
    fn a_line_never_exceeds_its_columns() {
        for cols in 0..100 {
            let line = row().line(104.0, None, columns(cols));
            assert!(line.chars().count() <= cols as usize, "{line:?}");
        }
        assert_eq!(row().line(104.0, None, columns(0)), "");
        assert_eq!(
            row().line(104.0, None, columns(60)),
            "train:  50%|████████▌        | 5/10 [00:04<00:04,  1.25it/s]"
        );
    }

    #[test]
    fn a_log_has_ten_cells_and_no_colours() {
        let style = Style {
            colour: Some("red".to_owned()),
            ..Style::default()
        };
        let row = Row {
            style: Arc::new(style),
            ..row()
        };
        assert_eq!(
            row.line(104.0, Some(2.0), Room::Log),
            "train:  50%|█████     | 5/10 [00:04<00:02,  2.00it/s]"
        );
    }

    #[test]
    fn a_template_that_does_not_fit_gives_way_to_the_default() {
        let template = Template::parse("{total:d}").unwrap();
        let style = Style {
            bar_format: Some(template),
            ..Style::default()
        };
        let row = Row {
            total: None,
            style: Arc::new(style),
            ..row()
        };
        assert_eq!(
            row.line(104.0, None, Room::Log),
            "train: 5it [00:04,  1.25it/s]"
        );
    }

    #[test]
    fn time_stands_still_at_the_end() {
        let ended = Row {
            elapsed_s: Some(2.0),
            ended: Some(Ended::Keep),
            ..row()
        };
        assert!(
            ended
                .line(999.0, None, Room::Log)
                .contains("[00:02<00:02,  2.50it/s]")
        );
    }

    #[test]
    fn a_failure_is_red_or_said() {
        let failed = Row {
            has_failed: true,
            remarks: vec![Remark::new("4 processes")],
            ..row()
        };
        let plain = Room::Columns {
            cols: 90,
            rows: 23,
            has_colours: false,
        };
        let line = |row: &Row, room| row.line(104.0, None, room);
        let red = line(&failed, columns(90));
        assert!(
            red.contains("|\x1b[31m█") && !red.contains("failed"),
            "{red:?}"
        );
        // A terminal without colours takes those of the line out.
        for said in [clean(&line(&failed, plain)), line(&failed, Room::Log)] {
            assert!(said.ends_with("it/s, failed, 4 processes]"), "{said:?}");
        }
        let bare = Row {
            remarks: Vec::new(),
            ..failed
        };
        assert!(line(&bare, Room::Log).ends_with("it/s, failed]"));
    }

    #[test]
    fn a_rate_of_zero_is_unknown_and_so_is_the_time_left() {
        let still = Row {
            rate: Some(0.0),
            remarks: vec![Remark::new("nothing for 40s")],
            ..row()
        };
        assert_eq!(
            still.line(144.0, Some(2.0), Room::Log),
            "train:  50%|█████     | 5/10 [00:44<?, ?it/s, nothing for 40s]"
        );
        let object = still.line(144.0, Some(2.0), Room::Json);
        assert!(
            object.contains("\"remaining_s\": null, \"rate\": 0,"),
            "{object}"
        );
    }

    #[test]
    fn statistics_alone_on_zero_columns_of_style() {
        let style = Style {
            ncols: Some(0),
            ..Style::default()
        };
        let row = Row {
            style: Arc::new(style),
            ..row()
        };
        let expected = "train:  50% 5/10 [00:04<00:04,  1.25it/s]";
        assert_eq!(row.line(104.0, None, columns(79)), expected);
        assert_eq!(row.line(104.0, None, columns(10)), "tra…:  50%");
    }
}
