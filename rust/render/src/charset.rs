//! The characters a bar is drawn with, and its colour.

/// Ten steps that every terminal can show.
const ASCII: [char; 11] = [' ', '1', '2', '3', '4', '5', '6', '7', '8', '9', '#'];

/// Eight steps of Unicode's left blocks.
const UNICODE: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar of spaces, for work without an end.
const BLANK: [char; 2] = [' ', ' '];

/// What a bar is drawn with: tqdm's `ascii`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// `ascii=False`: blocks, where the output can show them.
    #[default]
    Unicode,
    /// `ascii=True`: digits and `#`.
    Ascii,
    /// `ascii="..."`: the user's own, from empty to full.
    Custom(CustomCharset),
}

/// At least two characters, from empty to full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomCharset {
    steps: Vec<char>,
}

impl Charset {
    /// The charset of a string: the default one if it is empty, and with a space before it if it is
    /// a single character, because a bar has to tell full from empty.
    #[must_use]
    pub fn custom(steps: &str) -> Self {
        let mut steps: Vec<char> = steps.chars().collect();
        match steps.len() {
            0 => return Self::Unicode,
            1 => steps.insert(0, ' '),
            _ => {}
        }
        Self::Custom(CustomCharset { steps })
    }

    pub(crate) fn is_unicode(&self) -> bool {
        matches!(self, Self::Unicode)
    }

    pub(crate) fn steps(&self) -> &[char] {
        match self {
            Self::Unicode => &UNICODE,
            Self::Ascii => &ASCII,
            Self::Custom(custom) => &custom.steps,
        }
    }

    /// Its steps as one string.
    #[must_use]
    pub fn text(&self) -> String {
        self.steps().iter().collect()
    }
}

/// The steps a bar can be asked for by a letter in the template: `{bar:a}`, `{bar:u}`, `{bar:b}`.
pub(crate) fn steps_by_letter(letter: char) -> Option<&'static [char]> {
    match letter {
        'a' => Some(&ASCII),
        'u' => Some(&UNICODE),
        'b' => Some(&BLANK),
        _ => None,
    }
}

/// The steps of a bar whose total is unknown.
pub(crate) const fn blank_steps() -> &'static [char] {
    &BLANK
}

/// A colour of the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One of the terminal's eight, by its number in `ESC [ 3 n m`.
    Palette(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    /// The names that [`Colour::parse`] knows, in the order of their numbers.
    pub const NAMES: [&str; 8] = [
        "BLACK", "RED", "GREEN", "YELLOW", "BLUE", "MAGENTA", "CYAN", "WHITE",
    ];

    /// A colour's name in any case, or `#rrggbb`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = Self::NAMES
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name))
        {
            return u8::try_from(number).ok().map(Self::Palette);
        }
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self::Rgb(channel(0)?, channel(2)?, channel(4)?))
    }

    /// The escape sequence that switches it on.
    #[must_use]
    pub fn escape(self) -> String {
        match self {
            Self::Palette(number) => format!("\x1b[3{number}m"),
            Self::Rgb(red, green, blue) => format!("\x1b[38;2;{red};{green};{blue}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_names_or_hex() {
        let table: &[(&str, Option<&str>)] = &[
            ("green", Some("\x1b[32m")),
            ("Magenta", Some("\x1b[35m")),
            ("#00ff7F", Some("\x1b[38;2;0;255;127m")),
            ("#00ff7", None),
            ("#zzzzzz", None),
            ("#進捗", None),
            ("", None),
            ("chartreuse", None),
        ];
        for (text, expected) in table {
            let escape = Colour::parse(text).map(Colour::escape);
            assert_eq!(escape.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn a_custom_charset_has_two_steps_at_least() {
        assert_eq!(Charset::custom(""), Charset::Unicode);
        assert_eq!(Charset::custom("#").text(), " #");
        assert_eq!(Charset::custom(".oO").text(), ".oO");
    }
}
