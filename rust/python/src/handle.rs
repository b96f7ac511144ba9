//! The native half of one Python bar: opens it, shows it, closes it. What is counted per call is not
//! here but in `hot/`.

use std::sync::{Arc, Mutex};

use mp_tqdm_counters::sync::{AtomicU32, Ordering};
use mp_tqdm_counters::{
    BY_WORKERS, BarEntry, BarId, BarView, ITERATES, Identity, NAMED, REPORTABLE, Role,
};
use mp_tqdm_render::{LastText, monotonic};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::above::end_lines_of_gone;
use crate::arguments::{Text, leave_of, looks_of, packed_postfix, reduce_of};
use crate::bar::BarCore;
use crate::farewell::{Farewell, depart};
use crate::hot;
use crate::locks::lock;
use crate::number::{to_python, total_of, value_of};
use crate::opening::{Spec, open};
use crate::outputs::Stream;
use crate::process::{Process, attached, attached_unswept, now_ns};
use crate::receipt::{Share, shares};
use crate::shown;
use crate::traits::{APART, DESC_SET, SELF_DRAWN, traits_of};

/// What a copy is made from: the job, the bar's place in it, its identity, and the cell of the original.
type Original = (u64, Option<(u16, u32)>, (u64, u32), Option<u16>);
/// A rank's share as Python gets it; see the stub.
type PyShare = (u16, Py<PyAny>, f64, bool, bool, usize);

/// A bar of this process, or a copy of one.
#[pyclass(frozen, module = "mp_tqdm._core")]
pub(crate) struct Bar {
    /// Exchanged by `reset` only.
    core: Mutex<Arc<BarCore>>,
    /// `None` for a copy.
    spec: Option<Spec>,
    /// 1 once an exception ended the work: the last line is red, or says so.
    failed: AtomicU32,
    /// 1 from the beginning of `close` on.
    is_closing: AtomicU32,
    /// What was known when the bar closed here.
    last: Mutex<Option<Last>>,
}

/// What is known of a bar that closed.
struct Last {
    shares: Vec<Share>,
    text: Option<LastText>,
}

fn process(py: Python<'_>) -> PyResult<&'static Process> {
    attached(py)?.ok_or_else(no_memory)
}

fn no_memory() -> PyErr {
    PyMemoryError::new_err("mp_tqdm: no memory for counters")
}

impl Bar {
    /// The bar that is counted now.
    pub(crate) fn core(&self) -> Arc<BarCore> {
        Arc::clone(&lock(&self.core))
    }

    /// The bar's entry in the segment, for texts.
    fn with_entry(&self, py: Python<'_>, body: impl FnOnce(&Process, &BarEntry)) -> PyResult<()> {
        let process = process(py)?;
        if let Some(entry) = self.core().texts(process) {
            body(process, entry);
        }
        Ok(())
    }

    fn text_now(process: &Process, core: &BarCore) -> Option<LastText> {
        let entries = Self::entries(process, core);
        let ids = Vec::from_iter(entries.iter().map(|(view, _)| view.id));
        shown::last_text(process, &ids)
    }

    /// All entries that stand for the bar, each with what it says.
    fn entries(process: &Process, core: &BarCore) -> Vec<(BarView, &'static BarEntry)> {
        let bars = process.home.tables.bars();
        if core.is_closed() || core.id.is_none() || core.job != process.home.job {
            return Vec::new();
        }
        bars.views_of(core.identity)
            .filter_map(|view| Some((view, bars.entry(view.id)?)))
            .collect()
    }
}

/// A time of the monotonic clock as a number that can be shifted.
fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "saturates; NaN is 0")]
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

/// Whether nothing came to a bar that was open for so long that somebody should have reported.
fn waited_in_vain(shares: &[Share]) -> bool {
    let is_long = shares.iter().any(|share| share.elapsed_s >= 0.1);
    is_long && shares.iter().all(|share| share.done.as_f64() == 0.0)
}

/// A constructor that was interrupted leaves nobody who could close the bar.
impl Drop for Bar {
    fn drop(&mut self) {
        let core = self.core();
        if let Some(process) = hot::process().filter(|_| !core.is_closed()) {
            depart(process, &core);
        }
    }
}

