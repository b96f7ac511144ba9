//! Python's format specifications, `[[fill]align][sign][0][width][grouping][.precision][type]`, for
//! text, whole numbers and floats.

use crate::float_text;
use crate::number::Number;

/// The widest field and the longest fraction that are rendered here. Python would build megabytes.
const SIZE_MAX: usize = 4096;

/// Digits after the point of `e`, `f` and `%`, and significant digits of `g`, unless given.
const DEFAULT_PRECISION: usize = 6;

/// The types that are rendered here. (`b`, `c`, `o`, `x` and `X` are not: no line needs them to be quick.)
const KINDS: &str = "sdneEfFgG%";

/// A parsed specification. Every method returns `None` where Python would raise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    fill: Option<char>,
    align: Option<Align>,
    sign: Sign,
    zero_padded: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
    Centre,
    /// Between the sign and the digits.
    Digits,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sign {
    #[default]
    Negative,
    Always,
    Space,
}

impl Spec {
    /// Reads a specification; `None` if it has no meaning here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut spec = Self::default();
        let mut rest = text;
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        if let (Some(fill), Some(align)) = (first, second.and_then(Align::of)) {
            spec.fill = Some(fill);
            spec.align = Some(align);
            rest = chars.as_str();
        } else if let Some(align) = first.and_then(Align::of) {
            spec.align = Some(align);
            rest = &rest[1..];
        }
        if let Some(sign @ ('+' | '-' | ' ')) = rest.chars().next() {
            spec.sign = match sign {
                '+' => Sign::Always,
                ' ' => Sign::Space,
                _ => Sign::Negative,
            };
            rest = &rest[1..];
        }
        if spec.fill.is_none()
            && let Some(after) = rest.strip_prefix('0')
        {
            spec.zero_padded = true;
            rest = after;
        }
        let (width, after) = take_size(rest)?;
        spec.width = width.unwrap_or(0);
        rest = after;
        if let Some(grouping @ (',' | '_')) = rest.chars().next() {
            spec.grouping = Some(grouping);
            rest = &rest[1..];
        }
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = take_size(after)?;
            spec.precision = Some(precision?);
            rest = after;
        }
        let mut kind = rest.chars();
        spec.kind = kind.next();
        let is_known = spec.kind.is_none_or(|kind| KINDS.contains(kind));
        (is_known && kind.as_str().is_empty()).then_some(spec)
    }

    /// `format(text, spec)`.
    pub(crate) fn format_text(&self, text: &str) -> Option<String> {
        let numeric = self.sign != Sign::Negative || self.grouping.is_some();
        if numeric || self.align == Some(Align::Digits) || !matches!(self.kind, None | Some('s')) {
            return None;
        }
        let cut: String = match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        Some(self.pad("", &cut, Align::Left))
    }

    /// `format(number, spec)`.
    pub(crate) fn format_number(&self, number: Number) -> Option<String> {
        let body = match (number, self.kind) {
            (Number::Int(value), None | Some('d' | 'n')) => {
                if self.precision.is_some() {
                    return None;
                }
                value.unsigned_abs().to_string()
            }
            (Number::Float(_), Some('d')) => return None,
            _ => self.float_body(number.as_f64().abs())?,
        };
        if self.kind == Some('n') && self.grouping.is_some() {
            return None;
        }
        // A negative zero is written with its sign by a float, and NaN never has one.
        let negative = match number {
            Number::Int(value) => value < 0,
            Number::Float(value) => value.is_sign_negative() && !value.is_nan(),
        };
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Sign::Negative) => "",
            (false, Sign::Always) => "+",
            (false, Sign::Space) => " ",
        };
        let body = self.group(&body, sign.len());
        Some(self.pad(sign, &body, Align::Right))
    }

    /// The text of a float that is not negative.
    fn float_body(&self, x: f64) -> Option<String> {
        let precision = self.precision.unwrap_or(DEFAULT_PRECISION);
        let text = match self.kind {
            None => match self.precision {
                Some(precision) => float_text::general_as_float(x, precision),
                None => float_text::repr(x),
            },
            Some('e' | 'E') => float_text::scientific(x, precision),
            Some('f' | 'F') => float_text::fixed(x, precision),
            // `n` is `g` with the locale's point; Python's own default locale is C.
            Some('g' | 'G' | 'n') => float_text::general(x, precision),
            Some('%') => float_text::fixed(x * 100.0, precision) + "%",
            Some(_) => return None,
        };
        Some(if matches!(self.kind, Some('E' | 'F' | 'G')) {
            text.to_uppercase()
        } else {
            text
        })
    }

    /// Puts the separator between each three digits before the point, zero padding included.
    fn group(&self, body: &str, sign_len: usize) -> String {
        let digits = body.bytes().take_while(u8::is_ascii_digit).count();
        let (Some(separator), 1..) = (self.grouping, digits) else {
            return body.to_owned();
        };
        let fraction = &body[digits..];
        let padded_with_zeros =
            self.effective_fill() == '0' && self.effective_align(Align::Right) == Align::Digits;
        let wanted = if padded_with_zeros {
            self.width.saturating_sub(sign_len + fraction.len())
        } else {
            0
        };
        let mut grouped: Vec<char> = Vec::new();
        let mut written = 0;
        for digit in body[..digits].chars().rev() {
            if written > 0 && written % 3 == 0 {
                grouped.push(separator);
            }
            grouped.push(digit);
            written += 1;
        }
        while grouped.len() < wanted {
            if written % 3 == 0 {
                grouped.push(separator);
            }
            grouped.push('0');
            written += 1;
        }
        grouped.into_iter().rev().chain(fraction.chars()).collect()
    }

    fn pad(&self, sign: &str, body: &str, default_align: Align) -> String {
        let missing = self.width.saturating_sub(sign.len() + body.chars().count());
        let padding = |count: usize| self.effective_fill().to_string().repeat(count);
        match self.effective_align(default_align) {
            Align::Left => format!("{sign}{body}{}", padding(missing)),
            Align::Right => format!("{}{sign}{body}", padding(missing)),
            Align::Digits => format!("{sign}{}{body}", padding(missing)),
            Align::Centre => {
                let left = missing / 2;
                format!("{}{sign}{body}{}", padding(left), padding(missing - left))
            }
        }
    }

    fn effective_fill(&self) -> char {
        self.fill
            .unwrap_or(if self.zero_padded { '0' } else { ' ' })
    }

    fn effective_align(&self, default: Align) -> Align {
        match self.align {
            Some(align) => align,
            None if self.zero_padded && default == Align::Right => Align::Digits,
            None => default,
        }
    }
}

