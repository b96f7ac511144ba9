//! A number that stays an integer while it can: tqdm shows `3/10` for ints and `3.0/10` for floats.

use std::cmp::Ordering;
use std::ops::{Add, Sub};

/// An item count or a total.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// An exact count.
    Int(i64),
    /// A count that a float was added to, or an integer beyond 64 bits.
    Float(f64),
}

impl Value {
    /// Nothing counted.
    pub const ZERO: Self = Self::Int(0);

    /// The number as a float, rounded where it needs more than 53 bits.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio of two counts needs no more"
    )]
    pub const fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The order of two counts; a NaN comes first.
    #[must_use]
    pub fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (a, b) => key(a.as_f64()).total_cmp(&key(b.as_f64())),
        }
    }

    /// The larger of the two; a NaN loses.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        std::cmp::max_by(self, other, |a, b| a.order(*b))
    }

    /// The sum of counts over `count`, exact for integers; floored, so that nothing is shown that was
    /// not done.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of ranks are small")]
    pub fn floor_mean(values: impl Iterator<Item = Self> + Clone, count: usize) -> Self {
        let count = count.max(1);
        let whole = |value| match value {
            Self::Int(value) => Some(i128::from(value)),
            Self::Float(_) => None,
        };
        let sum: Option<i128> = values.clone().map(whole).sum();
        let mean = sum.map(|sum| sum.div_euclid(i128::try_from(count).unwrap_or(1)));
        match mean.and_then(|mean| i64::try_from(mean).ok()) {
            Some(mean) => Self::Int(mean),
            None => Self::Float(saturated(values.map(|n| n.as_f64() / count as f64).sum())),
        }
    }

    /// `self / all` of `part`, floored; `None` where one of them is no integer, or `all` is 0.
    #[must_use]
    pub fn floor_share(self, part: Self, all: Self) -> Option<Self> {
        let (Self::Int(done), Self::Int(part), Self::Int(all)) = (self, part, all) else {
            return None;
        };
        let whole = i128::from(done) * i128::from(part);
        let share = whole.checked_div_euclid(i128::from(all))?;
        i64::try_from(share).ok().map(Self::Int)
    }

    /// The bits that a segment stores, and whether they are a float's.
    pub(crate) const fn to_bits(self) -> (u64, bool) {
        match self {
            Self::Int(value) => (value.cast_unsigned(), false),
            Self::Float(value) => (value.to_bits(), true),
        }
    }

    /// The inverse of [`Value::to_bits`]; any bits are some finite number.
    pub(crate) const fn from_bits(bits: u64, is_float: bool) -> Self {
        if is_float {
            Self::Float(saturated(f64::from_bits(bits)))
        } else {
            Self::Int(bits.cast_signed())
        }
    }
}

/// For comparing: a NaN below all.
const fn key(value: f64) -> f64 {
    if value.is_nan() {
        f64::NEG_INFINITY
    } else {
        value
    }
}

/// The nearest finite number; 0 for what is no number.
pub(crate) const fn saturated(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}

impl Add for Value {
    type Output = Self;

    /// Exact for integers; where the sum leaves 64 bits it goes on as a float, which saturates.
    fn add(self, other: Self) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Self::Int(sum);
        }
        Self::Float(saturated(self.as_f64() + other.as_f64()))
    }
}

impl Sub for Value {
    type Output = Self;

    /// As [`Value::add`].
    fn sub(self, other: Self) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(difference) = a.checked_sub(b)
        {
            return Self::Int(difference);
        }
        Self::Float(saturated(self.as_f64() - other.as_f64()))
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_exact_until_they_leave_64_bits() {
        let table = [
            (Value::Int(2), Value::Int(3), Value::Int(5)),
            (
                Value::Int(i64::MAX),
                Value::Int(1),
                Value::Float(9_223_372_036_854_775_808.0),
            ),
            (Value::Int(1), Value::Float(0.5), Value::Float(1.5)),
        ];
        for (a, b, sum) in table {
            assert_eq!(a + b, sum);
        }
    }

    #[test]
    fn the_mean_of_ranks_is_floored() {
        let huge = i64::MAX - 1;
        let table = [
            ([Value::Int(391), Value::Int(392)], Value::Int(391)),
            ([Value::Int(-1), Value::Int(0)], Value::Int(-1)),
            ([Value::Int(1), Value::Float(2.0)], Value::Float(1.5)),
            ([Value::Int(i64::MAX), Value::Int(huge)], Value::Int(huge)),
        ];
        for (ranks, mean) in table {
            assert_eq!(Value::floor_mean(ranks.into_iter(), 2), mean);
        }
    }

    #[test]
    fn counts_that_are_one_float_keep_their_order() {
        let (low, high) = (Value::Int(i64::MAX - 1), Value::Int(i64::MAX));
        assert_eq!((low.max(high), high.max(low)), (high, high));
        assert_eq!(Value::Float(f64::NAN).max(low), low);
        assert_eq!(Value::Float(0.5).max(Value::Int(1)), Value::Int(1));
    }

    #[test]
    fn a_share_of_a_part_is_floored() {
        let share =
            |done, part, all| Value::Int(done).floor_share(Value::Int(part), Value::Int(all));
        assert_eq!(share(1, 2, 4), Some(Value::Int(0)));
        assert_eq!(share(194, 97, 195), Some(Value::Int(96)));
        assert_eq!(
            share(i64::MAX, i64::MAX, i64::MAX),
            Some(Value::Int(i64::MAX))
        );
        assert_eq!(share(1, 0, 0), None);
        let half = Value::Int(1).floor_share(Value::Float(2.5), Value::Float(2.5));
        assert_eq!(half, None);
    }
}
