//! What is done around a fork: the renderer stops before it, and comes back in the parent.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mp_tqdm_counters::Role;
use pyo3::prelude::*;

use crate::above::draws_on;
use crate::interrupt::is_own;
use crate::locks::lock;
use crate::{beside, entries, hot, joining, unfinished};

/// Before a fork: none of the threads may live in the child. Where another thread attaches this process
/// just now, the child would not be told of its job: that is waited for.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) -> PyResult<()> {
    let waited = joining::wait(py);
    unfinished::before_fork();
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.before_fork());
    }
    waited
}

/// After a fork, in the parent: draws again.
#[pyfunction]
pub(crate) fn after_fork_in_parent(py: Python<'_>) {
    if hot::process().is_some() {
        resume(py);
    }
}

/// After a fork, in the parent: draws again once `os.fork` has returned.
#[pyfunction]
pub(crate) fn resume_behind_fork(py: Python<'_>) {
    if hot::process().is_none() {
        return;
    }
    if !is_main_thread() {
        return resume(py);
    }
    // Within a hook of another fork it is that one whose end is waited for.
    if !is_forking(py) {
        let forking = running_frame(py).map(|frame| Forking {
            frame: frame.unbind(),
            until: Instant::now() + FORKING_LIMIT,
        });
        *lock(&FORKING) = forking;
    }
    if !hot::resume_soon() {
        resume(py);
    }
}

/// Another thread cannot have something done behind its fork, for the main one may not be in Python
/// code again for long. It need not: CPython warns of these two threads, with a renderer or without.
pub(crate) fn is_main_thread() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/thread-self").is_ok_and(|path| path.ends_with(own))
}

/// The call of the main thread that forks, from this package's hook on until the renderer is back.
struct Forking {
    frame: Py<PyAny>,
    until: Instant,
}

static FORKING: Mutex<Option<Forking>> = Mutex::new(None);
/// Far longer than the hooks of a fork take.
const FORKING_LIMIT: Duration = Duration::from_secs(1);

fn running_frame(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    hot::call_method(&hot::import(py, c"sys").ok()?, "_getframe", &[]).ok()
}

/// Whether the main thread runs what the forking call itself called: a hook in Python behind ours.
pub(crate) fn is_forking(py: Python<'_>) -> bool {
    let Some(Forking { frame, until }) = lock(&FORKING).take() else {
        return false;
    };
    let callers = std::iter::successors(running_frame(py), |inner| {
        hot::attribute(inner, "f_back").ok()
    });
    let is_inside = callers.skip(1).any(|caller| caller.is(&frame)) && Instant::now() < until;
    if is_inside {
        *lock(&FORKING) = Some(Forking { frame, until });
    }
    is_inside
}

/// Draws again after a fork: the renderer, and the thread that looks after bars of Python code where
/// that was ever started.
pub(crate) fn resume(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.after_fork(process));
    }
    let loaded = hot::import(py, c"sys").and_then(|sys| hot::attribute(&sys, "modules"));
    if let Ok(monitor) = loaded.and_then(|loaded| loaded.get_item("mp_tqdm._monitor"))
        && let Err(error) = hot::call_method(&monitor, "resume", &[])
    {
        hot::ignore(py, error);
    }
}

/// Before a text of a process that is not attached: it joins those of its children that count already,
/// or looks for the lines of others on that terminal.
pub(crate) fn before_text(py: Python<'_>, device: u64) -> PyResult<()> {
    if hot::process().is_some() || draws_on(device) || beside::is_known() {
        return Ok(());
    }
    let forks = hot::import(py, c"mp_tqdm._forks");
    match forks.and_then(|forks| hot::call_method(&forks, "before_text", &[])) {
        Err(error) if !is_own(py, &error) => Err(error),
        // It prints all the same.
        Err(_) => Ok(()),
        Ok(_) => {
            if let Some(process) = hot::process() {
                py.detach(|| process.stage.flush(process));
            }
            Ok(())
        }
    }
}

/// Processes were started that may open bars: draws those, in the root or in a rank.
#[pyfunction]
pub(crate) fn expect_workers(py: Python<'_>) {
    if let Some(process) = hot::process().filter(|process| process.home.role != Role::Worker) {
        py.detach(|| process.stage.expect_workers(process));
    }
}

/// After a fork, in the child: needed only where the kernel does not wipe the cached pages.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    entries::forget_all_after_fork();
}
