//! `report_progress`, as a raw function.

use mp_tqdm_counters::Value;
use pyo3::ffi;
use pyo3::prelude::*;

use super::call::{arguments, none, plain_count, trapped};
use super::make::{Methods, method};
use super::{add, report_entry, warm_cell};
use crate::number::value_of;

/// `report_progress(n=1, *, bar=None)`.
unsafe extern "C" fn report_progress(
    _module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `args` holds `count` arguments, by the calling convention.
    if let Some(n) = unsafe { plain_count(args, count, names) }
        && let Some(entry) = report_entry()
        && let Some(cell) = warm_cell(entry)
    {
        add(cell, n);
        return none();
    }
    // SAFETY: as above.
    unsafe { report_cold(args, count, names) }
}

#[cold]
#[inline(never)]
unsafe fn report_cold(
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trapped(|py| {
        // SAFETY: the caller's words.
        let given = unsafe { arguments(py, args, count, names, "report_progress", Some("bar")) }?;
        let n = given.n.as_ref().map_or(Ok(Some(Value::Int(1))), value_of)?;
        if let Some(n) = n {
            crate::report::count(py, n, given.other.as_ref().filter(|bar| !bar.is_none()))?;
        }
        Ok(py.None())
    })
}

pub(super) static REPORT_PROGRESS: Methods<1> = Methods([method(
    c"report_progress",
    report_progress,
    c"report_progress(n=1, *, bar=None)\n--\n\nAdd n to the job's counter, from any process or thread.",
)]);
