//! Text that comes from users, made harmless for a terminal.

use crate::width::{RESET, escape_len};

/// The longest text that is kept of one desc or postfix, in characters. No terminal shows more in
/// a line, and a frame has to fit into the terminal's buffer.
pub const CLEAN_MAX_CHARS: usize = 1024;

/// `text` without anything that could move the cursor, change the terminal or reorder the line,
/// cut to [`CLEAN_MAX_CHARS`].
///
/// Colours go too: a sequence is removed as a whole, so that no `[31m` is left. Tabs and line ends
/// become a space each, because a word stood on either side of them.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::clean;
///
/// assert_eq!(clean("\x1b[31mepoch\x1b[0m\n1\0"), "epoch 1");
/// ```
#[must_use]
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(4 * CLEAN_MAX_CHARS));
    let mut kept = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escape = escape_len(rest);
        rest = &rest[if escape > 0 { escape } else { c.len_utf8() }..];
        let c = match c {
            '\t' | '\n' => ' ',
            _ if is_harmful(c) => continue,
            _ => c,
        };
        if kept == CLEAN_MAX_CHARS {
            break;
        }
        cleaned.push(c);
        kept += 1;
    }
    cleaned
}

/// A whole line without anything harmful but its colours, which end where it ends.
///
/// Templates may colour a line; desc and postfix, which were cleaned before, may not.
pub(crate) fn clean_keeping_colours(line: String) -> String {
    if !line.chars().any(is_harmful) {
        return line;
    }
    let (mut cleaned, coloured) = harmless_and_coloured(&line);
    if coloured && !cleaned.ends_with(RESET) {
        cleaned.push_str(RESET);
    }
    cleaned
}

/// `text` as [`clean`] leaves it, but whole and with its colours: for what Python code draws, where
/// users colour a desc as with tqdm.
#[must_use]
pub fn harmless(text: &str) -> String {
    harmless_and_coloured(text).0
}

fn harmless_and_coloured(text: &str) -> (String, bool) {
    let mut cleaned = String::with_capacity(text.len() + RESET.len());
    let (mut coloured, mut rest) = (false, text);
    while let Some(c) = rest.chars().next() {
        let escape = escape_len(rest);
        let (piece, after) = rest.split_at(if escape > 0 { escape } else { c.len_utf8() });
        rest = after;
        if escape > 0 && piece.ends_with('m') {
            coloured = true;
            cleaned.push_str(piece);
        } else if matches!(c, '\t' | '\n') {
            cleaned.push(' ');
        } else if escape == 0 && !is_harmful(c) {
            cleaned.push(c);
        }
    }
    (cleaned, coloured)
}

/// Control characters of both sets, line and paragraph separators, and what reorders a line
/// (embeddings, overrides, isolates and their marks).
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_disturbs_a_line_is_removed() {
        let table: &[(&str, &str)] = &[
            ("epoch 1", "epoch 1"),
            ("a\0b\x07c\x7fd", "abcd"),
            ("two\nlines\r\n", "two lines "),
            ("a\tb", "a b"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07", "]0;title"),
            ("c1\u{9b}31m", "c131m"),
            ("left\u{202e}right\u{2066}", "leftright"),
            ("進捗 🚀 e\u{301}", "進捗 🚀 e\u{301}"),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_keeps_its_colours_and_ends_them() {
        let table: &[(&str, &str)] = &[
            ("plain", "plain"),
            ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b[2Jx\x1b[Ay\nz\r", "xy z"),
        ];
        for (text, expected) in table {
            assert_eq!(clean_keeping_colours((*text).to_owned()), *expected);
        }
        assert_eq!(harmless("\x1b[31mred\x1b[2J\0"), "\x1b[31mred");
    }

    #[test]
    fn long_text_is_cut() {
        let long = "進".repeat(100_000);
        assert_eq!(clean(&long).chars().count(), CLEAN_MAX_CHARS);
    }
}
