//! How many columns a text takes, and cutting it to fewer: once as tqdm counts, once as a terminal
//! does.
//!
//! tqdm gives every character one column, or two if Unicode calls it wide, and counts an escape
//! sequence as nothing. A terminal gives combining marks none and some emoji two. The first count
//! decides how long a bar is, so that lines equal tqdm's; the second one that no line wraps.

use unicode_width::UnicodeWidthChar;

/// The sequence that ends all colours, put behind a line that was cut in the middle of them.
pub(crate) const RESET: &str = "\x1b[0m";

/// The variation selector that asks for a coloured, hence wide, emoji.
const EMOJI_SELECTOR: char = '\u{fe0f}';

/// The block elements, of which bars are made: one column each.
const BLOCKS_FIRST: char = '\u{2580}';
const BLOCKS_LAST: char = '\u{259f}';

/// What joins digits to one number; of two that fit the longer is named first.
const JOINTS: [&str; 9] = ["e-", "e+", "e", ".", ",", ":", "/", "_", "-"];

/// A letter more of what stands behind a number says as much without the rest.
const UNIT_LETTERS: usize = 3;

/// The columns that tqdm counts for `text`.
#[must_use]
pub fn disp_len(text: &str) -> usize {
    if is_plain_ascii(text) {
        return text.len();
    }
    let mut columns = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escape = escape_len(rest);
        if escape > 0 {
            rest = &rest[escape..];
        } else {
            columns += disp_width(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    columns
}

/// `text` cut to `columns` as tqdm cuts, with a reset behind it if colours are left in it.
#[must_use]
pub fn disp_trim(text: String, columns: usize) -> String {
    let has_escape = find_escape(&text);
    let length = text.chars().count();
    if disp_len(&text) == length {
        // tqdm takes equal lengths for "nothing special in there", though escapes and wide
        // characters can balance. Its result is kept; the terminal's own cut comes later.
        return first_chars(text, columns);
    }
    let mut text = text;
    text.truncate(trimmed_len(&text, columns));
    if has_escape && find_escape(&text) && !text.ends_with(RESET) {
        text.push_str(RESET);
    }
    text
}

/// The columns that `text` takes on a terminal, and never fewer.
///
/// Terminals disagree about emoji made of several characters; this counts the parts, which is what
/// a terminal that does not join them shows.
#[must_use]
pub fn terminal_columns(text: &str) -> usize {
    if is_plain_ascii(text) {
        return text.len();
    }
    pieces(text).map(|piece| piece.columns).sum()
}

/// The longest beginning of `text` that fits into `columns` of a terminal and ends in no number, with a
/// reset behind it if it was cut and has colours.
///
/// A number that is cut is another number: `1,2` is not `1,234`, nor `5` what `5.1k` was.
#[must_use]
pub fn fit_to_columns(text: &str, columns: usize) -> String {
    let mut used = 0;
    let fitting = pieces(text).take_while(|piece| {
        used += piece.columns;
        used <= columns
    });
    let fitting: usize = fitting.map(|piece| piece.bytes).sum();
    if fitting == text.len() {
        return text.to_owned();
    }
    let mut cut = text[..start_of_cut_number(text, fitting)].to_owned();
    if find_escape(&cut) && !cut.ends_with(RESET) {
        cut.push_str(RESET);
    }
    cut
}

/// Where the number begins that ends behind `end`, in bytes; `end` where it is in none.
fn start_of_cut_number(text: &str, end: usize) -> usize {
    let mut at = 0;
    while at < end {
        let rest = &text[at..];
        let number = number_len(rest);
        if at + number > end {
            return at;
        }
        let other = escape_len(rest).max(rest.chars().next().map_or(1, char::len_utf8));
        at += if number > 0 { number } else { other };
    }
    end
}

/// The length in bytes of the number at the start of `text`, 0 if none stands there: digits with what
/// joins them, and the unit behind (`1,234`, `00:04`, `5/10`, `1e-05`, `1.2kB`, `50%`).
fn number_len(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = &text[from..];
        rest.len() - rest.trim_start_matches(char::is_numeric).len()
    };
    let mut end = digits(0);
    if end == 0 {
        return 0;
    }
    while let Some(joint) = JOINTS.iter().find(|joint| text[end..].starts_with(**joint))
        && let more @ 1.. = digits(end + joint.len())
    {
        end += joint.len() + more;
    }
    let is_unit = |b: &u8| b.is_ascii_alphabetic() || *b == b'%';
    let unit = text[end..].bytes().take(UNIT_LETTERS).take_while(is_unit);
    end + unit.count()
}

/// The length in bytes of the escape sequence at the start of `text`, 0 if none stands there:
/// `ESC [`, digits and semicolons, one letter.
pub(crate) fn escape_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !text.starts_with("\x1b[") {
        return 0;
    }
    let parameters = bytes[2..]
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b';')
        .count();
    match bytes.get(2 + parameters) {
        Some(letter) if letter.is_ascii_alphabetic() => 3 + parameters,
        _ => 0,
    }
}

