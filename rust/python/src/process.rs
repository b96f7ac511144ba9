//! This process in its job: attached at first use, again in every fork child.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use mp_tqdm_counters::sync::{AtomicPtr, AtomicU32, Ordering};
use mp_tqdm_counters::{
    Application, Cell, CellView, Error, Home, Incarnation, Liveness as _, ProcessId, ProcessView,
    Rank, Role, Rung, Slot,
};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::above::draws_on;
use crate::held::Held;
use crate::interrupt::is_own;
use crate::joining::{self, Turn};
use crate::locks::lock;
use crate::outputs::{Log, Manner, Stream, word_of};
use crate::stage::Stage;
use crate::{entries, hot, number, unfinished};

/// Everything that this process shares with its job, and its renderer. Made once in a process and
/// leaked, so that the count path may keep addresses into it; a fork child makes its own, because the
/// locks of the inherited one may be held by threads that the child does not have.
pub(crate) struct Process {
    pub(crate) home: Home,
    pub(crate) world: World,
    pub(crate) stage: Stage,
    pub(crate) held: Held,
    /// How often this process opened a bar at each path.
    passes: Mutex<HashMap<u64, u32>>,
    /// Where reports count while no bar is open and no cell of the segment is free.
    lost: &'static Cell,
    /// Whether `sys.stderr` of this process is where the job's lines go.
    is_on_output: bool,
    /// 1 once a report found no bar.
    has_lost: AtomicU32,
    /// 1 once a bar that reports could have reached was off.
    has_off_bar: AtomicU32,
    /// 1 once what other jobs left was removed.
    has_swept: AtomicU32,
}

/// The job's ranks, as the launcher tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) local_world: u32,
    pub(crate) world: u32,
    pub(crate) node: u32,
    pub(crate) nodes: u32,
}

/// The process that this one was forked from, if any: the last one that attached in this memory.
pub(crate) static LAST: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// How is drawn where nobody said anything.
const PLAIN: Manner = Manner {
    log: Log::Lines,
    has_colours: true,
    has_prompts: false,
};

/// Nanoseconds of the monotonic clock, which all processes of a machine share.
pub(crate) fn now_ns() -> u64 {
    u64::try_from(mp_tqdm_render::monotonic().as_nanos()).unwrap_or(u64::MAX)
}

impl Process {
    /// Counts one more opening at `path`; workers do not number theirs.
    pub(crate) fn pass(&self, path: u64) -> u32 {
        if self.home.role == Role::Worker {
            return 0;
        }
        self.next_pass(path)
    }

    fn next_pass(&self, path: u64) -> u32 {
        let mut passes = lock(&self.passes);
        let pass = passes.entry(path).or_insert(0);
        *pass = pass.wrapping_add(1).max(1);
        *pass
    }

    /// As [`Process::pass`], for a bar that is this process's alone.
    pub(crate) fn pass_apart(&self, path: u64) -> (u64, u32) {
        let me = self.home.me.pack() + 1;
        let path = path ^ me.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (path, self.next_pass(path))
    }

    /// How often this process opened a bar at `path`.
    pub(crate) fn passed(&self, path: u64) -> u32 {
        lock(&self.passes).get(&path).copied().unwrap_or(0)
    }

    /// Whether this process may come to draw: it is no worker, or works for a program that does not
    /// draw itself.
    pub(crate) fn may_draw(&self) -> bool {
        let home = &self.home;
        let is_there = home.me != ProcessId::NONE;
        is_there && (home.role != Role::Worker || self.is_on_output && !self.head_draws())
    }

    /// Whether a bar on this stream is drawn apart: a worker's, where the job's lines go elsewhere. No
    /// terminal has two who draw on it.
    pub(crate) fn is_apart(&self, stream: Option<Stream>) -> bool {
        let output = self.home.tables.header.output.load(Ordering::Relaxed);
        let (word, device) = word_of(stream);
        self.home.role == Role::Worker && word != output && !draws_on(device)
    }

    /// Removes what other jobs left, if this process is the one to do it and has not.
    pub(crate) fn sweep(&self) {
        let is_done = &self.has_swept;
        if is_done.load(Ordering::Relaxed) == 0 && is_done.swap(1, Ordering::Relaxed) == 0 {
            self.home.sweep();
        }
    }

    /// Whether the root or a rank draws, or comes back to it: it would have ended its ownership.
    fn head_draws(&self) -> bool {
        let home = &self.home;
        let is_head = |view: ProcessView| view.role != Role::Worker;
        home.tables.ownership().owner().is_some_and(|owner| {
            let view = home.tables.processes().view(owner.process);
            view.is_some_and(is_head) && !home.liveness().is_dead(owner.process)
        })
    }

