//! Python's text of a double: `repr`, and the `e`, `f` and `g` presentations.

/// The exponent from which `repr` turns scientific: `1e+16`, but `1000000000000000.0`.
const REPR_EXPONENT: i32 = 16;

/// Below ten to this power, `repr` and `g` turn scientific.
const SMALL_EXPONENT: i32 = -4;

/// `repr(x)`: the shortest digits that read back as the same double.
pub(crate) fn repr(x: f64) -> String {
    if !x.is_finite() {
        return non_finite(x);
    }
    let shortest = format!("{x:e}");
    let decimals = split_exponent(&shortest)
        .0
        .trim_start_matches('-')
        .len()
        .saturating_sub(2);
    // Where two shortest texts are equally near, Rust takes the larger and Python the even one.
    let even = format!("{x:.decimals$e}");
    let scientific = if even.parse() == Ok(x) {
        even
    } else {
        shortest
    };
    let (digits, exponent) = split_exponent(&scientific);
    if (SMALL_EXPONENT..REPR_EXPONENT).contains(&exponent) {
        positional(digits, exponent)
    } else {
        with_exponent(digits, exponent)
    }
}

/// The `f` presentation.
pub(crate) fn fixed(x: f64, precision: usize) -> String {
    if x.is_finite() {
        format!("{x:.precision$}")
    } else {
        non_finite(x)
    }
}

/// The `e` presentation: two digits of exponent at least.
pub(crate) fn scientific(x: f64, precision: usize) -> String {
    if !x.is_finite() {
        return non_finite(x);
    }
    let text = format!("{x:.precision$e}");
    let (digits, exponent) = split_exponent(&text);
    with_exponent(digits, exponent)
}

/// The `g` presentation: `precision` significant digits without trailing zeros.
pub(crate) fn general(x: f64, precision: usize) -> String {
    significant(x, precision, false)
}

/// The presentation of `format(x, ".3")`: `g`, but always recognisable as a float.
pub(crate) fn general_as_float(x: f64, precision: usize) -> String {
    significant(x, precision, true)
}

fn significant(x: f64, precision: usize, as_float: bool) -> String {
    if !x.is_finite() {
        return non_finite(x);
    }
    let precision = precision.max(1);
    // The rounding to `precision` digits decides the exponent: 9.99 to two digits is 1e+01.
    let text = format!("{:.*e}", precision - 1, x);
    let (digits, exponent) = split_exponent(&text);
    let limit = precision as i32 - i32::from(as_float);
    if (SMALL_EXPONENT..limit).contains(&exponent) {
        let decimals = usize::try_from(precision as i32 - 1 - exponent).unwrap_or(0);
        let text = fixed(x, decimals);
        let trimmed = trim_zeros(&text);
        if as_float && !trimmed.contains('.') {
            format!("{trimmed}.0")
        } else {
            trimmed.into()
        }
    } else {
        with_exponent(trim_zeros(digits), exponent)
    }
}

fn non_finite(x: f64) -> String {
    let text = if x.is_nan() {
        "nan"
    } else if x > 0.0 {
        "inf"
    } else {
        "-inf"
    };
    text.to_owned()
}

/// Splits Rust's `1.5e-7` into digits and exponent.
fn split_exponent(text: &str) -> (&str, i32) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (digits, exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Moves the point of `-1.25` by the exponent and puts at least one digit on either side of it.
fn positional(digits: &str, exponent: i32) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let Ok(before_point) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    };
    if before_point == 0 {
        format!("{sign}0.{digits}")
    } else if before_point < digits.len() {
        format!(
            "{sign}{}.{}",
            &digits[..before_point],
            &digits[before_point..]
        )
    } else {
        format!(
            "{sign}{digits}{}.0",
            "0".repeat(before_point - digits.len())
        )
    }
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentations_are_pythons() {
        // Each line: the value, then Python's `.3g`, `.3`, `.2f` and `.2e`.
        let table: &[(f64, [&str; 4])] = &[
            (0.0, ["0", "0.0", "0.00", "0.00e+00"]),
            (-0.0, ["-0", "-0.0", "-0.00", "-0.00e+00"]),
            (2.0, ["2", "2.0", "2.00", "2.00e+00"]),
            (0.125, ["0.125", "0.125", "0.12", "1.25e-01"]),
            (0.375, ["0.375", "0.375", "0.38", "3.75e-01"]),
            (99.95, ["100", "1e+02", "99.95", "1.00e+02"]),
            (123.0, ["123", "1.23e+02", "123.00", "1.23e+02"]),
            (1234.5, ["1.23e+03", "1.23e+03", "1234.50", "1.23e+03"]),
            (0.0001, ["0.0001", "0.0001", "0.00", "1.00e-04"]),
            (0.00001, ["1e-05", "1e-05", "0.00", "1.00e-05"]),
            (1e100, ["1e+100", "1e+100", "", "1.00e+100"]),
            (f64::NEG_INFINITY, ["-inf", "-inf", "-inf", "-inf"]),
            (f64::NAN, ["nan", "nan", "nan", "nan"]),
        ];
        for (x, [g, plain, f, e]) in table {
            assert_eq!(general(*x, 3), *g);
            assert_eq!(general_as_float(*x, 3), *plain);
            assert!(f.is_empty() || fixed(*x, 2) == *f, "{x}");
            assert_eq!(scientific(*x, 2), *e);
        }
    }

    #[test]
    fn repr_is_shortest() {
        let table: &[(f64, &str)] = &[
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (5e-324, "5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (123_456_789.0, "123456789.0"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (-195_820_146_630_352.0 - 0.625, "-195820146630352.62"),
            (-0.000_123, "-0.000123"),
            (-0.5, "-0.5"),
            (100.0, "100.0"),
            (12_345_678_901_234_567.0, "1.2345678901234568e+16"),
        ];
        for (x, expected) in table {
            assert_eq!(repr(*x), *expected);
        }
    }
}
