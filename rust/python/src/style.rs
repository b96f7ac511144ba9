//! How a bar looks, packed into the segment so that the owner can draw a bar that another process
//! opened: numbers in little-endian order, texts with their length before them.

use mp_tqdm_render::{Charset, Number, Postfix, Style, Template, UnitScale, Value};

/// What the constructor of a bar said about its looks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Looks {
    pub(crate) unit: String,
    pub(crate) ascii: Ascii,
    pub(crate) bar_format: String,
    pub(crate) colour: String,
    /// 0: off; 1: metric prefixes; else a factor.
    pub(crate) unit_scale: f64,
    pub(crate) unit_divisor: f64,
    pub(crate) smoothing: f64,
    /// NaN where the user gave none.
    pub(crate) mininterval_s: f64,
    pub(crate) delay_s: f64,
    pub(crate) ncols: Option<u32>,
    pub(crate) nrows: Option<u32>,
}

/// What the bar is drawn with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ascii {
    No,
    Yes,
    Custom(String),
}

impl Looks {
    pub(crate) fn style(&self) -> Style {
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        Style {
            unit: self.unit.clone(),
            unit_scale: match self.unit_scale {
                0.0 => UnitScale::Off,
                1.0 => UnitScale::Si,
                factor => UnitScale::By(number(factor)),
            },
            unit_divisor: number(self.unit_divisor),
            charset: match &self.ascii {
                Ascii::No => Charset::Unicode,
                Ascii::Yes => Charset::Ascii,
                Ascii::Custom(steps) => Charset::custom(steps),
            },
            bar_format: text(&self.bar_format).and_then(|format| Template::parse(&format).ok()),
            colour: text(&self.colour),
            ncols: self.ncols,
            nrows: self.nrows,
            smoothing: self.smoothing,
            mininterval_s: Some(self.mininterval_s).filter(|interval| !interval.is_nan()),
            delay_s: self.delay_s,
        }
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        for number in [
            self.unit_scale,
            self.unit_divisor,
            self.smoothing,
            self.mininterval_s,
            self.delay_s,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        for size in [self.ncols, self.nrows] {
            bytes.extend(
                size.map_or(u32::MAX, |size| size.min(u32::MAX - 1))
                    .to_le_bytes(),
            );
        }
        let (kind, steps) = match &self.ascii {
            Ascii::No => (0, ""),
            Ascii::Yes => (1, ""),
            Ascii::Custom(steps) => (2, steps.as_str()),
        };
        bytes.push(kind);
        for text in [&self.unit, steps, &self.colour, &self.bar_format] {
            put_text(&mut bytes, text);
        }
        bytes
    }

    /// Reads what another process packed; `None` if it is not whole.
    pub(crate) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let [unit_scale, unit_divisor, smoothing, mininterval_s, delay_s] = [
            reader.f64()?,
            reader.f64()?,
            reader.f64()?,
            reader.f64()?,
            reader.f64()?,
        ];
        let size = |size: u32| (size != u32::MAX).then_some(size);
        let (ncols, nrows) = (size(reader.u32()?), size(reader.u32()?));
        let kind = reader.take(1)?[0];
        let (unit, steps) = (reader.text()?, reader.text()?);
        let (colour, bar_format) = (reader.text()?, reader.text()?);
        let ascii = match kind {
            0 => Ascii::No,
            1 => Ascii::Yes,
            _ => Ascii::Custom(steps),
        };
        Some(Self {
            unit,
            ascii,
            bar_format,
            colour,
            unit_scale,
            unit_divisor,
            smoothing,
            mininterval_s,
            delay_s,
            ncols,
            nrows,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole numbers below 2^53 stay what they are"
)]
fn number(value: f64) -> Number {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Number::Int(value as i128)
    } else {
        Number::Float(value)
    }
}

/// What the segment keeps of a postfix.
const POSTFIX_BYTES: usize = 48 * 8;

/// What a value is packed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    Float,
    Int,
    Text,
}

/// Packs a postfix as values: they become text once a frame, in the process that draws. What does not
/// fit is left out whole, with all that follows: a cut number would be another number.
pub(crate) struct PostfixPacker {
    bytes: Vec<u8>,
    is_full: bool,
}

