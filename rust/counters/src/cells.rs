//! The cells of a segment: how a process finds one to count into, and how cells are given back.

use crate::cell::{Cell, CellView, take_free};
use crate::sync::{AtomicU32, Ordering};
use crate::tag::{BarId, CellKey, CellState, Liveness, ProcessId, Rank};
use crate::value::Value;

/// The cells of a segment, with the mark up to which they were ever used.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    /// All cells; the last [`Cells::shared`] of them are the overflow cells.
    pub(crate) cells: &'a [Cell],
    /// How many of `cells` are overflow cells.
    pub(crate) shared: usize,
    /// One more than the highest index ever claimed.
    pub(crate) high_water: &'a AtomicU32,
}

/// A cell to count into.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Whether other processes count into it too, so that only [`Cell::add_shared`] will do.
    pub shared: bool,
    /// Whether it started from zero, and not from what another process left.
    pub fresh: bool,
    /// What another process left there; `None` where this one counted in it already.
    pub left: Option<Value>,
}

impl<'a> Cells<'a> {
    /// The cells that were ever used. (The overflow cells are the last ones: they come into use when
    /// all others are.)
    pub fn used(&self) -> impl Iterator<Item = &'a Cell> + use<'a> {
        // SYNC POINT: pairs with the Release of `raise`: a cell below the mark is seen published.
        let high = self.high_water.load(Ordering::Acquire) as usize;
        self.cells[..high.min(self.cells.len())].iter()
    }

    /// The number of a cell, the same in every process.
    #[must_use]
    pub fn number_of(&self, cell: &Cell) -> Option<u16> {
        let found = self.cells.iter().position(|one| std::ptr::eq(one, cell));
        found.and_then(|index| u16::try_from(index).ok())
    }

