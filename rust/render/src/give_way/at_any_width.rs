//! Lines of all kinds at all widths: none is too wide, and no number on one is cut.

use std::sync::Arc;

use proptest::prelude::*;

use crate::clean::clean;
use crate::meter::UnitScale;
use crate::number::Number;
use crate::postfix::{Postfix, Value};
use crate::remark::Remark;
use crate::row::{Room, Row, Style};
use crate::template::Template;
use crate::width::terminal_columns;

/// The numbers of a text with the letter behind each: `1.25i` of ` 1.25it/s`.
fn numbers(text: &str) -> Vec<String> {
    let joins = |c: char| ".,:/".contains(c);
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        rest = &rest[start..];
        let is_outside = |c: char| !c.is_numeric() && !joins(c);
        let end = rest.find(is_outside).unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches(joins);
        let letter = rest[number.len()..].chars().next();
        numbers.push(
            number
                .chars()
                .chain(letter.filter(char::is_ascii_alphabetic))
                .collect(),
        );
        rest = &rest[end..];
    }
    numbers
}

fn texts() -> impl Strategy<Value = String> {
    let words = [
        "train",
        "resnet50",
        "進捗",
        "３２",
        "e\u{301}tape",
        "🚀",
        "❤️",
        "12,345",
        "1.5e-05",
        "of",
        "loss=0.123,",
        "10:20:30",
        "0.25",
        "5/10",
        "1.2kB/s",
        "👩‍👩‍👧",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..9)
        .prop_map(|words| words.join(" "))
}

fn postfixes() -> impl Strategy<Value = Postfix> {
    let values = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        (-1e6..1e6).prop_map(Value::Float),
        texts().prop_map(Value::Text),
    ];
    let pairs = proptest::collection::vec(("[a-zé進]{1,6}", values), 0..5);
    prop_oneof![
        texts().prop_map(Postfix::Text),
        pairs.prop_map(Postfix::Pairs)
    ]
}

fn styles() -> impl Strategy<Value = Style> {
    let templates = [
        None,
        Some("{l_bar}{bar:10}{r_bar}"),
        Some("{desc}: {n_fmt}/{total_fmt} at {rate_fmt}{postfix} {bar}"),
        Some(
            "\u{1b}[31m{percentage:3.0f}% {elapsed}<{remaining}\u{1b}[0m {bar:-20} {rate_inv:.3e}",
        ),
    ];
    let widths = [None, None, None, Some(0), Some(30)];
    let colours = [None, Some("red")];
    (
        proptest::sample::select(templates.to_vec()),
        proptest::sample::select(widths.to_vec()),
        proptest::sample::select(colours.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(template, ncols, colour, is_short)| Style {
            bar_format: template.map(|source| Template::parse(source).unwrap()),
            ncols,
            colour: colour.map(str::to_owned),
            unit_scale: if is_short {
                UnitScale::Si
            } else {
                UnitScale::Off
            },
            ..Style::default()
        })
}

fn rows() -> impl Strategy<Value = Row> {
    let remarks = vec![
        Remark::new("node 0/2"),
        Remark::new("2 ranks at 48.8 to 92.0it/s")
            .or("48.8 to 92.0it/s")
            .or("2 ranks"),
        Remark::new("rank 3 silent for 12s at 410")
            .or("rank 3 silent")
            .as_alarm(),
    ];
    let counts = (0..10_i64.pow(7), proptest::option::of(0..10_i64.pow(8)));
    let remarks = proptest::sample::subsequence(remarks, 0..=3);
    (
        texts(),
        counts,
        postfixes(),
        remarks,
        styles(),
        any::<bool>(),
    )
        .prop_map(
            |(desc, (n, total), postfix, remarks, style, has_failed)| Row {
                total: total.map(Number::from),
                desc,
                postfix,
                remarks,
                has_failed,
                ..Row::new(1, n.into(), 100.0, Arc::new(style))
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // faults: F126
    #[test]
    fn no_line_is_too_wide_and_no_number_on_it_is_cut(row in rows(), has_colours: bool) {
        let whole_style = Style { ncols: row.style.ncols.filter(|ncols| *ncols == 0), ..(*row.style).clone() };
        let whole = Row { style: Arc::new(whole_style), ..row.clone() };
        let mut known = numbers(&clean(&whole.line(104.0, None, Room::Log)));
        let wordings = row.remarks.iter().flat_map(Remark::wordings);
        known.extend(wordings.flat_map(numbers));
        for cols in 10..=200 {
            let line = row.line(104.0, None, Room::Columns { cols, rows: 23, has_colours });
            prop_assert!(terminal_columns(&line) <= cols as usize, "{cols}: {line}");
            let dots = line.find('…').map(|at| &line[..at]);
            prop_assert!(!dots.is_some_and(|before| before.ends_with(char::is_numeric)), "{line}");
            for number in numbers(&clean(&line)) {
                prop_assert!(known.contains(&number), "{number} at {cols}: {line}");
            }
        }
    }
}
