//! The packed words that say whose a cell or a bar is: small integers in one `u64`, so that one
//! compare-and-swap moves all of them together.

/// Place of a process in the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

/// One life of a slot: the next process in the same slot has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u32);

/// A process of the job: its slot and which of the slot's lives it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Where it stands in the process table.
    pub slot: Slot,
    /// Which life of that slot it is.
    pub incarnation: Incarnation,
}

impl ProcessId {
    /// A process that found no slot: it counts into overflow cells and can hold nothing of its own.
    pub const NONE: Self = Self {
        slot: Slot(u16::MAX),
        incarnation: Incarnation(0),
    };

    /// The process in 48 bits, as [`ProcessId::unpack`] reads them.
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.slot.0 as u64) | (self.incarnation.0 as u64) << 16
    }

    /// The inverse of [`ProcessId::pack`]; higher bits are ignored.
    #[must_use]
    pub const fn unpack(bits: u64) -> Self {
        Self {
            slot: Slot(bits as u16),
            incarnation: Incarnation((bits >> 16) as u32),
        }
    }
}

/// Whether a process is gone. The kernel knows (see `locks.rs`); models and tests pretend.
pub trait Liveness {
    /// Whether `process` no longer exists, or its slot has begun another life.
    fn is_dead(&self, process: ProcessId) -> bool;

    /// The same for a process of which only the low half of the incarnation is known.
    fn is_dead_actor(&self, slot: Slot, incarnation_low: u16) -> bool;
}

/// For tests: the processes in these slots are dead, all others alive.
#[cfg(all(test, not(mp_tqdm_loom)))]
#[derive(Clone, Debug)]
pub(crate) struct Dead(pub(crate) Vec<Slot>);

#[cfg(all(test, not(mp_tqdm_loom)))]
impl Liveness for Dead {
    fn is_dead(&self, process: ProcessId) -> bool {
        self.0.contains(&process.slot)
    }

    fn is_dead_actor(&self, slot: Slot, _: u16) -> bool {
        self.0.contains(&slot)
    }
}

/// What a cell is used for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CellState {
    /// Nobody's; its other words mean nothing.
    Free = 0,
    /// Being filled in by its process; not yet counted.
    Claiming = 1,
    /// Counted by its process.
    Live = 2,
    /// Left by its process, still part of the bar; the next process may go on from its count.
    Released = 3,
    /// Shared by every process that found no cell of its own: only read-modify-writes may
    /// touch its counts.
    Shared = 4,
}

/// State, life and process of a cell in one word.
///
/// Each claim begins another life. So two looks that find the same word saw the same claim, though
/// one process may have freed the cell in between and claimed it for another bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellTag {
    pub(crate) state: CellState,
    /// Counts the claims of the cell, modulo 2^12.
    pub(crate) life: u16,
    pub(crate) process: ProcessId,
}

impl CellTag {
    const LIVES: u16 = 1 << 12;

    pub(crate) const fn pack(self) -> u64 {
        (self.state as u64) << 60 | (self.life as u64) << 48 | self.process.pack()
    }

    /// Nonsense states read as free, which readers skip.
    pub(crate) const fn unpack(bits: u64) -> Self {
        let state = match bits >> 60 {
            1 => CellState::Claiming,
            2 => CellState::Live,
            3 => CellState::Released,
            4 => CellState::Shared,
            _ => CellState::Free,
        };
        Self {
            state,
            life: (bits >> 48) as u16 % Self::LIVES,
            process: ProcessId::unpack(bits),
        }
    }

    /// The same claim in another state, or in another process's hands.
    pub(crate) const fn turned(self, state: CellState, process: ProcessId) -> Self {
        Self {
            state,
            process,
            ..self
        }
    }

    /// The tag of the next claim.
    pub(crate) const fn claimed(self, process: ProcessId) -> Self {
        Self {
            state: CellState::Claiming,
            life: (self.life + 1) % Self::LIVES,
            process,
        }
    }

