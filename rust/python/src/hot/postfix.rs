//! `set_postfix`, as a raw method. Plain numbers are stored in the segment as they are, for whoever
//! draws; what needs Python to become text is kept, but for the first call after a frame.
//!
//! A loop gives the same names at each call, so the first one finds out where its numbers stand. A
//! later one keeps its values and changes the numbers there, each in one store: a few nanoseconds above
//! a C method that only keeps them, where packing them anew takes 130.

use std::ptr;
use std::slice;

use mp_tqdm_counters::BarEntry;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::call::{none, trapped};
use super::counting::{Counting, counting};
use super::outward::{call_method, call_method_with};
use super::process;
use crate::arguments::pack_pair;
use crate::process::Process;
use crate::style::{Packed, PostfixPacker};

/// What the last call was given.
pub(super) struct Kept {
    /// The tuple of its keywords (owned): the same object at each call of a loop.
    names: *mut ffi::PyObject,
    /// Their values (owned); null once they are shown.
    values: Vec<*mut ffi::PyObject>,
    process: &'static Process,
    /// `None` where Python has to make text of a value, or there is no place for it.
    plain: Option<Plain>,
}

/// Where plain values stand.
struct Plain {
    entry: &'static BarEntry,
    /// The text that holds there: theirs, or of a process that has not the word whoever's it is.
    holds: u64,
    has_word: bool,
    /// Of each value, what it is stored as, and in which eight bytes.
    stored: Vec<(Packed, usize)>,
}

impl Kept {
    /// Stores new values in the place of those before; false where that is not all.
    ///
    /// # Safety
    ///
    /// `values` are living objects.
    #[inline(always)]
    unsafe fn store(&self, values: &[*mut ffi::PyObject], postfix_frame: u64) -> bool {
        if !process().is_some_and(|process| ptr::eq(process, self.process)) {
            return false;
        }
        let Some(plain) = &self.plain else {
            return self.process.frame() == postfix_frame;
        };
        let text = &plain.entry.postfix;
        if text.holds() != plain.holds {
            return false;
        }
        for ((before, value), (packed, place)) in self.values.iter().zip(values).zip(&plain.stored)
        {
            if before == value {
                continue;
            }
            // SAFETY: a living object, by the caller's words.
            let Some(bits) = (unsafe { bits_of(*value, *packed) }) else {
                return false;
            };
            if plain.has_word {
                text.store(plain.holds, *place, bits);
            }
        }
        true
    }

    /// All objects that it owns.
    pub(super) fn objects(&self) -> impl Iterator<Item = *mut ffi::PyObject> {
        self.values.iter().copied().chain([self.names])
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for object in self.objects() {
            // SAFETY: owned; only Python code lets go of it, with the interpreter attached.
            unsafe { ffi::Py_XDECREF(object) };
        }
    }
}

/// A number as it is stored; `None` for what is none of that kind.
///
/// # Safety
///
/// `value` is a living object.
#[inline(always)]
unsafe fn bits_of(value: *mut ffi::PyObject, packed: Packed) -> Option<u64> {
    match packed {
        // SAFETY: the caller's words.
        Packed::Float if unsafe { ffi::PyFloat_CheckExact(value) } != 0 => {
            // SAFETY: it is a float: no Python code runs.
            Some(unsafe { ffi::PyFloat_AsDouble(value) }.to_bits())
        }
        // SAFETY: the caller's words.
        Packed::Int if unsafe { ffi::PyLong_CheckExact(value) } != 0 => {
            let mut overflow = 0;
            // SAFETY: it is an int: no Python code runs, no exception is set.
            let n = unsafe { ffi::PyLong_AsLongLongAndOverflow(value, &raw mut overflow) };
            (overflow == 0).then_some(n.cast_unsigned())
        }
        _ => None,
    }
}

/// `set_postfix(ordered_dict=None, refresh=True, **kwargs)`.
pub(super) unsafe extern "C" fn set_postfix(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a method of `Counting`: CPython checked that `slf` is an instance of it.
    let counting = unsafe { counting(slf) };
    // SAFETY: by the calling convention `args` holds a value for each of the names.
    if count == 0 && unsafe { counting.keep_again(args, names) } {
        return none();
    }
    // SAFETY: as above, for all four.
    unsafe { set_postfix_cold(slf, args, count, names) }
}