#[pymethods]
impl Bar {
    /// Opens a bar. No `__new__`, to which CPython would pass the keywords in a dict.
    #[staticmethod]
    #[pyo3(signature = (
        *, path, key, named, reduce, iterates, reportable, total, initial, desc, looks, leave,
        position, stream, self_drawn, own_file, own_line
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "called from one place, all by keyword"
    )]
    #[expect(clippy::fn_params_excessive_bools, reason = "Python's own")]
    fn open(
        py: Python<'_>,
        path: u64,
        key: Text,
        named: bool,
        reduce: &str,
        iterates: bool,
        reportable: bool,
        total: &Bound<'_, PyAny>,
        initial: &Bound<'_, PyAny>,
        desc: Text,
        looks: &Bound<'_, PyDict>,
        leave: Option<bool>,
        position: Option<u32>,
        stream: Option<Stream>,
        self_drawn: bool,
        own_file: bool,
        own_line: bool,
    ) -> PyResult<Self> {
        let process = attached_unswept(py)?.ok_or_else(no_memory)?;
        end_lines_of_gone(py, process);
        let mut traits = traits_of(reduce_of(reduce)?, leave_of(leave));
        let is_worker = process.home.role == Role::Worker;
        let is_apart = is_worker
            && if self_drawn {
                own_file
            } else {
                stream.is_some() && process.is_apart(stream)
            };
        for (is_set, bit) in [
            (iterates, ITERATES),
            (reportable, REPORTABLE),
            (named, NAMED),
            (is_worker && !is_apart, BY_WORKERS),
            (is_apart, APART),
            (self_drawn, SELF_DRAWN),
        ] {
            if is_set {
                traits |= bit;
            }
        }
        let looks = looks_of(looks)?;
        let spec = Spec {
            path,
            key: key.0,
            traits,
            looks,
            position,
            stream,
            own_line,
        };
        let core = open(process, &spec, total, initial, &desc.0, None);
        process.sweep();
        let core = core?;
        Ok(Self {
            core: Mutex::new(core),
            spec: Some(spec),
            failed: AtomicU32::new(0),
            is_closing: AtomicU32::new(0),
            last: Mutex::new(None),
        })
    }

    /// A copy of a bar that another process opened: `copy` is what `identity` gave there.
    #[staticmethod]
    #[pyo3(signature = (copy, total, initial))]
    fn copy(
        py: Python<'_>,
        copy: Original,
        total: &Bound<'_, PyAny>,
        initial: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (job, place, (path, pass), cell) = copy;
        let id = place.map(|(index, generation)| BarId { index, generation });
        let numbers = (
            total_of(total)?,
            value_of(initial)?.unwrap_or(mp_tqdm_counters::Value::ZERO),
        );
        let core = BarCore::copy(
            process(py)?,
            job,
            id,
            Identity { path, pass },
            cell,
            numbers,
        )
        .ok_or_else(|| PyMemoryError::new_err("mp_tqdm: no memory for counters"))?;
        Ok(Self {
            core: Mutex::new(core),
            spec: None,
            failed: AtomicU32::new(0),
            is_closing: AtomicU32::new(0),
            last: Mutex::new(None),
        })
    }

    /// What a copy in another process is made from.
    fn identity(&self) -> Original {
        let core = self.core();
        let place = core.id.map(|id| (id.index, id.generation));
        let Identity { path, pass } = core.identity;
        (core.job, place, (path, pass), core.opened_as())
    }

    /// Makes `counting.update` and its iterators count for this bar.
    fn bind(&self, counting: &Bound<'_, PyAny>) -> PyResult<()> {
        hot::bind(counting, &self.core())
    }

    #[getter]
    fn n(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        to_python(py, self.core().read_n(process(py)?))
    }

    #[setter]
    fn set_n(&self, py: Python<'_>, n: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(n) = value_of(n)? {
            self.core().set_n(process(py)?, n);
        }
        Ok(())
    }

    #[getter]
    fn n_own(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        to_python(py, self.core().n_own(process(py)?))
    }

    #[getter]
    fn total(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.core()
            .total()
            .map(|total| to_python(py, total))
            .transpose()
    }

    #[setter]
    fn set_total(&self, py: Python<'_>, total: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core().set_total(process(py)?, total_of(total)?);
        Ok(())
    }

    #[getter]
    fn initial(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        to_python(py, self.core().initial())
    }

    #[setter]
    fn set_initial(&self, py: Python<'_>, initial: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(initial) = value_of(initial)? {
            self.core().set_initial(process(py)?, initial);
        }
        Ok(())
    }

    #[getter]
    fn closed(&self) -> bool {
        self.core().is_closed()
    }

    /// Lets what `update` and iterators count go nowhere, until it is switched on again.
    fn switch_off(&self, is_off: bool) {
        self.core().switch_off(is_off);
    }

    /// Whether this process draws the bar: the job's lines, or this one apart from them.
    #[getter]
    fn draws(&self, py: Python<'_>) -> PyResult<bool> {
        let home = &process(py)?.home;
        Ok(self.core().is_apart || home.tables.ownership().is_owner(home.me))
    }

    /// Whether this handle was made by the constructor, in this process.
    #[getter]
    fn is_makers(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.core().is_makers(process(py)?))
    }

    fn set_desc(&self, py: Python<'_>, desc: Text) -> PyResult<()> {
        self.with_entry(py, |process, entry| {
            let (me, alive) = (process.home.me, process.home.liveness());
            entry.add_traits(DESC_SET);
            if process.home.role == Role::Worker {
                entry.fold_desc(&desc.0, me, &alive);
            }
            entry.set_desc(&desc.0, process.order(), me, &alive);
        })
    }

    /// The keywords of `format_meter` in which the job's line differs from this process's own numbers,
    /// or `None`. `last`: those of the last line, which waits a moment for the other ranks.
    #[pyo3(signature = (last = false))]
    fn line<'py>(&self, py: Python<'py>, last: bool) -> PyResult<Option<Bound<'py, PyDict>>> {
        let (core, process) = (self.core(), process(py)?);
        let shown = py.detach(|| shown::line(process, &core, last));
        shown.map(|shown| shown.keywords(py)).transpose()
    }

    /// Sets the bar's clock: so many seconds have passed.
    fn set_elapsed(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let (core, process) = (self.core(), process(py)?);
        let now_ns = signed(now_ns());
        for (view, entry) in Self::entries(process, &core) {
            let start_ns = now_ns.saturating_sub(nanoseconds(seconds));
            entry.shift_clock(
                start_ns.saturating_sub(signed(view.start_ns)),
                process.order(),
            );
        }
        Ok(())
    }

    /// Ends a pause: the time in which nothing was counted, as the renderer saw it, is taken out of
    /// the bar's clock and rate. Returns its seconds; 0 where another process draws, or nobody does.
    fn rest(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (core, process) = (self.core(), process(py)?);
        let entries = Self::entries(process, &core);
        if !process.home.tables.ownership().is_owner(process.home.me) {
            return hot::float_of(py, 0.0);
        }
        let ids = Vec::from_iter(entries.iter().map(|(view, _)| view.id));
        let rest_s = py.detach(|| {
            let mut shared = process.stage.shared();
            let rest_s = shared.rest(&ids, monotonic().as_secs_f64()).unwrap_or(0.0);
            for (view, entry) in &entries {
                let shift_ns = view.clock_shift_ns.saturating_add(nanoseconds(rest_s));
                entry.shift_clock(shift_ns, process.order());
            }
            rest_s
        });
        hot::float_of(py, rest_s)
    }

    /// Moves the line among the others, from the next frame on.
    fn set_position(&self, py: Python<'_>, position: u32) -> PyResult<()> {
        self.with_entry(py, |_, entry| entry.set_position(Some(position)))
    }

    /// Stores a postfix: a text, or names and values. False if some value is neither a plain number
    /// nor a text: then nothing is stored, and the caller makes a text of it.
    fn set_postfix(&self, py: Python<'_>, postfix: &Bound<'_, PyAny>) -> PyResult<bool> {
        let packed = packed_postfix(postfix)?;
        if let Some(bytes) = &packed {
            self.core().set_postfix(process(py)?, bytes);
        }
        Ok(packed.is_some())
    }

    /// What each rank did so far, or until the bar closed here.
    fn shares(&self, py: Python<'_>) -> PyResult<Vec<PyShare>> {
        let process = process(py)?;
        let last = lock(&self.last).as_ref().map(|last| last.shares.clone());
        last.unwrap_or_else(|| shares(process, &self.core()))
            .into_iter()
            .map(|share| {
                let done = to_python(py, share.done)?;
                Ok((
                    share.rank,
                    done,
                    share.elapsed_s,
                    share.is_open,
                    share.is_dead,
                    share.processes,
                ))
            })
            .collect()
    }

    /// Says that an exception ended the work.
    fn fail(&self) {
        self.failed.store(1, Ordering::Relaxed);
    }

    /// Whether an exception ended the work.
    #[getter]
    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) != 0
    }

    /// Ends the bar: its last line is drawn, waiting at most 50 ms for it, and nothing counts here any
    /// more. `leave`: keep that line, or (`None`) keep it if it is the outermost. Returns the reduction
    /// that would have fitted better, where the end says so, or "nothing" where a bar without an iterable
    /// waited for a tenth of a second or more, and nothing was counted.
    fn close(&self, py: Python<'_>, leave: Option<bool>) -> PyResult<Option<&'static str>> {
        let (core, process) = (self.core(), process(py)?);
        // Of threads that close it together one does.
        if core.is_closed() || self.is_closing.swap(1, Ordering::Relaxed) == 1 {
            return Ok(None);
        }
        let spec = self.spec.as_ref().filter(|_| core.is_makers(process));
        let (farewell, waited) = py.detach(|| {
            let text = Self::text_now(process, &core);
            let farewell = spec.map_or_else(Farewell::default, |spec| {
                Farewell::bid(process, &core, spec.traits, leave, self.has_failed())
            });
            let shares = shares(process, &core);
            let is_counter =
                spec.is_some_and(|spec| spec.traits & (REPORTABLE | APART) == REPORTABLE);
            let waited = is_counter && core.total().is_some() && waited_in_vain(&shares);
            *lock(&self.last) = Some(Last { shares, text });
            depart(process, &core);
            if farewell.is_drawn {
                process.stage.flush(process);
            }
            (farewell, waited)
        });
        Ok(farewell.reduction.or(waited.then_some("nothing")))
    }

    /// Starts the bar's next number: the present one vanishes without a last line.
    fn reset(
        &self,
        py: Python<'_>,
        total: &Bound<'_, PyAny>,
        initial: &Bound<'_, PyAny>,
        desc: Text,
    ) -> PyResult<()> {
        let Some(spec) = &self.spec else {
            return Ok(());
        };
        let process = process(py)?;
        let old = self.core();
        if !old.is_closed() {
            depart(process, &old);
        }
        *lock(&self.last) = None;
        self.is_closing.store(0, Ordering::Relaxed);
        let new = open(process, spec, total, initial, &desc.0, Some(&old))?;
        *lock(&self.core) = new;
        Ok(())
    }

    /// Draws a frame now and waits for it, at most 50 ms.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let process = process(py)?;
        if process.may_draw() {
            py.detach(|| process.stage.flush(process));
        }
        Ok(())
    }

    /// What the line said last, here or before it closed; see the stub.
    #[getter]
    fn last_text<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (core, process) = (self.core(), process(py)?);
        let at_end = lock(&self.last).as_ref().map(|last| last.text);
        let text = at_end.unwrap_or_else(|| py.detach(|| Self::text_now(process, &core)));
        text.map(|text| shown::text_of(py, text)).transpose()
    }

    /// Frames that the drawing process of the job drew.
    #[getter]
    fn job_frames(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let header = &process(py)?.home.tables.header;
        hot::int_of(py, header.frames.load(Ordering::Relaxed).cast_signed())
    }

    /// Changes how the line looks, from the next frame on.
    fn set_looks(&self, py: Python<'_>, looks: &Bound<'_, PyDict>) -> PyResult<()> {
        let looks = looks_of(looks)?;
        let Some(id) = self.core().id else {
            return Ok(());
        };
        self.with_entry(py, |process, entry| {
            entry.set_style(
                &looks.pack(),
                process.order(),
                process.home.me,
                &process.home.liveness(),
            );
            process.stage.shared().restyle(id, &looks);
        })
    }
}
