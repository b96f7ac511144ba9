//! `Counting`: the base of `mp_tqdm`, whose `update` is a raw method.

use std::cell::{Cell as Field, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;

use mp_tqdm_counters::sync::{AtomicPtr, AtomicU64};
use mp_tqdm_counters::{Cell, HotEntry, Value};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::call::{arguments, none, plain_count, swallow, trapped};
use super::make::{Members, Methods, make_type, member, method, slot};
use super::outward::{call_last, call_method};
use super::postfix::{Kept, forget_postfix, kept_postfix, set_postfix};
use super::{add, cell_of, warm, warm_cell};
use crate::bar::BarCore;
use crate::number::{to_python, value_of};

/// Instances of `Counting` and of its subclasses begin with this.
#[repr(C)]
pub(super) struct Counting {
    object: ffi::PyObject,
    /// `idle_entry()` until a bar is bound.
    pub(super) entry: Field<&'static HotEntry>,
    /// `None` until a bar is bound.
    core: Field<Option<&'static BarCore>>,
    /// The attributes of `MEMBERS` (owned).
    kept: [Field<*mut ffi::PyObject>; KEPT],
    /// The keywords of `set_postfix`. In a box, so that zeros are `None`.
    pub(super) postfix: RefCell<Option<Box<Kept>>>,
    /// [`Process::frame`] when they became text that Python has to make; 0: they are plain.
    pub(super) postfix_frame: Field<u64>,
}

const KEPT: usize = 9;

/// What the Python half keeps in each bar and reads before it was set: it is `None` then. Not in the
/// instance's dict, which is the user's: while that one is empty, CPython finds `bar.update` at once.
static MEMBERS: Members<{ KEPT + 2 }> = Members([
    kept(c"_native", 0),
    kept(c"_painter", 1),
    kept(c"_look", 2),
    kept(c"_desc", 3),
    kept(c"_postfix", 4),
    kept(c"_pos", 5),
    kept(c"_n", 6),
    kept(c"_total", 7),
    kept(c"_disable", 8),
    member(
        c"_postfix_frame",
        ffi::Py_T_ULONGLONG,
        offset_of!(Counting, postfix_frame),
    ),
    ffi::PyMemberDef {
        name: ptr::null(),
        type_code: 0,
        offset: 0,
        flags: 0,
        doc: ptr::null(),
    },
]);

const fn kept(name: &'static CStr, index: usize) -> ffi::PyMemberDef {
    let field = size_of::<Field<*mut ffi::PyObject>>();
    let offset = offset_of!(Counting, kept) + index * field;
    member(name, ffi::Py_T_OBJECT_EX, offset)
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

    /// The bar, to keep while Python code may run: that may bind another one.
    pub(super) fn core(&self) -> Option<Arc<BarCore>> {
        let core = ptr::from_ref(self.core.get()?);
        // SAFETY: made by `Arc::into_raw`, and owned by the instance.
        unsafe { Arc::increment_strong_count(core) };
        // SAFETY: the reference taken above.
        Some(unsafe { Arc::from_raw(core) })
    }
}

/// The fields of an instance of `Counting` or of a subclass.
///
/// # Safety
///
/// `object` is such an instance and outlives the reference.
#[inline(always)]
pub(super) unsafe fn counting<'a>(object: *mut ffi::PyObject) -> &'a Counting {
    // SAFETY: the caller's words; the fields are cells, so that other references may exist.
    unsafe { &*object.cast::<Counting>() }
}

static IDLE_WORD: AtomicU64 = AtomicU64::new(0);

/// The entry of bars that count nothing: disabled, or not yet bound. Not wiped at a fork: it stays
/// warm in every child.
pub(super) fn idle_entry() -> &'static HotEntry {
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
    // That of `object` and not the class's tp_alloc: CPython 3.12 gives the instance room for
    // attributes there, and without it finds no method at once.
    let base = &raw mut ffi::PyBaseObject_Type;
    // SAFETY: a ready type, whose tp_new is never null.
    let new = unsafe { ffi::PyType_GetSlot(base, ffi::Py_tp_new) };
    // SAFETY: the slot's type is `newfunc` by CPython's definition.
    let new: ffi::newfunc = unsafe { std::mem::transmute(new) };
    // SAFETY: the interpreter is attached.
    let nothing = unsafe { ffi::PyTuple_New(0) };
    // SAFETY: as CPython calls it, without arguments, as this type has a `__new__` of its own; the
    // memory it returns is zeroed.
    let object = unsafe { new(class, nothing, ptr::null_mut()) };
    // SAFETY: owned; the empty tuple, or null.
    unsafe { ffi::Py_XDECREF(nothing) };
    if !object.is_null() {
        let fields = object.cast::<Counting>();
        // SAFETY: fresh memory of this layout, which nobody else has seen.
        let entry = unsafe { &raw mut (*fields).entry };
        // SAFETY: as above; the zeros of `core` and `postfix` are `None` already.
        unsafe { entry.write(Field::new(idle_entry())) };
        // SAFETY: all fields hold valid values now.
        for field in &unsafe { counting(object) }.kept {
            field.set(none());
        }
    }
    object
}