#[cold]
#[inline(never)]
unsafe fn set_postfix_cold(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trapped(|py| {
        // SAFETY: the caller holds it.
        let bar = unsafe { Bound::from_borrowed_ptr(py, slf) };
        // SAFETY: null, or a tuple of strings, by the calling convention.
        let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, names) };
        let names = match names {
            Some(names) => names.cast_into::<PyTuple>()?,
            None => PyTuple::empty(py),
        };
        let positional = usize::try_from(count).unwrap_or(0);
        let values = Vec::from_iter((0..positional + names.len()).map(|index| {
            // SAFETY: the calling convention: `args` holds them all.
            let place = unsafe { args.add(index) };
            // SAFETY: as above.
            let value = unsafe { *place };
            // SAFETY: the caller holds it as long as the call lasts.
            unsafe { Bound::from_borrowed_ptr(py, value) }
        }));
        // SAFETY: the caller's words.
        let counting = unsafe { counting(slf) };
        if positional == 0 && counting.keep_anew(&bar, &names, &values)? {
            return Ok(py.None());
        }
        let pairs = PyDict::new(py);
        for (name, value) in names.iter().zip(&values[positional..]) {
            pairs.set_item(name, value)?;
        }
        let positional = Vec::from_iter(&values[..positional]);
        let put = call_method_with(&bar, "_put_postfix", &positional, &pairs)?;
        Ok(put.unbind())
    })
}

impl Counting {
    /// Where the names are those of the call before.
    ///
    /// # Safety
    ///
    /// `args` holds a value for each of the names.
    #[inline(always)]
    unsafe fn keep_again(
        &self,
        args: *const *mut ffi::PyObject,
        names: *mut ffi::PyObject,
    ) -> bool {
        let count = match self.postfix.try_borrow().as_deref() {
            Ok(Some(kept)) if ptr::eq(kept.names, names) => {
                // SAFETY: the caller's words.
                let values = unsafe { slice::from_raw_parts(args, kept.values.len()) };
                // SAFETY: the caller's words.
                if !unsafe { kept.store(values, self.postfix_frame.get()) } {
                    return false;
                }
                values.len()
            }
            _ => return false,
        };
        for index in 0..count {
            // SAFETY: the caller's words.
            let place = unsafe { args.add(index) };
            // SAFETY: as above.
            let value = unsafe { *place };
            // SAFETY: the caller holds it; this reference is for the bar.
            unsafe { ffi::Py_INCREF(value) };
            let before = self.exchange(names, index, value);
            // SAFETY: owned by the bar until now. It may run Python code, which may set a postfix.
            unsafe { ffi::Py_XDECREF(before) };
        }
        true
    }

    /// Puts a value into the place of the one before, which is returned; the new one itself if another
    /// postfix was set meanwhile.
    #[inline(always)]
    fn exchange(
        &self,
        names: *mut ffi::PyObject,
        index: usize,
        value: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        match self.postfix.try_borrow_mut().as_deref_mut() {
            Ok(Some(kept)) if ptr::eq(kept.names, names) => kept
                .values
                .get_mut(index)
                .map_or(value, |place| std::mem::replace(place, value)),
            _ => value,
        }
    }

