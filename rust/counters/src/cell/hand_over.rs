//! How a cell passes from one process, dead or done, to the next without its count ever moving.

use super::Cell;
use crate::sync::{Ordering, fence};
use crate::tag::{CellKey, CellState, CellTag, Liveness, ProcessId};

impl Cell {
    /// Takes a cell whose process left it or died, and goes on from its count.
    ///
    /// The new tag is "live" from the first instant, so that no reader misses the count. The caller may
    /// have looked at the key of one life and at the tag of the next; so the key is looked at once
    /// more, and if it is another bar's, the tag is put back, again without a gap.
    pub(crate) fn seize(&self, seen: CellTag, key: CellKey, me: ProcessId) -> bool {
        let mine = seen.turned(CellState::Live, me).pack();
        // SYNC POINT: Acquire pairs with the Release of the process that left the cell, whose last
        // count and totals are then seen; Release hands the cell on to readers.
        let swap =
            self.tag
                .compare_exchange(seen.pack(), mine, Ordering::AcqRel, Ordering::Relaxed);
        if swap.is_err() {
            return false;
        }
        if CellKey::unpack(self.key.load(Ordering::Relaxed)) == key {
            return true;
        }
        // SYNC POINT: as above; only this process may change a tag of its own, so the swap succeeds.
        let _ = self
            .tag
            .compare_exchange(mine, seen.pack(), Ordering::AcqRel, Ordering::Relaxed);
        false
    }

    /// Leaves the cell and its count to the next process of the same bar and rank.
    pub fn release(&self, me: ProcessId) {
        // SYNC POINT: pairs with the Acquire of `seize` and of `read`.
        self.let_go(me, CellState::Released);
    }

    /// Gives the cell back, its count with it: for a bar that has ended.
    pub fn free(&self, me: ProcessId) {
        // SYNC POINT: pairs with the Acquire of `claim`, which writes over what was read here.
        self.let_go(me, CellState::Free);
    }

    fn let_go(&self, me: ProcessId, to: CellState) {
        let tag = self.tag();
        if tag.is_live_of(me) {
            self.turn(tag, tag.turned(to, me));
        }
    }

    pub(crate) fn turn(&self, from: CellTag, to: CellTag) {
        // SYNC POINT: the callers name the partner.
        let _ =
            self.tag
                .compare_exchange(from.pack(), to.pack(), Ordering::Release, Ordering::Relaxed);
    }

    /// Frees a cell of an ended bar unless a live process still holds it, this one included: another
    /// thread of it may be about to count. Any process may call it, any number of times.
    pub(crate) fn free_if_abandoned(&self, key: CellKey, me: ProcessId, alive: &impl Liveness) {
        // SYNC POINT: pairs with the Release of `claim`: the key below is of this life or of a later
        // one, and if there is a later one, the tag differs by then.
        let tag = CellTag::unpack(self.tag.load(Ordering::Acquire));
        let abandoned = match tag.state {
            CellState::Released => true,
            CellState::Live => alive.is_dead(tag.process),
            CellState::Shared => {
                if CellKey::unpack(self.key.load(Ordering::Relaxed)) == key {
                    // SYNC POINT: pairs with the Acquire of `claim`.
                    self.turn(tag, tag.turned(CellState::Free, tag.process));
                }
                false
            }
            CellState::Free | CellState::Claiming => false,
        };
        if abandoned && self.seize(tag, key, me) {
            self.free(me);
        }
    }

    /// Makes a free or half-claimed cell this process's, fills it in and publishes it.
    pub(crate) fn claim(
        &self,
        seen: u64,
        key: CellKey,
        me: ProcessId,
        as_state: CellState,
    ) -> bool {
        let claiming = CellTag::unpack(seen).claimed(me);
        // SYNC POINT: Acquire pairs with the Release of `free`: the writes below come after every
        // read of the cell's former life.
        let swap =
            self.tag
                .compare_exchange(seen, claiming.pack(), Ordering::AcqRel, Ordering::Relaxed);
        if swap.is_err() {
            return false;
        }
        // SYNC POINT: a reader that sees one of the words below also sees the new life when it looks at
        // the tag again (its Acquire fence).
        fence(Ordering::Release);
        self.key.store(key.pack(), Ordering::Relaxed);
        self.n.store(0, Ordering::Relaxed);
        for word in [
            &self.n_float,
            &self.total,
            &self.initial,
            &self.start_ns,
            &self.end_ns,
        ] {
            word.store(0, Ordering::Relaxed);
        }
        let counts = [
            &self.flags,
            &self.opens,
            &self.with_total,
            &self.without_total,
        ];
        for word in counts.into_iter().chain([&self.position]) {
            word.store(0, Ordering::Relaxed);
        }
        // SYNC POINT: publishes the words above to `read`.
        self.tag
            .store(claiming.turned(as_state, me).pack(), Ordering::Release);
        true
    }
}

/// Takes a cell that is free, or was left half claimed, or belongs to a bar that has ended.
pub(crate) fn take_free(
    cell: &Cell,
    key: CellKey,
    me: ProcessId,
    alive: &impl Liveness,
    has_ended: &impl Fn(CellKey) -> bool,
    as_state: CellState,
) -> bool {
    let bits = cell.tag.load(Ordering::Relaxed);
    let tag = CellTag::unpack(bits);
    match tag.state {
        CellState::Free => cell.claim(bits, key, me, as_state),
        CellState::Claiming => alive.is_dead(tag.process) && cell.claim(bits, key, me, as_state),
        CellState::Live | CellState::Released => {
            let old = CellKey::unpack(cell.key.load(Ordering::Relaxed));
            let left = tag.state == CellState::Released || alive.is_dead(tag.process);
            has_ended(old)
                && left
                && cell.seize(tag, old, me)
                && cell.claim(tag.turned(CellState::Live, me).pack(), key, me, as_state)
        }
        CellState::Shared => false,
    }
}