    /// Whether `me` counts in the cell.
    pub(crate) fn is_live_of(self, me: ProcessId) -> bool {
        self.state == CellState::Live && self.process == me
    }
}

/// Place of a bar in the bar table and which of the bars that stood there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BarId {
    /// Index into the bar table.
    pub index: u16,
    /// Counts the bars that stood at this index, modulo 2^24.
    pub generation: u32,
}

impl BarId {
    /// No bar of the table: its cells count the reports that found none. It never ends.
    pub const LOST: Self = Self {
        index: u16::MAX,
        generation: 0,
    };
}

/// Local rank of a process; 0 for the root of a job without ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rank(pub u16);

/// What a cell counts: one bar, for one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellKey {
    /// The bar.
    pub bar: BarId,
    /// The rank whose work it is.
    pub rank: Rank,
}

impl CellKey {
    pub(crate) const fn pack(self) -> u64 {
        (self.bar.index as u64) | (self.rank.0 as u64) << 16 | (self.bar.generation as u64) << 32
    }

    pub(crate) const fn unpack(bits: u64) -> Self {
        Self {
            bar: BarId {
                index: bits as u16,
                generation: (bits >> 32) as u32,
            },
            rank: Rank((bits >> 16) as u16),
        }
    }
}

/// What an entry of the bar table is used for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BarState {
    /// Nobody's.
    Free = 0,
    /// Being filled in by its opener; not yet visible.
    Opening = 1,
    /// Counted into.
    Open = 2,
    /// A closer is making sure that nobody has it open any more.
    Ending = 3,
    /// Over; its last line may still have to be drawn.
    Ended = 4,
}

/// Number of bars that can stand at one index before the numbering starts again.
pub(crate) const GENERATIONS: u32 = 1 << 24;

/// State, generation and acting process of a bar in one word. Sixteen bits of the incarnation are
/// enough to tell an actor that died from the slot's next life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BarTag {
    pub(crate) state: BarState,
    pub(crate) generation: u32,
    pub(crate) slot: Slot,
    pub(crate) incarnation_low: u16,
}

impl BarTag {
    pub(crate) const fn new(state: BarState, generation: u32, actor: ProcessId) -> Self {
        Self {
            state,
            generation: generation % GENERATIONS,
            slot: actor.slot,
            incarnation_low: actor.incarnation.0 as u16,
        }
    }

    pub(crate) const fn pack(self) -> u64 {
        (self.state as u64) << 56
            | (self.generation as u64) << 32
            | (self.incarnation_low as u64) << 16
            | self.slot.0 as u64
    }

    /// Nonsense states read as free.
    pub(crate) const fn unpack(bits: u64) -> Self {
        let state = match bits >> 56 {
            1 => BarState::Opening,
            2 => BarState::Open,
            3 => BarState::Ending,
            4 => BarState::Ended,
            _ => BarState::Free,
        };
        Self {
            state,
            generation: (bits >> 32) as u32 % GENERATIONS,
            slot: Slot(bits as u16),
            incarnation_low: (bits >> 16) as u16,
        }
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were_packed() {
        let process = ProcessId {
            slot: Slot(1023),
            incarnation: Incarnation(u32::MAX),
        };
        assert_eq!(ProcessId::unpack(process.pack()), process);
        let tag = CellTag {
            state: CellState::Shared,
            life: CellTag::LIVES - 1,
            process,
        };
        assert_eq!(CellTag::unpack(tag.pack()), tag);
        assert_eq!(tag.claimed(process).life, 0);
        let key = CellKey {
            bar: BarId {
                index: 127,
                generation: GENERATIONS - 1,
            },
            rank: Rank(7),
        };
        assert_eq!(CellKey::unpack(key.pack()), key);
        let tag = BarTag::new(BarState::Ending, GENERATIONS + 5, process);
        assert_eq!(tag.generation, 5);
        assert_eq!(BarTag::unpack(tag.pack()), tag);
    }
}
