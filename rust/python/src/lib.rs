//! The native module `mp_tqdm._core`: joins the counters and the renderer, and binds them to Python.

use pyo3::prelude::*;

/// The native half of `mp_tqdm`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::PyModule;

    #[pymodule_init]
    fn init(module: &super::Bound<'_, PyModule>) -> super::PyResult<()> {
        use super::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
