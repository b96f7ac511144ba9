//! A cell: the counters of one process in one bar.

mod hand_over;

use crate::sync::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
use crate::tag::{CellKey, CellState, CellTag, ProcessId};
use crate::value::{Value, saturated};

pub(crate) use hand_over::take_free;

/// How often a reader tries again while a cell changes hands under it.
const READ_TRIES: usize = 8;

/// `n` has a float part, so that it is shown as one.
pub(crate) const N_IS_FLOAT: u32 = 1;
const TOTAL_IS_FLOAT: u32 = 1 << 1;
const INITIAL_IS_FLOAT: u32 = 1 << 2;
/// The process asked for a line of its own.
pub const OWN_LINE: u32 = 1 << 3;

/// The counters of one process in one bar.
///
/// Written by the process that its tag names and by no other (but for [`CellState::Shared`]), read by
/// all. 128 bytes, since the prefetcher of x86 pulls cache lines in pairs: two processes that add to
/// one line cost each other 12 ns an update, to a line each 0.2 to 4.5 ns.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Cell {
    /// [`CellTag`]: state, life, slot and incarnation.
    tag: AtomicU64,
    /// [`CellKey`]: bar, generation and rank; written while claiming only.
    key: AtomicU64,
    /// Items, without the bar's initial count.
    n: AtomicI64,
    /// Items that were counted as floats (bits of an `f64`), on top of `n`.
    n_float: AtomicU64,
    /// Sum of the totals of the openings (bits of a [`Value`]).
    total: AtomicU64,
    /// Sum of the initial counts of the openings (bits of a [`Value`]).
    initial: AtomicU64,
    /// Bit flags: which numbers are floats, and wishes of the process.
    flags: AtomicU32,
    /// Handles of this process that are open on the bar.
    opens: AtomicU32,
    /// Openings with a total, closed ones too.
    with_total: AtomicU32,
    /// Openings without a total, closed ones too.
    without_total: AtomicU32,
    /// The `position` asked for, plus 1; 0 for none.
    position: AtomicU32,
    /// When the cell was first opened, in nanoseconds of the monotonic clock.
    start_ns: AtomicU64,
    /// When its last handle closed; 0 while one is open.
    end_ns: AtomicU64,
}

/// What a reader saw of one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellView {
    /// Bar and rank.
    pub key: CellKey,
    /// Who counts here, or counted last.
    pub process: ProcessId,
    /// Live, released or shared.
    pub state: CellState,
    /// Items, without initial counts.
    pub n: Value,
    /// Sum of the known totals.
    pub total: Option<Value>,
    /// Whether some opening gave no total.
    pub without_total: bool,
    /// Sum of the initial counts.
    pub initial: Value,
    /// Handles open; of a dead process the reader has to say 0 itself.
    pub opens: u32,
    /// Whether a handle was ever open here: false where only reports count.
    pub opened: bool,
    /// The process asked for a line of its own.
    pub own_line: bool,
    /// The `position` asked for.
    pub position: Option<u32>,
    /// When it was first opened, nanoseconds of the monotonic clock.
    pub start_ns: u64,
    /// When the last handle closed; 0 while one is open.
    pub end_ns: u64,
}

impl Cell {
    /// A cell of nobody. (A segment's cells are not made, they are zeros of the file.)
    #[must_use]
    pub fn new() -> Self {
        Self {
            tag: AtomicU64::new(0),
            key: AtomicU64::new(0),
            n: AtomicI64::new(0),
            n_float: AtomicU64::new(0),
            total: AtomicU64::new(0),
            initial: AtomicU64::new(0),
            flags: AtomicU32::new(0),
            opens: AtomicU32::new(0),
            with_total: AtomicU32::new(0),
            without_total: AtomicU32::new(0),
            position: AtomicU32::new(0),
            start_ns: AtomicU64::new(0),
            end_ns: AtomicU64::new(0),
        }
    }

