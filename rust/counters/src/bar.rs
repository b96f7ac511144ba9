//! The bar table: what the owner needs to draw a bar that another process opened, and how a bar
//! begins and ends when its openers may die at any step.

use crate::cell::{Cell, Cells, Claimed};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::tag::{BarId, BarState, BarTag, CellKey, CellState, Liveness, ProcessId, Rank};
use crate::text::{Text, cut};

/// How often a process looks again while another one decides whether a bar is over. That takes a
/// scan of the cells; a decider that was stopped in it must not stop anybody else.
const DECISION_TRIES: usize = 64;

/// The bar was given an iterable.
pub const ITERATES: u32 = 1;
/// `report_progress` may count into the bar.
pub const REPORTABLE: u32 = 1 << 1;
/// The bar was given `key=` or `reduce=`.
pub const NAMED: u32 = 1 << 2;
/// `report_progress` did count into the bar.
pub const FED: u32 = 1 << 3;
/// Opened by workers: shards of one loop, without a pass number.
pub const BY_WORKERS: u32 = 1 << 4;
/// Where the reduction and what to leave stand in the traits; the caller's encoding.
pub const CALLER_TRAITS_SHIFT: u32 = 8;

/// Words of a text; a model needs the protocol, not the room.
const fn words(count: usize) -> usize {
    if cfg!(all(test, mp_tqdm_loom)) {
        2
    } else {
        count
    }
}

const DESC_WORDS: usize = words(25);
const COMMON_DESC_WORDS: usize = words(17);
const POSTFIX_WORDS: usize = words(49);
const NAME_WORDS: usize = words(9);
const STYLE_WORDS: usize = words(80);

/// Which bars of different processes are the same bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Hash of `key=`, or of the call path.
    pub path: u64,
    /// How often the process passed there, from 1; 0 for a bar of workers.
    pub pass: u32,
}

/// An entry of the bar table.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct BarEntry {
    /// [`BarTag`]: state, generation and who acts on it.
    tag: AtomicU64,
    /// [`Identity::path`].
    path: AtomicU64,
    /// [`Identity::pass`].
    pass: AtomicU32,
    /// [`ITERATES`] and the other bits above, the caller's own from [`CALLER_TRAITS_SHIFT`] on.
    traits: AtomicU32,
    /// The first opener ([`ProcessId`]).
    opener: AtomicU64,
    /// Order of opening within the job.
    sequence: AtomicU64,
    /// When it opened, in nanoseconds of the monotonic clock.
    start_ns: AtomicU64,
    /// Rank order of the process whose texts these are, plus 1; the lowest one has the word.
    writer: AtomicU32,
    /// Openers whose first desc was not that of the first opener.
    other_descs: AtomicU32,
    /// Cells that started from zero in this bar.
    cells: AtomicU32,
    /// The `position` asked for by the first opener, plus 1; 0 for none.
    position: AtomicU32,
    /// `desc`.
    pub desc: Text<DESC_WORDS>,
    /// What the first descs of all openers begin with.
    pub common_desc: Text<COMMON_DESC_WORDS>,
    /// The postfix, in the caller's encoding.
    pub postfix: Text<POSTFIX_WORDS>,
    /// `key=`, by which `report_progress(bar=…)` finds the bar.
    pub name: Text<NAME_WORDS>,
    /// Unit, format, colour and so on, in the caller's encoding.
    pub style: Text<STYLE_WORDS>,
}

/// What an opener says of a new bar.
#[derive(Clone, Debug, Default)]
pub struct Opening<'a> {
    /// Hash of `key=` or of the call path, and the pass.
    pub path: u64,
    /// See [`Identity::pass`].
    pub pass: u32,
    /// Trait bits.
    pub traits: u32,
    /// When, in nanoseconds of the monotonic clock.
    pub now_ns: u64,
    /// `position=`.
    pub position: Option<u32>,
    /// `desc=`.
    pub desc: &'a str,
    /// `key=`.
    pub name: &'a str,
    /// Encoded style.
    pub style: &'a [u8],
    /// Order of the process among those whose texts could be shown: the owner's rank first.
    pub order: u32,
}

