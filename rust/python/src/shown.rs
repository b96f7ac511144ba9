//! A bar's line as the whole job has it, for Python code that draws it or asks for its text.

use mp_tqdm_counters::{BY_WORKERS, BarId, Role};
use mp_tqdm_render::{LastText, Number, Row, monotonic, note_of};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bar::BarCore;
use crate::farewell::wait_for_copies;
use crate::hot;
use crate::line::has_several_descs;
use crate::process::Process;
use crate::receipt::sign;
use crate::scene::only;

/// What the line has in place of this process's own numbers; `None` where that is the same: nobody
/// else counts here, or it is a worker's bar, or each rank has a line of its own.
pub(crate) fn line(process: &'static Process, core: &BarCore, is_last: bool) -> Option<Shown> {
    let id = core.id?;
    if core.is_closed() || core.is_alone(process) {
        return None;
    }
    let view = core.view(process).filter(|view| !view.has(BY_WORKERS))?;
    let row = if is_last {
        last_row(process, core)?
    } else {
        let now_s = monotonic().as_secs_f64();
        process.stage.shared().present_row(process, id, now_s)?
    };
    Some(Shown {
        has_own_desc: process.home.role == Role::Worker || !has_several_descs(&view, &[]),
        row,
    })
}

/// The last line: with who did the work, or how many of them are done.
fn last_row(process: &'static Process, core: &BarCore) -> Option<Row> {
    wait_for_copies(process, core);
    let now_s = monotonic().as_secs_f64();
    let last = process.stage.shared().last_rows(process, core.id?, now_s)?;
    let mut row = only(last.rows)?;
    sign(&mut row, process, core);
    Some(row)
}

/// A line, and whether it begins with what this process says.
pub(crate) struct Shown {
    row: Row,
    has_own_desc: bool,
}

impl Shown {
    /// As keywords of `format_meter`.
    pub(crate) fn keywords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (row, keywords) = (&self.row, hot::dict(py)?);
        let float = |number: Option<f64>| number.map(|number| hot::float_of(py, number));
        let entries = [
            ("n", Some(number(py, row.n))),
            ("total", row.total.map(|total| number(py, total))),
            ("initial", Some(number(py, row.initial))),
            ("job_fraction", float(row.fraction)),
            ("job_remaining_s", float(row.remaining_s)),
            (
                "job_note",
                Some(hot::text(py, &note_of(&row.remarks)).map(Bound::unbind)),
            ),
        ];
        for (name, value) in entries {
            keywords.set_item(hot::text(py, name)?, value.transpose()?)?;
        }
        if !self.has_own_desc {
            keywords.set_item(hot::text(py, "prefix")?, hot::text(py, &row.desc)?)?;
        }
        Ok(keywords)
    }
}

/// What the line said last; `None` where another process draws it, or nobody has yet.
pub(crate) fn last_text(process: &Process, ids: &[BarId]) -> Option<LastText> {
    process.stage.shared().last_text(ids, process.home.rank)
}

/// What a bar's line said last, as Python gets it: the count, when that was in seconds of the monotonic
/// clock, how many seconds ago, and the smoothed rate.
pub(crate) fn text_of<'py>(py: Python<'py>, last: LastText) -> PyResult<Bound<'py, PyAny>> {
    let age_s = monotonic().as_secs_f64() - last.at_s;
    let n = number(py, last.n)?;
    let rate = last
        .rate
        .map_or(Ok(py.None()), |rate| hot::float_of(py, rate))?;
    let (at, age) = (hot::float_of(py, last.at_s)?, hot::float_of(py, age_s)?);
    let parts = [n.bind(py), at.bind(py), age.bind(py), rate.bind(py)];
    hot::tuple(py, &parts)
}

/// A number for Python.
pub(crate) fn number(py: Python<'_>, number: Number) -> PyResult<Py<PyAny>> {
    match number {
        Number::Int(n) => match i64::try_from(n) {
            Ok(n) => hot::int_of(py, n),
            Err(_) => Ok(n.into_pyobject(py)?.into_any().unbind()),
        },
        Number::Float(n) => hot::float_of(py, n),
    }
}
