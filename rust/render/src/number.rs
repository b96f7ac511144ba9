//! A count as Python would hold it: a whole number or a float, with Python's arithmetic and text.

use std::cmp::Ordering;
use std::fmt;

use crate::float_text;

/// Every whole number up to this one has a double of its own.
const EXACT_MAX: u128 = 1 << f64::MANTISSA_DIGITS;

/// A count, a total or a rate.
///
/// Whole numbers stay whole until something divides them, because `5` and `5.0` read differently
/// on the line. Beyond `i128` they become floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A Python `int`.
    Int(i128),
    /// A Python `float`.
    Float(f64),
}

impl Number {
    /// The `int` 0.
    pub const ZERO: Self = Self::Int(0);

    /// The nearest double.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// Whether Python calls it false: `0`, `0.0` and `-0.0`, but not NaN.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.as_f64() == 0.0
    }

    /// Whether it is neither NaN nor infinite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }

    /// Whether it is NaN.
    #[must_use]
    pub fn is_nan(self) -> bool {
        self.as_f64().is_nan()
    }

    /// The order of this number and a double, exact also where the whole number has no double.
    #[must_use]
    pub fn compare(self, other: f64) -> Option<Ordering> {
        let Self::Int(value) = self else {
            return self.as_f64().partial_cmp(&other);
        };
        let rounded = value as f64;
        if rounded != other {
            return rounded.partial_cmp(&other);
        }
        // The doubles are equal, and a double of this size is whole, so the cast is exact. It
        // saturates for 2^127 alone, which is above every `i128`.
        if other >= 2f64.powi(127) {
            Some(Ordering::Less)
        } else {
            Some(value.cmp(&(other as i128)))
        }
    }

    /// `self + other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.combine(other, i128::checked_add, |a, b| a + b)
    }

    /// `self - other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.combine(other, i128::checked_sub, |a, b| a - b)
    }

    /// `self * other`.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        self.combine(other, i128::checked_mul, |a, b| a * b)
    }

    /// `self / other`, rounded once, as Python's division of two ints is. Division by zero gives
    /// what IEEE 754 gives.
    #[must_use]
    pub fn over(self, other: Self) -> f64 {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => divide_whole(a, b),
            _ => self.as_f64() / other.as_f64(),
        }
    }

    fn combine(
        self,
        other: Self,
        whole: fn(i128, i128) -> Option<i128>,
        float: fn(f64, f64) -> f64,
    ) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(value) = whole(a, b)
        {
            return Self::Int(value);
        }
        Self::Float(float(self.as_f64(), other.as_f64()))
    }
}

/// Python's `str(n)`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => f.write_str(&float_text::repr(*value)),
        }
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// The quotient of two whole numbers, rounded to the nearest double once.
///
/// Dividing the two doubles would round three times where the numbers exceed 2^53.
fn divide_whole(a: i128, b: i128) -> f64 {
    let (dividend, divisor) = (a.unsigned_abs(), b.unsigned_abs());
    if dividend <= EXACT_MAX && divisor <= EXACT_MAX {
        return a as f64 / b as f64;
    }
    if dividend == 0 || divisor == 0 {
        return a as f64 / b as f64;
    }
    // Long division to a quotient of 55 or 56 bits: two or three more than a double keeps, with
    // the remainder folded into the last of them, so that the cast below rounds correctly.
    let bits = |value: u128| (u128::BITS - value.leading_zeros()) as i32;
    let shift = 55 + bits(divisor) - bits(dividend);
    let scaled_divisor = if shift < 0 {
        divisor << -shift
    } else {
        divisor
    };
    let (mut quotient, mut remainder) = (dividend / scaled_divisor, dividend % scaled_divisor);
    for _ in 0..shift.max(0) {
        // `remainder < divisor <= 2^127`, so doubling it fits.
        remainder <<= 1;
        quotient <<= 1;
        if remainder >= scaled_divisor {
            remainder -= scaled_divisor;
            quotient |= 1;
        }
    }
    quotient |= u128::from(remainder != 0);
    let magnitude = quotient as f64 * 2f64.powi(-shift);
    if (a < 0) == (b < 0) {
        magnitude
    } else {
        -magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_pythons_str() {
        let table: &[(Number, &str)] = &[
            (Number::Int(0), "0"),
            (Number::Int(-7), "-7"),
            (
                Number::Int(10i128.pow(30)),
                "1000000000000000000000000000000",
            ),
            (Number::Float(1.0), "1.0"),
            (Number::Float(-0.0), "-0.0"),
            (Number::Float(1e16), "1e+16"),
            (Number::Float(1e15), "1000000000000000.0"),
            (Number::Float(0.0001), "0.0001"),
            (Number::Float(0.00001), "1e-05"),
            (Number::Float(f64::INFINITY), "inf"),
            (Number::Float(f64::NAN), "nan"),
        ];
        for (number, expected) in table {
            assert_eq!(number.to_string(), *expected);
        }
    }

    #[test]
    fn ints_stay_ints_until_they_divide_or_overflow() {
        assert_eq!(Number::Int(2).plus(Number::Int(3)), Number::Int(5));
        assert_eq!(Number::Int(2).minus(Number::Float(0.5)), Number::Float(1.5));
        assert_eq!(
            Number::Int(i128::MAX).times(Number::Int(2)),
            Number::Float(2f64.powi(128))
        );
        assert_eq!(Number::Int(1).over(Number::Int(4)), 0.25);
    }

    #[test]
    fn division_of_large_ints_rounds_once() {
        // Expected values from CPython 3.11: the naive quotient differs in the last digit.
        let table: &[(i128, i128, f64)] = &[
            (9_007_199_254_740_993, 3, 3_002_399_751_580_331.0),
            (10i128.pow(30), 7, 1.428_571_428_571_428_5e29),
            (7, 10i128.pow(30), 7e-30),
            (-(10i128.pow(25)), 3, -3.333_333_333_333_333_3e24),
            (i128::MAX, i128::MAX - 1, 1.0),
            (i128::MIN, 1, -1.701_411_834_604_692_3e38),
        ];
        for &(a, b, expected) in table {
            assert_eq!(divide_whole(a, b), expected, "{a} / {b}");
        }
    }

    #[test]
    fn comparison_with_a_double_is_exact() {
        let above = Number::Int((1 << 53) + 1);
        assert_eq!(above.compare(2f64.powi(53)), Some(Ordering::Greater));
        assert_eq!(
            Number::Int(i128::MAX).compare(2f64.powi(127)),
            Some(Ordering::Less)
        );
        assert_eq!(Number::Int(3).compare(2.5), Some(Ordering::Greater));
        assert_eq!(Number::Int(3).compare(f64::NAN), None);
    }
}