/// What a reader saw of one bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarView {
    /// Where it stands.
    pub id: BarId,
    /// Open, or ended and not yet given back.
    pub state: BarState,
    /// Which bar it is.
    pub identity: Identity,
    /// Trait bits.
    pub traits: u32,
    /// Order of opening within the job.
    pub sequence: u64,
    /// When it opened.
    pub start_ns: u64,
    /// Its first opener.
    pub opener: ProcessId,
    /// The `position` asked for.
    pub position: Option<u32>,
    /// Openers whose first desc was another one.
    pub other_descs: u32,
}

impl BarView {
    /// Whether a trait bit is set.
    #[must_use]
    pub const fn has(&self, bit: u32) -> bool {
        self.traits & bit != 0
    }
}

impl BarEntry {
    /// An entry of nobody. (A segment's entries are not made, they are zeros of the file.)
    #[must_use]
    pub fn new() -> Self {
        Self {
            tag: AtomicU64::new(0),
            path: AtomicU64::new(0),
            pass: AtomicU32::new(0),
            traits: AtomicU32::new(0),
            opener: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            start_ns: AtomicU64::new(0),
            writer: AtomicU32::new(0),
            other_descs: AtomicU32::new(0),
            cells: AtomicU32::new(0),
            position: AtomicU32::new(0),
            desc: Text::new(),
            common_desc: Text::new(),
            postfix: Text::new(),
            name: Text::new(),
            style: Text::new(),
        }
    }

    fn tag(&self) -> BarTag {
        // SYNC POINT: pairs with the Release of `publish`: what the opener wrote stands behind it.
        BarTag::unpack(self.tag.load(Ordering::Acquire))
    }

