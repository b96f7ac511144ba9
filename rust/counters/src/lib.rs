//! Lock-free counters of one job, in memory shared by its processes.
//!
//! A *segment* holds the counters of all processes of one program on one node. A *bar* is one line of
//! progress, a *cell* the counters of one process in one bar: written by that process alone, with plain
//! stores, read by all. Nothing is shared but atomics, so no process can hold up another, whatever
//! happens to it; who is dead is told by the kernel's record locks.
//!
//! This crate knows no Python, no terminal and no clock: time comes in as an argument.

mod awaited;
mod bar;
mod bars;
mod beside;
mod cell;
mod cells;
mod children;
mod combine;
mod descriptor;
mod error;
mod file;
mod home;
mod layout;
mod locks;
#[cfg(all(test, mp_tqdm_loom))]
mod loom_tests;
mod lost;
mod observe;
mod owner;
mod process;
mod report;
mod shm;
mod sweep;
pub mod sync;
mod tag;
mod text;
mod trust;
mod value;

pub use awaited::start_of;
pub use bar::{
    BY_WORKERS, BarEntry, BarView, CALLER_TRAITS_SHIFT, FED, ITERATES, Identity, NAMED, Opening,
    REPORTABLE, SPLIT,
};
pub use bars::{Bars, Joined};
pub use beside::Beside;
pub use cell::{Cell, CellView, OWN_LINE};
pub use cells::{Cells, Claimed};
pub use children::has_children;
pub use combine::{Combined, RankShare, Reduction, combine};
pub use descriptor::move_up;
pub use error::Error;
pub use home::{Application, Home, Rung};
pub use layout::{
    Header, LAYOUT_VERSION, MAX_BARS, MAX_CELLS, MAX_PROCESSES, SEGMENT_BYTES, Tables,
};
pub use locks::LockLiveness;
pub use lost::Lost;
pub use observe::{Observed, observe};
pub use owner::{Owner, Ownership};
pub use process::{ProcessEntry, ProcessView, Processes, Role};
pub use report::{Reporter, target};
pub use shm::{HOT_ENTRIES, HotEntry, at_exit, map_hot_page};
pub use tag::{BarId, BarState, CellKey, CellState, Incarnation, Liveness, ProcessId, Rank, Slot};
pub use text::{Text, shared_start};
pub use value::Value;