    /// Whether that process has a bar open.
    pub(crate) fn has_open_bar(&self, id: ProcessId) -> bool {
        let cells = self.home.tables.cells();
        let has_one = |cell: CellView| cell.process == id && cell.opens > 0;
        cells.used().filter_map(Cell::read).any(has_one)
    }

    /// Whether a worker is there, who may open a bar. (Who followed its workers stands there as one.)
    pub(crate) fn has_workers(&self) -> bool {
        let (me, alive) = (self.home.me, self.home.liveness());
        let is_worker = |view: ProcessView| {
            view.role == Role::Worker && view.id != me && !alive.is_dead(view.id)
        };
        self.home.tables.processes().views().any(is_worker)
    }

    /// Whether it draws as soon as it is there: the root, or local rank 0.
    pub(crate) fn is_first(&self) -> bool {
        self.home.role != Role::Worker
            && self.home.me != ProcessId::NONE
            && self.home.rank == Rank(0)
    }

    /// The number of the next frame that the job draws, from 1.
    pub(crate) fn frame(&self) -> u64 {
        let frames = &self.home.tables.header.frames;
        frames.load(Ordering::Relaxed).wrapping_add(1)
    }

    /// The order of this process among those whose texts a line could show.
    pub(crate) fn order(&self) -> u32 {
        match self.home.role {
            Role::Worker => 1 << 16 | u32::from(self.home.me.slot.0),
            _ => u32::from(self.home.rank.0),
        }
    }

    /// Where reports count while no bar is open, and whether other processes count there too.
    pub(crate) fn lost_cell(&'static self) -> (&'static Cell, bool) {
        let home = &self.home;
        if self.has_lost.swap(1, Ordering::Relaxed) == 0 {
            home.tables.note_losers(1);
        }
        self.claim_lost()
    }

    fn claim_lost(&'static self) -> (&'static Cell, bool) {
        let home = &self.home;
        let claimed = home.tables.claim_lost(home.rank, home.me, &home.liveness());
        claimed.map_or((self.lost, false), |claimed| (claimed.cell, claimed.shared))
    }
}

/// The attached process; attaches first where that has not happened yet. `None` only where the
/// machine has no memory left.
///
/// `mp_tqdm._job.attach` knows who belongs together; whatever goes wrong there, the process counts for
/// itself.
///
/// # Errors
///
/// An interrupt that came meanwhile; the next call goes on.
pub(crate) fn attached(py: Python<'_>) -> PyResult<Option<&'static Process>> {
    let process = attached_unswept(py)?;
    if let Some(process) = process {
        process.sweep();
    }
    Ok(process)
}

/// As [`attached`], for what has to be seen at once: the caller sweeps behind it.
pub(crate) fn attached_unswept(py: Python<'_>) -> PyResult<Option<&'static Process>> {
    if let Some(process) = hot::process()
        && !joining::is_under_way()
    {
        return Ok(Some(process));
    }
    match join_unswept(py, false) {
        Err(error) if !is_own(py, &error) => return Err(error),
        Err(error) => hot::ignore(py, error),
        Ok(()) => {}
    }
    // No Python code runs from this look on.
    Ok(hot::process().or_else(|| {
        let pid = std::process::id();
        let alone = Application {
            job: u64::from(pid),
            role: Role::Root,
            rank: Rank(0),
            parent: None,
            pid,
            directories: Vec::new(),
        };
        let world = World {
            local_world: 1,
            world: 1,
            node: 0,
            nodes: 1,
        };
        Some(settle(
            Home::attach_unswept(&alone).ok()?,
            world,
            None,
            PLAIN,
        ))
    }))
}

/// Says where the job's lines go, which the root and the ranks know best; whether it is this file.
fn note_output(home: &Home, mine: u64) -> bool {
    let output = &home.tables.header.output;
    if home.role != Role::Worker {
        if home.rank == Rank(0) {
            output.store(mine, Ordering::Relaxed);
        }
        return true;
    }
    match output.compare_exchange(0, mine, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => true,
        Err(known) => known == mine,
    }
}

/// Attaches this process, unless that is done: in one step, whoever else wants to meanwhile.
#[pyfunction]
#[pyo3(signature = (*, follows_workers=false))]
pub(crate) fn join(py: Python<'_>, follows_workers: bool) -> PyResult<()> {
    join_unswept(py, follows_workers)?;
    if let Some(process) = hot::process() {
        process.sweep();
    }
    Ok(())
}

fn join_unswept(py: Python<'_>, follows_workers: bool) -> PyResult<()> {
    // This comes before the turn and the warnings behind it: both may run the program's own code.
    let job = hot::import(py, c"mp_tqdm._job")?;
    let follows_workers = PyBool::new(py, follows_workers).to_owned().into_any();
    loop {
        joining::wait(py)?;
        if hot::process().is_some() {
            return Ok(());
        }
        let turn = Turn::take();
        let warnings = hot::call_method(&job, "attach", &[&follows_workers]);
        let was_mine = joining::is_mine();
        drop(turn);
        hot::call_method(&job, "warn", &[&warnings?])?;
        if was_mine {
            return Ok(());
        }
    }
}

fn settle(home: Home, world: World, stream: Option<Stream>, manner: Manner) -> &'static Process {
    let lost: &'static Cell = Box::leak(Box::new(Cell::new()));
    let (word, _) = word_of(stream);
    let is_on_output = note_output(&home, word);
    let stage = Stage::new(&home, stream.map(|stream| (stream, word)), manner);
    let process: &'static Process = Box::leak(Box::new(Process {
        home,
        world,
        stage,
        held: Held::default(),
        passes: Mutex::new(HashMap::new()),
        lost,
        is_on_output,
        has_lost: AtomicU32::new(0),
        has_off_bar: AtomicU32::new(0),
        has_swept: AtomicU32::new(0),
    }));
    process
        .home
        .tables
        .header
        .local_world
        .store(world.local_world, Ordering::Relaxed);
    LAST.store(std::ptr::from_ref(process).cast_mut(), Ordering::Release);
    hot::set_process(process);
    process
}

