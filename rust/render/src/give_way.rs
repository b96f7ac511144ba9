//! What gives way on a line that is too narrow for all of it: the remarks first, then the postfix, and
//! only then the bar.

use crate::clean::clean;
use crate::line::columns_of_bar;
use crate::meter::{Meter, MeterPostfix};
use crate::postfix::Postfix;
use crate::width::{disp_len, fit_to_columns};

/// A shorter bar hardly tells how far the work is.
const LEAST_CELLS: i64 = 10;
/// A remark or text of fewer columns says nothing.
const LEAST_TEXT: i64 = 8;
/// What stands between two texts behind the rate.
const COMMA: i64 = 2;

/// What stands behind the rate of a line.
#[derive(Debug, PartialEq)]
pub(crate) struct Behind {
    pub(crate) postfix: String,
    pub(crate) note: String,
}

impl Behind {
    /// Everything, where the line is wide enough for a bar of [`LEAST_CELLS`] beside it, else what is.
    ///
    /// `mark` is kept in any case: it says that the work failed.
    pub(crate) fn fitting(meter: &Meter<'_>, mark: &str, remarks: &str, postfix: &Postfix) -> Self {
        let mut behind = Self {
            postfix: postfix.text(),
            note: joined(mark, remarks),
        };
        let mut lack = LEAST_CELLS - behind.columns_left(meter).unwrap_or(LEAST_CELLS);
        if lack <= 0 {
            return behind;
        }
        let short = shortened(remarks, columns(remarks) - lack, meter);
        lack -= columns(remarks) - columns(&short);
        if short.is_empty() && !remarks.is_empty() {
            lack -= COMMA;
        }
        behind.note = joined(mark, &short);
        if lack > 0 {
            behind.postfix = match postfix {
                Postfix::Pairs(_) => whole_pairs(&postfix.pairs(), lack),
                _ => shortened(&behind.postfix, columns(&behind.postfix) - lack, meter),
            };
        }
        behind
    }

    fn columns_left(&self, meter: &Meter<'_>) -> Option<i64> {
        columns_of_bar(&Meter {
            postfix: MeterPostfix::Joined(&self.postfix),
            note: Some(&self.note),
            ..meter.clone()
        })
    }
}

fn joined(mark: &str, remarks: &str) -> String {
    let comma = if mark.is_empty() || remarks.is_empty() {
        ""
    } else {
        ", "
    };
    clean(&format!("{mark}{comma}{remarks}"))
}

fn columns(text: &str) -> i64 {
    i64::try_from(disp_len(text)).unwrap_or(i64::MAX)
}

/// A text cut to `limit` columns, nothing where little would be left of it.
fn shortened(text: &str, limit: i64, meter: &Meter<'_>) -> String {
    let more = if meter.charset.is_unicode() {
        "…"
    } else {
        "..."
    };
    let room = limit - columns(more);
    if columns(text) <= limit {
        return text.to_owned();
    }
    if room < LEAST_TEXT {
        return String::new();
    }
    let kept = fit_to_columns(text, usize::try_from(room).unwrap_or(0));
    format!("{}{more}", kept.trim_end())
}

/// The first pairs, without so many that `lack` columns are free: a cut number is another number.
fn whole_pairs(pairs: &[String], lack: i64) -> String {
    let whole = columns(&pairs.join(", "));
    (0..pairs.len())
        .rev()
        .map(|count| pairs[..count].join(", "))
        .find(|kept| whole - columns(kept) >= lack)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::clean::clean;
    use crate::postfix::{Postfix, Value};
    use crate::row::{Room, Row, Style};

    fn row() -> Row {
        Row {
            total: Some(10.into()),
            desc: "train".to_owned(),
            ..Row::new(1, 5.into(), 100.0, Arc::new(Style::default()))
        }
    }

    fn columns(cols: u32, has_colours: bool) -> Room {
        Room::Columns {
            cols,
            rows: 23,
            has_colours,
        }
    }

    // faults: F126
    #[test]
    fn remarks_give_way_first_then_the_postfix_and_then_the_bar() {
        let pairs = [("loss", 0.25), ("acc", 0.5), ("lr", 0.125)];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), Value::Float(value)));
        let full = Row {
            note: "rank 3 silent for 12s at 410".to_owned(),
            postfix: Postfix::Pairs(pairs.to_vec()),
            ..row()
        };
        let table = [
            (
                115,
                "██████      | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, rank 3 silent for 12s at 410]",
            ),
            (
                113,
                "█████     | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, rank 3 silent for 12s at 410]",
            ),
            (
                101,
                "█████     | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, rank 3 silent f…]",
            ),
            (
                90,
                "████████▌        | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125]",
            ),
            (
                80,
                "████████▌        | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5]",
            ),
            (
                70,
                "████████        | 5/10 [00:04<00:04,  1.25it/s, loss=0.25]",
            ),
            (60, "████████▌        | 5/10 [00:04<00:04,  1.25it/s]"),
            (50, "███▌   | 5/10 [00:04<00:04,  1.25it/s]"),
        ];
        for (cols, expected) in table {
            let line = full.line(104.0, None, columns(cols, true));
            assert_eq!(line, format!("train:  50%|{expected}"), "{cols}");
        }
    }

    #[test]
    fn a_text_is_cut_where_it_says_something_yet_and_a_failure_is_always_said() {
        let full = Row {
            note: "4 processes".to_owned(),
            postfix: Postfix::Text("reading the second part".to_owned()),
            has_failed: true,
            ..row()
        };
        let table = [
            (80, "s, reading the seco…, failed]"),
            (70, "s, failed]"),
            (52, "s, failed]"),
        ];
        for (cols, expected) in table {
            let line = clean(&full.line(104.0, None, columns(cols, false)));
            assert!(line.ends_with(expected), "{cols}: {line}");
        }
    }
}
