//! One line of progress from a meter: tqdm's `format_meter`.

use crate::bar::Bar;
use crate::error::FormatError;
use crate::field::{Field, FieldValue};
use crate::figures::Figures;
use crate::meter::Meter;
use crate::number::Number;
use crate::template::{Conversion, Piece};
use crate::width::disp_len;

/// The line of a meter, equal to the one of tqdm 4.70.1.
///
/// # Errors
///
/// [`FormatError`] if a field of `bar_format` and its specification do not fit.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::{Meter, format_meter};
///
/// let meter = Meter::new(391.into(), Some(782.into()), 12.5.into());
/// assert_eq!(
///     format_meter(&meter).as_deref(),
///     Ok(" 50%|█████     | 391/782 [00:12<00:12, 31.28it/s]"),
/// );
/// ```
pub fn format_meter(meter: &Meter<'_>) -> Result<String, FormatError> {
    untrimmed(meter).map(|line| meter.trim(line))
}

/// The line of a meter, however wide it is.
pub(crate) fn untrimmed(meter: &Meter<'_>) -> Result<String, FormatError> {
    let figures = Figures::of(meter);
    Line::of(meter, &figures)?.fill(&figures)
}

/// How many of a line's `columns` are free beside a bar of so many `cells`, negative where some lack.
/// A bar whose template says how wide it is has that width.
pub(crate) fn room_beside_bar(meter: &Meter<'_>, columns: u32, cells: i64) -> i64 {
    let figures = Figures::of(meter);
    let Ok(line) = Line::of(meter, &figures) else {
        return 0;
    };
    let width = |text: &str| i64::try_from(disp_len(text)).unwrap_or(i64::MAX);
    let of_bars = line.bars.iter().map(|(_, spec)| {
        let asked = Bar::blank(0, None).format(spec).unwrap_or_default();
        match width(&asked) {
            0 if figures.fraction().is_some() => cells,
            0 => cells.min(1),
            asked => asked,
        }
    });
    i64::from(columns) - width(&line.text) - of_bars.sum::<i64>()
}

/// A line whose bars are still missing.
struct Line<'t> {
    text: String,
    /// Where a bar belongs, in bytes of the text, and its specification.
    bars: Vec<(usize, &'t str)>,
}

impl<'t> Line<'t> {
    fn of(meter: &Meter<'t>, figures: &Figures<'_>) -> Result<Self, FormatError> {
        let template = meter
            .bar_format
            .filter(|template| !template.source().is_empty());
        Ok(match (figures.fraction(), template) {
            (None, None) => Self::plain(figures.statistics()),
            (Some(_), _) if meter.ncols == Some(0) => {
                // No bar, hence none of the two strokes that enclose it.
                let (left, right) = (figures.left(), figures.right());
                Self::plain(format!("{}{}", &left[..left.len() - 1], &right[1..]))
            }
            (Some(_), None) => Self::around_bar(&figures.left(), &figures.right()),
            (Some(_), Some(template)) if meter.prefix.is_empty() => {
                Self::render(template.pieces_for_empty_desc(), figures)?
            }
            (_, Some(template)) => Self::render(template.pieces(), figures)?,
        })
    }

    fn plain(text: String) -> Self {
        Self {
            text,
            bars: Vec::new(),
        }
    }

    fn around_bar(left: &str, right: &str) -> Self {
        Self {
            text: format!("{left}{right}"),
            bars: vec![(left.len(), "")],
        }
    }

    fn render(pieces: &'t [Piece], figures: &Figures<'_>) -> Result<Self, FormatError> {
        let mut line = Self::plain(String::new());
        for piece in pieces {
            match piece {
                Piece::Literal(text) => line.text.push_str(text),
                Piece::Bar(spec) => line.bars.push((line.text.len(), spec)),
                Piece::Field {
                    field,
                    conversion,
                    spec,
                    spec_text,
                } => {
                    let value = convert(figures.get(*field), *conversion, *field)?;
                    let text = match &value {
                        _ if spec_text.is_empty() => Some(plain_text(&value)),
                        FieldValue::Text(text) => spec.format_text(text),
                        FieldValue::Number(number) => spec.format_number(*number),
                        FieldValue::None | FieldValue::Bool(_) => None,
                    };
                    line.text.push_str(&text.ok_or_else(|| FormatError::Spec {
                        field: field.name().to_owned(),
                        spec: spec_text.clone(),
                        value: kind(&value),
                    })?);
                }
            }
        }
        Ok(line)
    }

