//! Whose turn it is to attach this process to its job.
//!
//! Attaching runs Python code: the GIL changes hands meanwhile, signal handlers and the collector run,
//! and another thread may fork. So one thread does it and the others wait until it is through, since
//! what it tells children and streams belongs to it. They wait for a moment only: it may have ended in
//! the middle of it, or wait for a lock that one of them holds. Who waited for so long takes the turn
//! over, and the former holder finds that out in the one step that counts, `process::attach`, in which
//! no Python code runs. A call within the holder's own thread does not wait at all: it attaches, and
//! the interrupted one finds that done.

use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mp_tqdm_counters::HotEntry;
use mp_tqdm_counters::sync::{AtomicPtr, Ordering};
use pyo3::prelude::*;

use crate::{entries, hot};

/// Far longer than attaching takes.
const PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_micros(200);

/// Names the thread whose turn it is; null: nobody's. In a page that a fork child sees as zeros, for
/// that thread may not be in it.
fn holder() -> Option<&'static AtomicPtr<()>> {
    static ENTRY: OnceLock<Option<&'static HotEntry>> = OnceLock::new();
    ENTRY.get_or_init(entries::take).map(|entry| &entry.state)
}

/// Names the calling thread, as long as it lives.
fn here() -> *mut () {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| ptr::from_ref(here).cast_mut().cast())
}

/// Whether another thread attaches this process just now, or has more to do for it.
pub(crate) fn is_under_way() -> bool {
    holder().is_some_and(|holder| {
        let thread = holder.load(Ordering::Acquire);
        !thread.is_null() && thread != here()
    })
}

/// Returns once no other thread has the turn.
///
/// # Errors
///
/// What a signal handler raised meanwhile.
pub(crate) fn wait(py: Python<'_>) -> PyResult<()> {
    let Some(holder) = holder() else {
        return Ok(());
    };
    let deadline = Instant::now() + PATIENCE;
    while is_under_way() {
        let thread = holder.load(Ordering::Acquire);
        if Instant::now() >= deadline {
            let nobody = ptr::null_mut();
            let _ = holder.compare_exchange(thread, nobody, Ordering::AcqRel, Ordering::Relaxed);
            break;
        }
        py.detach(|| std::thread::sleep(POLL));
        hot::check_signals(py)?;
    }
    Ok(())
}

/// Whether it is the calling thread's turn.
pub(crate) fn is_mine() -> bool {
    holder().is_none_or(|holder| holder.load(Ordering::Acquire) == here())
}

/// The calling thread's turn, given back at the end.
pub(crate) struct Turn {
    /// The thread itself where this is a call within its turn; else null.
    before: *mut (),
}

impl Turn {
    /// Takes the turn; no other thread has it.
    pub(crate) fn take() -> Self {
        let before = holder().map(|holder| holder.swap(here(), Ordering::AcqRel));
        Self {
            before: before.unwrap_or(ptr::null_mut()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(holder) = holder() {
            // Unless it is another's by now, or nobody's: in a fork child.
            let mine = here();
            let _ = holder.compare_exchange(mine, self.before, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}
