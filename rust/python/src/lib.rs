//! The native module `mp_tqdm._core`: joins the counters and the renderer, and binds them to Python.

mod above;
mod arguments;
mod bar;
mod beside;
mod entries;
mod farewell;
mod fork;
mod format;
mod group;
mod handle;
mod held;
mod hot;
mod interrupt;
mod joining;
mod line;
mod lingering;
mod locks;
mod naming;
mod note;
mod number;
mod observe;
mod opening;
mod outputs;
mod pace;
mod process;
mod rank_words;
mod receipt;
mod report;
mod scene;
mod shared;
mod shown;
mod silent;
mod stage;
mod stall;
mod stream;
mod style;
mod traits;
mod turn;
mod unfinished;
mod writing;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// The native half of `mp_tqdm`; its manual is `_core.pyi`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::above::end_lines;
    #[pymodule_export]
    use super::beside::print_beside;
    #[pymodule_export]
    use super::fork::{
        after_fork_in_child, after_fork_in_parent, before_fork, expect_workers, resume_behind_fork,
    };
    #[pymodule_export]
    use super::format::{
        display_columns, format_interval, format_meter, format_num, format_sizeof, harmless,
        is_plain_template,
    };
    #[pymodule_export]
    use super::handle::Bar;
    #[pymodule_export]
    use super::hot::{iterate, own_methods};
    #[pymodule_export]
    use super::naming::{hash64, own_start};
    #[pymodule_export]
    use super::observe::observe;
    #[pymodule_export]
    use super::process::{
        add_lost, attach, hold, inherited, is_attached, is_read, join, lost_reports, note_pass,
        note_said, stop_drawing, unhold,
    };
    #[pymodule_export]
    use super::stream::AboveBars;
    use super::{Bound, PyModule, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use super::{PyImportError, PyModuleMethods};
        // What is counted with is the process's, and would be attached a second time. (CPython 3.12
        // and later refuse those with a GIL of their own before this is reached.)
        if !super::hot::is_main_interpreter(module.py()) {
            return Err(PyImportError::new_err(
                "mp_tqdm does not support sub-interpreters: import it in the main interpreter",
            ));
        }
        super::process::start()?;
        super::locks::watch_forks();
        super::hot::register(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("LAYOUT_VERSION", mp_tqdm_counters::LAYOUT_VERSION)?;
        module.add(
            "MININTERVAL",
            crate::arguments::default_interval(module.py()),
        )?;
        module.add("__debug_build__", cfg!(debug_assertions))
    }
}
