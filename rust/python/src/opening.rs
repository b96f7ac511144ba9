//! Opens a bar: its entry in the segment, and its line where this process may come to draw.

use std::sync::Arc;

use mp_tqdm_counters::{OWN_LINE, Opening};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

use crate::bar::BarCore;
use crate::number::{total_of, value_of};
use crate::outputs::Stream;
use crate::process::{Process, now_ns};
use crate::shared::Local;
use crate::style::Looks;
use crate::traits::{APART, SELF_DRAWN};

/// What a bar was opened with: enough to open its next number (`reset`).
pub(crate) struct Spec {
    pub(crate) path: u64,
    pub(crate) key: String,
    pub(crate) traits: u32,
    pub(crate) looks: Looks,
    pub(crate) position: Option<u32>,
    pub(crate) stream: Option<Stream>,
    pub(crate) own_line: bool,
}

/// Opens the bar's next number; `before` is the one that it follows (`reset`).
pub(crate) fn open(
    process: &'static Process,
    spec: &Spec,
    total: &Bound<'_, PyAny>,
    initial: &Bound<'_, PyAny>,
    desc: &str,
    before: Option<&BarCore>,
) -> PyResult<Arc<BarCore>> {
    let initial = value_of(initial)?.unwrap_or(mp_tqdm_counters::Value::ZERO);
    let packed = spec.looks.pack();
    let is_apart = spec.traits & APART != 0;
    let (path, pass) = if is_apart {
        process.pass_apart(spec.path)
    } else {
        (spec.path, process.pass(spec.path))
    };
    let opening = Opening {
        path,
        pass,
        traits: spec.traits,
        now_ns: now_ns(),
        position: spec.position,
        desc,
        name: &spec.key,
        style: &packed,
        order: process.order(),
    };
    let wishes = (if spec.own_line { OWN_LINE } else { 0 }, spec.position);
    let core = BarCore::open(process, &opening, total_of(total)?, initial, wishes, before)
        .ok_or_else(|| PyMemoryError::new_err("mp_tqdm: no memory for counters"))?;
    if let Some(id) = core.id
        && (is_apart || process.may_draw())
    {
        process.stage.claim(process);
        if spec.traits & SELF_DRAWN != 0 {
            return Ok(core);
        }
        let mut shared = process.stage.shared();
        if let Some(stream) = spec.stream {
            if let Some(output) = shared.output_of(stream, is_apart) {
                let style = Arc::new(spec.looks.style());
                shared.local.insert(id, Local { output, style });
                if process.home.tables.ownership().is_owner(process.home.me) {
                    shared.announce(&process.home.tables.header);
                }
            }
        } else if process.home.tables.ownership().is_owner(process.home.me) {
            shared.closing.insert(id);
        }
        drop(shared);
        if spec.stream.is_some_and(|(_, is_terminal, _)| is_terminal) {
            process.stage.show_first(process);
        }
        process.stage.attend(process);
    }
    Ok(core)
}
