//! `CountingIter`: what `iter(bar)` returns.

use std::cell::Cell as Field;
use std::ffi::{c_int, c_void};
use std::ptr;

use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_counters::{HotEntry, Value};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::add;
use super::call::{succeeds, swallow};
use super::counting::{counting, counting_type, idle_entry};
use super::make::{make_type, slot};
use super::outward::{Raised, attribute, call_last, call_method, iterator, release, str_of};

/// `ffi::iternextfunc`, which may be unwound; see `outward.rs`.
type Next = unsafe extern "C-unwind" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;

#[repr(C)]
struct CountingIter {
    object: ffi::PyObject,
    entry: Field<&'static HotEntry>,
    /// 1 while an item is handed out: it counts when the next one is asked for.
    pending: Field<i64>,
    /// The inner iterator's own `tp_iternext`.
    next: Field<Next>,
    /// The inner iterator (owned); null some time after the end.
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

unsafe extern "C-unwind" fn iter_next(slf: *mut ffi::PyObject) -> *mut ffi::PyObject {
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
        return end_iteration(slf);
    }
    iter.pending.set(1);
    item
}

unsafe extern "C-unwind" fn next_after_end(_inner: *mut ffi::PyObject) -> *mut ffi::PyObject {
    ptr::null_mut()
}

/// False where an interrupt came meanwhile: it is raised then.
#[cold]
#[inline(never)]
fn count_pending_cold(iter: &CountingIter) -> bool {
    succeeds(|py| count(py, iter, iter.pending.get()))
}

/// Counts on the cold path.
fn count(py: Python<'_>, iter: &CountingIter, n: i64) -> PyResult<()> {
    let bar = iter.bar.get();
    if n == 0 || bar.is_null() {
        return Ok(());
    }
    // SAFETY: `iterate` checked that the bar is one; the iterator holds it.
    match unsafe { counting(bar) }.core() {
        Some(core) => crate::bar::count_cold(py, &core, Value::Int(n)).map(drop),
        None => Ok(()),
    }
}

/// At exhaustion and at an exception of the inner iterator: the bar closes in its last state. What that
/// raises is raised, as from a `finally`; else the exception goes on as if we were not there. Returns
/// the null that `iter_next` then returns.
#[cold]
#[inline(never)]
fn end_iteration(slf: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a slot of `CountingIter`, which the caller holds.
    let iter = unsafe { counting_iter(slf) };
    // SAFETY: raw slots are called with the interpreter attached.
    let py = unsafe { Python::assume_attached() };
    let mut exception = Raised::take(py);
    let is_done = if runs_elsewhere(py, iter, &mut exception) {
        // What is in hand is in other hands, and was counted before its time.
        succeeds(|py| count(py, iter, -iter.pending.get()))
    } else if exception.is_work_done() {
        succeeds(|py| leave(py, slf, false))
    } else {
        let has_failed = exception.is_failure();
        exception.finally(py, || succeeds(|py| leave(py, slf, has_failed)))
    };
    if is_done {
        exception.restore(py);
    } else {
        exception.forget(py);
    }
    ptr::null_mut()
}

/// Whether the inner iterator refused because another thread, or a call further down, is within it. To
/// that one the iteration is not over.
fn runs_elsewhere(py: Python<'_>, iter: &CountingIter, exception: &mut Raised) -> bool {
    // SAFETY: null, or alive as long as `iter`, which the caller of `iter_next` holds.
    let inner = unsafe { Bound::from_borrowed_ptr_or_opt(py, iter.inner.get()) };
    // SAFETY: as all classes of CPython's exceptions.
    let refusal = unsafe { ffi::PyExc_ValueError };
    let (Some(inner), true) = (inner, exception.is(refusal)) else {
        return false;
    };
    if let Ok(running) = attribute(&inner, "gi_running") {
        return running.is_truthy().unwrap_or(false);
    }
    // Below `map`, `zip` and so on; nobody else can know.
    let text = exception.object(py).and_then(|object| str_of(&object).ok());
    text.is_some_and(|text| text == "generator already executing")
}

/// Closes the bar, and lets go of everything. The inner iterator may be in use by another thread, which
/// then holds this one, too: it stays until that is done.
fn leave(py: Python<'_>, slf: *mut ffi::PyObject, has_failed: bool) -> PyResult<()> {
    // SAFETY: a slot of `CountingIter`, which the caller holds.
    let iter = unsafe { counting_iter(slf) };
    // The bar's entry may become another bar's from here on.
    iter.entry.set(idle_entry());
    iter.pending.set(0);
    iter.next.set(next_after_end);
    // SAFETY: owned by the iterator until now, or null.
    let bar = unsafe { Bound::from_owned_ptr_or_opt(py, iter.bar.replace(ptr::null_mut())) };
    let closed = bar.map_or(Ok(()), |bar| {
        if has_failed {
            // A subclass may have no native bar any more: then there is nothing to mark.
            let _ = attribute(&bar, "_native").and_then(|bar| call_method(&bar, "fail", &[]));
        }
        call_last(&bar, "close")
    });
    // SAFETY: as above.
    if unsafe { ffi::Py_REFCNT(slf) } <= 1 {
        // SAFETY: owned by the iterator until now, or null.
        unsafe { release(iter.inner.replace(ptr::null_mut())) };
    }
    closed
}

/// Lets go of everything at the iterator's own end, and closes the bar if it had begun: as with a
/// generator, asking for an iterator alone (to see whether there is one) begins nothing.
fn drop_iterator(py: Python<'_>, slf: *mut ffi::PyObject, has_failed: bool) -> PyResult<()> {
    // SAFETY: a slot of `CountingIter`, which the caller holds.
    let iter = unsafe { counting_iter(slf) };
    if iter.pending.get() == 0 {
        // SAFETY: owned by the iterator until now, or null.
        unsafe { release(iter.bar.replace(ptr::null_mut())) };
    }
    leave(py, slf, has_failed)
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
    swallow(|py, _| drop_iterator(py, slf, false));
    0
}

/// After a `break`: the item in hand was not finished, so it does not count; the bar closes.
unsafe extern "C" fn iter_dealloc(slf: *mut ffi::PyObject) {
    // SAFETY: a slot of a type with GC, on its own instance.
    unsafe { ffi::PyObject_GC_UnTrack(slf.cast()) };
    // An exception of the loop's body is on its way.
    swallow(|py, raised| {
        let has_failed = !raised.is_work_done() && raised.is_failure();
        drop_iterator(py, slf, has_failed)
    });
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
    let inner = iterator(iterable)?;
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
    let next: Next = unsafe { std::mem::transmute(next) };
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
    iter.inner.set(inner.into_ptr());
    iter.bar.set(bar.clone().into_ptr());
    Ok(made)
}

pub(super) fn iter_type(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
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
