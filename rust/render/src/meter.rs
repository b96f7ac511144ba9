//! What a line of progress is made from: tqdm's parameters and four of our own.

use crate::charset::Charset;
use crate::number::Number;
use crate::sizes::UNIT_DIVISOR;
use crate::template::Template;
use crate::width::disp_trim;

/// What a line is made from, with tqdm's meaning of each parameter.
///
/// The last four are this package's own: with them unset, the line is tqdm's to the byte.
#[derive(Clone, Debug)]
pub struct Meter<'a> {
    /// Items done.
    pub n: Number,
    /// Items to do. Infinity, NaN and what `n` has passed are the same as `None`.
    pub total: Option<Number>,
    /// Seconds since the start.
    pub elapsed_s: Number,
    /// The width of the line: `None` for ten cells of bar and no limit, 0 for no bar.
    pub ncols: Option<u32>,
    /// The height of the screen, for templates that show it.
    pub nrows: Option<u32>,
    /// What the line begins with.
    pub prefix: &'a str,
    /// What the bar is drawn with.
    pub charset: &'a Charset,
    /// What one item is called.
    pub unit: &'a str,
    /// Whether counts are shortened or scaled.
    pub unit_scale: UnitScale,
    /// Items a second; `None` for the average since the start.
    pub rate: Option<Number>,
    /// Another shape of the line.
    pub bar_format: Option<&'a Template>,
    /// What follows the rate.
    pub postfix: MeterPostfix<'a>,
    /// The step between two prefixes of a shortened count.
    pub unit_divisor: Number,
    /// The count at the start.
    pub initial: Number,
    /// The bar's colour; one that is unknown is no colour.
    pub colour: Option<&'a str>,
    /// The part done, where it is not `n / total`: that of the whole job.
    pub fraction: Option<f64>,
    /// Seconds left, where the rate does not tell: those of the slowest rank.
    pub remaining_s: Option<f64>,
    /// A remark behind the postfix, such as `7/8 ranks`.
    pub note: Option<&'a str>,
    /// How much of the default shape there is room for.
    pub extent: Extent,
}

/// How many figures of its default shape a line has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    #[default]
    All,
    /// All but the rate.
    Times,
    /// The count and what goes before it.
    Count,
    /// The desc and the percentage alone, or the count where there is no total.
    Percentage,
}

impl Extent {
    /// Each, the widest first.
    pub(crate) const FROM_ALL: [Self; 4] = [Self::All, Self::Times, Self::Count, Self::Percentage];
}

/// How counts are shown: tqdm's `unit_scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum UnitScale {
    /// `False`: all digits.
    #[default]
    Off,
    /// `True`: three digits and a prefix.
    Si,
    /// Any other number but 0: multiplied by it.
    By(Number),
}

/// What follows the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterPostfix<'a> {
    /// Text, joined by a comma unless it is empty.
    Joined(&'a str),
    /// The text of something else, joined by nothing.
    Raw(&'a str),
}

impl Default for MeterPostfix<'_> {
    fn default() -> Self {
        Self::Joined("")
    }
}

impl Meter<'_> {
    /// A meter with tqdm's defaults for everything else.
    #[must_use]
    pub fn new(n: Number, total: Option<Number>, elapsed_s: Number) -> Self {
        static DEFAULT_CHARSET: Charset = Charset::Unicode;
        Self {
            n,
            total,
            elapsed_s,
            ncols: None,
            nrows: None,
            prefix: "",
            charset: &DEFAULT_CHARSET,
            unit: "it",
            unit_scale: UnitScale::Off,
            rate: None,
            bar_format: None,
            postfix: MeterPostfix::default(),
            unit_divisor: UNIT_DIVISOR,
            initial: Number::ZERO,
            colour: None,
            fraction: None,
            remaining_s: None,
            note: None,
            extent: Extent::All,
        }
    }

    /// The width of the line, where it has one to keep within.
    pub(crate) fn width_limit(&self) -> Option<u32> {
        self.ncols.filter(|ncols| *ncols > 0)
    }

    /// A finished line, cut to its width.
    #[must_use]
    pub fn trim(&self, line: String) -> String {
        match self.width_limit() {
            Some(ncols) => disp_trim(line, ncols as usize),
            None => line,
        }
    }
}
