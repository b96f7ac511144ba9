//! The native module `mp_tqdm._core`: joins the counters and the renderer, and binds them to Python.

mod arguments;
mod bar;
mod entries;
mod format;
mod group;
mod handle;
mod held;
mod hot;
mod line;
mod number;
mod process;
mod report;
mod scene;
mod stage;
mod style;
mod traits;
mod turn;

use pyo3::prelude::*;

/// The native half of `mp_tqdm`; its manual is `_core.pyi`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::format::{
        display_columns, format_interval, format_meter, format_num, format_sizeof,
    };
    #[pymodule_export]
    use super::handle::Bar;
    #[pymodule_export]
    use super::hot::iterate;
    #[pymodule_export]
    use super::process::{
        after_fork_in_child, after_fork_in_parent, attach, before_fork, hold, inherited,
        is_attached, note_pass, unhold,
    };
    use super::{Bound, PyModule, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use super::PyModuleMethods;
        super::process::start()?;
        super::hot::register(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("__debug_build__", cfg!(debug_assertions))
    }
}
