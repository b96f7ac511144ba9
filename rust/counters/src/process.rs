//! The process table: who belongs to the job, as which rank, and who started whom.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::tag::{Incarnation, ProcessId, Rank, Slot};

/// Longest chain of workers that started workers which is followed.
const MAX_ANCESTORS: usize = 16;

/// What a process is to its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// The first process of a job without a launcher.
    Root = 1,
    /// Started by a launcher.
    Rank = 2,
    /// Started by a rank, by the root or by another worker.
    Worker = 3,
}

/// An entry of the process table, written by the process that holds the slot's lock.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct ProcessEntry {
    /// How many processes had this slot.
    incarnation: AtomicU32,
    /// Process id in its own pid namespace; for people only.
    pid: AtomicU32,
    /// Role (high half) and local rank (low half).
    role_rank: AtomicU32,
    /// The process that started it, plus 1 ([`ProcessId`]); 0 for none.
    parent: AtomicU64,
}

/// What a reader saw of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// Slot and incarnation.
    pub id: ProcessId,
    /// Process id in its own pid namespace.
    pub pid: u32,
    /// What it is to the job.
    pub role: Role,
    /// Its rank, or that of the rank it works for.
    pub rank: Rank,
    /// Who started it.
    pub parent: Option<ProcessId>,
}

impl ProcessEntry {
    /// An entry of nobody. (A segment's entries are not made, they are zeros of the file.)
    #[must_use]
    pub fn new() -> Self {
        Self {
            incarnation: AtomicU32::new(0),
            pid: AtomicU32::new(0),
            role_rank: AtomicU32::new(0),
            parent: AtomicU64::new(0),
        }
    }

    /// Begins the next life of the slot. The caller holds the slot's lock: whoever counted here
    /// before is dead, and its cells can be told by their incarnation from now on.
    pub(crate) fn begin(
        &self,
        slot: Slot,
        pid: u32,
        role: Role,
        rank: Rank,
        parent: Option<ProcessId>,
    ) -> ProcessId {
        let incarnation = self
            .incarnation
            .load(Ordering::Relaxed)
            .wrapping_add(1)
            .max(1);
        self.role_rank.store(0, Ordering::Relaxed);
        // SYNC POINT: who sees the new life sees no role yet; pairs with the Acquire of `read`.
        self.incarnation.store(incarnation, Ordering::Release);
        // SYNC POINT: who sees one of the words below also sees the new life at its second look.
        fence(Ordering::Release);
        self.pid.store(pid, Ordering::Relaxed);
        self.parent
            .store(parent.map_or(0, |p| p.pack() + 1), Ordering::Relaxed);
        // SYNC POINT: publishes the words above to `read`.
        self.role_rank
            .store((role as u32) << 16 | u32::from(rank.0), Ordering::Release);
        ProcessId {
            slot,
            incarnation: Incarnation(incarnation),
        }
    }

    /// Which life of the slot is the last one.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation.load(Ordering::Relaxed))
    }

    fn read(&self, slot: Slot) -> Option<ProcessView> {
        // SYNC POINT: these two pair with the Release stores of `begin`.
        let incarnation = self.incarnation.load(Ordering::Acquire);
        let role_rank = self.role_rank.load(Ordering::Acquire);
        let role = match role_rank >> 16 {
            1 => Role::Root,
            2 => Role::Rank,
            3 => Role::Worker,
            _ => return None,
        };
        let view = ProcessView {
            id: ProcessId {
                slot,
                incarnation: Incarnation(incarnation),
            },
            pid: self.pid.load(Ordering::Relaxed),
            role,
            rank: Rank(role_rank as u16),
            parent: self
                .parent
                .load(Ordering::Relaxed)
                .checked_sub(1)
                .map(ProcessId::unpack),
        };
        // SYNC POINT: keeps the loads above before the second look, which finds out whether another
        // process got the slot meanwhile.
        fence(Ordering::Acquire);
        (self.incarnation().0 == incarnation).then_some(view)
    }
}

impl Default for ProcessEntry {
    fn default() -> Self {
        Self::new()
    }
}

/// The process table of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Processes<'a> {
    pub(crate) entries: &'a [ProcessEntry],
    /// One more than the highest slot ever taken.
    pub(crate) high_water: &'a AtomicU32,
}

impl<'a> Processes<'a> {
    /// The entry of a slot.
    #[must_use]
    pub fn entry(&self, slot: Slot) -> Option<&'a ProcessEntry> {
        self.entries.get(slot.0 as usize)
    }

    /// Every process that has or had a slot, dead ones too, the last life of each slot only.
    pub fn views(&self) -> impl Iterator<Item = ProcessView> + use<'a> {
        // SYNC POINT: pairs with the Release of `Processes::raise`.
        let high = (self.high_water.load(Ordering::Acquire) as usize).min(self.entries.len());
        (0..u16::try_from(high).unwrap_or(u16::MAX))
            .zip(&self.entries[..high])
            .filter_map(|(slot, entry)| entry.read(Slot(slot)))
    }

    /// One process, if its slot has not begun another life.
    #[must_use]
    pub fn view(&self, id: ProcessId) -> Option<ProcessView> {
        self.entry(id.slot)?
            .read(id.slot)
            .filter(|view| view.id == id)
    }

    /// The process's ancestors in the job, its parent first.
    #[must_use]
    pub fn ancestors(&self, of: ProcessId) -> Vec<ProcessId> {
        let parent_of = |id: &ProcessId| self.view(*id)?.parent;
        std::iter::successors(parent_of(&of), parent_of)
            .take(MAX_ANCESTORS)
            .collect()
    }

    pub(crate) fn raise(&self, slot: Slot) {
        // SYNC POINT: pairs with the Acquire of `views`.
        self.high_water
            .fetch_max(u32::from(slot.0) + 1, Ordering::Release);
    }
}
