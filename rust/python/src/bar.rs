//! One bar as this process has it: what it opened, where it counts, what it reads.

use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use mp_tqdm_counters::sync::{AtomicU64, Ordering};
use mp_tqdm_counters::{
    BY_WORKERS, BarId, BarView, Cell, CellKey, CellView, HotEntry, Identity, Opening, ProcessId,
    REPORTABLE, Role, Value,
};
use pyo3::{PyResult, Python};

use crate::process::{Process, attached, lock, now_ns};
use crate::traits::{APART, SELF_DRAWN, shared_traits};
use crate::{entries, hot};

mod numbers;

/// Frames that this process drew: `update` returns True on the first call after one.
pub(crate) static FRAMES: AtomicU64 = AtomicU64::new(0);

/// The hot entry of a bar, kept from number to number (`reset`): an iterator that runs meanwhile has
/// its address, and would count for whoever got it next.
struct Entry(&'static HotEntry);

impl Entry {
    fn new() -> Option<Arc<Self>> {
        Some(Arc::new(Self(entries::take()?)))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        entries::give(self.0);
    }
}

/// A bar in this process. The handle that the constructor made may close it; a pickled or inherited
/// copy only counts.
pub(crate) struct BarCore {
    entry: Arc<Entry>,
    /// Hash of the job key that `id` belongs to.
    pub(crate) job: u64,
    /// `None` where the bar table was full: the bar counts for this process alone.
    pub(crate) id: Option<BarId>,
    pub(crate) identity: Identity,
    /// The process whose handle this is; another one (a fork child) has a copy.
    maker: ProcessId,
    is_copy: bool,
    /// Drawn by Python code, which has to hear of each count: no count takes the hot path.
    pub(crate) is_self_drawn: bool,
    /// Drawn by the worker that opened it, and by nobody else.
    pub(crate) is_apart: bool,
    /// Counts where there is no cell in the segment, and after the end.
    own: &'static Cell,
    /// The cell of the segment that the entry points at; see `held.rs`.
    points_at: Mutex<Option<&'static Cell>>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    total: Option<Value>,
    initial: Value,
    /// What the cell read when a worker's handle opened: the tasks before it are not this handle's. (A
    /// rank's bar is a new one, its cell too.)
    base: Value,
    /// What n and this process's own part of it read at the end.
    closed: Option<(Value, Value)>,
    /// The part of n that others counted, at this thread's last look.
    last_read: Option<(ThreadId, Value)>,
}

/// Cells of bars that have none in a segment, used again and again: their addresses stay cached in
/// iterators that outlive the bar.
static OWN_CELLS: Mutex<Vec<&'static Cell>> = Mutex::new(Vec::new());

impl BarCore {
    /// Opens a bar; `before` is the number that it follows (`reset`).
    pub(crate) fn open(
        process: &'static Process,
        opening: &Opening<'_>,
        total: Option<Value>,
        initial: Value,
        wishes: (u32, Option<u32>),
        before: Option<&Self>,
    ) -> Option<Arc<Self>> {
        let home = &process.home;
        process.held.collect(home);
        let (bars, cells) = (home.tables.bars(), home.tables.cells());
        let joined = bars.open(&cells, opening, home.rank, home.me, &home.liveness());
        let mut state = State {
            total,
            initial,
            base: Value::ZERO,
            closed: None,
            last_read: None,
        };
        let identity = Identity {
            path: opening.path,
            pass: opening.pass,
        };
        let core = |state, id, own| {
            Some(Self {
                entry: match before {
                    Some(before) => Arc::clone(&before.entry),
                    None => Entry::new()?,
                },
                job: home.job,
                id,
                identity,
                maker: home.me,
                is_copy: false,
                is_self_drawn: opening.traits & SELF_DRAWN != 0,
                is_apart: opening.traits & APART != 0,
                own,
                points_at: Mutex::new(None),
                state: Mutex::new(state),
            })
        };
        let own = fresh_cell();
        let Some(joined) = joined else {
            let core = core(state, None, own)?;
            core.warm(own);
            return Some(Arc::new(core));
        };
        process.held.note(&joined.claimed);
        let cell = joined.claimed.cell;
        if home.role == Role::Worker {
            state.base = cell.n();
        }
        cell.open(total, initial, opening.now_ns);
        cell.set_wishes(wishes.0, wishes.1);
        let core = core(state, Some(joined.id), own)?;
        if !joined.claimed.shared {
            core.point_at(process, cell);
        }
        Some(Arc::new(core))
    }

    /// A copy of a bar that another process, or this one, has open.
    pub(crate) fn copy(
        process: &'static Process,
        job: u64,
        id: Option<BarId>,
        identity: Identity,
        numbers: (Option<Value>, Value),
    ) -> Option<Arc<Self>> {
        let (total, initial) = numbers;
        let state = State {
            total,
            initial,
            base: Value::ZERO,
            closed: None,
            last_read: None,
        };
        Some(Arc::new(Self {
            entry: Entry::new()?,
            job,
            id,
            identity,
            maker: process.home.me,
            is_copy: true,
            is_self_drawn: false,
            is_apart: false,
            own: fresh_cell(),
            points_at: Mutex::new(None),
            state: Mutex::new(state),
        }))
    }

    pub(crate) fn entry(&self) -> &'static HotEntry {
        self.entry.0
    }

    fn warm(&self, cell: &'static Cell) {
        let frames = FRAMES.load(Ordering::Relaxed);
        // One off where every count is to be a cold one.
        hot::warm(
            self.entry.0,
            cell,
            &FRAMES,
            frames.wrapping_sub(u64::from(self.is_self_drawn)),
        );
    }

    /// Lets counts go to a cell of the segment.
    fn point_at(&self, process: &Process, cell: &'static Cell) {
        process.held.add(cell);
        let before = lock(&self.points_at).replace(cell);
        self.warm(cell);
        if let Some(before) = before {
            process.held.remove(before);
        }
    }

    /// Lets counts go to the private cell, and so to nobody.
    fn point_nowhere(&self) {
        self.warm(self.own);
        self.let_go();
    }

    fn let_go(&self) {
        if let (Some(cell), Some(process)) = (lock(&self.points_at).take(), hot::process()) {
            process.held.remove(cell);
        }
    }

    /// Whether closing this handle may end the bar.
    pub(crate) fn is_makers(&self, process: &Process) -> bool {
        !self.is_copy && self.maker == process.home.me
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed.is_some()
    }

    /// The cell of this process in the bar, claimed if need be, and whether others share it.
    fn cell(&self, process: &'static Process) -> (&'static Cell, bool) {
        if let Some(cell) = hot::cell_of(self.entry.0) {
            return (cell, false);
        }
        let home = &process.home;
        let found = self
            .id
            .filter(|_| home.job == self.job && !self.is_closed())
            .and_then(|id| {
                let key = CellKey {
                    bar: id,
                    rank: home.rank,
                };
                let bars = home.tables.bars();
                if bars.has_ended(id) {
                    return None;
                }
                let cells = home.tables.cells();
                // Cells of bars that are over are given back when the next one is taken, and by nobody
                // but their process: no count of it can land in a cell that became another's.
                process.held.collect(home);
                let claimed = bars.attach(&cells, key, home.me, &home.liveness())?;
                process.held.note(&claimed);
                Some(claimed)
            });
        match found {
            Some(claimed) if claimed.shared => (claimed.cell, true),
            Some(claimed) => {
                self.point_at(process, claimed.cell);
                (claimed.cell, false)
            }
            None => {
                self.point_nowhere();
                (self.own, false)
            }
        }
    }

    pub(crate) fn view(&self, process: &Process) -> Option<BarView> {
        self.id
            .filter(|_| process.home.job == self.job)
            .and_then(|id| process.home.tables.bars().view(id))
    }

    /// The traits of this process's entry, with what is known of the bar by any entry of it: reports
    /// may all have gone to another one.
    fn traits(&self, process: &Process) -> u32 {
        let own = self.view(process).map_or(0, |view| view.traits);
        let all = process.home.tables.bars().views_of(self.identity);
        all.fold(own, |traits, view| shared_traits(traits, view.traits))
    }

    /// Whether one cell alone counts in the bar, and that is this process's.
    pub(crate) fn is_alone(&self, process: &Process) -> bool {
        let entry = self.id.and_then(|id| process.home.tables.bars().entry(id));
        !self.is_copy && entry.is_some_and(|entry| entry.cells() <= 1 && entry.is_whole())
    }

    /// The cells of the bar, of all entries that stand for it.
    pub(crate) fn views(&self, process: &Process) -> Vec<CellView> {
        let (bars, cells) = (process.home.tables.bars(), process.home.tables.cells());
        let same: Vec<BarId> = bars.views_of(self.identity).map(|view| view.id).collect();
        cells
            .used()
            .filter_map(Cell::read)
            .filter(|cell| same.contains(&cell.key.bar))
            .collect()
    }

    /// Ends this handle: counts that come later go nowhere. Returns what n read last.
    pub(crate) fn seal(&self, process: &'static Process) -> Value {
        let ends = (self.n(process), self.n_own(process));
        lock(&self.state).closed = Some(ends);
        ends.0
    }

    /// After [`BarCore::seal`] and after the last line: gives the cell up, and ends the bar if nobody
    /// else has it open. True if the bar is over.
    pub(crate) fn part(&self, process: &'static Process) -> bool {
        let Some(id) = self.id.filter(|_| process.home.job == self.job) else {
            self.point_nowhere();
            return true;
        };
        let cell = hot::cell_of(self.entry.0).filter(|cell| !std::ptr::eq(*cell, self.own));
        // From here on counts of this process go to the private cell, and so to nobody.
        self.point_nowhere();
        let home = &process.home;
        let (bars, cells, alive) = (home.tables.bars(), home.tables.cells(), home.liveness());
        let Some(view) = bars.view(id) else {
            return true;
        };
        if !self.is_makers(process) {
            // A copy: what it counted stays, its cell waits for the next process. It may be the cell
            // of another handle of this process, or of its reports: then it stays in use.
            return false;
        }
        let left = cell.map_or(0, |cell| cell.close(now_ns()));
        let is_shards = view.has(BY_WORKERS);
        if is_shards && left == 0 {
            // The next task goes on in this cell; what has been counted stays in the line.
            // Unless a copy of the bar counts into it here: two processes in one cell lose counts.
            if let Some(cell) = cell.filter(|cell| !process.held.has(cell)) {
                cell.release(home.me);
            }
        }
        if view.has(REPORTABLE) {
            bars.turn_current();
        }
        !is_shards && left == 0 && bars.try_end(&cells, id, home.me, &alive)
    }
}

impl Drop for BarCore {
    fn drop(&mut self) {
        self.let_go();
        lock(&OWN_CELLS).push(self.own);
    }
}

fn fresh_cell() -> &'static Cell {
    match lock(&OWN_CELLS).pop() {
        Some(cell) => {
            let n = cell.n();
            cell.add_value(Value::ZERO - n);
            cell
        }
        None => Box::leak(Box::new(Cell::new())),
    }
}

/// A count that the hot path could not do: the first one, the first after a fork or after a frame, a
/// float, a huge one. True if a frame was drawn since the last such call.
pub(crate) fn count_cold(py: Python<'_>, core: &BarCore, n: Value) -> PyResult<bool> {
    let Some(process) = attached(py)? else {
        return Ok(false);
    };
    let (cell, shared) = core.cell(process);
    cell.add_value(n);
    if shared || core.is_self_drawn || core.is_closed() {
        return Ok(false);
    }
    let frames = FRAMES.load(Ordering::Relaxed);
    let drawn = core.entry.0.seen.load(Ordering::Relaxed) != frames;
    core.entry.0.seen.store(frames, Ordering::Relaxed);
    Ok(drawn)
}
