//! The cold path of `report_progress`: which bar a report reaches, looked up when bars open or close.

use std::sync::Arc;

use mp_tqdm_counters::{BarId, BarState, Cell, CellKey, FED, REPORTABLE, Value, target};
use pyo3::prelude::*;

use crate::bar::BarCore;
use crate::handle::Bar;
use crate::hot;
use crate::process::{Process, attached};

/// How often the look-up starts again because bars opened or closed meanwhile.
const TRIES: usize = 16;

/// Adds `n` to the bar that this process means, or to the one that `bar` names.
pub(crate) fn count(py: Python<'_>, n: Value, bar: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let Some(process) = attached(py)? else {
        return Ok(());
    };
    let Some(bar) = bar else {
        add_to_current(process, n);
        return Ok(());
    };
    let is_counted = match given(bar) {
        Some(Given::Off) => true,
        Some(Given::Bar(core)) => core.report(process, n),
        None => {
            let id = named(process, bar)?;
            if id.is_none() {
                let name = name_of(bar);
                crate::number::warn_once(
                    py,
                    &std::ffi::CString::new(format!(
                        "report_progress(bar={name}): no open bar of this job has that key or desc; \
                         its reports are dropped"
                    ))?,
                )?;
            }
            id.is_some_and(|id| add_to(process, id, n))
        }
    };
    if !is_counted {
        process.lost_cell().0.add_value(n);
    }
    Ok(())
}

/// Adds `n` to a bar of this job; false where that is over.
pub(crate) fn add_to(process: &'static Process, id: BarId, n: Value) -> bool {
    let found = (!process.home.tables.bars().has_ended(id)).then(|| cell_in(process, id));
    match found.flatten() {
        Some((cell, _)) => {
            cell.add_value(n);
            true
        }
        None => false,
    }
}

/// Finds the bar, counts, and caches the cell for as long as no bar opens or closes.
///
/// The version is read before the look-up and compared after it: a bar that opened in between is
/// found by starting again, so that work dispatched after a bar opened counts in it.
fn add_to_current(process: &'static Process, n: Value) {
    let Some(entry) = hot::report_entry() else {
        return;
    };
    let tables = process.home.tables;
    let (bars, cells) = (tables.bars(), tables.cells());
    let alive = process.home.liveness();
    let mut found = None;
    let mut version = bars.current();
    for _ in 0..TRIES {
        let id = target(
            &bars,
            &cells,
            &tables.processes(),
            &process.home.reporter(),
            &alive,
        );
        found = id.and_then(|id| cell_in(process, id));
        let now = bars.current();
        if now == version {
            break;
        }
        version = now;
    }
    match found.unwrap_or_else(|| process.lost_cell()) {
        // An overflow cell is shared: every count is a cold one there.
        (cell, true) => {
            hot::chill(entry);
            cell.add_value(n);
        }
        (cell, false) => {
            cell.add_value(n);
            if cell.is_near_limit() {
                hot::chill(entry);
            } else {
                hot::warm(entry, cell, tables.current_word(), version);
            }
        }
    }
    process.held.collect(&process.home);
}

fn cell_in(process: &'static Process, id: BarId) -> Option<(&'static Cell, bool)> {
    let tables = process.home.tables;
    let key = CellKey {
        bar: id,
        rank: process.home.rank,
    };
    let alive = process.home.liveness();
    let bars = tables.bars();
    bars.entry(id)?.add_traits(FED);
    if let Some(cell) = process.held.newest(id) {
        return Some((cell, false));
    }
    let is_taken = |cell: &Cell| process.held.is_alone(cell);
    let claimed = bars.attach_beside(&tables.cells(), key, process.home.me, &alive, is_taken)?;
    process.held.note(&claimed);
    Some((claimed.cell, claimed.shared))
}

/// The open bar that a key or a desc names: the newest of several.
fn named(process: &'static Process, bar: &Bound<'_, PyAny>) -> PyResult<Option<BarId>> {
    let name: String = bar.extract().map_err(|_| {
        pyo3::exceptions::PyTypeError::new_err(
            "report_progress(bar=...) takes the key or desc of a bar, or a bar",
        )
    })?;
    let bars = process.home.tables.bars();
    let open = bars
        .views()
        .filter(|view| view.state == BarState::Open && view.has(REPORTABLE));
    let is_named = |text: Option<String>| text.as_deref() == Some(&name);
    Ok(open
        .filter(|view| {
            bars.entry(view.id).is_some_and(|entry| {
                is_named(entry.name.get_string()) || is_named(entry.desc.get_string())
            })
        })
        .max_by_key(|view| view.sequence)
        .map(|view| view.id))
}

/// What a Python bar stands for.
enum Given {
    Bar(Arc<BarCore>),
    /// It is off: nothing is counted.
    Off,
}

/// What was given as `bar=`, if it is a bar.
fn given(object: &Bound<'_, PyAny>) -> Option<Given> {
    if !hot::is_bar(object) {
        return None;
    }
    let native = hot::attribute(object, "_native").ok();
    let handle = native.as_ref().and_then(|native| native.cast::<Bar>().ok());
    Some(handle.map_or(Given::Off, |handle| Given::Bar(handle.get().core())))
}

/// How a warning names what was given as `bar=`.
fn name_of(object: &Bound<'_, PyAny>) -> String {
    hot::repr_of(object).map_or_else(
        |_| "?".to_owned(),
        |text| text.to_string_lossy().into_owned(),
    )
}
