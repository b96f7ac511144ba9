//! Every interleaving of the protocols, with at most three processes, of which one dies at any step.
//!
//! A process is a thread, its death the end of the thread's work before some atomic operation (see
//! `mortal.rs`); the kernel, who tells the others, is [`Lives`]. Where a model is bounded, it says by
//! how many preemptions.

mod adopt;
mod current;
pub(crate) mod mortal;
mod open_close;
mod overflow;
mod owner;
mod process;
mod reuse;
mod text;

use std::sync::{Arc, Mutex};

use loom::model::Builder;
use mortal::{Memory, set_memory};

use crate::bar::{BarEntry, Opening};
use crate::bars::Bars;
use crate::cell::Cell;
use crate::cells::Cells;
use crate::process::{ProcessEntry, Processes};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::tag::{BarId, CellKey, Incarnation, Liveness, ProcessId, Rank, Slot};
use crate::value::Value;

/// The process that went before the model begins.
const DEAD: ProcessId = process(0);
/// Those that live in it.
const A: ProcessId = process(1);
const B: ProcessId = process(2);
const C: ProcessId = process(3);

const RANK: Rank = Rank(0);
/// The bar that stands first in the first place of the table.
const BAR: BarId = BarId {
    index: 0,
    generation: 0,
};
const KEY: CellKey = CellKey {
    bar: BAR,
    rank: RANK,
};

const fn process(slot: u16) -> ProcessId {
    ProcessId {
        slot: Slot(slot),
        incarnation: Incarnation(1),
    }
}

/// What the kernel knows: the last life of each slot that is over.
#[derive(Debug)]
struct Lives(Vec<AtomicU32>);

impl Lives {
    fn new() -> Self {
        Self((0..4).map(|_| AtomicU32::new(0)).collect())
    }

    /// The kernel drops a process's locks after the last thing that the process did.
    fn end(&self, process: ProcessId) {
        self.0[process.slot.0 as usize].store(process.incarnation.0, Ordering::Release);
    }

    /// Lets `me` live for so many steps; `None` if it died.
    fn live_for<T>(&self, steps: usize, me: ProcessId, life: impl FnOnce() -> T) -> Option<T> {
        let lived = mortal::live_for(steps, life);
        if lived.is_none() {
            self.end(me);
        }
        lived
    }
}

impl Liveness for Lives {
    fn is_dead(&self, process: ProcessId) -> bool {
        let over = &self.0[process.slot.0 as usize];
        over.load(Ordering::Acquire) >= process.incarnation.0
    }

    fn is_dead_actor(&self, slot: Slot, incarnation_low: u16) -> bool {
        self.is_dead(ProcessId {
            slot,
            incarnation: Incarnation(u32::from(incarnation_low)),
        })
    }
}

/// A segment with room for what one model needs.
#[derive(Debug)]
struct World {
    bars: Vec<BarEntry>,
    high_bars: AtomicU32,
    sequence: AtomicU64,
    current: AtomicU64,
    cells: Vec<Cell>,
    shared: usize,
    high_cells: AtomicU32,
    processes: Vec<ProcessEntry>,
    high_processes: AtomicU32,
    lives: Lives,
}

impl World {
    fn new(bars: usize, cells: usize) -> Self {
        Self {
            bars: (0..bars).map(|_| BarEntry::new()).collect(),
            high_bars: AtomicU32::new(0),
            sequence: AtomicU64::new(0),
            current: AtomicU64::new(0),
            cells: (0..cells).map(|_| Cell::new()).collect(),
            shared: 0,
            high_cells: AtomicU32::new(0),
            processes: (0..4).map(|_| ProcessEntry::new()).collect(),
            high_processes: AtomicU32::new(0),
            lives: Lives::new(),
        }
    }

    fn bars(&self) -> Bars<'_> {
        Bars {
            bars: &self.bars,
            high_water: &self.high_bars,
            sequence: &self.sequence,
            current: &self.current,
        }
    }

    fn cells(&self) -> Cells<'_> {
        Cells {
            cells: &self.cells,
            shared: self.shared,
            high_water: &self.high_cells,
        }
    }

    fn processes(&self) -> Processes<'_> {
        Processes {
            entries: &self.processes,
            high_water: &self.high_processes,
        }
    }

    /// A cell of `me`, for a bar that goes on.
    fn claim(&self, key: CellKey, me: ProcessId) -> Option<&Cell> {
        let claimed = self
            .cells()
            .claim(key, me, &self.lives, |_| false, |_| false)?;
        Some(claimed.cell)
    }

    /// What a reader would show for one bar.
    fn sum(&self, bar: BarId) -> i64 {
        let counted = self.cells().used().filter_map(Cell::read);
        let ours = counted.filter(|view| view.key.bar == bar);
        ours.map(|view| whole(view.n)).sum()
    }
}

fn whole(value: Value) -> i64 {
    match value {
        Value::Int(n) => n,
        Value::Float(n) => panic!("{n} was counted as a float"),
    }
}

/// Checks a model, with every number of preemptions or at most so many.
fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    for memory in [Memory::Weak, Memory::Exact] {
        let mut builder = Builder::new();
        builder.max_branches = 10_000;
        builder.preemption_bound = builder.preemption_bound.or(preemptions);
        set_memory(memory);
        let model = Arc::clone(&model);
        builder.check(move || model());
    }
}

/// Checks a model once for each step at which its victim can die: `model` gets the number of the step
/// and says whether the victim outlived it; the last number is one that it always outlives.
fn check_deaths(preemptions: Option<usize>, model: impl Fn(usize) -> bool + Send + Sync + 'static) {
    let model = Arc::new(model);
    for steps in 0.. {
        let died = Arc::new(Mutex::new(false));
        let (model, witness) = (Arc::clone(&model), Arc::clone(&died));
        check(preemptions, move || {
            if !model(steps) {
                *witness.lock().expect("no model panics while it holds it") = true;
            }
        });
        if !*died.lock().expect("as above") {
            return;
        }
    }
}

/// An unremarkable bar.
fn opening() -> Opening<'static> {
    Opening {
        path: 1,
        pass: 1,
        ..Opening::default()
    }
}

/// Another bar than [`opening`]'s.
fn other() -> Opening<'static> {
    Opening {
        path: 2,
        ..opening()
    }
}

/// A segment that threads share.
fn shared(world: World) -> loom::sync::Arc<World> {
    loom::sync::Arc::new(world)
}