    /// Keeps and stores keywords that are not those of the call before. False where the Python half has
    /// to: it draws the bar, there is none, or they are no pairs alone.
    fn keep_anew<'py>(
        &self,
        bar: &Bound<'py, PyAny>,
        names: &Bound<'py, PyTuple>,
        values: &[Bound<'py, PyAny>],
    ) -> PyResult<bool> {
        let core = self.core().filter(|core| !core.is_self_drawn);
        let (Some(core), Some(process)) = (core, process()) else {
            return Ok(false);
        };
        let pairs = PyDict::new(bar.py());
        let mut packer = PostfixPacker::new();
        let mut stored = vec![(Packed::Text, usize::MAX); values.len()];
        let mut is_plain = true;
        for index in order(names)? {
            let name = names.get_borrowed_item(index)?;
            let name = name.cast::<PyString>()?;
            match &*name.to_string_lossy() {
                "ordered_dict" => return Ok(false),
                "refresh" => continue,
                _ => pairs.set_item(name, &values[index])?,
            }
            match pack_pair(&mut packer, &name, &values[index])? {
                Some(place) if is_plain => stored[index] = place,
                _ => is_plain = false,
            }
        }
        let mut is_shown = false;
        let plain = if is_plain {
            self.postfix_frame.set(0);
            core.texts(process).map(|entry| {
                let holds = core.set_postfix(process, &packer.finish());
                Plain {
                    entry,
                    holds: holds.unwrap_or_else(|| entry.postfix.holds()),
                    has_word: holds.is_some(),
                    stored,
                }
            })
        } else {
            if self.postfix_frame.get() != process.frame() {
                call_method(bar, "_show_postfix", &[pairs.as_any()])?;
                is_shown = true;
            }
            None
        };
        let values = values.iter().map(|value| match is_shown {
            true => ptr::null_mut(),
            false => value.clone().into_ptr(),
        });
        self.set_kept(Some(Kept {
            names: names.clone().into_ptr(),
            values: values.collect(),
            process,
            plain,
        }));
        Ok(true)
    }

    /// Lets go of what was kept before, behind the exchange, as that may run Python code.
    pub(super) fn set_kept(&self, kept: Option<Kept>) {
        let before = match self.postfix.try_borrow_mut() {
            Ok(mut place) => std::mem::replace(&mut *place, kept.map(Box::new)),
            Err(_) => kept.map(Box::new),
        };
        drop(before);
    }
}

/// The indices of keywords in the order of their names, as tqdm shows them.
fn order(names: &Bound<'_, PyTuple>) -> PyResult<Vec<usize>> {
    // Not by `str()`, which runs the handlers of signals that came.
    let text =
        |name: Borrowed<'_, '_, PyAny>| Ok(name.cast::<PyString>()?.to_string_lossy().into());
    let names = names.iter_borrowed().map(text);
    let names = names.collect::<PyResult<Vec<String>>>()?;
    let mut order = Vec::from_iter(0..names.len());
    // UTF-8 sorts by code points, as Python does.
    order.sort_by(|a, b| names[*a].cmp(&names[*b]));
    Ok(order)
}

/// `_kept_postfix()`: what is kept and not shown yet or shown as it is, sorted by name; else `None`.
pub(super) unsafe extern "C" fn kept_postfix(
    slf: *mut ffi::PyObject,
    _args: *const *mut ffi::PyObject,
    _count: ffi::Py_ssize_t,
    _names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trapped(|py| {
        // SAFETY: as in `set_postfix`.
        let counting = unsafe { counting(slf) };
        let Ok(Some((names, values))) = counting.postfix.try_borrow().map(|kept| {
            let kept = kept.as_ref()?;
            // SAFETY: owned by what is borrowed.
            let names = unsafe { Bound::from_borrowed_ptr(py, kept.names) };
            let values = kept.values.iter().map(|value| {
                // SAFETY: as above, or null.
                unsafe { Bound::from_borrowed_ptr_or_opt(py, *value) }
            });
            Some((names, values.collect::<Option<Vec<_>>>()?))
        }) else {
            return Ok(py.None());
        };
        let names = names.cast_into::<PyTuple>()?;
        let pairs = PyDict::new(py);
        for index in order(&names)? {
            let name = names.get_item(index)?;
            if name.cast::<PyString>()?.to_string_lossy() != "refresh" {
                pairs.set_item(name, &values[index])?;
            }
        }
        Ok(pairs.into_any().unbind())
    })
}

/// `_forget_postfix()`: lets go of what is kept.
pub(super) unsafe extern "C" fn forget_postfix(
    slf: *mut ffi::PyObject,
    _args: *const *mut ffi::PyObject,
    _count: ffi::Py_ssize_t,
    _names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `set_postfix`.
    unsafe { counting(slf) }.set_kept(None);
    none()
}
