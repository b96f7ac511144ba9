//! The bytes of a segment: header, process table, bar table, cells; 964 KiB of fixed-width atomics.
//!
//! No pointers, no `bool`, no enums: any bytes are a valid segment, and readers check what they mean.
//! Sizes and offsets are asserted at compile time, because other processes map the same bytes; a
//! change to any of them must raise [`LAYOUT_VERSION`].

use std::mem::offset_of;

use crate::bar::BarEntry;
use crate::bars::Bars;
use crate::cell::Cell;
use crate::cells::Cells;
use crate::owner::Ownership;
use crate::process::{ProcessEntry, Processes};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Raised with every change of the layout or of what a word means.
pub const LAYOUT_VERSION: u32 = 8;
/// Bytes of a segment's file, constant for the life of the job.
pub const SEGMENT_BYTES: usize = 1 << 20;
/// Processes that can count at once with cells of their own; more of them share overflow cells.
pub const MAX_PROCESSES: usize = 1024;
/// Bars that can be open at once; a bar beyond counts for its own process only.
pub const MAX_BARS: usize = 128;
/// Cells: one for each process and bar it counts in.
pub const MAX_CELLS: usize = 4096;
/// The last cells, shared by processes that found none of their own: one for each bar and rank.
pub(crate) const SHARED_CELLS: usize = 256;

/// Warnings that are given once in a job; a bound, not an expectation.
const MOST_SAID: usize = 64;

/// "mp_tqdm\0" in little-endian order.
const MAGIC: u64 = u64::from_le_bytes(*b"mp_tqdm\0");

/// A word on a line of its own, read by every reporting process.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct LoneWord {
    word: AtomicU64,
}

/// What a segment says of itself, and the words that belong to no table.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Header {
    magic: AtomicU64,
    version: AtomicU32,
    bytes: AtomicU32,
    /// Hash of the job key: a file under another job's name is not trusted.
    job: AtomicU64,
    owner: AtomicU64,
    owner_seen_ms: AtomicU64,
    /// Frames that the owner drew.
    pub frames: AtomicU64,
    sequence: AtomicU64,
    high_processes: AtomicU32,
    high_bars: AtomicU32,
    high_cells: AtomicU32,
    /// Ranks of this node, as the launcher says; 0 without one.
    pub local_world: AtomicU32,
    /// Processes of which some report found no bar.
    pub(crate) lost_processes: AtomicU32,
    /// Pid and start of the program's first process, where workers came before it; 0 for none.
    first_pid: AtomicU32,
    first_start: AtomicU64,
    /// Which file the job's lines are written to: the caller's encoding; 0 while nobody said.
    pub output: AtomicU64,
    /// Device number of the terminal on which lines are drawn now, times 2; 0 for none. Odd after
    /// somebody erased the lines, to print.
    pub shown_on: AtomicU64,
    /// Until when one process has the terminal for itself, in nanoseconds of the monotonic clock, which
    /// is this one's name as well; 0 while nobody has.
    taken_until_ns: AtomicU64,
    pub(crate) current: LoneWord,
    /// What was said for the whole job; see [`Tables::note_said`].
    said: [AtomicU64; MOST_SAID],
}

/// A whole segment.
#[repr(C)]
#[derive(Debug)]
pub struct Tables {
    /// What the segment says of itself.
    pub header: Header,
    processes: [ProcessEntry; MAX_PROCESSES],
    bars: [BarEntry; MAX_BARS],
    cells: [Cell; MAX_CELLS],
}

#[cfg(not(all(test, mp_tqdm_loom)))]
const _: () = {
    assert!(size_of::<Header>() == 4096);
    assert!(offset_of!(Header, current) == 128);
    assert!(size_of::<ProcessEntry>() == 64);
    assert!(size_of::<BarEntry>() == 3008);
    assert!(size_of::<Cell>() == 128);
    assert!(offset_of!(Tables, processes) == 4096);
    assert!(offset_of!(Tables, bars) == 69_632);
    assert!(offset_of!(Tables, cells) == 454_656);
    assert!(size_of::<Tables>() <= SEGMENT_BYTES);
};

impl Header {
    /// Whether no process has the terminal on which lines are drawn, and none was late with it.
    pub fn is_terminal_free(&self) -> bool {
        self.taken_until_ns.load(Ordering::Relaxed) == 0
    }