/// At import: the report entry, and what has to happen at exit.
pub(crate) fn start() -> PyResult<()> {
    static HAS_LEFT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn at_exit() {
        if HAS_LEFT.swap(1, Ordering::Relaxed) == 1 {
            return;
        }
        unfinished::at_exit();
        if let Some(process) = hot::process() {
            process.stage.finish(process);
            process.stage.stop();
            process.home.leave();
        }
    }
    let Some(entry) = entries::take() else {
        return Err(PyRuntimeError::new_err(
            "mp_tqdm: no memory for a page of counters",
        ));
    };
    hot::set_report_entry(entry);
    hot::at_finalize(at_exit);
    // Where somebody calls `exit` past Python.
    mp_tqdm_counters::at_exit(at_exit);
    Ok(())
}

/// Whether this process is attached to a job; it is not before it counts.
#[pyfunction]
pub(crate) fn is_attached() -> bool {
    hot::process().is_some()
}

/// The process that this one was forked from: `(slot, incarnation, rank, job)`, or `None`.
#[pyfunction]
pub(crate) fn inherited() -> Option<(u16, u32, u16, u64)> {
    if hot::process().is_some() {
        return None;
    }
    let home = &hot::process_at(&LAST)?.home;
    Some((home.me.slot.0, home.me.incarnation.0, home.rank.0, home.job))
}

