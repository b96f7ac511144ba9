//! The raw CPython slots of the count path, and the only file of this crate with `unsafe` (I2).
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

use std::cell::Cell as Field;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use mp_tqdm_counters::sync::{AtomicPtr, AtomicU64, Ordering};
use mp_tqdm_counters::{Cell, HotEntry, Value};
use pyo3::exceptions::{
    PyException, PyKeyboardInterrupt, PyRuntimeError, PyStopIteration, PyTypeError,
};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::bar::BarCore;
use crate::interrupt::{is_interrupt, put_off};
use crate::number::{to_python, value_of};
use crate::process::Process;

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

/// Whether Python code runs in the main interpreter, and not in one that it made.
pub(crate) fn is_main_interpreter(_attached: Python<'_>) -> bool {
    // SAFETY: the thread is attached to an interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: an interpreter that is alive. The main one is the first, and has 0.
    unsafe { ffi::PyInterpreterState_GetID(interpreter) == 0 }
}

/// Has Python call `callback` once it is finalized, which is before a process that an interrupt ended
/// ends by its signal; libc's exit callbacks do not run then. False if Python had no room.
pub(crate) fn at_finalize(callback: extern "C" fn()) -> bool {
    // SAFETY: `callback` is a plain function of a module that is never unloaded and asks nothing of
    // Python, which is gone by then.
    unsafe { ffi::Py_AtExit(Some(callback)) == 0 }
}

