//! tqdm's arithmetic: from the numbers of a meter to the values that its line shows.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::bar::Bar;
use crate::charset::{Charset, Colour};
use crate::field::{Field, FieldValue};
use crate::float_text::fixed;
use crate::interval::format_interval;
use crate::meter::{Extent, Meter, MeterPostfix, UnitScale};
use crate::number::Number;
use crate::sizes::{UNIT_DIVISOR, format_sizeof};
use crate::width::disp_len;

/// The cells of a bar on a line without a width of its own.
const DEFAULT_CELLS: u32 = 10;

/// A meter worked out: what tqdm computes before it writes a line.
#[derive(Clone, Debug)]
pub struct Figures<'a> {
    meter: &'a Meter<'a>,
    n: Number,
    total: Option<Number>,
    fraction: Option<f64>,
    rate: Option<Number>,
    seconds_per_item: Option<f64>,
    remaining_s: Number,
    remaining_known: bool,
}

impl<'a> Figures<'a> {
    /// Works a meter out.
    #[must_use]
    pub fn of(meter: &'a Meter<'a>) -> Self {
        let mut n = meter.n;
        let mut total = meter.total.filter(|total| is_meaningful(*total, n));
        let mut rate = meter.rate;
        if let UnitScale::By(scale) = meter.unit_scale {
            total = total.map(|total| {
                if total.is_zero() {
                    total
                } else {
                    total.times(scale)
                }
            });
            n = n.times(scale);
            rate = rate.map(|rate| {
                if rate.is_zero() {
                    rate
                } else {
                    rate.times(scale)
                }
            });
        }
        if rate.is_none() && !meter.elapsed_s.is_zero() {
            rate = Some(Number::Float(n.minus(meter.initial).over(meter.elapsed_s)));
        }
        let nonzero_rate = rate.filter(|rate| !rate.is_zero());
        let nonzero_total = total.filter(|total| !total.is_zero());
        let (remaining_s, remaining_known) = match (meter.remaining_s, nonzero_rate) {
            (Some(given), _) => (Number::Float(given), given.is_finite()),
            (None, None) => (Number::ZERO, false),
            (None, Some(rate)) => match nonzero_total {
                Some(total) => (Number::Float(total.minus(n).over(rate)), true),
                None => (Number::ZERO, true),
            },
        };
        Self {
            meter,
            n,
            total,
            fraction: nonzero_total.map(|total| meter.fraction.unwrap_or_else(|| n.over(total))),
            rate,
            seconds_per_item: nonzero_rate.map(|rate| Number::Int(1).over(rate)),
            remaining_s,
            remaining_known,
        }
    }