    fn turn(&self, from: BarTag, to: BarTag) -> bool {
        // SYNC POINT: the state word orders every change of the bar's life; SeqCst because opening
        // and ending look at cells after it (see `Bars::join` and `Bars::try_end`).
        self.tag
            .compare_exchange(from.pack(), to.pack(), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Adds trait bits, such as [`FED`]. A store that is not needed is not made: the line is shared.
    pub fn add_traits(&self, bits: u32) {
        if self.traits.load(Ordering::Relaxed) & bits != bits {
            self.traits.fetch_or(bits, Ordering::Relaxed);
        }
    }

    /// Cells that started from zero in this bar.
    #[must_use]
    pub fn cells(&self) -> u32 {
        self.cells.load(Ordering::Relaxed)
    }

    /// Writes `desc` if no process of a lower order has the word; see [`Opening::order`].
    pub fn set_desc(&self, text: &str, order: u32, me: ProcessId, alive: &impl Liveness) {
        if self.may_write(order) {
            self.desc
                .set(cut(text, Text::<25>::CAPACITY).as_bytes(), me, alive);
        }
    }

    /// Writes the encoded postfix under the rule of [`BarEntry::set_desc`].
    pub fn set_postfix(&self, bytes: &[u8], order: u32, me: ProcessId, alive: &impl Liveness) {
        if self.may_write(order) {
            self.postfix.set(bytes, me, alive);
        }
    }

    /// Writes the encoded style under the rule of [`BarEntry::set_desc`].
    pub fn set_style(&self, bytes: &[u8], order: u32, me: ProcessId, alive: &impl Liveness) {
        if self.may_write(order) {
            self.style.set(bytes, me, alive);
        }
    }

    fn may_write(&self, order: u32) -> bool {
        let mine = order.saturating_add(1);
        let seen = self.writer.load(Ordering::Relaxed);
        if seen == mine {
            return true;
        }
        (seen == 0 || mine < seen)
            && self
                .writer
                .compare_exchange(seen, mine, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes one more opener's first desc: what all of them begin with is shown where they differ.
    fn fold_desc(&self, text: &str, me: ProcessId, alive: &impl Liveness) {
        let Some(common) = self.common_desc.get_string() else {
            return;
        };
        let ours = cut(text, Text::<17>::CAPACITY);
        if common == ours {
            return;
        }
        self.other_descs.fetch_add(1, Ordering::Relaxed);
        let shared: String = common
            .chars()
            .zip(ours.chars())
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a)
            .collect();
        self.common_desc.set(shared.as_bytes(), me, alive);
    }

    /// Reads the entry, or `None` if no bar stands there.
    fn read(&self, index: usize) -> Option<BarView> {
        let tag = self.tag();
        if !matches!(
            tag.state,
            BarState::Open | BarState::Ending | BarState::Ended
        ) {
            return None;
        }
        let view = BarView {
            id: BarId {
                index: u16::try_from(index).ok()?,
                generation: tag.generation,
            },
            state: if tag.state == BarState::Ended {
                BarState::Ended
            } else {
                BarState::Open
            },
            identity: self.identity(),
            traits: self.traits.load(Ordering::Relaxed),
            sequence: self.sequence.load(Ordering::Relaxed),
            start_ns: self.start_ns.load(Ordering::Relaxed),
            opener: ProcessId::unpack(self.opener.load(Ordering::Relaxed)),
            position: self.position.load(Ordering::Relaxed).checked_sub(1),
            other_descs: self.other_descs.load(Ordering::Relaxed),
        };
        // SYNC POINT: keeps the loads above before the second look at the generation.
        fence(Ordering::Acquire);
        let now = BarTag::unpack(self.tag.load(Ordering::Relaxed));
        (now.generation == tag.generation).then_some(view)
    }

    fn identity(&self) -> Identity {
        Identity {
            path: self.path.load(Ordering::Relaxed),
            pass: self.pass.load(Ordering::Relaxed),
        }
    }

    fn fill(&self, opening: &Opening<'_>, sequence: u64, me: ProcessId, alive: &impl Liveness) {
        self.path.store(opening.path, Ordering::Relaxed);
        self.pass.store(opening.pass, Ordering::Relaxed);
        self.traits.store(opening.traits, Ordering::Relaxed);
        self.opener.store(me.pack(), Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Relaxed);
        self.start_ns.store(opening.now_ns, Ordering::Relaxed);
        self.writer
            .store(opening.order.saturating_add(1), Ordering::Relaxed);
        self.other_descs.store(0, Ordering::Relaxed);
        self.cells.store(0, Ordering::Relaxed);
        let position = opening.position.map_or(0, |p| p.saturating_add(1));
        self.position.store(position, Ordering::Relaxed);
        let desc = opening.desc;
        self.desc
            .set(cut(desc, Text::<25>::CAPACITY).as_bytes(), me, alive);
        self.common_desc
            .set(cut(desc, Text::<17>::CAPACITY).as_bytes(), me, alive);
        self.postfix.set(&[], me, alive);
        self.name
            .set(cut(opening.name, Text::<9>::CAPACITY).as_bytes(), me, alive);
        self.style.set(opening.style, me, alive);
    }
}

impl Default for BarEntry {
    fn default() -> Self {
        Self::new()
    }
}

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
        self.standing(id)
            .is_none_or(|(_, tag)| matches!(tag.state, BarState::Ended | BarState::Free))
    }

    /// Whether the bar's place was given to another bar or to none, its cells with it.
    #[must_use]
    pub fn is_gone(&self, id: BarId) -> bool {
        self.standing(id)
            .is_none_or(|(_, tag)| tag.state == BarState::Free)
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
        let same = |view: &BarView| view.identity == identity && view.state == BarState::Open;
        let known = self.views().find(same).map(|view| view.id);
        if let Some(id) = known
            && let Some(claimed) = self.join(cells, CellKey { bar: id, rank }, me, alive)
        {
            if let Some(entry) = self.entry(id) {
                self.merge(entry, opening, me, alive);
            }
            return Some(Joined { id, claimed });
        }
        let joined = self.insert(cells, opening, rank, me, alive)?;
        if opening.traits & REPORTABLE != 0 {
            self.turn_current();
        }
        Some(joined)
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
        let claimed = cells.claim(key, me, alive, |old| self.is_gone(old.bar))?;
        if claimed.fresh
            && let Some(entry) = self.entry(key.bar)
        {
            entry.cells.fetch_add(1, Ordering::Relaxed);
        }
        Some(claimed)
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