/// Has the main thread draw again once its fork is over; false where too much waits for it already.
pub(crate) fn resume_soon() -> bool {
    extern "C" fn resume(_: *mut c_void) -> c_int {
        swallow(|py| {
            if !crate::process::is_forking(py) || !resume_soon() {
                crate::process::resume(py);
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
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    borrowed.try_clone_to_owned()
}

// ---------------------------------------------------------------------------------------------
// Counting: the base of `mp_tqdm`, whose `update` is a raw method.

/// Instances of `Counting` and of its subclasses begin with this.
#[repr(C)]
struct Counting {
    object: ffi::PyObject,
    /// `idle_entry()` until a bar is bound.
    entry: Field<&'static HotEntry>,
    /// `None` until a bar is bound.
    core: Field<Option<&'static BarCore>>,
}

impl Counting {
    /// Sets the bar, and lets go of the one before. The core is an `Arc` in raw form, owned by the
    /// instance.
    fn set_core(&self, core: Option<Arc<BarCore>>) {
        // SAFETY: a raw `Arc` points to a living core until `from_raw` below.
        let raw = core.map(|core| unsafe { &*Arc::into_raw(core) });
        if let Some(old) = self.core.replace(raw) {
            // SAFETY: put there by this function, and taken out by it only.
            drop(unsafe { Arc::from_raw(ptr::from_ref(old)) });
        }
    }
}

/// The fields of an instance of `Counting` or of a subclass.
///
/// # Safety
///
/// `object` is such an instance and outlives the reference.
#[inline(always)]
unsafe fn counting<'a>(object: *mut ffi::PyObject) -> &'a Counting {
    // SAFETY: the caller's words; the fields are cells, so that other references may exist.
    unsafe { &*object.cast::<Counting>() }
}

static IDLE_WORD: AtomicU64 = AtomicU64::new(0);

/// The entry of bars that count nothing: disabled, or not yet bound. Not wiped at a fork: it stays
/// warm in every child.
fn idle_entry() -> &'static HotEntry {
    static IDLE: std::sync::OnceLock<HotEntry> = std::sync::OnceLock::new();
    IDLE.get_or_init(|| {
        let entry = HotEntry {
            cell: AtomicPtr::new(ptr::null_mut()),
            watched: AtomicPtr::new(ptr::null_mut()),
            seen: AtomicU64::new(0),
            state: AtomicPtr::new(ptr::null_mut()),
        };
        warm(&entry, Box::leak(Box::new(Cell::new())), &IDLE_WORD, 0);
        entry
    })
}

unsafe extern "C" fn counting_new(
    class: *mut ffi::PyTypeObject,
    _args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `class` is a ready type, whose tp_alloc slot is never null.
    let alloc = unsafe { ffi::PyType_GetSlot(class, ffi::Py_tp_alloc) };
    // SAFETY: the slot's type is `allocfunc` by CPython's definition.
    let alloc: ffi::allocfunc = unsafe { std::mem::transmute(alloc) };
    // SAFETY: as CPython calls it; the memory it returns is zeroed.
    let object = unsafe { alloc(class, 0) };
    if !object.is_null() {
        let fields = object.cast::<Counting>();
        // SAFETY: fresh memory of this layout, which nobody else has seen.
        let entry = unsafe { &raw mut (*fields).entry };
        // SAFETY: as above; the zeros of `core` are `None` already.
        unsafe { entry.write(Field::new(idle_entry())) };
    }
    object
}

/// Closes the bar that nobody has any more. In native code, since CPython swallows an interrupt that
/// comes in a `__del__` of Python, and a bar that is closed, as most are, needs none of it.
unsafe extern "C" fn counting_finalize(object: *mut ffi::PyObject) {
    // SAFETY: a slot of `Counting`, on an instance of it or of a subclass.
    let core = unsafe { counting(object) }.core.get();
    if core.is_some_and(BarCore::is_closed) {
        return;
    }
    swallow(|py| {
        // The user's exception is set aside, as `close` is Python code.
        let raised = PyErr::take(py);
        // SAFETY: the object lives until it is finalized.
        let bar = unsafe { Bound::from_borrowed_ptr(py, object) };
        let closed = bar.call_method0("close").map(drop);
        if let Some(raised) = raised {
            raised.restore(py);
        }
        closed
    });
}

unsafe extern "C" fn counting_dealloc(object: *mut ffi::PyObject) {
    // SAFETY: a slot of `Counting`, on its own instance.
    unsafe { counting(object) }.set_core(None);
    // SAFETY: the object is alive until its memory is given back below.
    let class = unsafe { ffi::Py_TYPE(object) };
    // SAFETY: as in `counting_new`, for tp_free.
    let free = unsafe { ffi::PyType_GetSlot(class, ffi::Py_tp_free) };
    // SAFETY: the slot's type is `freefunc` by CPython's definition.
    let free: ffi::freefunc = unsafe { std::mem::transmute(free) };
    // SAFETY: the last use of the object.
    unsafe { free(object.cast()) };
    // SAFETY: instances of heap types own a reference to their type.
    unsafe { ffi::Py_DECREF(class.cast()) };
}

/// Whether an object is an instance of `Counting` or of a subclass.
pub(crate) fn is_bar(object: &Bound<'_, PyAny>) -> bool {
    let class = counting_type(object.py());
    class.is_ok_and(|class| object.is_instance(class.as_any()).unwrap_or(false))
}

/// Connects an instance of `Counting` with its bar; `update` counts from now on.
pub(crate) fn bind(instance: &Bound<'_, PyAny>, core: &Arc<BarCore>) -> PyResult<()> {
    if !is_bar(instance) {
        return Err(PyTypeError::new_err(
            "only a subclass of mp_tqdm._core.Counting can be bound",
        ));
    }
    // SAFETY: checked above, and `instance` holds it.
    let counting = unsafe { counting(instance.as_ptr()) };
    counting.entry.set(core.entry());
    counting.set_core(Some(Arc::clone(core)));
    Ok(())
}

/// `update(n=1)`.
unsafe extern "C" fn update(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a method of `Counting`: CPython checked that `slf` is an instance of it.
    let counting = unsafe { counting(slf) };
    // SAFETY: `args` holds `count` arguments, by the calling convention.
    if let Some(n) = unsafe { plain_count(args, count, names) }
        && let Some(cell) = warm_cell(counting.entry.get())
    {
        add(cell, n);
        return none();
    }
    // SAFETY: as above, for all four.
    unsafe { update_cold(slf, args, count, names, Drawing::Heard) }
}

/// `_count(n=1)`: as `update`, for the Python code that draws the bar and has not to be told.
unsafe extern "C" fn count_only(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a method of `Counting`: CPython checked that `slf` is an instance of it.
    let counting = unsafe { counting(slf) };
    // SAFETY: `args` holds `count` arguments, by the calling convention.
    if let Some(n) = unsafe { plain_count(args, count, names) }
        && let Some(cell) = cell_of(counting.entry.get())
    {
        add(cell, n);
        return none();
    }
    // SAFETY: as above, for all four.
    unsafe { update_cold(slf, args, count, names, Drawing::Silent) }
}

/// Whether the Python code that draws a bar hears of a count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drawing {
    Heard,
    Silent,
}

#[cold]
#[inline(never)]
unsafe fn update_cold(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    drawing: Drawing,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's words.
    let core = unsafe { counting(slf) }.core.get();
    trapped(|py| {
        // SAFETY: as above.
        let given = unsafe { arguments(py, args, count, names, "update", None) }?;
        let n = given.n.as_ref().map_or(Ok(Some(Value::Int(1))), value_of)?;
        let (Some(n), Some(core)) = (n, core) else {
            return Ok(py.None());
        };
        let drawn = crate::bar::count_cold(py, core, n)?;
        if drawing == Drawing::Heard && core.is_self_drawn && !core.is_closed() {
            // SAFETY: as above, borrowed.
            let bar = unsafe { Bound::from_borrowed_ptr(py, slf) };
            return Ok(bar.call_method1("_counted", (to_python(py, n)?,))?.unbind());
        }
        Ok(if drawn {
            true.into_pyobject(py)?.to_owned().into_any().unbind()
        } else {
            py.None()
        })
    })
}

// ---------------------------------------------------------------------------------------------
// report_progress

/// `report_progress(n=1, *, bar=None)`.
unsafe extern "C" fn report_progress(
    _module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `args` holds `count` arguments, by the calling convention.
    if let Some(n) = unsafe { plain_count(args, count, names) }
        && let Some(entry) = report_entry()
        && let Some(cell) = warm_cell(entry)
    {
        add(cell, n);
        return none();
    }
    // SAFETY: as above.
    unsafe { report_cold(args, count, names) }
}

#[cold]
#[inline(never)]
unsafe fn report_cold(
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trapped(|py| {
        // SAFETY: the caller's words.
        let given = unsafe { arguments(py, args, count, names, "report_progress", Some("bar")) }?;
        let n = given.n.as_ref().map_or(Ok(Some(Value::Int(1))), value_of)?;
        if let Some(n) = n {
            crate::report::count(py, n, given.other.as_ref().filter(|bar| !bar.is_none()))?;
        }
        Ok(py.None())
    })
}

// ---------------------------------------------------------------------------------------------
// CountingIter: what `iter(bar)` returns.

#[repr(C)]
struct CountingIter {
    object: ffi::PyObject,
    entry: Field<&'static HotEntry>,
    /// 1 while an item is handed out: it counts when the next one is asked for.
    pending: Field<i64>,
    /// The inner iterator's own `tp_iternext`.
    next: Field<ffi::iternextfunc>,
    /// The inner iterator (owned); null after the end.
    inner: Field<*mut ffi::PyObject>,
    /// The bar (owned), closed at the end; null after it.
    bar: Field<*mut ffi::PyObject>,
}

/// The fields of an iterator.
///
/// # Safety
///
/// `object` is a `CountingIter` and outlives the reference.
#[inline(always)]
unsafe fn counting_iter<'a>(object: *mut ffi::PyObject) -> &'a CountingIter {
    // SAFETY: the caller's words; the fields are cells, so that other references may exist.
    unsafe { &*object.cast::<CountingIter>() }
}

unsafe extern "C" fn iter_next(slf: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a slot of `CountingIter`, which the caller holds.
    let iter = unsafe { counting_iter(slf) };
    let cell = iter.entry.get().cell.load(Ordering::Relaxed);
    if cell.is_null() {
        if !count_pending_cold(iter) {
            return ptr::null_mut();
        }
    } else {
        // SAFETY: a non-null cell lies in a mapping or a box that is never given back.
        add(unsafe { &*cell }, iter.pending.get());
    }
    let next = iter.next.get();
    // SAFETY: the slot of `inner`'s own type. It is null only where `next` is `next_after_end`.
    let item = unsafe { next(iter.inner.get()) };
    if item.is_null() {
        return end_iteration(iter);
    }
    iter.pending.set(1);
    item
}

unsafe extern "C" fn next_after_end(_inner: *mut ffi::PyObject) -> *mut ffi::PyObject {
    ptr::null_mut()
}

/// False where an interrupt came meanwhile: it is raised then.
#[cold]
#[inline(never)]
fn count_pending_cold(iter: &CountingIter) -> bool {
    let (pending, bar) = (iter.pending.get(), iter.bar.get());
    if pending == 0 || bar.is_null() {
        return true;
    }
    // SAFETY: `iterate` checked that the bar is one; the iterator holds it.
    let core = unsafe { counting(bar) }.core.get();
    let mut is_counted = true;
    swallow(|py| {
        let counted = core.map_or(Ok(false), |core| {
            crate::bar::count_cold(py, core, Value::Int(pending))
        });
        if let Err(error) = counted {
            is_counted = false;
            error.restore(py);
        }
        Ok(())
    });
    is_counted
}

/// At exhaustion and at an exception of the inner iterator: the bar closes in its last state, and the
/// exception goes on as if we were not there; so does an interrupt. Returns the null that `iter_next`
/// then returns.
#[cold]
#[inline(never)]
fn end_iteration(iter: &CountingIter) -> *mut ffi::PyObject {
    swallow(|py| match leave_bar(py, iter) {
        Err(error) if is_interrupt(py, &error) => {
            error.restore(py);
            Ok(())
        }
        closed => closed,
    });
    ptr::null_mut()
}

/// Closes the bar, beside any exception that is on its way, and lets go of everything.
fn leave_bar(py: Python<'_>, iter: &CountingIter) -> PyResult<()> {
    // The bar's entry may become another bar's from here on.
    iter.entry.set(idle_entry());
    iter.pending.set(0);
    iter.next.set(next_after_end);
    let inner = iter.inner.replace(ptr::null_mut());
    let bar = iter.bar.replace(ptr::null_mut());
    // The user's exception is set aside, as everything below may run Python code.
    let raised = PyErr::take(py);
    let closed = if bar.is_null() {
        Ok(())
    } else {
        // SAFETY: taken out of the iterator above, which owned it.
        let bar = unsafe { Bound::from_owned_ptr(py, bar) };
        if raised.as_ref().is_some_and(|error| is_failure(py, error)) {
            // A subclass may have no native bar any more: then there is nothing to mark.
            let _ = bar
                .getattr("_native")
                .and_then(|bar| bar.call_method0("fail"));
        }
        bar.call_method0("close").map(drop)
    };
    if !inner.is_null() {
        // SAFETY: taken out of the iterator above, which owned it.
        unsafe { ffi::Py_DECREF(inner) };
    }
    if let Some(raised) = raised {
        raised.restore(py);
    }
    closed
}

/// Whether an exception tells of work that failed, and not of a loop or program that is over.
fn is_failure(py: Python<'_>, error: &PyErr) -> bool {
    let is_error =
        error.is_instance_of::<PyException>(py) && !error.is_instance_of::<PyStopIteration>(py);
    is_error || error.is_instance_of::<PyKeyboardInterrupt>(py)
}

unsafe extern "C" fn iter_traverse(
    slf: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: a slot of `CountingIter`, which the collector holds.
    let iter = unsafe { counting_iter(slf) };
    // SAFETY: as above; instances of heap types own a reference to their type.
    let class = unsafe { ffi::Py_TYPE(slf) }.cast::<ffi::PyObject>();
    for object in [iter.inner.get(), iter.bar.get(), class] {
        if !object.is_null() {
            // SAFETY: `visit` is CPython's, with its own argument.
            let result = unsafe { visit(object, arg) };
            if result != 0 {
                return result;
            }
        }
    }
    0
}

unsafe extern "C" fn iter_clear(slf: *mut ffi::PyObject) -> c_int {
    // SAFETY: a slot of `CountingIter`, which the collector holds.
    let iter = unsafe { counting_iter(slf) };
    swallow(|py| leave_bar(py, iter));
    0
}

/// After a `break`: the item in hand was not finished, so it does not count; the bar closes.
unsafe extern "C" fn iter_dealloc(slf: *mut ffi::PyObject) {
    // SAFETY: a slot of a type with GC, on its own instance.
    unsafe { ffi::PyObject_GC_UnTrack(slf.cast()) };
    // SAFETY: its memory is given back only below.
    let iter = unsafe { counting_iter(slf) };
    swallow(|py| leave_bar(py, iter));
    // SAFETY: alive until the next call.
    let class = unsafe { ffi::Py_TYPE(slf) };
    // SAFETY: the last use of the object.
    unsafe { ffi::PyObject_GC_Del(slf.cast()) };
    // SAFETY: instances of heap types own a reference to their type.
    unsafe { ffi::Py_DECREF(class.cast()) };
}

/// The iterator that hands out the items of `iterable` and counts them for `bar`.
#[pyfunction]
pub(crate) fn iterate<'py>(
    bar: &Bound<'py, PyAny>,
    iterable: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = bar.py();
    if !bar.is_instance(counting_type(py)?.as_any())? {
        return Err(PyTypeError::new_err(
            "only a subclass of mp_tqdm._core.Counting can iterate",
        ));
    }
    let inner = iterable.try_iter()?;
    // SAFETY: `inner` is alive.
    let inner_type = unsafe { ffi::Py_TYPE(inner.as_ptr()) };
    // SAFETY: a ready type, as every type of a living object.
    let next = unsafe { ffi::PyType_GetSlot(inner_type, ffi::Py_tp_iternext) };
    if next.is_null() {
        return Err(PyTypeError::new_err(
            "iter() returned an object without __next__",
        ));
    }
    // SAFETY: the slot's type is `iternextfunc` by CPython's definition.
    let next: ffi::iternextfunc = unsafe { std::mem::transmute(next) };
    let class = iter_type(py)?.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: a ready type with GC; the memory comes zeroed and tracked.
    let object = unsafe { ffi::PyType_GenericAlloc(class, 0) };
    // SAFETY: a new reference, or null with an exception set.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, object) }?;
    let fields = object.cast::<CountingIter>();
    // SAFETY: checked above, and `bar` holds it.
    let entry = unsafe { counting(bar.as_ptr()) }.entry.get();
    // SAFETY: fresh memory of this layout. Nothing between the allocation and these two writes can
    // run the collector, to which the zeros of the other fields are "no object".
    let place = unsafe { &raw mut (*fields).entry };
    // SAFETY: as above.
    unsafe { place.write(Field::new(entry)) };
    // SAFETY: as above.
    let place = unsafe { &raw mut (*fields).next };
    // SAFETY: as above.
    unsafe { place.write(Field::new(next)) };
    // SAFETY: all fields hold valid values now.
    let iter = unsafe { counting_iter(object) };
    iter.inner.set(inner.into_any().into_ptr());
    iter.bar.set(bar.clone().into_ptr());
    Ok(made)
}

// ---------------------------------------------------------------------------------------------
// Arguments, results and panics

/// The count of the usual calls, `f()` and `f(n)` with a plain int that is not huge.
#[inline(always)]
unsafe fn plain_count(
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Option<i64> {
    if !names.is_null() {
        return None;
    }
    if count == 0 {
        return Some(1);
    }
    if count != 1 {
        return None;
    }
    // SAFETY: the caller says that there is one.
    let arg = unsafe { *args };
    if arg == ONE.load(Ordering::Relaxed) {
        return Some(1);
    }
    // SAFETY: a borrowed reference to a living object.
    if unsafe { ffi::PyLong_CheckExact(arg) } == 0 {
        return None;
    }
    let mut overflow = 0;
    // SAFETY: as above, and it is an int: no Python code runs, no exception is set.
    let n = unsafe { ffi::PyLong_AsLongLongAndOverflow(arg, &raw mut overflow) };
    // Beyond 2^61 a few more of them could wrap: the cold path checks.
    (overflow == 0 && n.unsigned_abs() < 1 << 61).then_some(n)
}

struct Arguments<'py> {
    n: Option<Bound<'py, PyAny>>,
    other: Option<Bound<'py, PyAny>>,
}

/// Parses `(n=1, *, other=None)` by hand, with CPython's messages.
unsafe fn arguments<'py>(
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    function: &str,
    other: Option<&str>,
) -> PyResult<Arguments<'py>> {
    let positional = usize::try_from(count).unwrap_or(0);
    if positional > 1 {
        let text = format!("{function}() takes at most 1 positional argument ({positional} given)");
        return Err(PyTypeError::new_err(text));
    }
    let mut given = Arguments {
        n: None,
        other: None,
    };
    if positional == 1 {
        // SAFETY: the caller says that there is one.
        let first = unsafe { *args };
        // SAFETY: as above, borrowed.
        given.n = Some(unsafe { Bound::from_borrowed_ptr(py, first) });
    }
    // SAFETY: null, or a tuple of strings, by the calling convention.
    let Some(names) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, names) }) else {
        return Ok(given);
    };
    for (index, name) in names.try_iter()?.enumerate() {
        let name: String = name?.extract()?;
        // SAFETY: the values of the keywords stand behind the positional arguments.
        let place = unsafe { args.add(positional + index) };
        // SAFETY: as above.
        let value = unsafe { *place };
        // SAFETY: as above, borrowed.
        let value = unsafe { Bound::from_borrowed_ptr(py, value) };
        if name == "n" && given.n.is_none() {
            given.n = Some(value);
        } else if Some(name.as_str()) == other {
            given.other = Some(value);
        } else {
            let text = format!("{function}() got an unexpected keyword argument '{name}'");
            return Err(PyTypeError::new_err(text));
        }
    }
    Ok(given)
}

