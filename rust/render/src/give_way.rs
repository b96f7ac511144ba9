//! What gives way on a line that is too narrow for all of it: the remarks first, then the postfix, then
//! the bar, and at last the figures behind it. Whatever stays is whole: a number that is cut is another
//! number.

#[cfg(test)]
mod at_any_width;

use crate::line::room_beside_bar;
use crate::meter::{Extent, Meter, MeterPostfix};
use crate::postfix::Postfix;
use crate::remark::{Remark, joined, note_of};
use crate::width::{disp_len, fit_to_columns};

/// A shorter bar hardly tells how far the work is.
const LEAST_CELLS: i64 = 10;
/// The bar that stays where there is no room for one.
const ONE_CELL: i64 = 1;
/// A text of which fewer columns are left says nothing.
const LEAST_TEXT: i64 = 8;
/// What stands between two texts behind the rate.
const COMMA: i64 = 2;

/// What a line shows of what it could.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) desc: String,
    pub(crate) extent: Extent,
    pub(crate) postfix: String,
    pub(crate) note: String,
}

impl Shown {
    /// Everything, where `columns` are enough for a bar of [`LEAST_CELLS`] beside it, else what is.
    ///
    /// An alarm stays as long as the percentage does: work that died has no rate and no time left.
    pub(crate) fn fitting(
        meter: &Meter<'_>,
        columns: u32,
        remarks: &[Remark],
        postfix: &Postfix,
    ) -> Self {
        let mut shown = Self::everything(meter, remarks, postfix);
        if shown.room(meter, columns, LEAST_CELLS) >= 0 {
            return shown;
        }
        shown.postfix.clear();
        let mut said: Vec<Option<&str>> = remarks.iter().map(Remark::alarm).collect();
        shown.note = joined(said.iter().copied().flatten());
        while !shown.fits_cut(meter, columns, LEAST_TEXT) {
            let Some(last) = said.iter_mut().rfind(|wording| wording.is_some()) else {
                shown.fits_cut(meter, columns, 1);
                break;
            };
            *last = None;
            shown.note = joined(said.iter().copied().flatten());
        }
        if shown.extent == Extent::All {
            let mut room = shown.room(meter, columns, LEAST_CELLS);
            shown.postfix = beginning(postfix, room - COMMA, meter);
            room -= cost(&shown.postfix);
            for (remark, said) in remarks.iter().zip(&mut said) {
                room += said.map_or(0, cost);
                *said = remark.wordings().find(|it| cost(it) <= room).or(*said);
                room -= said.map_or(0, cost);
            }
            shown.note = joined(said.into_iter().flatten());
        }
        shown
    }

    /// Everything, on a line without an end.
    pub(crate) fn everything(meter: &Meter<'_>, remarks: &[Remark], postfix: &Postfix) -> Self {
        Self {
            desc: meter.prefix.to_owned(),
            extent: Extent::All,
            postfix: postfix.text(),
            note: note_of(remarks),
        }
    }

    /// The meter of what is shown.
    pub(crate) fn of<'a>(&'a self, meter: &Meter<'a>) -> Meter<'a> {
        Meter {
            prefix: &self.desc,
            extent: self.extent,
            postfix: MeterPostfix::Joined(&self.postfix),
            note: Some(&self.note),
            ..meter.clone()
        }
    }

    /// Takes off as many figures as have to go, then columns of the desc as long as there are
    /// `least_desc`; whether the line fits then. A template has the user's shape, and keeps it.
    fn fits_cut(&mut self, meter: &Meter<'_>, columns: u32, least_desc: i64) -> bool {
        meter.prefix.clone_into(&mut self.desc);
        for extent in Extent::FROM_ALL {
            self.extent = extent;
            if self.room(meter, columns, ONE_CELL) >= 0 {
                return true;
            }
        }
        if meter.bar_format.is_some() {
            self.extent = Extent::All;
            return false;
        }
        let whole = meter.prefix.strip_suffix(": ").unwrap_or(meter.prefix);
        whole.clone_into(&mut self.desc);
        let limit = columns_of(whole) + self.room(meter, columns, ONE_CELL);
        self.desc = cut(whole, limit, least_desc, meter);
        !self.desc.is_empty()
    }

    /// The columns that are free beside a bar of so many cells, negative where some lack.
    fn room(&self, meter: &Meter<'_>, columns: u32, cells: i64) -> i64 {
        room_beside_bar(&self.of(meter), columns, cells)
    }
}

/// The columns that a text takes behind the rate.
fn cost(text: &str) -> i64 {
    if text.is_empty() {
        0
    } else {
        COMMA + columns_of(text)
    }
}

fn columns_of(text: &str) -> i64 {
    i64::try_from(disp_len(text)).unwrap_or(i64::MAX)
}

/// What fits into `limit` columns of a postfix: its first pairs, or the beginning of a text.
fn beginning(postfix: &Postfix, limit: i64, meter: &Meter<'_>) -> String {
    let Postfix::Pairs(_) = postfix else {
        return cut(&postfix.text(), limit, LEAST_TEXT, meter);
    };
    let pairs = postfix.pairs();
    let mut room = limit + COMMA;
    let kept = pairs.iter().take_while(|pair| {
        room -= cost(pair);
        room >= 0
    });
    joined(kept.map(String::as_str))
}

