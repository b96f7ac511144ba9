//! `CountingIter`: what `iter(bar)` returns.

use std::cell::Cell as Field;
use std::ffi::{c_int, c_void};
use std::ptr;

use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_counters::{HotEntry, Value};
use pyo3::exceptions::{PyException, PyKeyboardInterrupt, PyStopIteration, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::add;
use super::call::swallow;
use super::counting::{counting, counting_type, idle_entry};
use super::make::{make_type, slot};
use crate::interrupt::is_interrupt;

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