/// A new reference to `None`.
#[inline(always)]
fn none() -> *mut ffi::PyObject {
    // SAFETY: `None` is alive as long as the interpreter, which calls us.
    let none = unsafe { ffi::Py_None() };
    // SAFETY: as above, with the GIL held.
    unsafe { ffi::Py_INCREF(none) };
    none
}

/// Runs safe code for a raw slot: its error becomes Python's, a panic a `RuntimeError`.
fn trapped(body: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>) -> *mut ffi::PyObject {
    // SAFETY: raw slots are called with the interpreter attached.
    let py = unsafe { Python::assume_attached() };
    let result = catch_unwind(AssertUnwindSafe(|| body(py))).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "mp_tqdm: internal error while counting",
        ))
    });
    match result {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

/// As [`trapped`], where there is nobody to raise to: the error is put off, or printed as unraisable.
fn swallow(body: impl FnOnce(Python<'_>) -> PyResult<()>) {
    // SAFETY: raw slots are called with the interpreter attached.
    let py = unsafe { Python::assume_attached() };
    if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| body(py))) {
        put_off(py, error);
    }
}

// ---------------------------------------------------------------------------------------------
// Types and functions, made once

/// A function table entry, which CPython never writes to but wants as `*mut`.
struct Methods<const N: usize>([ffi::PyMethodDef; N]);