/// Closes the bar that nobody has any more. In native code, since CPython swallows an interrupt that
/// comes in a `__del__` of Python, and a bar that is closed, as most are, needs none of it.
unsafe extern "C" fn counting_finalize(object: *mut ffi::PyObject) {
    // SAFETY: a slot of `Counting`, on an instance of it or of a subclass.
    let counting = unsafe { counting(object) };
    // Where memory ran out while `counting_new` made it, all its fields are zeros.
    let is_whole = !counting.kept[0].get().is_null();
    if !is_whole || counting.core.get().is_some_and(BarCore::is_closed) {
        return;
    }
    swallow(|py, _| {
        // SAFETY: the object lives until it is finalized.
        let bar = unsafe { Bound::from_borrowed_ptr(py, object) };
        call_last(&bar, "close")?;
        // One that is off is not closed by that.
        match counting.core().filter(|core| !core.is_closed()) {
            Some(_) => call_last(&bar, "_let_go"),
            None => Ok(()),
        }
    });
}

unsafe extern "C" fn counting_traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: a slot of `Counting`, on an instance that the collector holds.
    let counting = unsafe { counting(object) };
    let postfix = counting.postfix.try_borrow();
    let postfix = postfix.as_deref().ok().and_then(Option::as_deref);
    let postfix = postfix.into_iter().flat_map(Kept::objects);
    // SAFETY: as above; instances of heap types own a reference to their type.
    let class = unsafe { ffi::Py_TYPE(object) }.cast::<ffi::PyObject>();
    let kept = counting.kept.iter().map(Field::get);
    for object in kept.chain(postfix).chain([class]) {
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

/// The bar is as one that was never bound: what is collected with it may still call its methods.
unsafe extern "C" fn counting_clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: a slot of `Counting`, on an instance that the collector holds.
    let counting = unsafe { counting(object) };
    counting.set_kept(None);
    for field in &counting.kept {
        // SAFETY: owned by the field, which has another object before the reference is given up.
        unsafe { ffi::Py_XDECREF(field.replace(none())) };
    }
    0
}