/// A text cut to `limit` columns, nothing where fewer than `least` would be left of it.
fn cut(text: &str, limit: i64, least: i64, meter: &Meter<'_>) -> String {
    let more = if meter.charset.is_unicode() {
        "…"
    } else {
        "..."
    };
    if columns_of(text) <= limit {
        return text.to_owned();
    }
    let room = usize::try_from(limit - columns_of(more)).unwrap_or(0);
    let kept = fit_to_columns(text, room);
    let words = kept.trim_end();
    if columns_of(words) < least {
        return String::new();
    }
    // A number with the dots right behind it looks as if it went on.
    match words.ends_with(char::is_numeric) {
        true if words.len() == kept.len() => cut(text, limit - 1, least, meter),
        true => format!("{words} {more}"),
        false => format!("{words}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::clean::clean;
    use crate::postfix::{Postfix, Value};
    use crate::remark::Remark;
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

    fn metrics() -> Postfix {
        let pairs = [("loss", 0.25), ("acc", 0.5), ("lr", 0.125)];
        Postfix::Pairs(
            pairs
                .map(|(key, value)| (key.to_owned(), Value::Float(value)))
                .to_vec(),
        )
    }

    fn spread() -> Remark {
        Remark::new("2 ranks at 48.8 to 92.0it/s")
            .or("48.8 to 92.0it/s")
            .or("2 ranks")
    }

    fn silent() -> Remark {
        let remark = Remark::new("rank 3 silent for 12s at 410");
        remark
            .or("rank 3 silent for 12s")
            .or("rank 3 silent")
            .as_alarm()
    }

    /// The line at each width, behind `train:  50%|`.
    fn check(row: &Row, table: &[(u32, &str)]) {
        for (cols, expected) in table {
            let line = row.line(104.0, None, columns(*cols, true));
            assert_eq!(line, format!("train:  50%|{expected}"), "{cols}");
        }
    }

    // faults: F126
    #[test]
    fn remarks_give_way_first_then_the_postfix_then_the_bar_and_then_the_figures() {
        let full = Row {
            remarks: vec![Remark::new("node 0/2"), spread()],
            postfix: metrics(),
            ..row()
        };
        let table = [
            (
                124,
                "██████      | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, node 0/2, 2 ranks at 48.8 to 92.0it/s]",
            ),
            (
                121,
                "██████████          | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, node 0/2, 48.8 to 92.0it/s]",
            ),
            (
                110,
                "█████████         | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, node 0/2, 2 ranks]",
            ),
            (
                101,
                "█████████         | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, node 0/2]",
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
            (44, "▌| 5/10 [00:04<00:04,  1.25it/s]"),
            (43, "█████▌     | 5/10 [00:04<00:04]"),
            (32, "███████       | 5/10"),
            (18, "██▌  |"),
        ];
        check(&full, &table);
    }

    #[test]
    fn an_alarm_stays_for_as_long_as_there_is_room_beside_the_percentage() {
        let full = Row {
            remarks: vec![Remark::new("node 0/2"), silent()],
            postfix: metrics(),
            ..row()
        };
        let table = [
            (
                122,
                "████████        | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, acc=0.5, lr=0.125, node 0/2, rank 3 silent for 12s]",
            ),
            (
                80,
                "█████▌     | 5/10 [00:04<00:04,  1.25it/s, loss=0.25, rank 3 silent]",
            ),
            (60, "█ | 5/10 [00:04<00:04,  1.25it/s, rank 3 silent]"),
            (50, "█▌ | 5/10 [00:04<00:04, rank 3 silent]"),
            (40, "███   | 5/10 [rank 3 silent]"),
            (30, "▌| [rank 3 silent]"),
            (29, "█████▌     | 5/10"),
        ];
        check(&full, &table);
    }

    #[test]
    fn a_long_desc_is_cut_before_the_percentage() {
        let named = |desc: &str| Row {
            desc: desc.to_owned(),
            ..row()
        };
        let table = [
            (
                "Fetching 1000 files from the hub",
                47,
                "Fetching 1000 files from the hub:  50%|█ | 5/10",
            ),
            (
                "Fetching 1000 files from the hub",
                40,
                "Fetching 1000 files from the h…:  50%|▌|",
            ),
            (
                "Fetching 1000 files from the hub",
                21,
                "Fetching…:  50%|██  |",
            ),
            ("Fetching 1000 files: ", 20, "Fetching…:  50%|█▌ |"),
            ("訓練の進捗", 16, "訓練の…:  50%|▌|"),
            ("Fetching 1000 files", 24, "Fetching 1000 …:  50%|▌|"),
            ("Fetching 1000 files", 23, "Fetching…:  50%|███   |"),
            ("train", 13, "tra…:  50%|▌|"),
            ("train", 10, " 50%|██  |"),
            ("train", 4, " 50%"),
            ("train", 3, " "),
        ];
        for (desc, cols, expected) in table {
            let line = named(desc).line(104.0, None, columns(cols, true));
            assert_eq!(line, expected, "{cols}");
        }
    }

    #[test]
    fn a_text_is_cut_where_it_says_something_yet_and_a_failure_is_always_said() {
        let full = Row {
            remarks: vec![Remark::new("4 processes")],
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
