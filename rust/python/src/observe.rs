//! What `doctor` shows of a job: its processes, its bars, who draws, and what was lost.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use mp_tqdm_counters::sync::Ordering;
use mp_tqdm_counters::{
    BarState, Liveness, ProcessId, Rank, Reduction, Role, Tables, combine, observe as look,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::group::{Group, groups};
use crate::hot;
use crate::number::to_python;
use crate::process::now_ns;
use crate::traits::reduction_of;

/// What stands in the segment at `path`, or why it cannot be told. Disturbs nobody.
#[pyfunction]
pub(crate) fn observe(py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
    if let Some(process) = hot::process()
        && process.home.is_at(&path)
    {
        let home = &process.home;
        return Ok(described(py, home.tables, &home.liveness(), (true, None))?.into());
    }
    match py.detach(|| look(&path)) {
        Ok(seen) => {
            let used = (seen.is_in_use(), seen.awaited_by());
            Ok(described(py, &seen.tables, &seen.liveness(), used)?.into())
        }
        Err(error) => Ok(error.to_string().into_pyobject(py)?.into_any().unbind()),
    }
}

fn described<'py>(
    py: Python<'py>,
    tables: &Tables,
    alive: &impl Liveness,
    (is_in_use, awaited_by): (bool, Option<u32>),
) -> PyResult<Bound<'py, PyDict>> {
    let job = PyDict::new(py);
    let lost = tables.lost();
    let processes: Vec<_> = tables
        .processes()
        .views()
        .map(|view| {
            let place = (view.id.slot.0, view.id.incarnation.0);
            let role = match view.role {
                Role::Root => "root",
                Role::Rank => "rank",
                Role::Worker => "worker",
            };
            (place, view.pid, role, view.rank.0, !alive.is_dead(view.id))
        })
        .collect();
    let owner = tables.ownership().owner().map(|owner| owner.process);
    let bars: Vec<_> = groups(tables)
        .iter()
        .filter(|group| group.view.state == BarState::Open)
        .map(|group| bar(py, tables, alive, owner, group))
        .collect::<PyResult<_>>()?;
    let owner = owner.map(|id| {
        let silent_ms = tables.ownership().silent_ms(now_ns() / 1_000_000);
        (id.slot.0, id.incarnation.0, silent_ms)
    });
    let header = &tables.header;
    job.set_item("in_use", is_in_use)?;
    job.set_item("awaited_by", awaited_by)?;
    job.set_item("local_world", header.local_world.load(Ordering::Relaxed))?;
    job.set_item("frames", header.frames.load(Ordering::Relaxed))?;
    job.set_item("owner", owner)?;
    job.set_item("processes", processes)?;
    job.set_item("bars", bars)?;
    job.set_item("lost", (to_python(py, lost.items)?, lost.processes))?;
    Ok(job)
}

fn bar<'py>(
    py: Python<'py>,
    tables: &Tables,
    alive: &impl Liveness,
    owner: Option<ProcessId>,
    group: &Group,
) -> PyResult<Bound<'py, PyDict>> {
    let bar = PyDict::new(py);
    let rank = owner.and_then(|owner| tables.processes().view(owner));
    let rank = rank.map_or(Rank(0), |view| view.rank);
    let reduction = reduction_of(group.view.traits, rank);
    let line = combine(&group.cells, reduction, alive);
    let bars = tables.bars();
    let entry = bars.entry(group.view.id);
    let text = |text: Option<String>| text.unwrap_or_default();
    let total = line.total.map(|total| to_python(py, total)).transpose()?;
    let openers = group
        .cells
        .iter()
        .filter(|cell| cell.opens > 0 && !alive.is_dead(cell.process));
    // A worker has a cell for each of its open bars.
    let openers: BTreeSet<u16> = openers.map(|cell| cell.process.slot.0).collect();
    let counting: HashSet<ProcessId> = group
        .cells
        .iter()
        .map(|cell| cell.process)
        .filter(|process| !alive.is_dead(*process))
        .collect();
    bar.set_item(
        "desc",
        text(entry.and_then(|entry| entry.desc.get_string())),
    )?;
    bar.set_item("key", text(entry.and_then(|entry| entry.name.get_string())))?;
    bar.set_item("n", to_python(py, line.n)?)?;
    bar.set_item("total", total)?;
    bar.set_item("reduction", name_of(reduction))?;
    bar.set_item("openers", Vec::from_iter(openers))?;
    bar.set_item("counting", counting.len())?;
    Ok(bar)
}

/// The reduction as `reduce=` has it; a sum with one total is the job's counter.
const fn name_of(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Shards => "sum",
        Reduction::Job => "job",
        Reduction::Mean => "mean",
        Reduction::Min => "min",
        Reduction::Max => "max",
        Reduction::Rank(_) => "rank",
    }
}
