//! Calls that run Python code, and the exception that is on its way meanwhile.
//!
//! Before CPython 3.14 a thread that wants the GIL back while the interpreter ends is unwound by
//! `pthread_exit`, and Rust code aborts the process at that. So what runs Python code for long is called
//! from here, where the unwinding comes to a stop: the thread sleeps until the process is gone, as it
//! does on 3.14 and later.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::{hint, mem, ptr, thread};

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// A function of CPython with one argument and a result, as one that may unwind.
type Unary<A, R> = unsafe extern "C-unwind" fn(A) -> R;
type Binary<R> = unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> R;
type Compare = unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject, c_int) -> c_int;
type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;
type Warn =
    unsafe extern "C-unwind" fn(*mut ffi::PyObject, *const c_char, ffi::Py_ssize_t) -> c_int;

/// A function of CPython, which `ffi` declares as one that never unwinds.
///
/// # Safety
///
/// `U` is the type of the function, but for that.
unsafe fn unwinding<F: Copy, U: Copy>(function: F) -> U {
    // SAFETY: both are function pointers. The compiler must not see which: it would know better.
    unsafe { mem::transmute_copy(&hint::black_box(function)) }
}

/// Makes a call; a thread that would be unwound out of it sleeps for good.
fn guarded<T>(call: impl FnOnce() -> T) -> T {
    struct Asleep;
    impl Drop for Asleep {
        fn drop(&mut self) {
            loop {
                thread::park();
            }
        }
    }
    let asleep = Asleep;
    let result = call();
    mem::forget(asleep);
    result
}

/// The result of a call that returned `made`: a new reference, or null with an exception set.
fn owned<'py>(py: Python<'py>, made: *mut ffi::PyObject) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: by the words above.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }
}

/// An attribute.
pub(crate) fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let name = text(object.py(), name)?;
    let function: unsafe extern "C" fn(_, _) -> _ = ffi::PyObject_GetAttr;
    // SAFETY: its type.
    let get: Binary<*mut ffi::PyObject> = unsafe { unwinding(function) };
    // SAFETY: two living objects.
    let made = guarded(|| unsafe { get(object.as_ptr(), name.as_ptr()) });
    owned(object.py(), made)
}

/// Calls a method.
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    call(&attribute(object, name)?, args)
}

/// Calls a method, with keywords.
pub(crate) fn call_method_with<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    args: &[&Bound<'py, PyAny>],
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    call_with(&attribute(object, name)?, args, keywords.as_ptr())
}

/// Calls a function.
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    call_with(function, args, ptr::null_mut())
}

/// Calls a function; `keywords` is a dict that lives as long, or null.
fn call_with<'py>(
    function: &Bound<'py, PyAny>,
    args: &[&Bound<'py, PyAny>],
    keywords: *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let packed = tuple(py, args)?;
    let callee = function.as_ptr();
    let function: unsafe extern "C" fn(_, _, _) -> _ = ffi::PyObject_Call;
    // SAFETY: its type.
    let call: Call = unsafe { unwinding(function) };
    // SAFETY: two living objects, of which the second is a tuple; the keywords as said above.
    let made = guarded(|| unsafe { call(callee, packed.as_ptr(), keywords) });
    owned(py, made)
}

/// Calls a method without arguments of an object that may be torn down already: then it has none.
pub(super) fn call_last(object: &Bound<'_, PyAny>, name: &str) -> PyResult<()> {
    match attribute(object, name) {
        Err(error) if error.is_instance_of::<PyAttributeError>(object.py()) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => call_method(object, name, &[]).map(drop),
    }
}

/// Imports a module.
pub(crate) fn import<'py>(py: Python<'py>, name: &CStr) -> PyResult<Bound<'py, PyAny>> {
    let function: unsafe extern "C" fn(_) -> _ = ffi::PyImport_ImportModule;
    // SAFETY: its type.
    let import: Unary<*const c_char, *mut ffi::PyObject> = unsafe { unwinding(function) };
    // SAFETY: a string that ends with a zero.
    let made = guarded(|| unsafe { import(name.as_ptr()) });
    owned(py, made)
}

