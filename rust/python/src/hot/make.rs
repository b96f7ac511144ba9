//! Makes types and functions of raw slots.

use std::ffi::{CStr, c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// A function table entry, which CPython never writes to but wants as `*mut`.
pub(super) struct Methods<const N: usize>(pub(super) [ffi::PyMethodDef; N]);

// SAFETY: immutable after construction; the pointers inside lead to statics.
unsafe impl<const N: usize> Sync for Methods<N> {}

/// A table of attributes, as [`Methods`].
pub(super) struct Members<const N: usize>(pub(super) [ffi::PyMemberDef; N]);

// SAFETY: as for `Methods`.
unsafe impl<const N: usize> Sync for Members<N> {}

/// An attribute that is a field of the instance, so many bytes from its start.
pub(super) const fn member(name: &'static CStr, kind: c_int, offset: usize) -> ffi::PyMemberDef {
    ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: kind,
        #[expect(clippy::cast_possible_wrap, reason = "an instance is small")]
        offset: offset as ffi::Py_ssize_t,
        flags: 0,
        doc: std::ptr::null(),
    }
}

pub(super) const fn method(
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

pub(super) const fn slot(id: c_int, function: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot {
        slot: id,
        pfunc: function,
    }
}

pub(super) fn make_type(
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
