//! What is no error but an end that somebody asked for (^C, `sys.exit` in a signal handler), and comes
//! while Python code runs for us.

use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

/// Whether the program has to see it: it is not ours to swallow.
pub(crate) fn is_interrupt(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<PyException>(py)
}

/// For where nothing can be raised: a ^C comes again as soon as the main thread runs Python code, and
/// anything else is printed as unraisable.
pub(crate) fn put_off(py: Python<'_>, error: PyErr) {
    let is_put_off = error.is_instance_of::<PyKeyboardInterrupt>(py)
        && py
            .import("_thread")
            .and_then(|thread| thread.call_method0("interrupt_main"))
            .is_ok();
    if !is_put_off {
        error.write_unraisable(py, None);
    }
}
