//! A bar as one JSON object, for programs that read a log. The keys and their meaning are fixed.

use std::fmt::Write as _;

use crate::clean::clean;
use crate::number::Number;
use crate::postfix::{Postfix, Value};
use crate::remark::note_of;
use crate::row::Row;

/// The object of a row: the same keys in the same order at each time, `null` where a figure is not
/// known.
pub(crate) fn object(row: &Row, now_s: f64, rate: Option<f64>) -> String {
    let elapsed_s = row.elapsed_s(now_s);
    let done = row.n.as_f64() - row.initial.as_f64();
    let rate = rate.or_else(|| (elapsed_s > 0.0).then(|| done / elapsed_s));
    let total = row.total.map(Number::as_f64);
    let left = total.map(|total| (total - row.n.as_f64()).max(0.0));
    let remaining_s = row.remaining_s.or_else(|| {
        rate.filter(|rate| *rate > 0.0)
            .and_then(|rate| Some(left? / rate))
    });
    let fraction = row.fraction.or_else(|| {
        total
            .filter(|total| *total > 0.0)
            .map(|total| row.n.as_f64() / total)
    });
    let mut object = String::from("{\"desc\": ");
    push_text(&mut object, &clean(&row.desc));
    let figures = [
        ("n", Some(row.n)),
        ("total", row.total),
        ("fraction", fraction.map(Number::Float)),
        ("elapsed_s", Some(Number::Float(elapsed_s))),
        ("remaining_s", remaining_s.map(Number::Float)),
        ("rate", rate.map(Number::Float)),
    ];
    for (key, figure) in figures {
        let _ = write!(object, ", \"{key}\": ");
        push_number(&mut object, figure);
    }
    object.push_str(", \"unit\": ");
    push_text(&mut object, &clean(&row.style.unit));
    object.push_str(", \"postfix\": ");
    push_postfix(&mut object, &row.postfix);
    object.push_str(", \"note\": ");
    push_text(&mut object, &note_of(&row.remarks));
    let (ended, failed) = (row.ended.is_some(), row.has_failed);
    let _ = write!(object, ", \"ended\": {ended}, \"failed\": {failed}}}");
    object
}

fn push_postfix(object: &mut String, postfix: &Postfix) {
    match postfix {
        Postfix::None => object.push_str("null"),
        Postfix::Text(text) => push_text(object, &clean(text)),
        Postfix::Pairs(pairs) => {
            object.push('{');
            for (place, (key, value)) in pairs.iter().enumerate() {
                object.push_str(if place > 0 { ", " } else { "" });
                push_text(object, &clean(key));
                object.push_str(": ");
                match value {
                    Value::Int(value) => push_number(object, Some(Number::from(*value))),
                    Value::Float(value) => push_number(object, Some(Number::from(*value))),
                    Value::Text(text) => push_text(object, &clean(text)),
                }
            }
            object.push('}');
        }
    }
}

/// JSON has no NaN and no infinity. Floats are cut to six places: what is behind is noise.
fn push_number(object: &mut String, number: Option<Number>) {
    // Writing to a `String` cannot fail.
    let _ = match number {
        Some(Number::Int(value)) => write!(object, "{value}"),
        Some(Number::Float(value)) if value.is_finite() => {
            write!(object, "{}", (value * 1e6).round() / 1e6)
        }
        _ => write!(object, "null"),
    };
}

fn push_text(object: &mut String, text: &str) {
    object.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => object.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(object, "\\u{:04x}", u32::from(c));
            }
            c => object.push(c),
        }
    }
    object.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::row::{Ended, Style};

    fn row() -> Row {
        Row {
            total: Some(8.into()),
            desc: "tra\"in\\".to_owned(),
            ..Row::new(1, 2.into(), 100.0, Arc::new(Style::default()))
        }
    }

    #[test]
    fn every_object_has_the_same_keys() {
        assert_eq!(
            object(&row(), 104.0, None),
            r#"{"desc": "tra\"in\\", "n": 2, "total": 8, "fraction": 0.25, "elapsed_s": 4, "remaining_s": 12, "rate": 0.5, "unit": "it", "postfix": null, "note": "", "ended": false, "failed": false}"#
        );
        let unknown = Row {
            total: None,
            postfix: Postfix::Pairs(vec![
                ("a\n".to_owned(), Value::Float(0.1)),
                ("b".to_owned(), Value::Text("x".to_owned())),
                ("c".to_owned(), Value::Float(f64::NAN)),
            ]),
            ended: Some(Ended::Keep),
            has_failed: true,
            ..row()
        };
        assert_eq!(
            object(&unknown, 100.0, None),
            r#"{"desc": "tra\"in\\", "n": 2, "total": null, "fraction": null, "elapsed_s": 0, "remaining_s": null, "rate": null, "unit": "it", "postfix": {"a ": 0.1, "b": "x", "c": null}, "note": "", "ended": true, "failed": true}"#
        );
    }
}
