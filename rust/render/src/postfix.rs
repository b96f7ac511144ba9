//! What follows the statistics: `, loss=0.25, lr=1e-3`.

use crate::clean::clean;
use crate::number::Number;
use crate::sizes::format_num;

/// A value of the postfix, not yet text: the renderer formats it at most once a frame, however
/// often the loop sets it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
}

/// What the user put behind the statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Postfix {
    /// Nothing.
    #[default]
    None,
    /// A text as it stands (`set_postfix_str`).
    Text(String),
    /// Names and values, in this order (`set_postfix`).
    Pairs(Vec<(String, Value)>),
}

impl Postfix {
    /// The text of one line: `k=v, k2=v2`, empty if there is nothing.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(text) => clean(text),
            Self::Pairs(_) => clean(&self.pairs().join(", ")),
        }
    }

    /// Each pair as a text; none of a text that stands as it is.
    pub(crate) fn pairs(&self) -> Vec<String> {
        let Self::Pairs(pairs) = self else {
            return Vec::new();
        };
        let text = |(key, value): &(String, Value)| clean(&format!("{key}={}", value.text()));
        pairs.iter().map(text).collect()
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Int(value) => format_num(Number::from(*value)),
            Self::Float(value) => format_num(Number::from(*value)),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_read_like_tqdms() {
        let postfix = Postfix::Pairs(vec![
            ("loss".to_owned(), Value::Float(0.123_456)),
            ("step".to_owned(), Value::Int(1_000_000)),
            ("name".to_owned(), Value::Text("  a b\n".to_owned())),
        ]);
        assert_eq!(postfix.text(), "loss=0.123, step=1e+6, name=a b");
    }

    #[test]
    fn text_stands_as_it_is_but_for_control_characters() {
        assert_eq!(Postfix::None.text(), "");
        assert_eq!(Postfix::Text(" x\x1b[2J\n".to_owned()).text(), " x ");
    }
}