    /// The cell of a number.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<&'a Cell> {
        self.cells.get(usize::from(number))
    }

    fn raise(&self, index: usize) {
        let mark = u32::try_from(index + 1).unwrap_or(u32::MAX);
        // SYNC POINT: pairs with the Acquire of `used`.
        self.high_water.fetch_max(mark, Ordering::Release);
    }

    /// The cell of `me` for `key`: the one it has, else one that another process of the same bar and
    /// rank left, else a free one, else the overflow cell of that bar and rank. `None` only where
    /// even the overflow cells are used up.
    ///
    /// `has_ended` says whether a bar is over, so that what its dead processes left can be used again;
    /// `is_taken` which cells of `me` are another handle's, that counts there alone.
    #[must_use]
    pub fn claim(
        &self,
        key: CellKey,
        me: ProcessId,
        alive: &impl Liveness,
        has_ended: impl Fn(CellKey) -> bool,
        is_taken: impl Fn(&Cell) -> bool,
    ) -> Option<Claimed<'a>> {
        if me == ProcessId::NONE {
            return self.claim_shared(key, me, alive, has_ended);
        }
        if let Some(cell) = self.find_own(key, me, is_taken) {
            return Some(Claimed {
                cell,
                shared: false,
                fresh: false,
                left: None,
            });
        }
        if let Some(cell) = self.adopt(key, me, alive) {
            return Some(Claimed {
                cell,
                shared: false,
                fresh: false,
                left: Some(cell.n()),
            });
        }
        for (index, cell) in self.own_cells().iter().enumerate() {
            if take_free(cell, key, me, alive, &has_ended, CellState::Live) {
                self.raise(index);
                return Some(Claimed {
                    cell,
                    shared: false,
                    fresh: true,
                    left: Some(Value::ZERO),
                });
            }
        }
        self.claim_shared(key, me, alive, has_ended)
    }

    fn own_cells(&self) -> &'a [Cell] {
        &self.cells[..self.cells.len() - self.shared]
    }

    fn find_own(
        &self,
        key: CellKey,
        me: ProcessId,
        is_taken: impl Fn(&Cell) -> bool,
    ) -> Option<&'a Cell> {
        self.used()
            .find(|cell| cell.tag().is_live_of(me) && cell.key() == Some(key) && !is_taken(cell))
    }

    fn adopt(&self, key: CellKey, me: ProcessId, alive: &impl Liveness) -> Option<&'a Cell> {
        let mut orphans = self.used().filter(|cell| cell.key() == Some(key));
        orphans.find(|cell| {
            let tag = cell.tag();
            let orphan = match tag.state {
                CellState::Released => true,
                CellState::Live => alive.is_dead(tag.process),
                _ => false,
            };
            let adopted = orphan && cell.seize(tag, key, me);
            if adopted {
                cell.forget_opens();
            }
            adopted
        })
    }

    /// One overflow cell for each bar and rank. Two processes may make two at once; both are counted.
    fn claim_shared(
        &self,
        key: CellKey,
        me: ProcessId,
        alive: &impl Liveness,
        has_ended: impl Fn(CellKey) -> bool,
    ) -> Option<Claimed<'a>> {
        let first = self.cells.len() - self.shared;
        let shared = &self.cells[first..];
        let is_theirs =
            |cell: &&Cell| cell.tag().state == CellState::Shared && cell.key() == Some(key);
        if let Some(cell) = shared.iter().find(is_theirs) {
            return Some(Claimed {
                cell,
                shared: true,
                fresh: false,
                left: None,
            });
        }
        let index = shared
            .iter()
            .position(|cell| take_free(cell, key, me, alive, &has_ended, CellState::Shared))?;
        self.raise(first + index);
        Some(Claimed {
            cell: &shared[index],
            shared: true,
            fresh: true,
            left: None,
        })
    }

    /// Gives back what an ended bar's processes left. Cells of live processes stay theirs; they give
    /// them back at their next cold path, this one too ([`Cells::free_own`]). So no process ever
    /// writes into a cell that became another's.
    pub(crate) fn free_bar(&self, bar: BarId, me: ProcessId, alive: &impl Liveness) {
        for cell in self.used() {
            if let Some(key) = cell.key()
                && key.bar == bar
            {
                cell.free_if_abandoned(key, me, alive);
            }
        }
    }

    /// Gives back those cells of `me` that `is_over` picks: their bar has ended, and nothing in this
    /// process counts into them any more.
    pub fn free_own(&self, me: ProcessId, is_over: impl Fn(&Cell, CellKey) -> bool) {
        for cell in self.used() {
            if cell.tag().is_live_of(me) && cell.key().is_some_and(|key| is_over(cell, key)) {
                cell.free(me);
            }
        }
    }

    /// Leaves every cell of `me` to whoever comes next: at a clean exit.
    pub fn release_all(&self, me: ProcessId) {
        for cell in self.used() {
            if cell.tag().is_live_of(me) {
                cell.forget_opens();
                cell.release(me);
            }
        }
    }

    /// What the bar's cells say of one rank.
    pub fn views_of_rank(
        &self,
        bar: BarId,
        rank: Rank,
    ) -> impl Iterator<Item = CellView> + use<'a> {
        let key = CellKey { bar, rank };
        self.used()
            .filter(move |cell| cell.key() == Some(key))
            .filter_map(Cell::read)
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;
    use crate::tag::{Dead, Incarnation, Slot};

    #[test]
    fn a_second_handle_finds_none_of_the_cells_that_are_taken() {
        let table: Vec<Cell> = (0..3).map(|_| Cell::new()).collect();
        let high_water = AtomicU32::new(0);
        let cells = Cells {
            cells: &table,
            shared: 1,
            high_water: &high_water,
        };
        let bar = BarId {
            index: 0,
            generation: 0,
        };
        let key = CellKey { bar, rank: Rank(0) };
        let me = ProcessId {
            slot: Slot(1),
            incarnation: Incarnation(1),
        };
        let taken = std::cell::RefCell::new(Vec::new());
        let claim = || {
            let is_taken = |cell: &Cell| taken.borrow().contains(&cells.number_of(cell));
            let claimed = cells.claim(key, me, &Dead(vec![]), |_| false, is_taken);
            let claimed = claimed.expect("overflow cells have room for all");
            let number = cells.number_of(claimed.cell);
            if !claimed.shared {
                taken.borrow_mut().push(number);
            }
            (number, claimed.shared)
        };
        let found: Vec<_> = (0..4).map(|_| claim()).collect();
        let shared = (Some(2), true);
        let expected = [(Some(0), false), (Some(1), false), shared, shared];
        assert_eq!(found, expected);
        taken.borrow_mut().retain(|number| *number != Some(0));
        assert_eq!(claim(), (Some(0), false));
    }
}