/// What a function of CPython makes of an object.
fn made_of<'py>(
    object: &Bound<'py, PyAny>,
    function: unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: its type.
    let make: Unary<*mut ffi::PyObject, *mut ffi::PyObject> = unsafe { unwinding(function) };
    // SAFETY: a living object.
    let made = guarded(|| unsafe { make(object.as_ptr()) });
    owned(object.py(), made)
}

/// `iter(object)`.
pub(super) fn iterator<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    made_of(object, ffi::PyObject_GetIter)
}

/// `str(object)`.
pub(crate) fn str_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    Ok(made_of(object, ffi::PyObject_Str)?.cast_into()?)
}

/// `repr(object)`.
pub(crate) fn repr_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    Ok(made_of(object, ffi::PyObject_Repr)?.cast_into()?)
}

/// Whether Python takes an object for true.
pub(crate) fn is_true(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let function: unsafe extern "C" fn(_) -> c_int = ffi::PyObject_IsTrue;
    // SAFETY: its type.
    let ask: Unary<*mut ffi::PyObject, c_int> = unsafe { unwinding(function) };
    // SAFETY: a living object.
    answer(object.py(), guarded(|| unsafe { ask(object.as_ptr()) }))
}

/// `object == other`.
pub(crate) fn equals(object: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    let function: unsafe extern "C" fn(_, _, _) -> c_int = ffi::PyObject_RichCompareBool;
    // SAFETY: its type.
    let compare: Compare = unsafe { unwinding(function) };
    // SAFETY: two living objects.
    let result = guarded(|| unsafe { compare(object.as_ptr(), other.as_ptr(), ffi::Py_EQ) });
    answer(object.py(), result)
}

/// A yes or no of CPython's, or below 0 an exception.
fn answer(py: Python<'_>, result: c_int) -> PyResult<bool> {
    if result < 0 {
        Err(PyErr::fetch(py))
    } else {
        Ok(result != 0)
    }
}

/// The value of a number, as CPython's own functions take one for a float.
pub(crate) fn double(object: &Bound<'_, PyAny>) -> PyResult<f64> {
    let function: unsafe extern "C" fn(_) -> f64 = ffi::PyFloat_AsDouble;
    // SAFETY: its type.
    let convert: Unary<*mut ffi::PyObject, f64> = unsafe { unwinding(function) };
    // SAFETY: a living object.
    let value = guarded(|| unsafe { convert(object.as_ptr()) });
    match PyErr::take(object.py()) {
        Some(error) if value.to_bits() == (-1.0_f64).to_bits() => Err(error),
        _ => Ok(value),
    }
}

/// A tuple of Python's. (PyO3 panics where there is no memory for one.)
pub(crate) fn tuple<'py>(
    py: Python<'py>,
    parts: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a new reference, or null with an exception set.
    let packed = owned(py, unsafe { ffi::PyTuple_New(parts.len().cast_signed()) })?;
    for (index, part) in (0..).zip(parts) {
        // SAFETY: a tuple that nobody else has, a place in it, and a reference that it takes over.
        unsafe { ffi::PyTuple_SetItem(packed.as_ptr(), index, Bound::clone(part).into_ptr()) };
    }
    Ok(packed)
}

/// A dict of Python's. (PyO3 panics where there is no memory for one.)
pub(crate) fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: a new reference, or null with an exception set.
    Ok(owned(py, unsafe { ffi::PyDict_New() })?.cast_into()?)
}

/// Bytes of Python's. (PyO3 panics where there is no memory for them.)
pub(crate) fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let (start, length) = (bytes.as_ptr().cast(), bytes.len().cast_signed());
    // SAFETY: so many bytes.
    owned(py, unsafe { ffi::PyBytes_FromStringAndSize(start, length) })
}

/// A text of Python's. (PyO3 panics where there is no memory for one.)
pub(crate) fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let (bytes, length) = (text.as_ptr().cast(), text.len().cast_signed());
    // SAFETY: so many bytes of UTF-8.
    owned(py, unsafe {
        ffi::PyUnicode_FromStringAndSize(bytes, length)
    })
}

