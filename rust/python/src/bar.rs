//! One bar as this process has it: what it opened, where it counts, what it reads.

use std::sync::{Arc, Mutex};

use mp_tqdm_counters::sync::{AtomicU32, AtomicU64, Ordering};
use mp_tqdm_counters::{
    BY_WORKERS, BarEntry, BarId, BarView, Cell, CellKey, CellView, HotEntry, Identity, Joined,
    Opening, REPORTABLE, Role, Value,
};
use pyo3::{PyResult, Python};

use crate::locks::lock;
use crate::process::{Process, attached, now_ns};
use crate::traits::{APART, SELF_DRAWN, shared_traits};
use crate::{entries, hot};

mod here;
mod numbers;
mod pointing;

use here::Here;

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
    maker: &'static Process,
    is_copy: bool,
    /// Drawn by Python code, which has to hear of each count: no count takes the hot path.
    pub(crate) is_self_drawn: bool,
    /// Drawn by the worker that opened it, and by nobody else.
    pub(crate) is_apart: bool,
    /// Counts where there is no cell in the segment, and after the end.
    own: &'static Cell,
    /// The cell that the maker's handle was opened in, and whether others count there too; the same of a
    /// copy, which counts there as well if it is in the maker's process.
    opened_in: Option<(&'static Cell, bool)>,
    /// The cell of the segment that the entry points at; see `held.rs`. The entry is written under this
    /// lock.
    points_at: Mutex<Option<&'static Cell>>,
    /// 1 while Python code has it switched off: each count is a cold one then, and goes nowhere.
    off: AtomicU32,
    state: Mutex<State>,
    here: Mutex<Here>,
    /// Held while n is read or set, and for the last look at it: another thread may end the bar, and
    /// each of these comes before the end or behind it.
    ending: Mutex<()>,
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
}

