//! The raw CPython slots of the count path, and all `unsafe` of this crate, here and below (I2).
//!
//! What is counted per item must cost what a hand-written C extension costs: `tp_iternext` and
//! `METH_FASTCALL` functions without PyO3's trampoline and argument parser (`update(1)`: 6 to 10 ns
//! against 13 to 20). On that path stands one load and one store into a [`Cell`] and nothing else:
//! no lock, no system call, no allocation, no clock, nothing that can panic (I6). Whatever else has to
//! happen is `#[cold]`, goes through safe code elsewhere, and has its own trap for panics.
//!
//! The hazards, and what holds them off:
//! * *A cell that is gone.* Cells lie in a mapping that is never undone, or in a leaked box.
//! * *A fork.* Cell addresses are cached in pages that a child sees as zeros, so it takes the cold path.
//! * *Two threads in one cell.* The GIL is held at every add; builds without a GIL use `fetch_add`.
//! * *Reference counts.* Slots hold raw pointers that they own; each one is taken in one place and
//!   given up in `dealloc` or `clear`.
#![expect(unsafe_code, reason = "raw slots; see the module's own words and I2")]

use std::ffi::{c_int, c_void};
use std::fs::{File, Metadata};
use std::io::IsTerminal;
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::ptr;

use mp_tqdm_counters::sync::{AtomicPtr, AtomicU64, Ordering};
use mp_tqdm_counters::{Cell, HotEntry};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::process::Process;
use crate::unfinished::Unfinished;

mod call;
mod counting;
mod crash;
mod iterator;
mod make;
mod outward;
mod postfix;
mod report;

use call::swallow;
pub(crate) use counting::{bind, is_bar, own_methods};
pub(crate) use crash::before_crash;
pub(crate) use iterator::iterate;
pub(crate) use outward::{
    attribute, bytes, call, call_method, call_method_with, check_signals, dict, double, equals,
    float, float_of, ignore, import, index, int_of, is_shutting_down, is_true, raise_soon, repr_of,
    str_of, text, tuple, warn,
};

/// The entry of `report_progress`, in a page that a fork child sees as zeros.
static REPORT: AtomicPtr<HotEntry> = AtomicPtr::new(ptr::null_mut());
/// The int object 1, the usual argument: one comparison instead of a conversion.
static ONE: AtomicPtr<ffi::PyObject> = AtomicPtr::new(ptr::null_mut());

/// Adds to a cell on the count path.
#[inline(always)]
fn add(cell: &Cell, n: i64) {
    if cfg!(Py_GIL_DISABLED) {
        cell.add_shared(n);
    } else {
        cell.add(n);
    }
}

/// The cell of an entry, unless its watched word has changed or the entry is cold.
#[inline(always)]
fn warm_cell(entry: &HotEntry) -> Option<&Cell> {
    let cell = entry.cell.load(Ordering::Relaxed);
    if cell.is_null() {
        return None;
    }
    let watched = entry.watched.load(Ordering::Relaxed);
    // SAFETY: set together with `cell`, to a word in a mapping or a static: never gone.
    let now = unsafe { (*watched).load(Ordering::Relaxed) };
    if now != entry.seen.load(Ordering::Relaxed) {
        return None;
    }
    // SAFETY: a non-null cell lies in a mapping or a box that is never given back.
    Some(unsafe { &*cell })
}

/// Warms an entry: from now on counts go to `cell` until `watched` differs from `seen`.
pub(crate) fn warm(entry: &HotEntry, cell: &'static Cell, watched: &'static AtomicU64, seen: u64) {
    entry
        .watched
        .store(ptr::from_ref(watched).cast_mut(), Ordering::Relaxed);
    entry.seen.store(seen, Ordering::Relaxed);
    entry
        .cell
        .store(ptr::from_ref(cell).cast_mut(), Ordering::Relaxed);
}

