//! The only file that names atomic types (I3): the standard ones, or loom's when a model is checked.
//!
//! Counts are `Relaxed` everywhere: a count orders nothing but itself. Each stronger ordering in this
//! workspace stands under a `SYNC POINT` comment that names its partner.

#![cfg_attr(
    not(all(test, mp_tqdm_loom)),
    expect(
        clippy::disallowed_types,
        reason = "this is the one place that may name them"
    )
)]

/// Loom's own types, for what a model watches from outside.
#[cfg(all(test, mp_tqdm_loom))]
pub(crate) use loom::sync::atomic as checked;

#[cfg(all(test, mp_tqdm_loom))]
use crate::loom_tests::mortal as atomic;
#[cfg(not(all(test, mp_tqdm_loom)))]
use std::sync::atomic;

pub use atomic::{Ordering, fence};

/// A signed 64-bit count.
pub type AtomicI64 = atomic::AtomicI64;
/// A cached address.
pub type AtomicPtr<T> = atomic::AtomicPtr<T>;
/// A 32-bit word.
pub type AtomicU32 = atomic::AtomicU32;
/// A 64-bit word.
pub type AtomicU64 = atomic::AtomicU64;