// SAFETY: immutable after construction; the pointers inside lead to statics.
unsafe impl<const N: usize> Sync for Methods<N> {}

const fn method(
    name: &'static CStr,
    function: ffi::PyCFunctionFastWithKeywords,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: function,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}

static COUNTING_METHODS: Methods<3> = Methods([
    method(
        c"update",
        update,
        c"update($self, /, n=1)\n--\n\nCount n more items; True on the first call after a frame was drawn.",
    ),
    method(
        c"_count",
        count_only,
        c"_count($self, /, n=1)\n--\n\nCount n more items, and draw nothing.",
    ),
    ffi::PyMethodDef::zeroed(),
]);

static REPORT_PROGRESS: Methods<1> = Methods([method(
    c"report_progress",
    report_progress,
    c"report_progress(n=1, *, bar=None)\n--\n\nAdd n to the job's counter, from any process or thread.",
)]);

const fn slot(id: c_int, function: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot {
        slot: id,
        pfunc: function,
    }
}

fn make_type(
    py: Python<'_>,
    name: &'static CStr,
    bytes: usize,
    flags: std::ffi::c_ulong,
    slots: &mut [ffi::PyType_Slot],
) -> PyResult<Py<PyType>> {
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: c_int::try_from(bytes).unwrap_or(c_int::MAX),
        itemsize: 0,
        #[expect(clippy::cast_possible_truncation, reason = "type flags have 32 bits")]
        flags: (ffi::Py_TPFLAGS_DEFAULT | flags) as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots end with a zero, and every function has its slot's type.
    let made = unsafe { ffi::PyType_FromSpec(&raw mut spec) };
    // SAFETY: a new reference, or null with an exception set.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
    Ok(made.cast_into::<PyType>()?.unbind())
}