impl Align {
    fn of(c: char) -> Option<Self> {
        match c {
            '<' => Some(Self::Left),
            '>' => Some(Self::Right),
            '^' => Some(Self::Centre),
            '=' => Some(Self::Digits),
            _ => None,
        }
    }
}

/// Splits a size off the front: `None` for one that is too large.
fn take_size(text: &str) -> Option<(Option<usize>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Some((None, text));
    }
    let size: usize = text[..digits].parse().ok()?;
    (size <= SIZE_MAX).then_some((Some(size), &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: impl Into<Number>, spec: &str) -> Option<String> {
        Spec::parse(spec)?.format_number(number.into())
    }

    #[test]
    fn whole_numbers() {
        let table: &[(i64, &str, Option<&str>)] = &[
            (42, "", Some("42")),
            (42, "5d", Some("   42")),
            (42, "<5", Some("42   ")),
            (42, "^5", Some(" 42  ")),
            (-42, "05", Some("-0042")),
            (-42, "*=6", Some("-***42")),
            (42, "+", Some("+42")),
            (42, " d", Some(" 42")),
            (1_234_567, ",", Some("1,234,567")),
            (1234, "010,", Some("00,001,234")),
            (1234, "09_", Some("0_001_234")),
            (1234, "08,", Some("0,001,234")),
            (-1234, ">10,", Some("    -1,234")),
            (3, ".2f", Some("3.00")),
            (3, "%", Some("300.000000%")),
            (3, "e", Some("3.000000e+00")),
            (3, ".2", None),
            (3, "x", None),
            (3, "s", None),
            (3, "#d", None),
            (3, "99999", None),
        ];
        for (value, spec, expected) in table {
            assert_eq!(
                number(*value, spec).as_deref(),
                *expected,
                "{value} {spec:?}"
            );
        }
    }

    #[test]
    fn floats() {
        let table: &[(f64, &str, Option<&str>)] = &[
            (1234.5, "", Some("1234.5")),
            (1234.5, ",", Some("1,234.5")),
            (1234.5, ".1f", Some("1234.5")),
            (1234.5, "010.1f", Some("00001234.5")),
            (1234.5, "012,.1f", Some("00,001,234.5")),
            (1234.5, ".3", Some("1.23e+03")),
            (12.0, ".3", Some("12.0")),
            (12.0, "g", Some("12")),
            (-0.5, "6.1%", Some("-50.0%")),
            (f64::INFINITY, "F", Some("INF")),
            (f64::INFINITY, "010,", Some("0000000inf")),
            (f64::NAN, "+.1f", Some("+nan")),
            (-0.0, "+.1f", Some("-0.0")),
            (1.5, "d", None),
            (1.5, ".", None),
        ];
        for (value, spec, expected) in table {
            assert_eq!(
                number(*value, spec).as_deref(),
                *expected,
                "{value} {spec:?}"
            );
        }
    }

    #[test]
    fn text() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("abc", "", Some("abc")),
            ("abc", "5", Some("abc  ")),
            ("abc", ">5s", Some("  abc")),
            ("abc", "進^6", Some("進abc進進")),
            ("abc", ".2", Some("ab")),
            ("abc", "05", Some("abc00")),
            ("abc", "=5", None),
            ("abc", "+", None),
            ("abc", ",", None),
            ("abc", "d", None),
        ];
        for (value, spec, expected) in table {
            let formatted = Spec::parse(spec).and_then(|spec| spec.format_text(value));
            assert_eq!(formatted.as_deref(), *expected, "{value:?} {spec:?}");
        }
    }
}
