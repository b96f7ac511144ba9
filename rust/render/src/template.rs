//! The user's `bar_format`: one of Python's `str.format` templates over the fields of a meter.

use crate::error::FormatError;
use crate::field::Field;
use crate::spec::Spec;

/// What tqdm takes out of a template whose desc is empty, so that no lone colon is left.
const DESC_WITH_COLON: &str = "{desc}: ";

/// A `bar_format`, parsed once.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::{FormatError, Template};
///
/// assert!(Template::parse("{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}").is_ok());
/// assert!(matches!(Template::parse("{postfix[0]}"), Err(FormatError::NeedsPython { .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
    /// The pieces without the desc and its colon, where the template has them.
    pieces_without_desc: Option<Vec<Piece>>,
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text that stands as it is.
    Literal(String),
    /// The bar, with what follows its colon.
    Bar(String),
    /// A field of the meter.
    Field {
        field: Field,
        conversion: Conversion,
        spec: Spec,
        spec_text: String,
    },
}

/// What happens to a value before its specification applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// The value itself.
    None,
    /// `!s`
    Str,
    /// `!r`, `!a`
    Repr,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for a template that is broken, names a field that no meter has, or asks for
    /// something that only Python can do.
    pub fn parse(source: &str) -> Result<Self, FormatError> {
        let pieces_without_desc = if source.contains(DESC_WITH_COLON) {
            Some(parse(&source.replace(DESC_WITH_COLON, ""))?)
        } else {
            None
        };
        Ok(Self {
            source: source.to_owned(),
            pieces: parse(source)?,
            pieces_without_desc,
        })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn pieces_for_empty_desc(&self) -> &[Piece] {
        self.pieces_without_desc.as_deref().unwrap_or(&self.pieces)
    }
}

fn parse(source: &str) -> Result<Vec<Piece>, FormatError> {
    let unpaired = || FormatError::Brace {
        template: source.to_owned(),
    };
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if after.starts_with(brace) {
            literal.push_str(brace);
            rest = &after[1..];
            continue;
        }
        if brace == "}" {
            return Err(unpaired());
        }
        let end = after.find('}').ok_or_else(unpaired)?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(parse_field(&after[..end])?);
        rest = &after[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Parses what stands between two braces.
fn parse_field(text: &str) -> Result<Piece, FormatError> {
    let needs_python = |what| {
        Err(FormatError::NeedsPython {
            field: text.to_owned(),
            what,
        })
    };
    if text.contains('{') {
        return needs_python("a field inside a field");
    }
    let name_end = text.find(['!', ':']).unwrap_or(text.len());
    let (name, after) = text.split_at(name_end);
    if name.contains(['.', '[']) {
        return needs_python("attribute or item access");
    }
    let (conversion, after) = match after.strip_prefix('!') {
        None => (Conversion::None, after),
        Some(after) => match after.split_at_checked(1) {
            Some(("s", after)) => (Conversion::Str, after),
            Some(("r" | "a", after)) => (Conversion::Repr, after),
            _ => return needs_python("an unknown conversion"),
        },
    };
    let spec_text = match after.strip_prefix(':') {
        Some(spec) => spec,
        None if after.is_empty() => "",
        None => return needs_python("text behind a conversion"),
    };
    if name == "bar" {
        return match conversion {
            Conversion::None => Ok(Piece::Bar(spec_text.to_owned())),
            _ => needs_python("a conversion of the bar"),
        };
    }
    if name == "eta" {
        return needs_python("a date");
    }
    let field = Field::by_name(name).ok_or_else(|| FormatError::UnknownField {
        field: name.to_owned(),
    })?;
    let spec = Spec::parse(spec_text).ok_or_else(|| FormatError::Spec {
        field: name.to_owned(),
        spec: spec_text.to_owned(),
        value: "a text or number",
    })?;
    Ok(Piece::Field {
        field,
        conversion,
        spec,
        spec_text: spec_text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_cut_at_their_braces() {
        let template = Template::parse("{{a}} {bar:-5b}{n}").unwrap();
        assert_eq!(
            template.pieces()[..2],
            [
                Piece::Literal("{a} ".to_owned()),
                Piece::Bar("-5b".to_owned())
            ]
        );
        assert_eq!(template.pieces().len(), 3);
        assert_eq!(template.pieces_for_empty_desc(), template.pieces());
    }

    #[test]
    fn an_empty_desc_takes_its_colon_along() {
        let template = Template::parse("{desc}: {n}").unwrap();
        assert_eq!(template.pieces().len(), 3);
        assert_eq!(template.pieces_for_empty_desc().len(), 1);
    }

    #[test]
    fn what_cannot_be_rendered_here_says_so() {
        for source in ["{", "}", "{n", "n}", "{n}}"] {
            let error = Template::parse(source);
            assert!(
                matches!(error, Err(FormatError::Brace { .. })),
                "{source}: {error:?}"
            );
        }
        for source in ["{}", "{0}", "{nope}", "{ n }", "{N}"] {
            let error = Template::parse(source);
            assert!(
                matches!(error, Err(FormatError::UnknownField { .. })),
                "{source}: {error:?}"
            );
        }
        for source in [
            "{postfix[0]}",
            "{n.real}",
            "{eta:%H}",
            "{eta}",
            "{bar:{ncols}}",
            "{bar!r}",
            "{n!x}",
        ] {
            let error = Template::parse(source);
            assert!(
                matches!(error, Err(FormatError::NeedsPython { .. })),
                "{source}: {error:?}"
            );
        }
        for source in ["{n:#x}", "{n:x}", "{total:>8b}", "{n:c}", "{desc:y}"] {
            let error = Template::parse(source);
            assert!(
                matches!(error, Err(FormatError::Spec { .. })),
                "{source}: {error:?}"
            );
        }
    }
}
