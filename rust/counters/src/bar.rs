//! An entry of the bar table: what the owner needs to draw a bar that another process opened.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::tag::{BarId, BarState, BarTag, Liveness, ProcessId};
use crate::text::{Text, cut, shared_start};

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
/// Several entries stand for the bar: two opened it at once, or others were through with it before.
pub const SPLIT: u32 = 1 << 5;
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
    pub(crate) traits: AtomicU32,
    /// The first opener ([`ProcessId`]).
    opener: AtomicU64,
    /// Order of opening within the job.
    sequence: AtomicU64,
    /// When it opened, in nanoseconds of the monotonic clock.
    start_ns: AtomicU64,
    /// By how many nanoseconds its clock starts later than that, as the bits of an `i64`.
    clock_shift_ns: AtomicU64,
    /// Rank order of the process whose texts these are, plus 1; the lowest one has the word.
    writer: AtomicU32,
    /// Openings whose desc was not what all before had in common; not 0 if any two differ.
    other_descs: AtomicU32,
    /// Cells that started from zero in this bar.
    pub(crate) cells: AtomicU32,
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
    /// By how many nanoseconds the clock that it shows starts later than that.
    pub clock_shift_ns: i64,
    /// Its first opener.
    pub opener: ProcessId,
    /// The `position` asked for.
    pub position: Option<u32>,
    /// Openings whose desc was another one; not 0 if any two differ.
    pub other_descs: u32,
    /// [`Opening::order`] of the process whose texts these are.
    pub order: u32,
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
            clock_shift_ns: AtomicU64::new(0),
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

    pub(crate) fn tag(&self) -> BarTag {
        // SYNC POINT: pairs with the Release of `publish`: what the opener wrote stands behind it.
        BarTag::unpack(self.tag.load(Ordering::Acquire))
    }

    pub(crate) fn turn(&self, from: BarTag, to: BarTag) -> bool {
        // SYNC POINT: the state word orders every change of the bar's life; SeqCst because opening
        // and ending look at cells after it (see `Bars::join` and `Bars::try_end`).
        self.tag
            .compare_exchange(from.pack(), to.pack(), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Whether this entry alone stands for its bar, as far as anybody has seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.traits.load(Ordering::Relaxed) & SPLIT == 0
    }

    /// Adds trait bits, such as [`FED`]. A store that is not needed is not made: the line is shared.
    pub fn add_traits(&self, bits: u32) {
        if self.traits.load(Ordering::Relaxed) & bits != bits {
            self.traits.fetch_or(bits, Ordering::Relaxed);
        }
    }

    /// Sets the line asked for, from 0.
    pub fn set_position(&self, position: Option<u32>) {
        let stored = position.map_or(0, |p| p.saturating_add(1));
        self.position.store(stored, Ordering::Relaxed);
    }

    /// Lets the clock start so much later than the bar opened, under the rule of
    /// [`BarEntry::set_desc`].
    pub fn shift_clock(&self, shift_ns: i64, order: u32) {
        if self.may_write(order) {
            let bits = u64::from_ne_bytes(shift_ns.to_ne_bytes());
            self.clock_shift_ns.store(bits, Ordering::Relaxed);
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

    /// Writes the encoded postfix under the rule of [`BarEntry::set_desc`]; see [`Text::set`].
    pub fn set_postfix(
        &self,
        bytes: &[u8],
        order: u32,
        me: ProcessId,
        alive: &impl Liveness,
    ) -> Option<u64> {
        if self.may_write(order) {
            self.postfix.set(bytes, me, alive)
        } else {
            None
        }
    }

    /// Writes the encoded style under the rule of [`BarEntry::set_desc`].
    pub fn set_style(&self, bytes: &[u8], order: u32, me: ProcessId, alive: &impl Liveness) {
        if self.may_write(order) {
            self.style.set(bytes, me, alive);
        }
    }

    pub(crate) fn may_write(&self, order: u32) -> bool {
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

    /// Notes one more opener's first desc, or the next one of a worker: what all of them begin with is
    /// shown where they differ.
    pub fn fold_desc(&self, text: &str, me: ProcessId, alive: &impl Liveness) {
        let Some(common) = self.common_desc.get_string() else {
            return;
        };
        let ours = cut(text, Text::<17>::CAPACITY);
        if common == ours {
            return;
        }
        self.other_descs.fetch_add(1, Ordering::Relaxed);
        self.common_desc
            .set(shared_start(&common, ours).as_bytes(), me, alive);
    }

    /// Reads the entry, or `None` if no bar stands there.
    pub(crate) fn read(&self, index: usize) -> Option<BarView> {
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
            clock_shift_ns: i64::from_ne_bytes(
                self.clock_shift_ns.load(Ordering::Relaxed).to_ne_bytes(),
            ),
            opener: ProcessId::unpack(self.opener.load(Ordering::Relaxed)),
            position: self.position.load(Ordering::Relaxed).checked_sub(1),
            other_descs: self.other_descs.load(Ordering::Relaxed),
            order: self.writer.load(Ordering::Relaxed).saturating_sub(1),
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

    pub(crate) fn fill(
        &self,
        opening: &Opening<'_>,
        sequence: u64,
        me: ProcessId,
        alive: &impl Liveness,
    ) {
        self.path.store(opening.path, Ordering::Relaxed);
        self.pass.store(opening.pass, Ordering::Relaxed);
        self.traits.store(opening.traits, Ordering::Relaxed);
        self.opener.store(me.pack(), Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Relaxed);
        self.start_ns.store(opening.now_ns, Ordering::Relaxed);
        self.clock_shift_ns.store(0, Ordering::Relaxed);
        self.writer
            .store(opening.order.saturating_add(1), Ordering::Relaxed);
        self.other_descs.store(0, Ordering::Relaxed);
        self.cells.store(0, Ordering::Relaxed);
        self.set_position(opening.position);
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
