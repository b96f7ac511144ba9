//! The lines beside which this process prints while it is attached to no job: a worker that never counts,
//! a rank whose bar is off.
//!
//! To attach for a text would settle too early who it is: it may print first and become a rank then.

use std::path::PathBuf;
use std::sync::RwLock;

use mp_tqdm_counters::{Beside, Header};
use pyo3::prelude::*;

use crate::hot;
use crate::joining::{self, Turn};

/// A fork child has its parent's. Whoever does not get the lock at once does without: a thread that
/// had it may be missing in a fork child.
static BESIDE: RwLock<Option<Beside>> = RwLock::new(None);

/// What the job beside which this process prints says.
pub(crate) fn header() -> Option<&'static Header> {
    Some(BESIDE.try_read().ok()?.as_ref()?.header())
}

/// Whether that job is known, and still has the same segment.
pub(crate) fn is_known() -> bool {
    let beside = BESIDE.try_read();
    beside.is_ok_and(|beside| beside.as_ref().is_some_and(Beside::is_there))
}

/// From here on this process prints beside the lines of the job whose segment stands at `path`.
#[pyfunction]
pub(crate) fn print_beside(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    joining::wait(py)?;
    // Nobody may lock that file meanwhile: to close it here would take the locks away.
    let _turn = Turn::take();
    if hot::process().is_none()
        && let Ok(found) = Beside::at(&path)
        && let Ok(mut beside) = BESIDE.try_write()
    {
        *beside = Some(found);
    }
    Ok(())
}
