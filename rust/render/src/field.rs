//! The names that a template can put between braces, and what each of them holds.

use std::borrow::Cow;

use crate::number::Number;

/// A name that a template can put between braces, apart from the bar itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Everything before the bar.
    LeftBar,
    /// Everything behind the bar.
    RightBar,
    /// The count.
    N,
    /// The count as the line shows it.
    NFmt,
    /// The total.
    Total,
    /// The total as the line shows it.
    TotalFmt,
    /// The percentage done.
    Percentage,
    /// Seconds since the start, as a clock.
    Elapsed,
    /// Seconds since the start.
    ElapsedS,
    /// The width of the line.
    Ncols,
    /// The height of the screen.
    Nrows,
    /// The description.
    Desc,
    /// The unit.
    Unit,
    /// The rate that the line shows: items a second, or seconds an item above one second.
    Rate,
    /// That rate as the line shows it.
    RateFmt,
    /// Items a second.
    RateNoinv,
    /// Items a second, as text.
    RateNoinvFmt,
    /// Seconds an item.
    RateInv,
    /// Seconds an item, as text.
    RateInvFmt,
    /// What follows the rate, its comma included.
    Postfix,
    /// The step between two prefixes of a scaled count.
    UnitDivisor,
    /// The bar's colour as it was given.
    Colour,
    /// Seconds left, as a clock.
    Remaining,
    /// Seconds left.
    RemainingS,
    /// The first count.
    Initial,
    /// The description under its older name.
    Prefix,
    /// The charset as it was given.
    Ascii,
    /// The scale as it was given.
    UnitScale,
    /// The template itself.
    BarFormat,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// Python's `None`.
    None,
    /// A `bool`.
    Bool(bool),
    /// An `int` or a `float`.
    Number(Number),
    /// A `str`.
    Text(Cow<'a, str>),
}

impl Field {
    /// Every field with its name.
    pub const ALL: [(&'static str, Self); 29] = [
        ("l_bar", Self::LeftBar),
        ("r_bar", Self::RightBar),
        ("n", Self::N),
        ("n_fmt", Self::NFmt),
        ("total", Self::Total),
        ("total_fmt", Self::TotalFmt),
        ("percentage", Self::Percentage),
        ("elapsed", Self::Elapsed),
        ("elapsed_s", Self::ElapsedS),
        ("ncols", Self::Ncols),
        ("nrows", Self::Nrows),
        ("desc", Self::Desc),
        ("unit", Self::Unit),
        ("rate", Self::Rate),
        ("rate_fmt", Self::RateFmt),
        ("rate_noinv", Self::RateNoinv),
        ("rate_noinv_fmt", Self::RateNoinvFmt),
        ("rate_inv", Self::RateInv),
        ("rate_inv_fmt", Self::RateInvFmt),
        ("postfix", Self::Postfix),
        ("unit_divisor", Self::UnitDivisor),
        ("colour", Self::Colour),
        ("remaining", Self::Remaining),
        ("remaining_s", Self::RemainingS),
        ("initial", Self::Initial),
        ("prefix", Self::Prefix),
        ("ascii", Self::Ascii),
        ("unit_scale", Self::UnitScale),
        ("bar_format", Self::BarFormat),
    ];

    /// The field of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, field)| *field)
    }

    /// Its name in a template.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        for (name, field) in Field::ALL {
            assert_eq!(Field::by_name(name), Some(field));
            assert_eq!(field.name(), name);
        }
        assert_eq!(Field::by_name("bar"), None);
    }
}