impl PostfixPacker {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(128),
            is_full: false,
        }
    }

    /// A text in place of names and values.
    pub(crate) fn text_alone(text: &str) -> Vec<u8> {
        let mut packer = Self::new();
        packer.bytes.push(b't');
        // A cut text is a text still.
        let end = (0..=text.len().min(POSTFIX_BYTES - 3))
            .rev()
            .find(|end| text.is_char_boundary(*end));
        put_text(&mut packer.bytes, &text[..end.unwrap_or(0)]);
        packer.bytes
    }

    /// Returns in which eight bytes the number stands, as do the next two.
    pub(crate) fn int(&mut self, key: &str, value: i64) -> usize {
        self.number(b'i', key, value.to_le_bytes())
    }

    pub(crate) fn float(&mut self, key: &str, value: f64) -> usize {
        self.number(b'f', key, value.to_le_bytes())
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) -> usize {
        self.pair(0, b's', key, |bytes| put_text(bytes, value))
    }

    /// Zeros before the pair let the number begin where eight bytes do: it can be changed there later.
    fn number(&mut self, kind: u8, key: &str, eight: [u8; 8]) -> usize {
        let behind_key = self.bytes.len() + 1 + 2 + key.len();
        let padding = behind_key.next_multiple_of(8) - behind_key;
        self.pair(padding, kind, key, |bytes| bytes.extend(eight))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn pair(
        &mut self,
        padding: usize,
        kind: u8,
        key: &str,
        put_value: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let before = self.bytes.len();
        self.bytes.resize(before + padding, 0);
        self.bytes.push(kind);
        put_text(&mut self.bytes, key);
        let place = self.bytes.len();
        put_value(&mut self.bytes);
        self.is_full |= self.bytes.len() > POSTFIX_BYTES;
        if self.is_full {
            self.bytes.truncate(before);
            return usize::MAX;
        }
        if place.is_multiple_of(8) {
            place / 8
        } else {
            usize::MAX
        }
    }
}

/// Reads what a [`PostfixPacker`] wrote, up to the first thing that makes no sense.
pub(crate) fn unpack_postfix(bytes: &[u8]) -> Postfix {
    let mut reader = Reader(bytes);
    let mut pairs = Vec::new();
    while let Some(&[kind]) = reader.take(1) {
        if kind == 0 {
            continue;
        }
        if kind == b't' {
            return reader.text().map_or(Postfix::None, Postfix::Text);
        }
        let Some(key) = reader.text() else { break };
        let value = match kind {
            b'i' => reader
                .take(8)
                .and_then(|b| b.try_into().ok())
                .map(i64::from_le_bytes)
                .map(Value::Int),
            b'f' => reader.f64().map(Value::Float),
            b's' => reader.text().map(Value::Text),
            _ => None,
        };
        let Some(value) = value else { break };
        pairs.push((key, value));
    }
    if pairs.is_empty() {
        Postfix::None
    } else {
        Postfix::Pairs(pairs)
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(0);
    bytes.extend(length.to_le_bytes());
    bytes.extend(&text.as_bytes()[..usize::from(length)]);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        Some(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_cross_a_segment_unchanged() {
        let looks = Looks {
            unit: "img".into(),
            ascii: Ascii::Custom(" ▖▌".into()),
            bar_format: "{l_bar}{bar}".into(),
            colour: "#00ff00".into(),
            unit_scale: 1.0,
            unit_divisor: 1024.0,
            smoothing: 0.3,
            mininterval_s: 0.5,
            delay_s: 2.0,
            ncols: Some(0),
            nrows: None,
        };
        let bytes = looks.pack();
        assert_eq!(Looks::unpack(&bytes), Some(looks));
        for length in 0..bytes.len() {
            assert_eq!(Looks::unpack(&bytes[..length]), None);
        }
    }

    #[test]
    fn a_postfix_crosses_as_values_and_loses_whole_pairs_only() {
        let mut packer = PostfixPacker::new();
        for index in 0..100 {
            packer.float(&format!("key{index:03}"), 0.5);
        }
        let bytes = packer.finish();
        assert!(bytes.len() <= POSTFIX_BYTES);
        let pair = |index: i64| (format!("key{index:03}"), Value::Float(0.5));
        let expected = Postfix::Pairs((0..16).map(pair).collect());
        assert_eq!(unpack_postfix(&bytes), expected);

        let mut packer = PostfixPacker::new();
        packer.int("step", -3);
        packer.text("phase", "warm");
        let pairs = [
            ("step", Value::Int(-3)),
            ("phase", Value::Text("warm".into())),
        ];
        let expected = pairs.map(|(key, value)| (key.to_owned(), value)).to_vec();
        assert_eq!(unpack_postfix(&packer.finish()), Postfix::Pairs(expected));

        assert_eq!(unpack_postfix(&[]), Postfix::None);
        let text = unpack_postfix(&PostfixPacker::text_alone(&"é".repeat(500)));
        assert_eq!(text, Postfix::Text("é".repeat(190)));
    }
}