/// The cell an entry was warmed with, whether its watched word changed or not.
pub(crate) fn cell_of(entry: &HotEntry) -> Option<&'static Cell> {
    let cell = entry.cell.load(Ordering::Relaxed);
    // SAFETY: as in `warm_cell`.
    (!cell.is_null()).then(|| unsafe { &*cell })
}

/// As [`cell_of`], of a bar, also where the cell was set aside.
pub(crate) fn cell_kept(entry: &HotEntry) -> Option<&'static Cell> {
    cell_of(entry).or_else(|| {
        let cell = entry.state.load(Ordering::Relaxed).cast::<Cell>();
        // SAFETY: null, or put there by `set_aside`: as in `warm_cell`.
        unsafe { cell.as_ref() }
    })
}

/// Makes the next counts of a bar's entry take the cold path, which finds the cell where it was.
pub(crate) fn set_aside(entry: &HotEntry) {
    let cell = entry.cell.swap(ptr::null_mut(), Ordering::Relaxed);
    if !cell.is_null() {
        entry.state.store(cell.cast(), Ordering::Relaxed);
    }
}

/// Makes a bar's entry cold.
pub(crate) fn forget_cell(entry: &HotEntry) {
    chill(entry);
    entry.state.store(ptr::null_mut(), Ordering::Relaxed);
}

/// Makes the next count of the entry take the cold path.
pub(crate) fn chill(entry: &HotEntry) {
    entry.cell.store(ptr::null_mut(), Ordering::Relaxed);
}

/// Names the entry that `report_progress` uses.
pub(crate) fn set_report_entry(entry: &'static HotEntry) {
    REPORT.store(ptr::from_ref(entry).cast_mut(), Ordering::Relaxed);
}

/// The entry that `report_progress` uses; its state is the attached [`Process`].
pub(crate) fn report_entry() -> Option<&'static HotEntry> {
    // SAFETY: set once, at import, to an entry of a page that is never unmapped.
    unsafe { REPORT.load(Ordering::Relaxed).as_ref() }
}

/// What this process attached to; `None` before, and in a fork child until it attaches itself.
pub(crate) fn process() -> Option<&'static Process> {
    let state = report_entry()?
        .state
        .load(Ordering::Acquire)
        .cast::<Process>();
    // SAFETY: only `set_process` writes it, from a leaked box.
    unsafe { state.as_ref() }
}

/// What a static of normal memory names: in a fork child the parent's, as the parent left it.
pub(crate) fn process_at(place: &AtomicPtr<Process>) -> Option<&'static Process> {
    // SAFETY: null, or a leaked box (`process::settle`).
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

/// Makes `process` what this process is attached to.
pub(crate) fn set_process(process: &'static Process) {
    if let Some(entry) = report_entry() {
        entry
            .state
            .store(ptr::from_ref(process).cast_mut().cast(), Ordering::Release);
    }
}

/// The lines that this process has begun to print: what was kept in that entry, which a fork child
/// sees empty.
pub(crate) fn unfinished_at(entry: &HotEntry) -> Option<&'static Unfinished> {
    let kept = entry.state.load(Ordering::Acquire).cast::<Unfinished>();
    // SAFETY: only `keep_unfinished` writes to this entry, from a leaked box.
    unsafe { kept.as_ref() }
}

/// Keeps them there.
pub(crate) fn keep_unfinished(entry: &HotEntry, kept: &'static Unfinished) {
    let kept = ptr::from_ref(kept).cast_mut().cast();
    entry.state.store(kept, Ordering::Release);
}

/// Whether Python code runs in the main interpreter, and not in one that it made.
pub(crate) fn is_main_interpreter(_attached: Python<'_>) -> bool {
    // SAFETY: the thread is attached to an interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: an interpreter that is alive. The main one is the first, and has 0.
    unsafe { ffi::PyInterpreterState_GetID(interpreter) == 0 }
}