/// What stands on the screen as one: a character, or an escape sequence that shows nothing.
struct Piece {
    bytes: usize,
    columns: usize,
}

fn pieces(text: &str) -> impl Iterator<Item = Piece> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let c = rest.chars().next()?;
        let escape = escape_len(rest);
        let piece = if escape > 0 {
            Piece {
                bytes: escape,
                columns: 0,
            }
        } else {
            Piece {
                bytes: c.len_utf8(),
                columns: terminal_width(c),
            }
        };
        rest = &rest[piece.bytes..];
        Some(piece)
    })
}

fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// tqdm's width of one character: 2 if its East Asian Width is wide or full, else 1, also for
/// combining marks and control characters.
fn disp_width(c: char) -> usize {
    match c {
        // ASCII and what bars are drawn with, without a look into the tables.
        ' '..='~' | BLOCKS_FIRST..=BLOCKS_LAST => 1,
        // Wide in Unicode's table and without a column on a terminal: tone marks, voicing marks,
        // the Hangul filler, Khitan and Vietnamese marks.
        '\u{302a}'..='\u{302f}' | '\u{3099}' | '\u{309a}' | '\u{3164}' => 2,
        '\u{16fe4}' | '\u{16ff0}' | '\u{16ff1}' => 2,
        // A deprecated Khmer vowel that a terminal shows as two characters.
        '\u{17a4}' => 1,
        _ => 1 + usize::from(c.width() == Some(2)),
    }
}

/// The terminal's width of one character.
fn terminal_width(c: char) -> usize {
    match c {
        ' '..='~' | BLOCKS_FIRST..=BLOCKS_LAST => 1,
        // It widens a character of one column to two; where that had two already this counts one
        // too many, which is safe.
        EMOJI_SELECTOR => 1,
        _ => c.width().unwrap_or(0),
    }
}

fn find_escape(text: &str) -> bool {
    text.match_indices('\x1b')
        .any(|(at, _)| escape_len(&text[at..]) > 0)
}

fn first_chars(mut text: String, count: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(count) {
        text.truncate(end);
    }
    text
}

/// The length in bytes of what is left when characters are taken off the end of `text`, one by
/// one, until tqdm's count is at most `columns`.
///
/// A sequence that is cut open counts as visible characters, so the count is not monotonic: the
/// longest beginning that fits is not found by adding up from the left until it is full.
fn trimmed_len(text: &str, columns: usize) -> usize {
    let (mut used, mut fitting, mut end) = (0, 0, 0);
    while end < text.len() {
        let rest = &text[end..];
        let escape = escape_len(rest);
        if escape > 0 {
            // Each byte of a sequence is a character; all but the last leave it cut open.
            for part in 1..escape {
                if used + part <= columns {
                    fitting = end + part;
                }
            }
            end += escape;
        } else {
            let c = rest.chars().next().unwrap_or_default();
            used += disp_width(c);
            end += c.len_utf8();
        }
        if used <= columns {
            fitting = end;
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tqdm_counts_wide_as_two_and_escapes_as_none() {
        let table: &[(&str, usize)] = &[
            ("", 0),
            ("abc", 3),
            ("進捗", 4),
            ("\x1b[31mred\x1b[0m", 3),
            ("\x1b[31", 4),
            ("e\u{301}", 2),
            ("🚀", 2),
            ("│█", 2),
        ];
        for (text, expected) in table {
            assert_eq!(disp_len(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn trimming_is_tqdms() {
        let table: &[(&str, usize, &str)] = &[
            ("abcdef", 3, "abc"),
            ("abc", 5, "abc"),
            ("進捗進", 5, "進捗"),
            ("\x1b[31mabcdef\x1b[0m", 3, "\x1b[31mabc\x1b[0m"),
            ("\x1b[31mabc", 9, "\x1b[31mabc\x1b[0m"),
            // Equal lengths by chance: two wide characters and a sequence of four.
            ("進捗\x1b[0m進捗", 3, "進捗\x1b"),
        ];
        for (text, columns, expected) in table {
            assert_eq!(
                disp_trim((*text).to_owned(), *columns),
                *expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_terminal_gives_combining_marks_no_column() {
        assert_eq!(terminal_columns("e\u{301}x"), 2);
        assert_eq!(terminal_columns("\x1b[31m進\x1b[0m"), 2);
        assert_eq!(fit_to_columns("e\u{301}xyz", 2), "e\u{301}x");
        assert_eq!(fit_to_columns("a進b", 2), "a");
        assert_eq!(fit_to_columns("\x1b[31m進捗", 2), "\x1b[31m進\x1b[0m");
        assert_eq!(fit_to_columns("plain", 9), "plain");
    }
}
