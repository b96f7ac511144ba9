//! Counts made short: `1.23M` for `unit_scale`, and `1.23e+6` for a postfix.

use crate::float_text;
use crate::number::Number;

/// The prefixes of tqdm, each one `divisor` above the last; beyond them stands `Y`.
const PREFIXES: [&str; 8] = ["", "k", "M", "G", "T", "P", "E", "Z"];

/// The default step from one prefix to the next.
pub const UNIT_DIVISOR: Number = Number::Int(1000);

/// `num` with three digits, an order-of-magnitude prefix and `suffix`.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::{UNIT_DIVISOR, format_sizeof};
///
/// assert_eq!(format_sizeof(46_069.into(), "B", UNIT_DIVISOR), "46.1kB");
/// ```
#[must_use]
pub fn format_sizeof(num: Number, suffix: &str, divisor: Number) -> String {
    let mut num = num;
    for prefix in PREFIXES {
        let size = num.as_f64().abs();
        if size < 999.5 {
            // Three significant digits; the bounds keep a rounded value from gaining a fourth.
            let (width, precision) = if size < 9.995 {
                (1, 2)
            } else if size < 99.95 {
                (2, 1)
            } else {
                (3, 0)
            };
            let text = float_text::fixed(num.as_f64(), precision);
            return format!("{text:>width$}{prefix}{suffix}");
        }
        num = Number::Float(num.over(divisor));
    }
    format!("{:>3}Y{suffix}", float_text::fixed(num.as_f64(), 1))
}

/// `n` with three significant digits if that is shorter than all its digits.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::format_num;
///
/// assert_eq!(format_num(1337.into()), "1337");
/// assert_eq!(format_num(0.000_012_34.into()), "1.23e-5");
/// ```
#[must_use]
pub fn format_num(n: Number) -> String {
    shorter_num(&float_text::general(n.as_f64(), 3), &n.to_string())
}

/// The choice of [`format_num`] between Python's `format(n, ".3g")` and `str(n)`, for numbers that
/// Python alone can format.
#[must_use]
pub fn shorter_num(three_digits: &str, all_digits: &str) -> String {
    let short = three_digits.replace("e+0", "e+").replace("e-0", "e-");
    if short.chars().count() < all_digits.chars().count() {
        short
    } else {
        all_digits.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_three_digits() {
        let table: &[(Number, &str)] = &[
            (Number::Int(0), "0.00"),
            (Number::Int(9), "9.00"),
            (Number::Float(9.994), "9.99"),
            (Number::Float(9.995), "10.0"),
            (Number::Int(99), "99.0"),
            (Number::Float(99.95), "100"),
            (Number::Int(999), "999"),
            (Number::Float(999.5), "1.00k"),
            (Number::Int(-1234), "-1.23k"),
            (Number::Int(10i128.pow(21)), "1.00Z"),
            (Number::Int(10i128.pow(24)), "1.0Y"),
            (Number::Float(f64::NAN), "nanY"),
            (Number::Float(f64::INFINITY), "infY"),
        ];
        for (num, expected) in table {
            assert_eq!(format_sizeof(*num, "", UNIT_DIVISOR), *expected, "{num}");
        }
        assert_eq!(
            format_sizeof(Number::Int(1536), "B", Number::Int(1024)),
            "1.50kB"
        );
    }

    #[test]
    fn numbers_take_the_shorter_text() {
        let table: &[(Number, &str)] = &[
            (Number::Int(1_000_000), "1e+6"),
            (Number::Int(1_239_876), "1239876"),
            (Number::Float(-0.1234), "-0.123"),
            (Number::Float(1.0), "1"),
            (Number::Int(10i128.pow(30)), "1e+30"),
        ];
        for (num, expected) in table {
            assert_eq!(format_num(*num), *expected);
        }
    }
}
