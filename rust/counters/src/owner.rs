//! Who draws: one word names the owner, and whoever wants to draw must be named there.
//!
//! The owner is dead when its slot's lock is free, so there is one source of truth about life and
//! death. (A lock byte of its own for the owner would be a second one, and could disagree.)

use crate::sync::{AtomicU64, Ordering, fence};
use crate::tag::{Liveness, ProcessId};

const EPOCH_SHIFT: u32 = 48;
const PROCESS_MASK: u64 = (1 << EPOCH_SHIFT) - 1;

/// The owner's word: epoch (16 bits, changes with every owner) and process.
#[derive(Clone, Copy, Debug)]
pub struct Ownership<'a> {
    pub(crate) word: &'a AtomicU64,
    /// When the owner last drew or looked, in milliseconds of the monotonic clock.
    pub(crate) seen_ms: &'a AtomicU64,
}

/// What stands in the owner's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub process: ProcessId,
    /// Which ownership it is: a process that lost it and took it again has another one.
    pub epoch: u16,
}

impl Ownership<'_> {
    /// The owner, dead or alive; `None` before the first one, and after one that released it.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        // SYNC POINT: pairs with the Release of `take`.
        named_in(self.word.load(Ordering::Acquire))
    }

    /// Makes `me` the owner in place of `seen`; false if another process was quicker.
    #[must_use]
    pub fn take(&self, seen: Option<Owner>, me: ProcessId, now_ms: u64) -> bool {
        let old = self.word.load(Ordering::Relaxed);
        if named_in(old) != seen {
            return false;
        }
        // Before the swap, for whoever sees the new owner must not think it as silent as the old one.
        self.beat(now_ms);
        self.exchange(old, me)
    }

    /// Ends the ownership of `me`, who draws no longer: another process may take it at once.
    ///
    /// Who releases it looks for bars behind this call, and who opens a bar looks for an owner behind
    /// that: at least one of them sees the other.
    pub fn release(&self, me: ProcessId) {
        let old = self.word.load(Ordering::Relaxed);
        if named_in(old).is_some_and(|owner| owner.process == me) {
            self.exchange(old, ProcessId::NONE);
        }
        // SYNC POINT: pairs with the fence of `Bars::note_split`, which each new bar passes.
        fence(Ordering::SeqCst);
    }

    fn exchange(&self, old: u64, next: ProcessId) -> bool {
        let epoch = ((old >> EPOCH_SHIFT) as u16).wrapping_add(1);
        let new = u64::from(epoch) << EPOCH_SHIFT | next.pack();
        // SYNC POINT: pairs with the Acquire of `owner`; one of several takers wins.
        self.word
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether `me` may draw. Asked before each frame.
    #[must_use]
    pub fn is_owner(&self, me: ProcessId) -> bool {
        self.owner().is_some_and(|owner| owner.process == me)
    }

    /// Notes that the owner is at work.
    pub fn beat(&self, now_ms: u64) {
        self.seen_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Milliseconds since the owner was last at work.
    #[must_use]
    pub fn silent_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed))
    }

    /// Whether somebody else should draw: there is no owner, it died, or it was silent for
    /// `patience_ms` (stopped by a signal, say).
    #[must_use]
    pub fn is_vacant(&self, alive: &impl Liveness, now_ms: u64, patience_ms: u64) -> bool {
        self.owner().is_none_or(|owner| {
            alive.is_dead(owner.process) || self.silent_ms(now_ms) >= patience_ms
        })
    }
}

/// What an owner's word says: 0 is that of a segment that nobody has drawn for.
fn named_in(word: u64) -> Option<Owner> {
    let process = ProcessId::unpack(word & PROCESS_MASK);
    (word != 0 && process != ProcessId::NONE).then_some(Owner {
        process,
        epoch: (word >> EPOCH_SHIFT) as u16,
    })
}