/// An int of Python's.
pub(crate) fn int_of(py: Python<'_>, n: i64) -> PyResult<Py<PyAny>> {
    // SAFETY: a new reference, or null with an exception set.
    owned(py, unsafe { ffi::PyLong_FromLongLong(n) }).map(Bound::unbind)
}

/// A float of Python's.
pub(crate) fn float_of(py: Python<'_>, n: f64) -> PyResult<Py<PyAny>> {
    // SAFETY: a new reference, or null with an exception set.
    owned(py, unsafe { ffi::PyFloat_FromDouble(n) }).map(Bound::unbind)
}

/// The int that `__index__` gives.
pub(crate) fn index<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    made_of(object, ffi::PyNumber_Index)
}

/// `float(object)`.
pub(crate) fn float<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    made_of(object, ffi::PyNumber_Float)
}

/// Warns in the name of who called the Python code that calls.
pub(crate) fn warn(category: &Bound<'_, PyAny>, text: &CStr) -> PyResult<()> {
    let (kind, text) = (category.as_ptr(), text.as_ptr());
    let function: unsafe extern "C" fn(_, _, _) -> _ = ffi::PyErr_WarnEx;
    // SAFETY: its type.
    let warn: Warn = unsafe { unwinding(function) };
    // SAFETY: a class, and a string that ends with a zero.
    let result = guarded(|| unsafe { warn(kind, text, 2) });
    if result < 0 {
        Err(PyErr::fetch(category.py()))
    } else {
        Ok(())
    }
}

/// Runs the handlers of the signals that came.
pub(crate) fn check_signals(py: Python<'_>) -> PyResult<()> {
    let function: unsafe extern "C" fn() -> c_int = ffi::PyErr_CheckSignals;
    // SAFETY: its type.
    let check: unsafe extern "C-unwind" fn() -> c_int = unsafe { unwinding(function) };
    // SAFETY: the thread is attached.
    let result = guarded(|| unsafe { check() });
    if result < 0 {
        Err(PyErr::fetch(py))
    } else {
        Ok(())
    }
}

/// Whether the interpreter takes its modules apart: what Python code does then fails for that alone.
pub(crate) fn is_shutting_down(_py: Python<'_>) -> bool {
    // SAFETY: a string that ends with a zero; what is borrowed is compared only.
    let finders = unsafe { ffi::PySys_GetObject(c"meta_path".as_ptr()) };
    // SAFETY: alive as long as the interpreter.
    finders.is_null() || finders == unsafe { ffi::Py_None() }
}

/// Prints an error as "Exception ignored".
pub(crate) fn ignore(py: Python<'_>, error: PyErr) {
    let raised = Raised::take(py);
    error.restore(py);
    let function: unsafe extern "C" fn(_) = ffi::PyErr_WriteUnraisable;
    // SAFETY: its type.
    let print: Unary<*mut ffi::PyObject, ()> = unsafe { unwinding(function) };
    // SAFETY: an exception is set; there is no object to name.
    guarded(|| unsafe { print(ptr::null_mut()) });
    raised.restore(py);
}

/// Gives up a reference, which may end a generator.
///
/// # Safety
///
/// The caller owns it, or it is null.
pub(super) unsafe fn release(object: *mut ffi::PyObject) {
    let function: unsafe extern "C" fn(_) = ffi::Py_DecRef;
    // SAFETY: its type.
    let give_up: Unary<*mut ffi::PyObject, ()> = unsafe { unwinding(function) };
    // SAFETY: the caller's words.
    guarded(|| unsafe { give_up(object) });
}

/// Has the main thread raise an exception in whatever Python code it runs next; the exception comes back
/// where too much waits for it already.
pub(crate) fn raise_soon(_py: Python<'_>, error: PyErr) -> Result<(), PyErr> {
    extern "C" fn raise(error: *mut c_void) -> c_int {
        // SAFETY: made from a box below, and handed to this call alone.
        let error = unsafe { Box::from_raw(error.cast::<PyErr>()) };
        // SAFETY: pending calls are made with the interpreter attached.
        error.restore(unsafe { Python::assume_attached() });
        -1
    }
    let error = Box::into_raw(Box::new(error));
    // SAFETY: a static function, and an argument that it owns.
    if unsafe { ffi::Py_AddPendingCall(Some(raise), error.cast()) } == 0 {
        return Ok(());
    }
    // SAFETY: made from a box above, and not taken.
    Err(*unsafe { Box::from_raw(error) })
}

