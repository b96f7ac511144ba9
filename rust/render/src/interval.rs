//! Seconds as a clock: `[H:]MM:SS`.

use crate::number::Number;

/// From here on, seconds have no whole number of 128 bits. tqdm writes hundreds of digits there.
const LONGEST_S: f64 = i128::MAX as f64;

/// `seconds` without its fraction, as `MM:SS`, or `H:MM:SS` from one hour on.
///
/// What is no time at all (NaN, infinity, 10^38 seconds) reads `?`.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::format_interval;
///
/// assert_eq!(format_interval(4_921.7.into()), "1:22:01");
/// ```
#[must_use]
pub fn format_interval(seconds: Number) -> String {
    let whole = match seconds {
        Number::Int(value) => value,
        Number::Float(value) if value.abs() < LONGEST_S => value as i128,
        Number::Float(_) => return "?".to_owned(),
    };
    // The fraction is dropped after the sign is taken, so -0.5 reads -00:00, as in tqdm.
    let sign = if seconds.as_f64() < 0.0 { "-" } else { "" };
    let whole = whole.unsigned_abs();
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{sign}{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{hours}:{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_like_a_clock() {
        let table: &[(Number, &str)] = &[
            (Number::Int(0), "00:00"),
            (Number::Float(59.999), "00:59"),
            (Number::Int(60), "01:00"),
            (Number::Int(3599), "59:59"),
            (Number::Int(3600), "1:00:00"),
            (Number::Int(360_000), "100:00:00"),
            (Number::Float(-0.5), "-00:00"),
            (Number::Int(-61), "-01:01"),
            (Number::Float(f64::NAN), "?"),
            (Number::Float(f64::INFINITY), "?"),
            (Number::Float(-1e39), "?"),
        ];
        for (seconds, expected) in table {
            assert_eq!(format_interval(*seconds), *expected);
        }
    }
}