    /// Puts the bars in, as wide as the rest of the line lets them be.
    fn fill(self, figures: &Figures<'_>) -> Result<String, FormatError> {
        let mut text = self.text;
        if !self.bars.is_empty() {
            let bar = figures.bar_beside(&text);
            for (at, spec) in self.bars.into_iter().rev() {
                text.insert_str(at, &bar.format(spec)?);
            }
        }
        Ok(text)
    }
}

fn convert<'a>(
    value: FieldValue<'a>,
    conversion: Conversion,
    field: Field,
) -> Result<FieldValue<'a>, FormatError> {
    let text = match (conversion, value) {
        (Conversion::None, value) => return Ok(value),
        (Conversion::Repr, FieldValue::Text(text)) => {
            let simple = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'\'' | b'\\');
            if !text.bytes().all(simple) {
                let field = field.name().to_owned();
                return Err(FormatError::NeedsPython {
                    field,
                    what: "a representation",
                });
            }
            format!("'{text}'")
        }
        (_, value) => plain_text(&value),
    };
    Ok(FieldValue::Text(text.into()))
}

/// Python's `str(value)`.
fn plain_text(value: &FieldValue<'_>) -> String {
    match value {
        FieldValue::None => "None".to_owned(),
        FieldValue::Bool(true) => "True".to_owned(),
        FieldValue::Bool(false) => "False".to_owned(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Text(text) => text.to_string(),
    }
}

fn kind(value: &FieldValue<'_>) -> &'static str {
    match value {
        FieldValue::None => "None",
        FieldValue::Bool(_) => "a bool",
        FieldValue::Number(Number::Int(_)) => "an int",
        FieldValue::Number(Number::Float(_)) => "a float",
        FieldValue::Text(_) => "a str",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{MeterPostfix, UnitScale};
    use crate::template::Template;

    fn line(meter: &Meter<'_>) -> String {
        format_meter(meter).unwrap()
    }

    fn halfway() -> Meter<'static> {
        Meter::new(5.into(), Some(10.into()), 4.into())
    }

    #[test]
    fn lines_of_the_default_shape() {
        let table: &[(Meter<'_>, &str)] = &[
            (halfway(), " 50%|█████     | 5/10 [00:04<00:04,  1.25it/s]"),
            (
                Meter {
                    prefix: "train",
                    ..halfway()
                },
                "train:  50%|█████     | 5/10 [00:04<00:04,  1.25it/s]",
            ),
            (
                Meter {
                    prefix: "train: ",
                    ..halfway()
                },
                "train:  50%|█████     | 5/10 [00:04<00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: None,
                    ..halfway()
                },
                "5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: None,
                    prefix: "x",
                    ..halfway()
                },
                "x: 5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: Some(5.into()),
                    ..halfway()
                },
                "100%|██████████| 5/5 [00:04<00:00,  1.25it/s]",
            ),
            (
                Meter {
                    total: Some(4.into()),
                    ..halfway()
                },
                "5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: Some(0.into()),
                    ..halfway()
                },
                "5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: Some(f64::NAN.into()),
                    ..halfway()
                },
                "5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    total: Some(f64::INFINITY.into()),
                    ..halfway()
                },
                "5it [00:04,  1.25it/s]",
            ),
            (
                Meter {
                    elapsed_s: 0.into(),
                    ..halfway()
                },
                " 50%|█████     | 5/10 [00:00<?, ?it/s]",
            ),
            (
                Meter {
                    elapsed_s: 20.into(),
                    ..halfway()
                },
                " 50%|█████     | 5/10 [00:20<00:20,  4.00s/it]",
            ),
            (
                Meter {
                    rate: Some(2.into()),
                    ..halfway()
                },
                " 50%|█████     | 5/10 [00:04<00:02,  2.00it/s]",
            ),
            (
                Meter {
                    ncols: Some(0),
                    ..halfway()
                },
                " 50% 5/10 [00:04<00:04,  1.25it/s]",
            ),
            (
                Meter {
                    ncols: Some(45),
                    ..halfway()
                },
                " 50%|████▌    | 5/10 [00:04<00:04,  1.25it/s]",
            ),
            (
                Meter {
                    ncols: Some(12),
                    ..halfway()
                },
                " 50%|▌| 5/10",
            ),
            (
                Meter {
                    ncols: Some(38),
                    colour: Some("red"),
                    ..halfway()
                },
                " 50%|\u{1b}[31m█ \u{1b}[0m| 5/10 [00:04<00:04,  1.25it/s]\u{1b}[0m",
            ),
            (
                Meter {
                    unit_scale: UnitScale::Si,
                    ..Meter::new(5000.into(), Some(20_000.into()), 4.into())
                },
                " 25%|██▌       | 5.00k/20.0k [00:04<00:12, 1.25kit/s]",
            ),
            (
                Meter {
                    unit_scale: UnitScale::By(2.into()),
                    ..halfway()
                },
                " 50%|█████     | 10/20 [00:04<00:04,  2.50it/s]",
            ),
            (
                Meter {
                    postfix: MeterPostfix::Joined("loss=1"),
                    ..halfway()
                },
                " 50%|█████     | 5/10 [00:04<00:04,  1.25it/s, loss=1]",
            ),
        ];
        for (meter, expected) in table {
            assert_eq!(line(meter), *expected);
        }
    }

    #[test]
    fn lines_of_a_template() {
        let table: &[(&str, &str)] = &[
            (
                "{l_bar}{bar:4}{r_bar}",
                " 50%|██  | 5/10 [00:04<00:04,  1.25it/s]",
            ),
            ("{desc}: {n_fmt}", "5"),
            ("{n:03d}/{total} {percentage:.1f}%", "005/10 50.0%"),
            (
                "{rate_fmt} {rate_inv_fmt} {rate:.2f}",
                " 1.25it/s  0.80s/it 1.25",
            ),
            ("{elapsed_s}{{}}{remaining_s:5.1f}", "4{}  4.0"),
            ("{bar:3a}|{bar:-8}|", "#5 |█ |"),
            ("{ncols} {colour} {unit!r:>6}", "None None   'it'"),
        ];
        for (source, expected) in table {
            let template = Template::parse(source).unwrap();
            assert_eq!(
                line(&Meter {
                    bar_format: Some(&template),
                    ..halfway()
                }),
                *expected
            );
        }
    }

    #[test]
    fn a_field_that_does_not_fit_its_specification_is_an_error() {
        for source in ["{ncols:d}", "{desc:d}", "{ascii:d}", "{elapsed:,}"] {
            let template = Template::parse(source).unwrap();
            let error = format_meter(&Meter {
                bar_format: Some(&template),
                ..halfway()
            });
            assert!(
                matches!(error, Err(FormatError::Spec { .. })),
                "{source}: {error:?}"
            );
        }
    }

    #[test]
    fn the_jobs_own_numbers_replace_those_of_the_line() {
        let meter = Meter {
            fraction: Some(0.75),
            remaining_s: Some(61.0),
            note: Some("7/8 ranks"),
            ..halfway()
        };
        assert_eq!(
            line(&meter),
            " 75%|███████▌  | 5/10 [00:04<01:01,  1.25it/s, 7/8 ranks]"
        );
        let stuck = Meter {
            remaining_s: Some(f64::INFINITY),
            ..halfway()
        };
        assert_eq!(line(&stuck), " 50%|█████     | 5/10 [00:04<?,  1.25it/s]");
    }
}
