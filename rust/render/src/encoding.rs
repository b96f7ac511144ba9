//! Which characters an output has, and how they are written.

use std::borrow::Cow;

/// The encoding of an output: those of which each character is a byte, and UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Every character.
    #[default]
    Utf8,
    /// The first 256 characters of Unicode.
    Latin1,
    /// The first 128.
    Ascii,
}

impl Encoding {
    /// `text` with a `?` for each character that the output has not.
    pub(crate) fn shown(self, text: String) -> String {
        match self {
            Self::Utf8 => text,
            _ if text.is_ascii() => text,
            _ => text
                .chars()
                .map(|c| if self.has(c) { c } else { '?' })
                .collect(),
        }
    }

    /// The bytes of a frame, which is UTF-8.
    pub(crate) fn encoded(self, frame: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Utf8 || frame.is_ascii() {
            return Cow::Borrowed(frame);
        }
        let text = String::from_utf8_lossy(frame);
        let byte = |c: char| if self.has(c) { c as u8 } else { b'?' };
        Cow::Owned(text.chars().map(byte).collect())
    }

    fn has(self, c: char) -> bool {
        match self {
            Self::Utf8 => true,
            Self::Latin1 => u32::from(c) < 0x100,
            Self::Ascii => c.is_ascii(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_not_there_is_one_question_mark() {
        let table = [
            (Encoding::Utf8, "größe 進", "größe 進".as_bytes()),
            (Encoding::Latin1, "größe ?", b"gr\xf6\xdfe ?"),
            (Encoding::Ascii, "gr??e ?", b"gr??e ?"),
        ];
        for (encoding, shown, bytes) in table {
            assert_eq!(encoding.shown("größe 進".to_owned()), shown);
            assert_eq!(encoding.encoded("größe 進".as_bytes()), bytes);
        }
    }
}
