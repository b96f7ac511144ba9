//! Arguments, results and panics of the raw functions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use mp_tqdm_counters::sync::Ordering;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;

use super::ONE;
use super::outward::Raised;
use crate::interrupt::put_off;

/// The count of the usual calls, `f()` and `f(n)` with a plain int that is not huge.
#[inline(always)]
pub(super) unsafe fn plain_count(
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Option<i64> {
    if !names.is_null() {
        return None;
    }
    if count == 0 {
        return Some(1);
    }
    if count != 1 {
        return None;
    }
    // SAFETY: the caller says that there is one.
    let arg = unsafe { *args };
    if arg == ONE.load(Ordering::Relaxed) {
        return Some(1);
    }
    // SAFETY: a borrowed reference to a living object.
    if unsafe { ffi::PyLong_CheckExact(arg) } == 0 {
        return None;
    }
    let mut overflow = 0;
    // SAFETY: as above, and it is an int: no Python code runs, no exception is set.
    let n = unsafe { ffi::PyLong_AsLongLongAndOverflow(arg, &raw mut overflow) };
    // Of larger ones few enough for a program could wrap: the cold path checks. See `Cell::add`.
    (overflow == 0 && i32::try_from(n).is_ok()).then_some(n)
}

pub(super) struct Arguments<'py> {
    pub(super) n: Option<Bound<'py, PyAny>>,
    pub(super) other: Option<Bound<'py, PyAny>>,
}

/// Parses `(n=1, *, other=None)` by hand, with CPython's messages.
pub(super) unsafe fn arguments<'py>(
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    function: &str,
    other: Option<&str>,
) -> PyResult<Arguments<'py>> {
    let positional = usize::try_from(count).unwrap_or(0);
    if positional > 1 {
        let text = format!("{function}() takes at most 1 positional argument ({positional} given)");
        return Err(PyTypeError::new_err(text));
    }
    let mut given = Arguments {
        n: None,
        other: None,
    };
    if positional == 1 {
        // SAFETY: the caller says that there is one.
        let first = unsafe { *args };
        // SAFETY: as above, borrowed.
        given.n = Some(unsafe { Bound::from_borrowed_ptr(py, first) });
    }
    // SAFETY: null, or a tuple of strings, by the calling convention.
    let Some(names) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, names) }) else {
        return Ok(given);
    };
    for (index, name) in names.try_iter()?.enumerate() {
        let name: String = name?.extract()?;
        // SAFETY: the values of the keywords stand behind the positional arguments.
        let place = unsafe { args.add(positional + index) };
        // SAFETY: as above.
        let value = unsafe { *place };
        // SAFETY: as above, borrowed.
        let value = unsafe { Bound::from_borrowed_ptr(py, value) };
        if name == "n" && given.n.is_none() {
            given.n = Some(value);
        } else if Some(name.as_str()) == other {
            given.other = Some(value);
        } else {
            let text = format!("{function}() got an unexpected keyword argument '{name}'");
            return Err(PyTypeError::new_err(text));
        }
    }
    Ok(given)
}

/// A new reference to `None`.
#[inline(always)]
pub(super) fn none() -> *mut ffi::PyObject {
    // SAFETY: `None` is alive as long as the interpreter, which calls us.
    let none = unsafe { ffi::Py_None() };
    // SAFETY: as above, with the GIL held.
    unsafe { ffi::Py_INCREF(none) };
    none
}

/// Runs safe code for a raw slot: its error becomes Python's, a panic a `RuntimeError`.
pub(super) fn trapped(body: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>) -> *mut ffi::PyObject {
    caught(body).map_or(ptr::null_mut(), Py::into_ptr)
}

/// As [`trapped`], for what returns nothing; false with an exception set.
pub(super) fn succeeds(body: impl FnOnce(Python<'_>) -> PyResult<()>) -> bool {
    caught(body).is_some()
}

fn caught<T>(body: impl FnOnce(Python<'_>) -> PyResult<T>) -> Option<T> {
    // SAFETY: raw slots are called with the interpreter attached.
    let py = unsafe { Python::assume_attached() };
    let result = catch_unwind(AssertUnwindSafe(|| body(py))).unwrap_or_else(|_| {
        // PyO3 panics where Python has no memory left, and said so.
        Err(PyErr::take(py)
            .unwrap_or_else(|| PyRuntimeError::new_err("mp_tqdm: internal error while counting")))
    });
    result.map_err(|error| error.restore(py)).ok()
}

/// As [`trapped`], where there is nobody to raise to: the error is put off, or printed as unraisable. An
/// exception that is on its way is out of the way of `body`, and goes on behind it.
pub(super) fn swallow(body: impl FnOnce(Python<'_>, &Raised) -> PyResult<()>) {
    // SAFETY: raw slots are called with the interpreter attached.
    let py = unsafe { Python::assume_attached() };
    let raised = Raised::take(py);
    if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| body(py, &raised))) {
        put_off(py, error);
    }
    raised.restore(py);
}