    /// Takes the terminal on which lines are drawn until `until_ns`, unless another process has it.
    /// Whoever dies meanwhile holds it no longer than that.
    pub fn take_terminal(&self, now_ns: u64, until_ns: u64) -> bool {
        let seen = self.taken_until_ns.load(Ordering::Relaxed);
        // Nobody takes it for longer: what says so is a word that was torn or is from elsewhere.
        let is_taken = seen > now_ns && seen - now_ns <= until_ns - now_ns;
        let taken = &self.taken_until_ns;
        !is_taken
            && taken
                .compare_exchange(seen, until_ns, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Keeps the terminal, which this process took until `until_ns`, until `later_ns`. False where the
    /// time was over, and another process took it since.
    pub fn keep_terminal(&self, until_ns: u64, later_ns: u64) -> bool {
        let taken = &self.taken_until_ns;
        taken
            .compare_exchange(until_ns, later_ns, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Gives the terminal back, which this process took until `until_ns`.
    pub fn give_terminal(&self, until_ns: u64) {
        // Where this fails, the time was over, and it is another's.
        let _ =
            self.taken_until_ns
                .compare_exchange(until_ns, 0, Ordering::Release, Ordering::Relaxed);
    }

    /// What [`Tables::first_process`] says, from the bytes of a file; `None` for another layout's.
    pub(crate) fn first_process_in(bytes: &[u8; size_of::<Self>()]) -> Option<(u32, u64)> {
        fn word<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            std::array::from_fn(|index| bytes[at + index])
        }
        let pid = u32::from_ne_bytes(word(bytes, offset_of!(Self, first_pid)));
        let start = u64::from_ne_bytes(word(bytes, offset_of!(Self, first_start)));
        let magic = u64::from_ne_bytes(word(bytes, offset_of!(Self, magic)));
        let version = u32::from_ne_bytes(word(bytes, offset_of!(Self, version)));
        (magic == MAGIC && version == LAYOUT_VERSION && pid > 0).then_some((pid, start))
    }
}

/// What a header turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Ours,
    Version(u32),
    Nonsense,
}

impl Tables {
    /// Describes a fresh segment of zeros; before it is published.
    pub(crate) fn initialise(&self, job: u64) {
        self.header.version.store(LAYOUT_VERSION, Ordering::Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "a constant of 2^20")]
        self.header
            .bytes
            .store(SEGMENT_BYTES as u32, Ordering::Relaxed);
        self.header.job.store(job, Ordering::Relaxed);
        self.header.magic.store(MAGIC, Ordering::Relaxed);
    }

    /// Whether the header describes a segment of `job` in this layout.
    pub(crate) fn inspect(&self, job: u64) -> Seen {
        let header = &self.header;
        if header.magic.load(Ordering::Relaxed) != MAGIC {
            return Seen::Nonsense;
        }
        let version = header.version.load(Ordering::Relaxed);
        if version != LAYOUT_VERSION {
            return Seen::Version(version);
        }
        let sized = header.bytes.load(Ordering::Relaxed) as usize == SEGMENT_BYTES;
        let named = header.job.load(Ordering::Relaxed) == job;
        if sized && named {
            Seen::Ours
        } else {
            Seen::Nonsense
        }
    }

    /// The program's first process, which is not attached yet, and while which lives no other job takes
    /// the segment for a leftover: pid and start, in clock ticks since boot.
    pub(crate) fn first_process(&self) -> Option<(u32, u64)> {
        let pid = self.header.first_pid.load(Ordering::Relaxed);
        let start = self.header.first_start.load(Ordering::Relaxed);
        (pid > 0).then_some((pid, start))
    }

    /// Of two that set it at once either may have; a mixture names nobody.
    pub(crate) fn set_first_process(&self, (pid, start): (u32, u64)) {
        self.header.first_pid.store(pid, Ordering::Relaxed);
        self.header.first_start.store(start, Ordering::Relaxed);
    }

    /// Notes that something is said now, by its hash: true for the first one of the job to say it.
    #[must_use]
    pub fn note_said(&self, hash: u64) -> bool {
        let hash = hash.max(1);
        for word in &self.header.said {
            match word.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(said) if said == hash => return false,
                Err(_) => {}
            }
        }
        false
    }

    /// The process table.
    #[must_use]
    pub fn processes(&self) -> Processes<'_> {
        Processes {
            entries: &self.processes,
            high_water: &self.header.high_processes,
        }
    }

    /// The bar table.
    #[must_use]
    pub fn bars(&self) -> Bars<'_> {
        Bars {
            bars: &self.bars,
            high_water: &self.header.high_bars,
            sequence: &self.header.sequence,
            current: &self.header.current.word,
        }
    }

    /// The cells.
    #[must_use]
    pub fn cells(&self) -> Cells<'_> {
        Cells {
            cells: &self.cells,
            shared: SHARED_CELLS,
            high_water: &self.header.high_cells,
        }
    }

    /// Who draws.
    #[must_use]
    pub fn ownership(&self) -> Ownership<'_> {
        Ownership {
            word: &self.header.owner,
            seen_ms: &self.header.owner_seen_ms,
        }
    }

    /// The word that turns with every change of what a report could reach; raw, for the hot path.
    #[must_use]
    pub fn current_word(&self) -> &AtomicU64 {
        &self.header.current.word
    }
}
