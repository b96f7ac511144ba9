//! Passes the interpreter's properties on as `cfg`s: `Py_GIL_DISABLED` decides how cells are added to.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