/// Attaches this process to a job: `(place, refusals, dropped)`, or the id of the process that holds
/// the rank already, or `None` where that is done, or no longer this thread's to do.
#[pyfunction]
#[pyo3(signature = (job, role, rank, *, parent=None, directories, world, stream=None, log="lines", colours=true, interactive=false, inherit=false, first=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call a process, all by keyword"
)]
pub(crate) fn attach(
    py: Python<'_>,
    job: u64,
    role: &str,
    rank: u16,
    parent: Option<(u16, u32)>,
    directories: Vec<PathBuf>,
    world: (u32, u32, u32, u32),
    stream: Option<Stream>,
    log: &str,
    colours: bool,
    interactive: bool,
    inherit: bool,
    first: Option<(u32, u64)>,
) -> PyResult<Py<PyAny>> {
    let log = match log {
        "lines" => Log::Lines,
        "json" => Log::Json,
        _ => return Err(PyValueError::new_err("log should be lines or json")),
    };
    let follows_workers = role == "follower";
    let role = match role {
        "root" => Role::Root,
        "rank" => Role::Rank,
        "worker" | "follower" => Role::Worker,
        _ => {
            let text = "role should be root, rank, worker or follower";
            return Err(PyValueError::new_err(text));
        }
    };
    let parent = parent.map(|(slot, incarnation)| ProcessId {
        slot: Slot(slot),
        incarnation: Incarnation(incarnation),
    });
    let rank = Rank(rank);
    let application = Application {
        job,
        role,
        rank,
        parent,
        pid: std::process::id(),
        directories,
    };
    // From here until the process is attached no Python code runs, and no other thread.
    if hot::process().is_some() || !joining::is_mine() {
        return Ok(py.None());
    }
    let forked_from = hot::process_at(&LAST).filter(|_| inherit);
    let home = match forked_from.map(|from| from.home.attach_inherited(&application)) {
        Some(Ok(home)) => Ok(home),
        _ => Home::attach_unswept(&application),
    };
    let home = match home {
        // It went on in what workers left, as a worker does; it draws and cleans up as their parent.
        Ok(mut home) if follows_workers => {
            home.role = Role::Root;
            home
        }
        Ok(home) => home,
        Err(Error::RankTaken { pid, .. }) => return Ok(pid.into_pyobject(py)?.into_any().unbind()),
        Err(error) => return Err(PyRuntimeError::new_err(format!("mp_tqdm: {error}"))),
    };
    if let Some((pid, start)) = first {
        home.await_first(pid, start);
    }
    let (local_world, world, node, nodes) = world;
    let world = World {
        local_world,
        world,
        node,
        nodes,
    };
    let manner = Manner {
        log,
        has_colours: colours,
        has_prompts: interactive,
    };
    let home = &settle(home, world, stream, manner).home;
    let place = match &home.rung {
        Rung::File(path) => path.display().to_string(),
        Rung::Memfd => "memfd".to_owned(),
        Rung::Private => "private".to_owned(),
    };
    let refusals: Vec<String> = home
        .refused
        .iter()
        .map(|(path, error)| format!("{}: {error}", path.display()))
        .collect();
    let is_apart = home.refused.iter().any(|(_, error)| error.is_about_name());
    let dropped = (
        number::to_python(py, home.dropped.items)?,
        home.dropped.processes,
    );
    let place = (home.me.slot.0, home.me.incarnation.0, place);
    // Here, since a signal handler may ask for it as soon as Python code goes on.
    hot::import(py, c"mp_tqdm._job")?.setattr("_place", &place)?;
    let answer = (place, (refusals, is_apart), dropped);
    Ok(answer.into_pyobject(py)?.into_any().unbind())
}

/// Counts a bar that is off: its pass keeps the numbering of the ranks in step.
#[pyfunction]
pub(crate) fn note_pass(py: Python<'_>, path: u64, reportable: bool) -> PyResult<()> {
    if let Some(process) = attached(py)? {
        process.pass(path);
        if reportable {
            process.has_off_bar.store(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Whether this process is the first of its job to say something, of which this is the hash.
#[pyfunction]
pub(crate) fn note_said(py: Python<'_>, text_hash: u64) -> PyResult<bool> {
    let process = attached(py)?;
    Ok(process.is_none_or(|process| process.home.tables.note_said(text_hash)))
}

/// Notes what this job lost in a leftover that this process replaced.
#[pyfunction]
pub(crate) fn add_lost(items: &Bound<'_, PyAny>, processes: u32) -> PyResult<()> {
    if let Some(process) = hot::process()
        && let Some(items) = number::value_of(items)?
    {
        process.home.tables.note_losers(processes);
        process.claim_lost().0.add_value(items);
    }
    Ok(())
}

/// What the job lost: items, processes, and whether a bar of this process was off meanwhile.
#[pyfunction]
pub(crate) fn lost_reports(py: Python<'_>) -> PyResult<Option<(Py<PyAny>, u32, bool)>> {
    let Some(process) = hot::process() else {
        return Ok(None);
    };
    let lost = process.home.tables.lost();
    let items = number::to_python(py, lost.items)?;
    let is_off = process.has_off_bar.load(Ordering::Relaxed) != 0;
    Ok(Some((items, lost.processes, is_off)))
}

/// Takes the lines off the terminals of this process and draws none until `unhold`, at most a second.
#[pyfunction]
pub(crate) fn hold(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.hold(process));
    }
}

/// Ends the renderer's thread until a bar opens or closes: at the end nothing has to wait for it, while
/// other threads may run on in an interpreter that is gone.
#[pyfunction]
pub(crate) fn stop_drawing(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.stop());
    }
}

/// Draws again after `hold`.
#[pyfunction]
pub(crate) fn unhold(py: Python<'_>) {
    if let Some(process) = hot::process() {
        py.detach(|| process.stage.unhold());
    }
}

/// Whether the terminals and files of this process took all that was drawn there.
#[pyfunction]
pub(crate) fn is_read() -> bool {
    hot::process().is_none_or(|process| process.stage.is_read())
}
