//! Numbers of Python as counts, and back.

use std::ffi::CStr;

use mp_tqdm_counters::Value;
use pyo3::exceptions::{PyOverflowError, PyRuntimeWarning, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyFloat;

/// A number that Python gave: an int where it is one that fits, else a float. `None` for NaN, the
/// infinities and ints beyond every float: they are ignored, with one warning.
///
/// # Errors
///
/// `TypeError` for what is no number.
pub(crate) fn value_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if !object.is_instance_of::<PyFloat>() {
        match object.extract::<i64>() {
            Ok(n) => return Ok(Some(Value::Int(n))),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {}
            Err(_) if object.hasattr("__float__")? => {}
            Err(_) => {
                let kind = object.get_type().name()?.to_string();
                let text = format!("n should be a number of items, found {kind}");
                return Err(PyTypeError::new_err(text));
            }
        }
    }
    let n = match object.extract::<f64>() {
        Ok(n) => n,
        Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => f64::INFINITY,
        Err(error) => return Err(error),
    };
    if n.is_finite() {
        return Ok(Some(Value::Float(n)));
    }
    warn_once(
        object.py(),
        c"mp_tqdm ignored a count that is NaN or infinite; all others count",
    )?;
    Ok(None)
}

/// A total that Python gave: `None` and what is no finite number mean "unknown".
pub(crate) fn total_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if object.is_none() {
        return Ok(None);
    }
    if object
        .extract::<f64>()
        .is_ok_and(|total| !total.is_finite())
    {
        return Ok(None);
    }
    value_of(object)
}

/// A count for Python.
pub(crate) fn to_python(py: Python<'_>, value: Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        Value::Int(n) => n.into_pyobject(py)?.into_any().unbind(),
        Value::Float(n) => n.into_pyobject(py)?.into_any().unbind(),
    })
}

/// Warns by Python's own rules, which show a warning of one place once, in one process of the job.
pub(crate) fn warn_once(py: Python<'_>, text: &CStr) -> PyResult<()> {
    let said = py.import("mp_tqdm._said")?;
    let text_of_it = text.to_string_lossy();
    if !said.call_method1("is_first", (text_of_it,))?.is_truthy()? {
        return Ok(());
    }
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), text, 2)
}
