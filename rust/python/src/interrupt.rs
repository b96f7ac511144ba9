//! What is no error but an end that somebody asked for (^C, a timeout, `sys.exit` in a signal handler),
//! and comes while Python code runs for us.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::fork::is_main_thread;
use crate::hot;

/// Whether the program waits for it: it is not ours to swallow.
fn is_awaited(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<PyException>(py) || judged(py, error, "is_awaited")
}

/// Whether an error came up in this package, and in no code of the program's.
pub(crate) fn is_own(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyException>(py) && judged(py, error, "is_own")
}

fn judged(py: Python<'_>, error: &PyErr, by: &str) -> bool {
    // With its traceback, which CPython has beside it before 3.12.
    let value = error.clone_ref(py).into_value(py);
    let module = hot::import(py, c"mp_tqdm._stack");
    let judged = module.and_then(|module| hot::call_method(&module, by, &[value.bind(py)]));
    judged.is_ok_and(|judged| judged.is_truthy().unwrap_or(false))
}

/// For where nothing can be raised: what the program waits for comes again as soon as the main thread
/// runs Python code, and anything else is printed as unraisable.
pub(crate) fn put_off(py: Python<'_>, error: PyErr) {
    if hot::is_shutting_down(py) {
        return;
    }
    let printed = if is_main_thread() && is_awaited(py, &error) {
        hot::raise_soon(py, error).err()
    } else {
        Some(error)
    };
    if let Some(error) = printed {
        hot::ignore(py, error);
    }
}
