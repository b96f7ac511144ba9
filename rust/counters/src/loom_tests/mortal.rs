//! Loom's atomics for processes that can die: a thread ends before the n-th atomic operation it was
//! given, as a process does at `kill -9`, with whatever it had written so far.
//!
//! And for a model that leaves no interleaving out. Loom (0.7.2) notes one last access of an atomic: a
//! load by the thread that writes next hides the loads of others from it, and so the order in which
//! they read the new value is never tried. "Load, then compare and swap" is what every protocol here
//! does. Where loads and stores are made as read-modify-writes all orders are tried, but a load never
//! sees an old value; so each model is checked both ways.

use std::cell::Cell as Slot;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::checked;

pub(crate) use checked::AtomicPtr;
pub use checked::{Ordering, fence};

/// What unwinds a dying thread; no panic, so no message.
struct Death;

/// How loads and stores are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// As such: old values are seen where the orderings allow it, but some interleavings are not tried.
    Weak,
    /// As read-modify-writes: all interleavings, and only the latest values.
    Exact,
}

loom::thread_local! {
    static STEPS_LEFT: Slot<Option<usize>> = Slot::new(None);
}

std::thread_local! {
    /// One for a whole model: loom runs its threads on the one that checks it.
    static MEMORY: Slot<Memory> = const { Slot::new(Memory::Weak) };
}

/// How the models that this thread checks from now on make their loads and stores.
pub(crate) fn set_memory(memory: Memory) {
    MEMORY.set(memory);
}

/// Runs `life`, which dies before its atomic operation number `steps` (from 0); `None` if it did.
pub(crate) fn live_for<T>(steps: usize, life: impl FnOnce() -> T) -> Option<T> {
    STEPS_LEFT.with(|left| left.set(Some(steps)));
    let outcome = catch_unwind(AssertUnwindSafe(life));
    STEPS_LEFT.with(|left| left.set(None));
    match outcome {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Death>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn step() {
    STEPS_LEFT.with(|left| match left.get() {
        None => {}
        Some(0) => resume_unwind(Box::new(Death)),
        Some(steps) => left.set(Some(steps - 1)),
    });
}

macro_rules! mortal {
    ($name:ident, $integer:ty) => {
        /// An atomic at which a thread can die.
        #[derive(Debug)]
        pub struct $name(checked::$name);

        #[allow(dead_code, reason = "not every width needs every operation")]
        impl $name {
            #[track_caller]
            #[must_use]
            pub fn new(value: $integer) -> Self {
                Self(checked::$name::new(value))
            }

            #[track_caller]
            pub fn load(&self, order: Ordering) -> $integer {
                step();
                match MEMORY.get() {
                    Memory::Weak => self.0.load(order),
                    Memory::Exact => self.0.fetch_or(0, order),
                }
            }

            #[track_caller]
            pub fn store(&self, value: $integer, order: Ordering) {
                step();
                match MEMORY.get() {
                    Memory::Weak => self.0.store(value, order),
                    Memory::Exact => _ = self.0.swap(value, order),
                }
            }

            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $integer,
                new: $integer,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$integer, $integer> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }

            mortal!(@rmw $integer, fetch_add fetch_sub fetch_and fetch_or fetch_max);
        }
    };
    (@rmw $integer:ty, $($operation:ident)*) => {$(
        #[track_caller]
        pub fn $operation(&self, value: $integer, order: Ordering) -> $integer {
            step();
            self.0.$operation(value, order)
        }
    )*};
}

mortal!(AtomicI64, i64);
mortal!(AtomicU32, u32);
mortal!(AtomicU64, u64);