    /// The part done, if there is a total to be done.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        self.fraction
    }

    /// The bar of a line whose other text is `rest`: as wide as the line leaves room, one cell at
    /// least.
    #[must_use]
    pub fn bar_beside(&self, rest: &str) -> Bar<'a> {
        let cells = match self.meter.width_limit() {
            None => DEFAULT_CELLS,
            Some(ncols) => {
                let taken = u32::try_from(disp_len(rest)).unwrap_or(u32::MAX);
                ncols.saturating_sub(taken).max(1)
            }
        };
        let colour = self.meter.colour.and_then(Colour::parse);
        match self.fraction {
            Some(fraction) => Bar::new(fraction, cells, self.meter.charset, colour),
            None => Bar::blank(cells, colour),
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> FieldValue<'a> {
        let number = |number: Option<Number>| number.map_or(FieldValue::None, FieldValue::Number);
        let columns = |columns: Option<u32>| number(columns.map(|c| Number::Int(c.into())));
        let owned = |text: String| FieldValue::Text(Cow::Owned(text));
        let meter = self.meter;
        match field {
            Field::LeftBar => owned(self.left()),
            Field::RightBar => owned(self.right()),
            Field::N => FieldValue::Number(self.n),
            Field::NFmt => owned(self.count_text(self.n)),
            Field::Total => number(self.total),
            Field::TotalFmt => owned(self.total_text()),
            Field::Percentage => FieldValue::Number(self.percentage()),
            Field::Elapsed => owned(format_interval(meter.elapsed_s)),
            Field::ElapsedS => FieldValue::Number(meter.elapsed_s),
            Field::Ncols => columns(meter.ncols),
            Field::Nrows => columns(meter.nrows),
            Field::Desc | Field::Prefix => FieldValue::Text(Cow::Borrowed(meter.prefix)),
            Field::Unit => FieldValue::Text(Cow::Borrowed(meter.unit)),
            Field::Rate => number(self.slow().map(Number::Float).or(self.rate)),
            Field::RateFmt => owned(self.rate_text()),
            Field::RateNoinv => number(self.rate),
            Field::RateNoinvFmt => owned(self.items_per_second_text()),
            Field::RateInv => number(self.seconds_per_item.map(Number::Float)),
            Field::RateInvFmt => owned(self.seconds_per_item_text()),
            Field::Postfix => owned(self.postfix_text()),
            Field::UnitDivisor => FieldValue::Number(meter.unit_divisor),
            Field::Colour => match meter.colour {
                Some(colour) => FieldValue::Text(Cow::Borrowed(colour)),
                None => FieldValue::None,
            },
            Field::Remaining => owned(self.remaining_text()),
            Field::RemainingS => FieldValue::Number(self.remaining_s),
            Field::Initial => FieldValue::Number(meter.initial),
            Field::Ascii => match meter.charset {
                Charset::Unicode => FieldValue::Bool(false),
                Charset::Ascii => FieldValue::Bool(true),
                Charset::Custom(_) => owned(meter.charset.text()),
            },
            Field::UnitScale => match meter.unit_scale {
                UnitScale::Off => FieldValue::Bool(false),
                UnitScale::Si => FieldValue::Bool(true),
                UnitScale::By(scale) => FieldValue::Number(scale),
            },
            Field::BarFormat => match meter.bar_format {
                Some(template) => FieldValue::Text(Cow::Borrowed(template.source())),
                None => FieldValue::None,
            },
        }
    }

    /// What stands before the bar.
    pub(crate) fn left(&self) -> String {
        let prefix = self.meter.prefix;
        let colon = if prefix.is_empty() || prefix.ends_with(": ") {
            ""
        } else {
            ": "
        };
        match self.fraction {
            Some(fraction) => format!("{prefix}{colon}{:>3}%|", fixed(fraction * 100.0, 0)),
            None => format!("{prefix}{colon}|"),
        }
    }

    /// What stands behind the bar.
    pub(crate) fn right(&self) -> String {
        let elapsed = format_interval(self.meter.elapsed_s);
        let times = format!("{elapsed}<{}", self.remaining_text());
        let behind = self.behind_count(&times);
        if self.meter.extent == Extent::Percentage {
            return format!("|{behind}");
        }
        let (n, total) = (self.count_text(self.n), self.total_text());
        format!("| {n}/{total}{behind}")
    }

    /// The whole line of work without a total.
    pub(crate) fn statistics(&self) -> String {
        let prefix = self.meter.prefix;
        format!(
            "{prefix}{}{}{}{}",
            if prefix.is_empty() { "" } else { ": " },
            self.count_text(self.n),
            self.meter.unit,
            self.behind_count(&format_interval(self.meter.elapsed_s)),
        )
    }

    /// The brackets, as far as there is something in them.
    fn behind_count(&self, times: &str) -> String {
        let postfix = self.postfix_text();
        match self.meter.extent {
            Extent::All => format!(" [{times}, {}{postfix}]", self.rate_text()),
            Extent::Times => format!(" [{times}{postfix}]"),
            Extent::Count | Extent::Percentage => match postfix.trim_start_matches(", ") {
                "" => String::new(),
                postfix => format!(" [{postfix}]"),
            },
        }
    }

    fn percentage(&self) -> Number {
        self.fraction
            .map_or(Number::ZERO, |fraction| Number::Float(fraction * 100.0))
    }

    /// Seconds an item, where that is the better thing to show.
    fn slow(&self) -> Option<f64> {
        self.seconds_per_item.filter(|seconds| *seconds > 1.0)
    }

    fn count_text(&self, count: Number) -> String {
        match self.meter.unit_scale {
            UnitScale::Si => format_sizeof(count, "", self.meter.unit_divisor),
            _ => count.to_string(),
        }
    }

    fn total_text(&self) -> String {
        self.total
            .map_or_else(|| "?".to_owned(), |total| self.count_text(total))
    }

    fn rate_text(&self) -> String {
        if self.slow().is_some() {
            self.seconds_per_item_text()
        } else {
            self.items_per_second_text()
        }
    }

    fn items_per_second_text(&self) -> String {
        format!("{}{}/s", self.speed_text(self.rate), self.meter.unit)
    }

    fn seconds_per_item_text(&self) -> String {
        let seconds = self.speed_text(self.seconds_per_item.map(Number::Float));
        format!("{seconds}s/{}", self.meter.unit)
    }

    fn speed_text(&self, speed: Option<Number>) -> String {
        match (
            speed.filter(|speed| !speed.is_zero()),
            self.meter.unit_scale,
        ) {
            (None, _) => "?".to_owned(),
            // Rates step by thousands whatever the unit's divisor is, as in tqdm.
            (Some(speed), UnitScale::Si) => format_sizeof(speed, "", UNIT_DIVISOR),
            (Some(speed), _) => format!("{:>5}", fixed(speed.as_f64(), 2)),
        }
    }

    fn remaining_text(&self) -> String {
        if self.remaining_known {
            format_interval(self.remaining_s)
        } else {
            "?".to_owned()
        }
    }

    fn postfix_text(&self) -> String {
        let mut text = match self.meter.postfix {
            MeterPostfix::Joined("") => String::new(),
            MeterPostfix::Joined(postfix) => format!(", {postfix}"),
            MeterPostfix::Raw(postfix) => postfix.to_owned(),
        };
        if let Some(note) = self.meter.note.filter(|note| !note.is_empty()) {
            text.push_str(", ");
            text.push_str(note);
        }
        text
    }
}

/// Whether a total says anything: it is a number, and the count has not passed it. The half allows
/// for counts that were added up as floats.
fn is_meaningful(total: Number, n: Number) -> bool {
    if total.is_zero() {
        return true;
    }
    if total.is_nan() || total.as_f64() == f64::INFINITY {
        return false;
    }
    let passed = n.compare(total.as_f64() + 0.5);
    !matches!(passed, Some(Ordering::Greater | Ordering::Equal))
}