/// An exception that was on its way when native code was called. Python code must not run beside it.
pub(super) struct Raised {
    kind: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    traceback: *mut ffi::PyObject,
}

impl Raised {
    /// Sets it aside; there may be none.
    pub(super) fn take(_py: Python<'_>) -> Self {
        let nothing = ptr::null_mut();
        let (mut kind, mut value, mut traceback) = (nothing, nothing, nothing);
        // SAFETY: three places for references, which are owned from here on.
        unsafe { ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback) };
        Self {
            kind,
            value,
            traceback,
        }
    }

    /// It goes on; in place of any that came meanwhile.
    pub(super) fn restore(self, _py: Python<'_>) {
        // SAFETY: the references that `take` got are given back.
        unsafe { ffi::PyErr_Restore(self.kind, self.value, self.traceback) };
    }

    /// Whether there is none but for the one that says that an iterator is through.
    pub(super) fn is_work_done(&self) -> bool {
        // SAFETY: as all classes of CPython's exceptions.
        self.kind.is_null() || self.is(unsafe { ffi::PyExc_StopIteration })
    }

    /// Whether it tells of work that failed, and not of a program that is over.
    pub(super) fn is_failure(&self) -> bool {
        // SAFETY: as all classes of CPython's exceptions.
        let errors = unsafe { ffi::PyExc_Exception };
        // SAFETY: as above.
        self.is(errors) || self.is(unsafe { ffi::PyExc_KeyboardInterrupt })
    }

    /// Whether it is of a class of exceptions.
    pub(super) fn is(&self, class: *mut ffi::PyObject) -> bool {
        // SAFETY: the kind is owned, or null, and the class lives as long as the interpreter.
        !self.kind.is_null() && unsafe { ffi::PyErr_GivenExceptionMatches(self.kind, class) } != 0
    }

    /// The exception as an object; an instance of exactly its class.
    pub(super) fn object<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if self.kind.is_null() {
            return None;
        }
        let (kind, value) = (&raw mut self.kind, &raw mut self.value);
        // SAFETY: the three references are owned, and stay so.
        unsafe { ffi::PyErr_NormalizeException(kind, value, &raw mut self.traceback) };
        if !self.traceback.is_null() {
            // SAFETY: an exception and its traceback, both borrowed.
            unsafe { ffi::PyException_SetTraceback(self.value, self.traceback) };
        }
        // SAFETY: owned; borrowed here.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, self.value) }
    }

    /// Runs code as a `finally` would: what it raises has this exception as its context.
    pub(super) fn finally<T>(&mut self, py: Python<'_>, body: impl FnOnce() -> T) -> T {
        let Some(value) = self.object(py) else {
            return body();
        };
        let nothing = ptr::null_mut();
        let (mut kind, mut handled, mut traceback) = (nothing, nothing, nothing);
        // SAFETY: three places for references, which are owned from here on.
        unsafe { ffi::PyErr_GetExcInfo(&raw mut kind, &raw mut handled, &raw mut traceback) };
        let own_traceback = self.traceback;
        // SAFETY: null, or owned by `self`.
        unsafe { ffi::Py_XINCREF(own_traceback) };
        let own_kind = value.get_type().into_ptr();
        // SAFETY: takes three references over.
        unsafe { ffi::PyErr_SetExcInfo(own_kind, value.into_ptr(), own_traceback) };
        let result = body();
        // SAFETY: gives back what was handled before.
        unsafe { ffi::PyErr_SetExcInfo(kind, handled, traceback) };
        result
    }

    /// It was replaced by another one.
    pub(super) fn forget(self, py: Python<'_>) {
        for object in [self.kind, self.value, self.traceback] {
            // SAFETY: owned, or null.
            drop(unsafe { Bound::from_owned_ptr_or_opt(py, object) });
        }
    }
}
