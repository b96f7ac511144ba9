//! The lines beside which this process prints while it is attached to no job: a worker that never counts,
//! a rank whose bar is off.
//!
//! To attach for a text would settle too early who it is: it may print first and become a rank then.

use std::path::PathBuf;
use std::sync::Mutex;

use mp_tqdm_counters::{Beside, Header};
use pyo3::prelude::*;

use crate::hot;
use crate::joining::{self, Turn};
use crate::locks::lock;

/// A fork child has its parent's.
static BESIDE: Mutex<Option<Beside>> = Mutex::new(None);

/// What the job beside which this process prints says.
pub(crate) fn header() -> Option<&'static Header> {
    lock(&BESIDE).as_ref().map(Beside::header)
}

/// Whether that job is known, and still has the same segment.
pub(crate) fn is_known() -> bool {
    lock(&BESIDE).as_ref().is_some_and(Beside::is_there)
}

/// From here on this process prints beside the lines of the job whose segment stands at `path`.
#[pyfunction]
pub(crate) fn print_beside(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    joining::wait(py)?;
    // Nobody may lock that file meanwhile: to close it here would take the locks away.
    let _turn = Turn::take();
    if hot::process().is_none()
        && let Ok(found) = Beside::at(&path)
    {
        *lock(&BESIDE) = Some(found);
    }
    Ok(())
}
