//! What can keep a `bar_format` from being rendered here.

use std::error::Error;
use std::fmt;

/// Why a template, or one field of it, has no text.
///
/// None of these is a mistake of the renderer: each names something that Python's `str.format` may
/// still be able to do, so a caller that has Python at hand can ask it, and one that has not draws
/// the default line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// A brace without its partner.
    Brace {
        /// The whole template.
        template: String,
    },
    /// A field that no meter has: a subclass's own, a positional one, or a misspelt one.
    UnknownField {
        /// The name between the braces.
        field: String,
    },
    /// Something Python's templates can do that only Python can answer.
    NeedsPython {
        /// The text between the braces.
        field: String,
        /// What it asks for, such as `"attribute access"`.
        what: &'static str,
    },
    /// A format specification that does not fit the field's value.
    Spec {
        /// The name between the braces.
        field: String,
        /// The specification after the colon.
        spec: String,
        /// What the field's value is, such as `"None"`.
        value: &'static str,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brace { template } => {
                write!(
                    f,
                    "bar_format: expected each brace to have a partner, found {template:?}"
                )
            }
            Self::UnknownField { field } => {
                write!(
                    f,
                    "bar_format: expected the name of a field, found {field:?}"
                )
            }
            Self::NeedsPython { field, what } => {
                write!(
                    f,
                    "bar_format: expected a plain field, found {what} in {field:?}"
                )
            }
            Self::Spec { field, spec, value } => {
                write!(
                    f,
                    "bar_format field {field:?}: expected a format for {value}, found {spec:?}"
                )
            }
        }
    }
}

impl Error for FormatError {}