fn counting_type(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    static TYPE: pyo3::sync::PyOnceLock<Py<PyType>> = pyo3::sync::PyOnceLock::new();
    let made = TYPE.get_or_try_init(py, || {
        let doc: *const c_char = c"Base of the bars: what is counted per call.".as_ptr();
        let mut slots = [
            slot(ffi::Py_tp_new, counting_new as *mut c_void),
            slot(ffi::Py_tp_finalize, counting_finalize as *mut c_void),
            slot(ffi::Py_tp_dealloc, counting_dealloc as *mut c_void),
            slot(
                ffi::Py_tp_methods,
                COUNTING_METHODS.0.as_ptr().cast_mut().cast(),
            ),
            slot(ffi::Py_tp_doc, doc.cast_mut().cast()),
            slot(0, ptr::null_mut()),
        ];
        let name = c"mp_tqdm._core.Counting";
        make_type(
            py,
            name,
            size_of::<Counting>(),
            ffi::Py_TPFLAGS_BASETYPE,
            &mut slots,
        )
    })?;
    Ok(made.bind(py).clone())
}

fn iter_type(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    static TYPE: pyo3::sync::PyOnceLock<Py<PyType>> = pyo3::sync::PyOnceLock::new();
    let made = TYPE.get_or_try_init(py, || {
        let mut slots = [
            slot(ffi::Py_tp_dealloc, iter_dealloc as *mut c_void),
            slot(ffi::Py_tp_traverse, iter_traverse as *mut c_void),
            slot(ffi::Py_tp_clear, iter_clear as *mut c_void),
            slot(ffi::Py_tp_iter, ffi::PyObject_SelfIter as *mut c_void),
            slot(ffi::Py_tp_iternext, iter_next as *mut c_void),
            slot(0, ptr::null_mut()),
        ];
        let name = c"mp_tqdm._core.CountingIter";
        make_type(
            py,
            name,
            size_of::<CountingIter>(),
            ffi::Py_TPFLAGS_HAVE_GC,
            &mut slots,
        )
    })?;
    Ok(made.bind(py).clone())
}

/// Adds the raw types and functions to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let one = 1_i64.into_pyobject(py)?;
    ONE.store(one.into_any().into_ptr(), Ordering::Relaxed);
    module.add("Counting", counting_type(py)?)?;
    module.add("CountingIter", iter_type(py)?)?;
    let name = module.name()?;
    let definition = REPORT_PROGRESS.0.as_ptr().cast_mut();
    // SAFETY: the definition is static; self is not needed, the name is borrowed for the call.
    let made = unsafe { ffi::PyCFunction_NewEx(definition, ptr::null_mut(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    module.add("report_progress", unsafe {
        Bound::from_owned_ptr_or_err(py, made)
    }?)
}
