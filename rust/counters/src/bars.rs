//! The bar table: how a bar begins and ends when its openers may die at any step.

mod beside;

use crate::bar::{BarEntry, BarView, Identity, Opening, REPORTABLE, SPLIT};
use crate::cell::Cell;
use crate::cells::{Cells, Claimed};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::tag::{BarId, BarState, BarTag, CellKey, CellState, Liveness, ProcessId, Rank};

/// How often a process looks again while another one decides whether a bar is over. That takes a
/// scan of the cells; a decider that was stopped in it must not stop anybody else.
const DECISION_TRIES: usize = 64;

/// The bar table of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a> {
    pub(crate) bars: &'a [BarEntry],
    /// One more than the highest index ever used.
    pub(crate) high_water: &'a AtomicU32,
    /// Bars opened in this job.
    pub(crate) sequence: &'a AtomicU64,
    /// Turns with every change of what `report_progress` could reach.
    pub(crate) current: &'a AtomicU64,
}

/// A bar that this process has open, with the cell it counts into.
#[derive(Clone, Copy, Debug)]
pub struct Joined<'a> {
    /// Which bar.
    pub id: BarId,
    /// Where to count.
    pub claimed: Claimed<'a>,
}

impl<'a> Bars<'a> {
    /// The entry of a bar, while that bar stands there.
    #[must_use]
    pub fn entry(&self, id: BarId) -> Option<&'a BarEntry> {
        self.standing(id).map(|(entry, _)| entry)
    }

    /// The entry of a bar and its tag, while that bar stands there. From one look: after a second one
    /// the state could be the next bar's.
    fn standing(&self, id: BarId) -> Option<(&'a BarEntry, BarTag)> {
        let entry = self.bars.get(id.index as usize)?;
        let tag = entry.tag();
        (tag.generation == id.generation).then_some((entry, tag))
    }

    /// Whether the bar is no longer counted into.
    #[must_use]
    pub fn has_ended(&self, id: BarId) -> bool {
        let standing = self.standing(id);
        id != BarId::LOST
            && standing.is_none_or(|(_, tag)| matches!(tag.state, BarState::Ended | BarState::Free))
    }

    /// Whether the bar's place was given to another bar or to none, its cells with it.
    #[must_use]
    pub fn is_gone(&self, id: BarId) -> bool {
        let standing = self.standing(id);
        id != BarId::LOST && standing.is_none_or(|(_, tag)| tag.state == BarState::Free)
    }

    /// All bars that are open, or ended and not yet given back.
    pub fn views(&self) -> impl Iterator<Item = BarView> + use<'a> {
        // SYNC POINT: pairs with the Release of `insert`.
        let high = (self.high_water.load(Ordering::Acquire) as usize).min(self.bars.len());
        self.bars[..high]
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| entry.read(index))
    }

    /// The entries that stand for one bar: one as a rule; see [`SPLIT`].
    pub fn views_of(&self, identity: Identity) -> impl Iterator<Item = BarView> + use<'a> {
        self.views().filter(move |view| view.identity == identity)
    }

    /// One bar.
    #[must_use]
    pub fn view(&self, id: BarId) -> Option<BarView> {
        self.entry(id)?
            .read(id.index as usize)
            .filter(|view| view.id == id)
    }

    /// Opens the bar `opening` describes for `me`, together with the processes that have it open
    /// already. `None` if the table or the cells are full: the caller counts for itself then.
    #[must_use]
    pub fn open(
        &self,
        cells: &Cells<'a>,
        opening: &Opening<'_>,
        rank: Rank,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<Joined<'a>> {
        let identity = Identity {
            path: opening.path,
            pass: opening.pass,
        };
        let mut same = self.views_of(identity);
        let known = same.find(|view| view.state == BarState::Open);
        let known = known.map(|view| view.id);
        if let Some(id) = known
            && let Some(claimed) = self.join(cells, CellKey { bar: id, rank }, me, alive)
        {
            if let Some(entry) = self.entry(id) {
                self.merge(entry, opening, me, alive);
            }
            return Some(Joined { id, claimed });
        }
        let joined = self.insert(cells, opening, rank, me, alive)?;
        self.note_split(identity, joined.id);
        if opening.traits & REPORTABLE != 0 {
            self.turn_current();
        }
        Some(joined)
    }

    /// Marks the entries of a bar that has others beside the one just made. Of two processes that
    /// make one at the same time, the one that looks last marks both.
    fn note_split(&self, identity: Identity, made: BarId) {
        // SYNC POINT: pairs with itself in the other process: at least one sees both entries.
        fence(Ordering::SeqCst);
        let others = self.views_of(identity).filter(|view| view.id != made);
        for entry in others.filter_map(|view| self.entry(view.id)) {
            entry.add_traits(SPLIT);
            self.bars[usize::from(made.index)].add_traits(SPLIT);
        }
    }

    fn merge(&self, entry: &BarEntry, opening: &Opening<'_>, me: ProcessId, alive: &impl Liveness) {
        entry.add_traits(opening.traits);
        entry.fold_desc(opening.desc, me, alive);
        if entry.may_write(opening.order) {
            entry.set_desc(opening.desc, opening.order, me, alive);
            entry.style.set(opening.style, me, alive);
        }
        if opening.traits & REPORTABLE != 0 {
            self.turn_current();
        }
    }

    /// Claims a cell in a bar and has it open, unless the bar ended meanwhile.
    ///
    /// The handle is counted first and the state looked at after it; a closer turns the state first
    /// and looks at the handles after it. So at least one of the two sees the other.
    #[must_use]
    pub fn join(
        &self,
        cells: &Cells<'a>,
        key: CellKey,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<Claimed<'a>> {
        let claimed = self.attach(cells, key, me, alive)?;
        claimed.cell.announce();
        // SYNC POINT: pairs with the fence of `try_end`.
        fence(Ordering::SeqCst);
        for _ in 0..DECISION_TRIES {
            match self.standing(key.bar) {
                Some((_, tag)) if tag.state == BarState::Open => return Some(claimed),
                Some((entry, tag)) if tag.state == BarState::Ending => {
                    if self.is_dead_actor(tag, alive) {
                        entry.turn(
                            tag,
                            BarTag {
                                state: BarState::Open,
                                ..tag
                            },
                        );
                    }
                    pause();
                }
                _ => break,
            }
        }
        claimed.cell.renounce();
        None
    }

    /// Claims a cell in a bar without having the bar open: for reports and copied handles.
    #[must_use]
    pub fn attach(
        &self,
        cells: &Cells<'a>,
        key: CellKey,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<Claimed<'a>> {
        self.attach_beside(cells, key, me, alive, |_| false)
    }

    /// A new bar, which its first handle has open before anybody sees it: else whoever looks first
    /// would find a bar that nobody has open, and end it.
    fn insert(
        &self,
        cells: &Cells<'a>,
        opening: &Opening<'_>,
        rank: Rank,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<Joined<'a>> {
        if me == ProcessId::NONE {
            return None;
        }
        let (index, tag) = self.take_place(me, alive).or_else(|| {
            self.collect(cells, me, alive);
            self.take_place(me, alive)
        })?;
        let entry = &self.bars[usize::from(index)];
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        // SYNC POINT: a reader that sees a word of the new bar sees "opening" at its second look.
        fence(Ordering::Release);
        entry.fill(opening, sequence.wrapping_add(1), me, alive);
        let generation = tag.generation;
        let id = BarId { index, generation };
        let Some(claimed) = self.attach(cells, CellKey { bar: id, rank }, me, alive) else {
            entry.turn(tag, BarTag::new(BarState::Free, generation + 1, me));
            return None;
        };
        claimed.cell.announce();
        // SYNC POINT: publishes the entry to `BarEntry::tag`, and its first handle to `try_end`.
        let state = BarState::Open;
        entry.turn(tag, BarTag { state, ..tag });
        // SYNC POINT: pairs with the Acquire of `views`.
        self.high_water
            .fetch_max(u32::from(index) + 1, Ordering::Release);
        Some(Joined { id, claimed })
    }

    /// Takes a place that is free, or whose opener died before anybody saw its bar. The latter's
    /// generation is skipped, for it may have left a cell.
    fn take_place(&self, me: ProcessId, alive: &impl Liveness) -> Option<(u16, BarTag)> {
        let places = (0..u16::MAX).zip(self.bars);
        places.into_iter().find_map(|(index, entry)| {
            let seen = entry.tag();
            let generation = match seen.state {
                BarState::Free => seen.generation,
                BarState::Opening if self.is_dead_actor(seen, alive) => seen.generation + 1,
                _ => return None,
            };
            let tag = BarTag::new(BarState::Opening, generation, me);
            entry.turn(seen, tag).then_some((index, tag))
        })
    }

    /// Gives back the places of bars that are over, and ends those whose openers all died.
    pub fn collect(&self, cells: &Cells<'a>, me: ProcessId, alive: &impl Liveness) {
        for view in self.views() {
            if view.state == BarState::Ended || self.try_end(cells, view.id, me, alive) {
                self.free(cells, view.id, me, alive);
            }
        }
    }

    /// Ends the bar if no live process has it open; true if it is over now.
    ///
    /// A closer calls it after its own handle is gone. If it dies inside, the next one who looks
    /// (a closer, a joiner, the owner's renderer) goes on.
    pub fn try_end(
        &self,
        cells: &Cells<'a>,
        id: BarId,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> bool {
        for _ in 0..DECISION_TRIES {
            let Some((entry, tag)) = self.standing(id) else {
                return true;
            };
            let may_decide = match tag.state {
                BarState::Open => true,
                BarState::Ending => self.is_dead_actor(tag, alive),
                BarState::Ended | BarState::Free => return true,
                BarState::Opening => return false,
            };
            let ending = BarTag::new(BarState::Ending, id.generation, me);
            if !may_decide || !entry.turn(tag, ending) {
                pause();
                continue;
            }
            // SYNC POINT: pairs with the fence of `join`.
            fence(Ordering::SeqCst);
            if self.is_open_somewhere(cells, id, alive) {
                entry.turn(
                    ending,
                    BarTag {
                        state: BarState::Open,
                        ..ending
                    },
                );
                return false;
            }
            if entry.turn(
                ending,
                BarTag {
                    state: BarState::Ended,
                    ..ending
                },
            ) {
                if entry.traits.load(Ordering::Relaxed) & REPORTABLE != 0 {
                    self.turn_current();
                }
                return true;
            }
        }
        false
    }

    /// Whether a live process has a handle of the bar open. Overflow cells cannot tell who died.
    #[must_use]
    pub fn is_open_somewhere(&self, cells: &Cells<'a>, id: BarId, alive: &impl Liveness) -> bool {
        cells.used().filter_map(Cell::read).any(|view| {
            view.key.bar == id
                && view.opens > 0
                && match view.state {
                    CellState::Live => !alive.is_dead(view.process),
                    CellState::Shared => true,
                    _ => false,
                }
        })
    }

    /// Gives an ended bar's place and the cells that nobody holds to the next ones. Any process may
    /// call it and may die in it; the next caller goes on.
    pub fn free(&self, cells: &Cells<'a>, id: BarId, me: ProcessId, alive: &impl Liveness) {
        let Some((entry, tag)) = self.standing(id) else {
            return;
        };
        if tag.state != BarState::Ended {
            return;
        }
        // Once more, for a closer that died before it could: before the place is free, so that a death
        // here, too, leaves it to the next one.
        if entry.traits.load(Ordering::Relaxed) & REPORTABLE != 0 {
            self.turn_current();
        }
        cells.free_bar(id, me, alive);
        entry.turn(tag, BarTag::new(BarState::Free, id.generation + 1, me));
    }

    /// The actor's incarnation is known by its low half only; the other half is the slot's own.
    fn is_dead_actor(&self, tag: BarTag, alive: &impl Liveness) -> bool {
        alive.is_dead_actor(tag.slot, tag.incarnation_low)
    }

    /// Tells every reporting process to look again for its bar.
    pub fn turn_current(&self) {
        // SYNC POINT: Release pairs with the Acquire of `Bars::current`: who sees the new version
        // finds the bar's new state.
        self.current.fetch_add(1, Ordering::AcqRel);
    }

    /// The version that a reporting process compares: see `report.rs`.
    #[must_use]
    pub fn current(&self) -> u64 {
        // SYNC POINT: pairs with `turn_current`.
        self.current.load(Ordering::Acquire)
    }
}

#[cfg(not(all(test, mp_tqdm_loom)))]
fn pause() {
    std::thread::yield_now();
}

#[cfg(all(test, mp_tqdm_loom))]
fn pause() {
    loom::thread::yield_now();
}