unsafe extern "C" fn counting_dealloc(object: *mut ffi::PyObject) {
    // SAFETY: a slot of a type with GC, on its own instance.
    unsafe { ffi::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: as above.
    let counting = unsafe { counting(object) };
    for field in &counting.kept {
        // SAFETY: owned by the field, and nobody can ask for it any more.
        unsafe { ffi::Py_XDECREF(field.replace(ptr::null_mut())) };
    }
    counting.set_kept(None);
    counting.set_core(None);
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
    // Its numbers stand in the entry of the bar before.
    counting.set_kept(None);
    counting.entry.set(core.entry());
    counting.set_core(Some(Arc::clone(core)));
    Ok(())
}

/// Counts into the cell that `find` gives, else on the cold path.
///
/// # Safety
///
/// `slf` is an instance of `Counting`; the rest are a call's arguments by CPython's fast convention.
#[inline(always)]
unsafe fn count_into(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    find: impl FnOnce(&'static HotEntry) -> Option<&'static Cell>,
    drawing: Drawing,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's words.
    let counting = unsafe { counting(slf) };
    // SAFETY: the caller's words: `args` holds `count` arguments.
    if let Some(n) = unsafe { plain_count(args, count, names) }
        && let Some(cell) = find(counting.entry.get())
    {
        add(cell, n);
        return none();
    }
    // SAFETY: as above, for all four.
    unsafe { update_cold(slf, args, count, names, drawing) }
}

/// `update(n=1)`.
unsafe extern "C" fn update(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a method of `Counting`: CPython checked that `slf` is an instance of it.
    unsafe { count_into(slf, args, count, names, warm_cell, Drawing::Heard) }
}

/// `_count(n=1)`: as `update`, for the Python code that draws the bar and has not to be told.
unsafe extern "C" fn count_only(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `update`.
    unsafe { count_into(slf, args, count, names, cell_of, Drawing::Silent) }
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
    trapped(|py| {
        // SAFETY: as above.
        let given = unsafe { arguments(py, args, count, names, "update", None) }?;
        let n = given.n.as_ref().map_or(Ok(Some(Value::Int(1))), value_of)?;
        // SAFETY: the caller's words. Behind the above, which may run Python code.
        let counting = unsafe { counting(slf) };
        let (Some(n), Some(core)) = (n, counting.core()) else {
            return Ok(py.None());
        };
        let drawn = crate::bar::count_cold(py, &core, n)?;
        if drawing == Drawing::Heard && core.is_self_drawn && !core.is_closed() && !core.is_off() {
            // SAFETY: as above, borrowed.
            let bar = unsafe { Bound::from_borrowed_ptr(py, slf) };
            return Ok(call_method(&bar, "_counted", &[to_python(py, n)?.bind(py)])?.unbind());
        }
        if drawn && counting.postfix_frame.get() != 0 {
            // SAFETY: as above, borrowed.
            let bar = unsafe { Bound::from_borrowed_ptr(py, slf) };
            call_method(&bar, "_flush_postfix", &[])?;
        }
        Ok(if drawn {
            true.into_pyobject(py)?.to_owned().into_any().unbind()
        } else {
            py.None()
        })
    })
}

static COUNTING_METHODS: Methods<6> = Methods([
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
    method(
        c"set_postfix",
        set_postfix,
        c"set_postfix($self, /, ordered_dict=None, refresh=True, **kwargs)\n--\n\nSet what follows the rate, as key=value pairs.",
    ),
    method(
        c"_kept_postfix",
        kept_postfix,
        c"_kept_postfix($self, /)\n--\n\nGet the keywords of set_postfix that are kept.",
    ),
    method(
        c"_forget_postfix",
        forget_postfix,
        c"_forget_postfix($self, /)\n--\n\nLet go of them.",
    ),
    ffi::PyMethodDef::zeroed(),
]);

/// Gives a class method descriptors of its own. CPython calls a method without detours where the
/// object's class is exactly the one that the descriptor was made for, so those of the base would not do.
#[pyfunction]
pub(crate) fn own_methods(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    if !class.is_subclass(counting_type(py)?.as_any())? {
        return Err(PyTypeError::new_err(
            "only a subclass of mp_tqdm._core.Counting can have its methods",
        ));
    }
    for definition in &COUNTING_METHODS.0[..COUNTING_METHODS.0.len() - 1] {
        let definition = ptr::from_ref(definition).cast_mut();
        // SAFETY: a ready type, and a static definition, which CPython never writes to.
        let made = unsafe { ffi::PyDescr_NewMethod(class.as_type_ptr(), definition) };
        // SAFETY: a new reference, or null with an exception set.
        let made = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
        class.setattr(made.getattr("__name__")?.cast::<PyString>()?, made)?;
    }
    Ok(())
}

pub(super) fn counting_type(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    static TYPE: pyo3::sync::PyOnceLock<Py<PyType>> = pyo3::sync::PyOnceLock::new();
    let made = TYPE.get_or_try_init(py, || {
        let doc: *const c_char = c"Base of the bars: what is counted per call.".as_ptr();
        let mut slots = [
            slot(ffi::Py_tp_new, counting_new as *mut c_void),
            slot(ffi::Py_tp_finalize, counting_finalize as *mut c_void),
            slot(ffi::Py_tp_dealloc, counting_dealloc as *mut c_void),
            slot(ffi::Py_tp_traverse, counting_traverse as *mut c_void),
            slot(ffi::Py_tp_clear, counting_clear as *mut c_void),
            slot(ffi::Py_tp_members, MEMBERS.0.as_ptr().cast_mut().cast()),
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
            ffi::Py_TPFLAGS_BASETYPE | ffi::Py_TPFLAGS_HAVE_GC,
            &mut slots,
        )
    })?;
    Ok(made.bind(py).clone())
}