impl State {
    fn new(total: Option<Value>, initial: Value) -> Self {
        Self {
            total,
            initial,
            base: Value::ZERO,
            closed: None,
        }
    }
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
        let (bars, cells, alive) = (home.tables.bars(), home.tables.cells(), home.liveness());
        let is_worker = home.role == Role::Worker;
        let is_taken = |cell: &Cell| is_worker && process.held.is_used(cell);
        let joined = bars
            .open(&cells, opening, home.rank, home.me, &alive)
            .map(|joined| bars.move_beside(&cells, joined, home.rank, home.me, &alive, is_taken));
        let mut state = State::new(total, initial);
        let opened_in = joined.map(|Joined { claimed, .. }| (claimed.cell, claimed.shared));
        if let Some(Joined { id, claimed }) = joined {
            process.held.note(&claimed);
            if is_worker && !claimed.shared {
                state.base = claimed.cell.n();
                process.held.begin_alone(id, claimed.cell, opening.traits);
            }
            claimed.cell.open(total, initial, opening.now_ns);
            claimed.cell.set_wishes(wishes.0, wishes.1);
        }
        let core = Self {
            entry: match before {
                Some(before) => Arc::clone(&before.entry),
                None => Entry::new()?,
            },
            job: home.job,
            id: joined.map(|joined| joined.id),
            identity: Identity {
                path: opening.path,
                pass: opening.pass,
            },
            maker: process,
            is_copy: false,
            is_self_drawn: opening.traits & SELF_DRAWN != 0,
            is_apart: opening.traits & APART != 0,
            own: fresh_cell(),
            opened_in,
            points_at: Mutex::new(None),
            off: AtomicU32::new(0),
            state: Mutex::new(state),
            here: Mutex::new(Here::new(process)),
            ending: Mutex::new(()),
        };
        match opened_in {
            Some((_, true)) => hot::forget_cell(core.entry()),
            Some((cell, false)) => core.point_at(process, cell),
            None => core.point_nowhere(),
        }
        Some(Arc::new(core))
    }

    /// A copy of a bar that another process, or this one, has open.
    pub(crate) fn copy(
        process: &'static Process,
        job: u64,
        id: Option<BarId>,
        identity: Identity,
        beside: Option<u16>,
        numbers: (Option<Value>, Value),
    ) -> Option<Arc<Self>> {
        let (total, initial) = numbers;
        let of = beside.and_then(|number| process.home.tables.cells().get(number));
        Some(Arc::new(Self {
            entry: Entry::new()?,
            job,
            id,
            identity,
            maker: process,
            is_copy: true,
            is_self_drawn: false,
            is_apart: false,
            own: fresh_cell(),
            opened_in: of.map(|cell| (cell, false)),
            points_at: Mutex::new(None),
            off: AtomicU32::new(0),
            state: Mutex::new(State::new(total, initial)),
            here: Mutex::new(Here::new(process)),
            ending: Mutex::new(()),
        }))
    }

    pub(crate) fn entry(&self) -> &'static HotEntry {
        self.entry.0
    }

    /// Whether closing this handle may end the bar.
    pub(crate) fn is_makers(&self, process: &Process) -> bool {
        !self.is_copy && std::ptr::eq(self.maker, process)
    }

    /// The number of the cell that the maker's handle was opened in.
    pub(crate) fn opened_as(&self) -> Option<u16> {
        let (cell, shared) = self.opened_in?;
        let process = hot::process().filter(|_| !shared)?;
        process.home.tables.cells().number_of(cell)
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed.is_some()
    }

    /// The cell of this process in the bar, claimed if need be, and whether others share it.
    fn cell(&self, process: &'static Process) -> (&'static Cell, bool) {
        if let Some(cell) = hot::cell_kept(self.entry()) {
            return (cell, false);
        }
        if let Some(opened_in) = self.opened_in
            && self.is_makers(process)
            && !self.is_closed()
        {
            return opened_in;
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
                if let Some((cell, _)) = self.opened_in
                    && process.held.is_alone(cell)
                    && cell.key() == Some(key)
                {
                    return Some((cell, false));
                }
                let is_taken = |cell: &Cell| process.held.is_alone(cell);
                let alive = home.liveness();
                let claimed = bars.attach_beside(&cells, key, home.me, &alive, is_taken)?;
                process.held.note(&claimed);
                Some((claimed.cell, claimed.shared))
            });
        match found {
            Some((cell, true)) => (cell, true),
            Some((cell, false)) => {
                self.point_at(process, cell);
                (cell, false)
            }
            None => {
                self.point_nowhere();
                (self.own, false)
            }
        }
    }

    /// Counts `n`, not on the hot path. True where others count in the same cell.
    fn add(&self, process: &'static Process, n: Value) -> bool {
        let (cell, shared) = self.cell(process);
        cell.add_value(n);
        if !shared {
            self.warm_again(cell);
        }
        let mut here = lock(&self.here);
        let here = here.of(process);
        here.count();
        if shared {
            here.in_shared = here.in_shared + n;
        }
        shared
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

    /// The bar's entry in the segment, for texts, unless it is over here.
    pub(crate) fn texts(&self, process: &'static Process) -> Option<&'static BarEntry> {
        let id = self.id.filter(|_| self.job == process.home.job)?;
        let entry = process.home.tables.bars().entry(id)?;
        (!self.is_closed()).then_some(entry)
    }

    /// Hands a packed postfix to whoever draws. Returns what then holds there, if it is this one.
    pub(crate) fn set_postfix(&self, process: &'static Process, packed: &[u8]) -> Option<u64> {
        let home = &process.home;
        self.texts(process)?
            .set_postfix(packed, process.order(), home.me, &home.liveness())
    }

    /// Ends this handle: counts that come later go nowhere. Returns what n read last.
    pub(crate) fn seal(&self, process: &'static Process) -> Value {
        let _ending = lock(&self.ending);
        let ends = self.ends(process);
        lock(&self.state).closed = Some(ends);
        ends.0
    }

    /// After [`BarCore::seal`] and after the last line: gives the cell up, and ends the bar if nobody
    /// else has it open. True if the bar is over.
    pub(crate) fn part(&self, process: &'static Process) -> bool {
        // From here on counts of this process go to the private cell, and so to nobody.
        self.point_nowhere();
        let Some(id) = self.id.filter(|_| process.home.job == self.job) else {
            return true;
        };
        let home = &process.home;
        let (bars, cells, alive) = (home.tables.bars(), home.tables.cells(), home.liveness());
        let view = bars.view(id);
        if !self.is_makers(process) {
            // A copy: what it counted stays, and so does its cell, which is this process's.
            return view.is_none();
        }
        let left = self.opened_in.map_or(0, |(cell, _)| cell.close(now_ns()));
        if view.is_some_and(|view| view.has(REPORTABLE)) {
            bars.turn_current();
        }
        if let Some((cell, _)) = self.opened_in {
            // It stays this process's: to another one it could lose a count that a thread is about to
            // make. The next bar of this worker goes on in it.
            process.held.end_alone(cell);
        }
        let is_shards = view.is_some_and(|view| view.has(BY_WORKERS));
        !is_shards && left == 0 && bars.try_end(&cells, id, home.me, &alive)
    }
}

impl Drop for BarCore {
    fn drop(&mut self) {
        if let (Some(cell), Some(process)) = (lock(&self.points_at).take(), hot::process()) {
            process.held.remove(cell);
        }
        lock(&OWN_CELLS).push(self.own);
    }
}

fn fresh_cell() -> &'static Cell {
    match lock(&OWN_CELLS).pop() {
        Some(cell) => {
            cell.clear();
            cell
        }
        None => Box::leak(Box::new(Cell::new())),
    }
}

/// A count that the hot path could not do: the first one, the first after a fork or after a frame, a
/// float, a huge one. True if a frame was drawn since the last such call.
pub(crate) fn count_cold(py: Python<'_>, core: &BarCore, n: Value) -> PyResult<bool> {
    if core.is_off() {
        return Ok(false);
    }
    let Some(process) = attached(py)? else {
        return Ok(false);
    };
    let drawn = {
        let frames = FRAMES.load(Ordering::Relaxed);
        core.entry().seen.swap(frames, Ordering::Relaxed) != frames
    };
    let shared = core.add(process, n);
    Ok(drawn && !shared && !core.is_self_drawn && !core.is_closed())
}
