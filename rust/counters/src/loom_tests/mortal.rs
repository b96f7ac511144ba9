//! Loom's atomics for processes that can die: a thread ends before the n-th atomic operation it was
//! given, as a process does at `kill -9`, with whatever it had written so far.

use std::cell::Cell as Slot;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::checked;

pub(crate) use checked::AtomicPtr;
pub use checked::{Ordering, fence};

/// What unwinds a dying thread; no panic, so no message.
struct Death;

loom::thread_local! {
    static STEPS_LEFT: Slot<Option<usize>> = Slot::new(None);
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
                self.0.load(order)
            }

            #[track_caller]
            pub fn store(&self, value: $integer, order: Ordering) {
                step();
                self.0.store(value, order);
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
