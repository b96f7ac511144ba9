//! Numbers of Python as counts, and back.

use std::ffi::CStr;

use mp_tqdm_counters::Value;
use pyo3::exceptions::{PyAttributeError, PyOverflowError, PyRuntimeWarning, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyFloat;

use crate::hot;
use crate::interrupt::is_own;

/// A number that Python gave: an int where it is one that fits, else a float. `None` for NaN, the
/// infinities and ints beyond every float: they are ignored, with one warning.
///
/// # Errors
///
/// `TypeError` for what is no number.
pub(crate) fn value_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let n = number_of(object)?;
    if n.is_none() {
        warn_once(
            object.py(),
            c"mp_tqdm ignored a count that is NaN or infinite; all others count",
        )?;
    }
    Ok(n)
}

fn number_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let py = object.py();
    if !object.is_instance_of::<PyFloat>() {
        match hot::index(object) {
            Ok(whole) => {
                if let Ok(n) = whole.extract() {
                    return Ok(Some(Value::Int(n)));
                }
            }
            // Anything else is the program's own, and of its own doing.
            Err(error) if !error.is_instance_of::<PyTypeError>(py) => return Err(error),
            Err(_) if has_float(object)? => {}
            Err(_) => {
                let kind = object.get_type().name()?.to_string();
                let text = format!("n should be a number of items, found {kind}");
                return Err(PyTypeError::new_err(text));
            }
        }
    }
    let n = match hot::float(object) {
        Ok(float) => float.extract()?,
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => f64::INFINITY,
        Err(error) => return Err(error),
    };
    Ok(n.is_finite().then_some(Value::Float(n)))
}

fn has_float(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    match hot::attribute(object, "__float__") {
        Err(error) if error.is_instance_of::<PyAttributeError>(object.py()) => Ok(false),
        found => found.map(|_| true),
    }
}

/// A total that Python gave: `None` and what is no finite number mean "unknown".
pub(crate) fn total_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if object.is_none() {
        return Ok(None);
    }
    number_of(object)
}

/// A count for Python.
pub(crate) fn to_python(py: Python<'_>, value: Value) -> PyResult<Py<PyAny>> {
    match value {
        Value::Int(n) => hot::int_of(py, n),
        Value::Float(n) => hot::float_of(py, n),
    }
}

/// Warns by Python's own rules, which show a warning of one place once, in one process of the job.
pub(crate) fn warn_once(py: Python<'_>, text: &CStr) -> PyResult<()> {
    let said = match hot::import(py, c"mp_tqdm._said") {
        // No file can be opened any more: whoever said it, it is not worth an error.
        Err(error) if is_own(py, &error) => return Ok(()),
        said => said?,
    };
    let text_of_it = hot::text(py, &text.to_string_lossy())?;
    if !hot::call_method(&said, "is_first", &[&text_of_it])?.is_truthy()? {
        return Ok(());
    }
    hot::warn(&py.get_type::<PyRuntimeWarning>(), text)
}
