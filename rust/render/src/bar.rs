//! The bar itself: a fraction as cells of a charset.

use std::borrow::Cow;

use crate::charset::{Charset, Colour, blank_steps, steps_by_letter};
use crate::error::FormatError;

/// The most cells a bar is drawn with, whatever a template asks for. A thousand times a wide
/// terminal, and small enough to be built at once.
const CELLS_MAX: i64 = 1 << 20;

/// What ends a bar's colour.
const COLOUR_RESET: &str = "\x1b[0m";

/// A bar before its width is known.
#[derive(Clone, Debug)]
pub struct Bar<'a> {
    fraction: f64,
    default_cells: u32,
    steps: Cow<'a, [char]>,
    colour: Option<Colour>,
}

impl<'a> Bar<'a> {
    /// A bar that is full at 1; below 0 it is empty, above 1 and for NaN it is full.
    #[must_use]
    pub fn new(
        fraction: f64,
        default_cells: u32,
        charset: &'a Charset,
        colour: Option<Colour>,
    ) -> Self {
        let fraction = if fraction.is_nan() {
            1.0
        } else {
            fraction.clamp(0.0, 1.0)
        };
        Self {
            fraction,
            default_cells,
            steps: Cow::Borrowed(charset.steps()),
            colour,
        }
    }

    /// A bar of spaces, for work whose end is unknown.
    #[must_use]
    pub fn blank(default_cells: u32, colour: Option<Colour>) -> Self {
        Self {
            fraction: 0.0,
            default_cells,
            steps: Cow::Borrowed(blank_steps()),
            colour,
        }
    }

    /// The same bar with a charset of its own.
    #[must_use]
    pub fn into_owned(self) -> Bar<'static> {
        Bar {
            steps: Cow::Owned(self.steps.into_owned()),
            ..self
        }
    }

    /// The bar under the specification `[cells][a|u|b]`: negative cells are taken off the default,
    /// the letter chooses another charset.
    ///
    /// # Errors
    ///
    /// [`FormatError::Spec`] if the cells are no number.
    pub fn format(&self, spec: &str) -> Result<String, FormatError> {
        let by_letter = spec.chars().next_back().and_then(|letter| {
            let steps = steps_by_letter(letter.to_ascii_lowercase())?;
            Some((&spec[..spec.len() - letter.len_utf8()], steps))
        });
        let (digits, steps) = by_letter.unwrap_or((spec, &self.steps));
        let default_cells = i64::from(self.default_cells);
        let cells = if digits.is_empty() {
            default_cells
        } else {
            let asked: i64 = digits.trim().parse().map_err(|_| FormatError::Spec {
                field: "bar".to_owned(),
                spec: spec.to_owned(),
                value: "a bar",
            })?;
            if asked < 0 {
                asked.saturating_add(default_cells)
            } else {
                asked
            }
        };
        Ok(self.draw(cells.clamp(0, CELLS_MAX) as usize, steps))
    }

    fn draw(&self, cells: usize, steps: &[char]) -> String {
        let (Some(&empty), Some(&full)) = (steps.first(), steps.last()) else {
            return String::new();
        };
        let per_cell = steps.len() - 1;
        // In this order and truncated, as tqdm multiplies: another order rounds differently.
        let filled = (self.fraction * cells as f64 * per_cell as f64) as usize;
        let (whole, part) = (filled / per_cell.max(1), filled % per_cell.max(1));
        let mut text = self.colour.map(Colour::escape).unwrap_or_default();
        text.reserve(cells * 3);
        text.extend(std::iter::repeat_n(full, whole));
        if whole < cells {
            text.push(steps[part]);
            text.extend(std::iter::repeat_n(empty, cells - whole - 1));
        }
        if self.colour.is_some() {
            text.push_str(COLOUR_RESET);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_by_steps_of_a_cell() {
        let table: &[(f64, &str, &str)] = &[
            (0.0, "10", "          "),
            (0.5, "10", "█████     "),
            (0.34, "10", "███▍      "),
            (0.34, "10a", "###4      "),
            (0.34, "10A", "###4      "),
            (1.0, "4u", "████"),
            (0.5, "4b", "    "),
            (0.5, "", "███   "),
            (0.5, "-2", "██  "),
            (0.5, "-9", ""),
            (0.5, "0", ""),
            (0.5, "a", "###   "),
            (7.0, "2", "██"),
            (-7.0, "2", "  "),
            (f64::NAN, "2", "██"),
        ];
        for (fraction, spec, expected) in table {
            let bar = Bar::new(*fraction, 6, &Charset::Unicode, None);
            assert_eq!(
                bar.format(spec).as_deref(),
                Ok(*expected),
                "{fraction} {spec:?}"
            );
        }
    }

    #[test]
    fn a_coloured_bar_ends_its_colour() {
        let bar = Bar::new(0.5, 2, &Charset::Ascii, Colour::parse("red"));
        assert_eq!(bar.format("").as_deref(), Ok("\x1b[31m# \x1b[0m"));
    }

    #[test]
    fn nonsense_after_the_colon_is_an_error() {
        let bar = Bar::blank(6, None);
        assert!(bar.format("x").is_err());
        assert!(bar.format("1.5").is_err());
        assert_eq!(bar.format("99999999999999999999").ok(), None);
    }
}