/// Whether the interpreter is about to end, and has called what is registered for that.
pub(crate) fn is_finalizing() -> bool {
    // SAFETY: it may be asked at any time.
    unsafe { ffi::Py_IsInitialized() == 0 }
}

/// Has Python call `callback` once it is finalized, which is before a process that an interrupt ended
/// ends by its signal; libc's exit callbacks do not run then. False if Python had no room.
pub(crate) fn at_finalize(callback: extern "C" fn()) -> bool {
    // SAFETY: `callback` is a plain function of a module that is never unloaded and asks nothing of
    // Python, which is gone by then.
    unsafe { ffi::Py_AtExit(Some(callback)) == 0 }
}

/// Has libc's `fork` call these: right before it and right after it in the parent, in the thread that
/// forks, and right after it in the child. Where there is no memory for that it calls none.
pub(crate) fn around_forks(
    before: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) {
    let [before, parent, child] =
        [before, parent, child].map(|callback| Some(callback as unsafe extern "C" fn()));
    // SAFETY: plain functions of a module that is never unloaded.
    unsafe { nix::libc::pthread_atfork(before, parent, child) };
}

/// The exit code of a fork child that runs `body`.
#[cfg(test)]
pub(crate) fn code_of_fork(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child takes and gives back a lock, and ends.
    let child = unsafe { nix::libc::fork() };
    if child == 0 {
        let code = body();
        // SAFETY: it may be called at any time.
        unsafe { nix::libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: a place for the answer.
    unsafe { nix::libc::waitpid(child, &raw mut status, 0) };
    nix::libc::WEXITSTATUS(status)
}

/// Has the main thread draw again once its fork is over; false where too much waits for it already.
pub(crate) fn resume_soon() -> bool {
    extern "C" fn resume(_: *mut c_void) -> c_int {
        swallow(|py, _| {
            if !crate::fork::is_forking(py) || !resume_soon() {
                crate::fork::resume(py);
            }
            Ok(())
        });
        0
    }
    // SAFETY: a static function, called with the interpreter attached; its argument is not used.
    unsafe { ffi::Py_AddPendingCall(Some(resume), ptr::null_mut()) == 0 }
}

/// An owned copy of a descriptor that Python gave by number.
pub(crate) fn duplicate(descriptor: RawFd) -> std::io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(std::io::Error::from_raw_os_error(9));
    }
    // SAFETY: borrowed for this call only, while Python's file object keeps it open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed.try_clone_to_owned()
}

/// What the file is that a descriptor leads to which Python gave by number.
pub(crate) fn metadata(descriptor: RawFd) -> std::io::Result<Metadata> {
    if descriptor < 0 {
        return Err(std::io::Error::from_raw_os_error(9));
    }
    // SAFETY: used for this call only, while Python's file object keeps it open; it is not closed.
    let borrowed = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
    borrowed.metadata()
}

/// The device number of the terminal that a descriptor leads to; `None` where it is none.
pub(crate) fn terminal(descriptor: RawFd) -> std::io::Result<Option<u64>> {
    let device = metadata(descriptor)?.rdev();
    // SAFETY: as in `metadata`; it is open, or was just now.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok((device != 0 && borrowed.is_terminal()).then_some(device))
}

/// Adds the raw types and functions to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let one = 1_i64.into_pyobject(py)?;
    ONE.store(one.into_any().into_ptr(), Ordering::Relaxed);
    module.add("Counting", counting::counting_type(py)?)?;
    module.add("CountingIter", iterator::iter_type(py)?)?;
    let name = module.name()?;
    let definition = report::REPORT_PROGRESS.0.as_ptr().cast_mut();
    // SAFETY: the definition is static; self is not needed, the name is borrowed for the call.
    let made = unsafe { ffi::PyCFunction_NewEx(definition, ptr::null_mut(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    module.add("report_progress", unsafe {
        Bound::from_owned_ptr_or_err(py, made)
    }?)
}