    /// Adds `n` items: one load and one store.
    ///
    /// For the cell's own process, which must not call it from two threads at once (the GIL sees to
    /// that; builds without one count with [`Cell::add_shared`]). Wraps at 2^63, so a caller adds less
    /// than 2^31 at a time, and [`Cell::add_value`] once [`Cell::is_near_limit`].
    #[inline(always)]
    pub fn add(&self, n: i64) {
        self.n.store(
            self.n.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// As [`Cell::add`], where several threads or processes count.
    #[inline]
    pub fn add_shared(&self, n: i64) {
        self.n.fetch_add(n, Ordering::Relaxed);
    }

    /// Whether so much is counted here that [`Cell::add`] could come to wrap: from below that limit it
    /// takes 2^31 calls, of 2^31 items each.
    #[must_use]
    pub fn is_near_limit(&self) -> bool {
        const LIMIT: u64 = 1 << 62;
        self.n.load(Ordering::Relaxed).unsigned_abs() >= LIMIT
    }

    /// Adds any number, from any thread or process: what does not fit the integer goes to the float
    /// part.
    pub fn add_value(&self, value: Value) {
        if let Value::Int(n) = value {
            let mut seen = self.n.load(Ordering::Relaxed);
            while let Some(sum) = seen.checked_add(n) {
                let swap = self
                    .n
                    .compare_exchange(seen, sum, Ordering::Relaxed, Ordering::Relaxed);
                match swap {
                    Ok(_) => return,
                    Err(now) => seen = now,
                }
            }
        }
        self.add_float(value.as_f64());
    }

    /// Makes the count read `value` to the last bit, as adding a difference of floats may not. For the
    /// cell's own process, while none of its threads adds. A reader in between sees less, not more.
    pub fn set_n(&self, value: Value) {
        match value {
            Value::Int(whole) => {
                self.n_float.store(0, Ordering::Relaxed);
                self.n.store(whole, Ordering::Relaxed);
                self.flags.fetch_and(!N_IS_FLOAT, Ordering::Relaxed);
            }
            Value::Float(value) => {
                let whole = Value::Int(self.n.load(Ordering::Relaxed)).as_f64();
                let mut rest = value - whole;
                if Value::Float(whole + rest) != Value::Float(value) {
                    self.n.store(0, Ordering::Relaxed);
                    rest = value;
                }
                self.n_float.store(rest.to_bits(), Ordering::Relaxed);
                self.flags.fetch_or(N_IS_FLOAT, Ordering::Relaxed);
            }
        }
    }

    fn add_float(&self, n: f64) {
        let mut seen = self.n_float.load(Ordering::Relaxed);
        while let Err(now) = self.n_float.compare_exchange(
            seen,
            saturated(saturated(f64::from_bits(seen)) + n).to_bits(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            seen = now;
        }
        if self.flags.load(Ordering::Relaxed) & N_IS_FLOAT == 0 {
            self.flags.fetch_or(N_IS_FLOAT, Ordering::Relaxed);
        }
    }

    /// Counts from zero again, as an int: a cell of no segment.
    pub fn clear(&self) {
        self.n.store(0, Ordering::Relaxed);
        self.n_float.store(0, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
    }

    /// Items counted here, without initial counts.
    #[must_use]
    pub fn n(&self) -> Value {
        let whole = self.n.load(Ordering::Relaxed);
        if self.flags.load(Ordering::Relaxed) & N_IS_FLOAT == 0 {
            return Value::Int(whole);
        }
        let fraction = f64::from_bits(self.n_float.load(Ordering::Relaxed));
        // Counting stores finite numbers only, so another one is nonsense.
        let fraction = if fraction.is_finite() { fraction } else { 0.0 };
        Value::Float(saturated(Value::Int(whole).as_f64() + fraction))
    }

    /// Counts one more handle; before the look at the bar's state that tells whether it may stay.
    pub(crate) fn announce(&self) {
        self.opens.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes [`Cell::announce`] back.
    pub(crate) fn renounce(&self) {
        self.opens.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes what a handle that just joined brings along.
    pub fn open(&self, total: Option<Value>, initial: Value, now_ns: u64) {
        self.change_total(None, total);
        let count = if total.is_some() {
            &self.with_total
        } else {
            &self.without_total
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.change_initial(initial);
        if self.start_ns.load(Ordering::Relaxed) == 0 {
            self.start_ns.store(now_ns.max(1), Ordering::Relaxed);
        }
        self.end_ns.store(0, Ordering::Relaxed);
    }

    /// Notes that a handle of this process closed; returns how many are still open.
    pub fn close(&self, now_ns: u64) -> u32 {
        let after = count_down(&self.opens);
        if after == 0 {
            self.end_ns.store(now_ns.max(1), Ordering::Relaxed);
        }
        after
    }

    /// Counts no handle any more: the process that had them is gone, or about to be.
    pub(crate) fn forget_opens(&self) {
        self.opens.store(0, Ordering::Relaxed);
    }

    /// Handles of this process open on the bar.
    #[must_use]
    pub fn opens(&self) -> u32 {
        self.opens.load(Ordering::Relaxed)
    }

    /// Replaces what one open handle contributes to the total.
    pub fn set_total(&self, old: Option<Value>, new: Option<Value>) {
        self.change_total(old, new);
        let (plus, minus) = match (old, new) {
            (None, Some(_)) => (&self.with_total, &self.without_total),
            (Some(_), None) => (&self.without_total, &self.with_total),
            _ => return,
        };
        plus.fetch_add(1, Ordering::Relaxed);
        count_down(minus);
    }

    fn change_total(&self, old: Option<Value>, new: Option<Value>) {
        let by = new.unwrap_or(Value::ZERO) - old.unwrap_or(Value::ZERO);
        self.change_number(&self.total, TOTAL_IS_FLOAT, by);
    }

    /// Adds to the initial count (what was done before this run).
    pub fn change_initial(&self, by: Value) {
        self.change_number(&self.initial, INITIAL_IS_FLOAT, by);
    }

    /// Notes wishes for the display: flags such as [`OWN_LINE`], and the position asked for.
    pub fn set_wishes(&self, flags: u32, position: Option<u32>) {
        self.flags.fetch_or(flags, Ordering::Relaxed);
        self.position.store(
            position.map_or(0, |p| p.saturating_add(1)),
            Ordering::Relaxed,
        );
    }

    fn number(&self, bits: &AtomicU64, float_flag: u32) -> Value {
        let is_float = self.flags.load(Ordering::Relaxed) & float_flag != 0;
        Value::from_bits(bits.load(Ordering::Relaxed), is_float)
    }

    /// Of an overflow cell several processes may change a number at once.
    fn change_number(&self, word: &AtomicU64, float_flag: u32, by: Value) {
        let mut seen = word.load(Ordering::Relaxed);
        let is_float = loop {
            let was_float = self.flags.load(Ordering::Relaxed) & float_flag != 0;
            let (bits, is_float) = (Value::from_bits(seen, was_float) + by).to_bits();
            match word.compare_exchange(seen, bits, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break is_float,
                Err(now) => seen = now,
            }
        };
        if is_float {
            self.flags.fetch_or(float_flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!float_flag, Ordering::Relaxed);
        }
    }

    pub(crate) fn tag(&self) -> CellTag {
        CellTag::unpack(self.tag.load(Ordering::Relaxed))
    }

    /// Bar and rank that the cell counts, if it counts.
    #[must_use]
    pub fn key(&self) -> Option<CellKey> {
        matches!(
            self.tag().state,
            CellState::Live | CellState::Released | CellState::Shared
        )
        .then(|| CellKey::unpack(self.key.load(Ordering::Relaxed)))
    }

    /// Reads the cell whole, or `None` if it counts nothing (or never held still).
    #[must_use]
    pub fn read(&self) -> Option<CellView> {
        for _ in 0..READ_TRIES {
            // SYNC POINT: pairs with the Release stores of `publish` and `claim`: behind a tag that
            // says "counted" stand the key and the numbers that were written before it.
            let bits = self.tag.load(Ordering::Acquire);
            let tag = CellTag::unpack(bits);
            if matches!(tag.state, CellState::Free | CellState::Claiming) {
                return None;
            }
            let view = self.view(tag);
            // SYNC POINT: keeps the loads above before the second look at the tag, and pairs with the
            // Release fence of `claim`: a cell that was freed and claimed again in between, be it by the
            // same process, shows another life.
            fence(Ordering::Acquire);
            if self.tag.load(Ordering::Relaxed) == bits {
                return Some(view);
            }
        }
        None
    }

    fn view(&self, tag: CellTag) -> CellView {
        let flags = self.flags.load(Ordering::Relaxed);
        let with_total = self.with_total.load(Ordering::Relaxed);
        let without_total = self.without_total.load(Ordering::Relaxed);
        CellView {
            key: CellKey::unpack(self.key.load(Ordering::Relaxed)),
            process: tag.process,
            state: tag.state,
            n: self.n(),
            total: (with_total > 0).then(|| self.number(&self.total, TOTAL_IS_FLOAT)),
            without_total: without_total > 0,
            initial: self.number(&self.initial, INITIAL_IS_FLOAT),
            opens: self.opens.load(Ordering::Relaxed),
            opened: with_total > 0 || without_total > 0,
            own_line: flags & OWN_LINE != 0,
            position: self.position.load(Ordering::Relaxed).checked_sub(1),
            start_ns: self.start_ns.load(Ordering::Relaxed),
            end_ns: self.end_ns.load(Ordering::Relaxed),
        }
    }
}

/// Takes one off, also where several processes do so; never below 0. Returns what is left.
fn count_down(word: &AtomicU32) -> u32 {
    let mut before = word.load(Ordering::Relaxed);
    while before > 0
        && let Err(now) =
            word.compare_exchange(before, before - 1, Ordering::Relaxed, Ordering::Relaxed)
    {
        before = now;
    }
    before.saturating_sub(1)
}

impl Default for Cell {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_leaves_63_bits_goes_on_as_a_float() {
        let cell = Cell::new();
        cell.add_value(Value::Int(i64::MAX - 1));
        assert!(cell.is_near_limit());
        cell.add_value(Value::Int(1));
        assert_eq!(cell.n(), Value::Int(i64::MAX));
        cell.add_value(Value::Int(i64::MAX));
        assert_eq!(cell.n(), Value::Float(2.0_f64.powi(64)));
        cell.add_value(Value::Float(f64::MAX));
        cell.add_value(Value::Float(f64::MAX));
        assert_eq!(cell.n(), Value::Float(f64::MAX));
        cell.clear();
        assert_eq!((cell.n(), cell.is_near_limit()), (Value::ZERO, false));
    }

    #[test]
    fn a_count_that_is_set_is_read_to_the_last_bit() {
        let numbers = [0.1, 25.51, 1e-10, -0.1, 1e300, 3.0, 2.0_f64.powi(80)].map(Value::Float);
        let numbers: Vec<Value> = numbers
            .into_iter()
            .chain([0, 7, -3, i64::MAX].map(Value::Int))
            .collect();
        let cell = Cell::new();
        for before in &numbers {
            for added in &numbers {
                for set in &numbers {
                    cell.set_n(*before);
                    cell.add_value(*added);
                    cell.set_n(*set);
                    assert_eq!(cell.n(), *set, "after {before:?} and {added:?}");
                }
            }
        }
    }
}
