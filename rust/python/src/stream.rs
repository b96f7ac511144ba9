//! What stands in the place of `write` and `flush` of a stream over a terminal: whole lines come out in
//! one piece, above the lines that the job draws there.

use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;

use mp_tqdm_counters::sync::{AtomicU32, Ordering};
use mp_tqdm_render::ERASE_BELOW;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::above::{
    Around, around, draw_again, draws_on, end_lines_before_text, printed, take_terminal,
};
use crate::fork::before_text;
use crate::hot;
use crate::unfinished::{self, Place, Unfinished};

/// Stands in the place of a stream's `write`.
#[pyclass(frozen, module = "mp_tqdm._core")]
pub(crate) struct AboveBars {
    stream: Py<PyAny>,
    device: u64,
    tee: Option<Py<PyAny>>,
    /// `io.TextIOWrapper` and `io.FileIO`.
    text_type: Py<PyAny>,
    raw_type: Py<PyAny>,
    /// Whether `flush` is in its place too, so that the beginning of a line can wait.
    takes_flush: AtomicU32,
    /// Whether somebody may be asked for something at each flush.
    has_prompts: bool,
}

/// When a stream hands on what is written to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    AtOnce,
    ByLines,
    /// Whenever it likes.
    ByBlocks,
}

#[pymethods]
impl AboveBars {
    /// What writes to a stream above the bars, if that leads to a terminal.
    #[staticmethod]
    #[pyo3(signature = (stream, *, tee, prompts))]
    fn over(
        stream: &Bound<'_, PyAny>,
        tee: Option<Py<PyAny>>,
        prompts: bool,
    ) -> PyResult<Option<Self>> {
        let py = stream.py();
        let number: RawFd = hot::call_method(stream, "fileno", &[])?.extract()?;
        let Some(device) = hot::terminal(number)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            stream: stream.clone().unbind(),
            device,
            tee,
            text_type: io_type(py, "TextIOWrapper", &TEXT_TYPE)?,
            raw_type: io_type(py, "FileIO", &RAW_TYPE)?,
            takes_flush: AtomicU32::new(0),
            has_prompts: prompts,
        }))
    }

    /// Takes the place of `write`, unless another of these stands there, and of `flush`, unless
    /// anything does. Whether it stands in that of `write` now.
    fn install(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let this = slf.get();
        let stream = this.stream.bind(py);
        match this.instead_of(py, "write")? {
            Some(write) if write.is(slf) => {}
            Some(write) if write.is_instance_of::<Self>() => return Ok(false),
            _ => stream.setattr(intern!(py, "write"), slf)?,
        }
        if this.instead_of(py, "flush")?.is_none() {
            stream.setattr(intern!(py, "flush"), slf.getattr(intern!(py, "flush"))?)?;
            this.takes_flush.store(1, Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Leaves the stream as it was; if somebody replaced `write` once more, that is theirs to put back.
    /// Writes the beginnings of lines; what comes of a stream that takes nothing any more, the next
    /// text will tell.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let stream = this.stream.bind(py);
        if let Some(flush) = this.instead_of(py, "flush")?
            && flush.eq(slf.getattr(intern!(py, "flush"))?)?
        {
            stream.delattr(intern!(py, "flush"))?;
        }
        let write = this.instead_of(py, "write")?;
        if write.is_some_and(|write| write.is(slf)) {
            match &this.tee {
                Some(tee) => stream.setattr(intern!(py, "write"), tee)?,
                None => stream.delattr(intern!(py, "write"))?,
            }
        }
        this.takes_flush.store(0, Ordering::Relaxed);
        let is_expected = |error: &PyErr| {
            error.is_instance_of::<PyOSError>(py) || error.is_instance_of::<PyValueError>(py)
        };
        match this.write_unfinished(stream) {
            Err(error) if !is_expected(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a text: its whole lines now, in one piece, and the rest with what is to come.
    fn __call__(&self, text: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = text.py();
        before_text(py, self.device)?;
        end_lines_before_text(py, self.device);
        let stream = self.stream.bind(py);
        let manner = self.manner(stream)?;
        let (Ok(text), Some(unfinished)) = (text.cast::<PyString>(), self.unfinished(manner))
        else {
            return self.write_past(text);
        };
        let bytes = encoded(stream, text)?;
        // A return to the line's start counts as its end, as it does for a stream with a buffer.
        let end = match bytes.contains(&b'\r') {
            true => bytes.len(),
            false => bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1),
        };
        let (lines, rest) = bytes.split_at(end);
        if !lines.is_empty() {
            self.put(stream, manner, unfinished, lines)?;
        }
        if !rest.is_empty() {
            let is_held = unfinished.hold(self.place(manner), self.number(stream), rest.to_vec());
            if !is_held {
                self.put(stream, manner, unfinished, rest)?;
            }
        }
        hot::int_of(py, text.len()?.cast_signed() as i64)
    }

    /// Stands in the place of `flush`: writes the beginnings of lines. Where a prompt may follow, it
    /// draws the lines below it.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let stream = self.stream.bind(py);
        self.write_unfinished(stream)?;
        self.call(stream, intern!(py, "flush"), None)?;
        if self.has_prompts && !hot::is_finalizing() {
            draw_again(py);
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        visit.call(&self.tee)
    }
}

/// `io.TextIOWrapper` and `io.FileIO`, which no program can do without.
static TEXT_TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RAW_TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn io_type(py: Python<'_>, name: &str, cell: &PyOnceLock<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let found = cell.get_or_try_init(py, || Ok(hot::import(py, c"io")?.getattr(name)?.unbind()));
    found.map(|found| found.clone_ref(py))
}

impl AboveBars {
    /// What stands in the stream itself in the place of a method of its class.
    fn instead_of<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let own = self.stream.bind(py).getattr(intern!(py, "__dict__"))?;
        own.cast_into::<PyDict>()?.get_item(name)
    }

    fn manner(&self, stream: &Bound<'_, PyAny>) -> PyResult<Manner> {
        let py = stream.py();
        if stream.getattr(intern!(py, "write_through"))?.is_truthy()? {
            let buffer = stream.getattr(intern!(py, "buffer"))?;
            if buffer.get_type().is(&self.raw_type) {
                return Ok(Manner::AtOnce);
            }
        }
        let by_lines = stream.getattr(intern!(py, "line_buffering"))?.is_truthy()?;
        Ok(if by_lines {
            Manner::ByLines
        } else {
            Manner::ByBlocks
        })
    }

    /// Where beginnings of lines wait, if they may.
    fn unfinished(&self, manner: Manner) -> Option<&'static Unfinished> {
        let may_wait = self.takes_flush.load(Ordering::Relaxed) != 0
            && self.tee.is_none()
            && manner != Manner::ByBlocks;
        may_wait.then(unfinished::here).flatten()
    }

    fn write_unfinished(&self, stream: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(unfinished) = unfinished::here() else {
            return Ok(());
        };
        let places = [Place::Terminal(self.device), self.place(Manner::ByLines)];
        let text = unfinished.take_all(places);
        if text.is_empty() {
            return Ok(());
        }
        self.put(stream, self.manner(stream)?, unfinished, &text)
    }

    fn place(&self, manner: Manner) -> Place {
        match manner {
            Manner::AtOnce => Place::Terminal(self.device),
            _ => Place::Stream(std::ptr::from_ref(self).addr()),
        }
    }

    fn number(&self, stream: &Bound<'_, PyAny>) -> RawFd {
        let number = hot::call_method(stream, "fileno", &[]);
        number.and_then(|number| number.extract()).unwrap_or(-1)
    }

    /// What goes around a text, where lines are drawn on the terminal; nothing in a log that a program
    /// put in its place, under the same number.
    fn around(&self, stream: &Bound<'_, PyAny>, is_whole: bool) -> Option<Around> {
        let leads_to = hot::metadata(self.number(stream)).ok()?.rdev();
        (leads_to == self.device).then(|| around(self.device, is_whole))?
    }

    /// Calls a method of the stream's own, also where another stands in its place.
    fn call<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
        text: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let method = self.text_type.bind(stream.py()).getattr(name)?;
        match text {
            Some(text) => hot::call(&method, &[stream, text]),
            None => hot::call(&method, &[stream]),
        }
    }

    /// Hands on a text as it is; the stream says when it comes out.
    fn write_past(&self, text: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = text.py();
        let stream = self.stream.bind(py);
        let write = intern!(py, "write");
        let is_text = text.is_instance_of::<PyString>();
        let _writing = take_terminal(py, self.device);
        let around = is_text.then(|| self.around(stream, false)).flatten();
        if let Some(around) = &around {
            if !around.rest.is_empty() {
                let buffer = stream.getattr(intern!(py, "buffer"))?;
                self.write(&buffer, Manner::ByLines, &around.rest)?;
            }
            self.call(stream, write, Some(intern!(py, ERASE_BELOW).as_any()))?;
        }
        let written = match &self.tee {
            Some(tee) => hot::call(tee.bind(py), &[text]),
            None => self.call(stream, write, Some(text)),
        };
        if around.is_some() {
            printed(self.device);
        }
        Ok(written?.unbind())
    }

    /// Writes a text, behind what this thread began to write, in one piece.
    fn put(
        &self,
        stream: &Bound<'_, PyAny>,
        manner: Manner,
        unfinished: &'static Unfinished,
        text: &[u8],
    ) -> PyResult<()> {
        let py = stream.py();
        let _writing = take_terminal(py, self.device);
        if manner == Manner::ByLines {
            // What others wrote past this comes first.
            self.call(stream, intern!(py, "flush"), None)?;
        }
        let place = self.place(manner);
        let begun = unfinished.take(place);
        let around = self.around(stream, text.ends_with(b"\n"));
        let erase = if around.is_some() { ERASE_BELOW } else { "" };
        let Around { rest, behind } = around.unwrap_or_default();
        let again = behind.as_deref().unwrap_or_default();
        let whole = [&rest, erase.as_bytes(), &begun, text, again.as_bytes()].concat();
        let buffer = stream.getattr(intern!(py, "buffer"))?;
        let written = self.write(&buffer, manner, &whole)?;
        if written < whole.len() {
            // The terminal does not block, and has no room.
            unfinished.hold(place, self.number(stream), whole[written..].to_vec());
        } else if behind.is_some() && !draws_on(self.device) {
            // The last bar ended in between: what was drawn again belongs to nobody.
            self.write(&buffer, manner, ERASE_BELOW.as_bytes())?;
        } else if behind.is_none() {
            printed(self.device);
        }
        Ok(())
    }

    /// Writes bytes to what is below the stream; returns how many were taken.
    fn write(&self, buffer: &Bound<'_, PyAny>, manner: Manner, bytes: &[u8]) -> PyResult<usize> {
        let py = buffer.py();
        if manner == Manner::ByLines {
            hot::call_method(buffer, "write", &[&hot::bytes(py, bytes)?])?;
            hot::call_method(buffer, "flush", &[])?;
            return Ok(bytes.len());
        }
        let mut written = 0;
        while written < bytes.len() {
            let rest = hot::bytes(py, &bytes[written..])?;
            match hot::call_method(buffer, "write", &[&rest])?.extract()? {
                Some(taken) => written += usize::max(taken, 1),
                None => break,
            }
        }
        Ok(written)
    }
}

/// The bytes of a text, as the stream would write them.
fn encoded(stream: &Bound<'_, PyAny>, text: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    let py = stream.py();
    let encoding = stream.getattr(intern!(py, "encoding"))?;
    let is_utf8 = encoding.cast::<PyString>()?.to_str()?;
    if (is_utf8.eq_ignore_ascii_case("utf-8") || is_utf8.eq_ignore_ascii_case("utf8"))
        && let Ok(text) = text.to_str()
    {
        return Ok(text.as_bytes().to_vec());
    }
    let errors = stream.getattr(intern!(py, "errors"))?;
    let bytes = hot::call_method(text.as_any(), "encode", &[&encoding, &errors])?;
    Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
}
