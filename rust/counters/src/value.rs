//! A number that stays an integer while it can: tqdm shows `3/10` for ints and `3.0/10` for floats.

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

    /// The larger of the two; a NaN loses.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if self.as_f64() >= other.as_f64() || other.as_f64().is_nan() {
            self
        } else {
            other
        }
    }

    /// The smaller of the two; a NaN loses.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if self.as_f64() <= other.as_f64() || other.as_f64().is_nan() {
            self
        } else {
            other
        }
    }

    /// The mean over `count`, floored for integers so that nothing is shown that was not done.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of ranks are small")]
    pub fn floor_mean(self, count: usize) -> Self {
        match self {
            Self::Int(sum) => Self::Int(sum.div_euclid(i64::try_from(count.max(1)).unwrap_or(1))),
            Self::Float(sum) => Self::Float(sum / count.max(1) as f64),
        }
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
        assert_eq!(Value::Int(783).floor_mean(2), Value::Int(391));
        assert_eq!(Value::Int(-1).floor_mean(2), Value::Int(-1));
        assert_eq!(Value::Float(3.0).floor_mean(2), Value::Float(1.5));
    }
}
