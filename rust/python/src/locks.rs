//! Locks that a fork finds free.
//!
//! A fork copies a lock as it is, without the thread that holds it: in the child it stays taken, and what
//! it guards may be half changed. Python forks with the GIL, but threads of this process take locks
//! without it, in calls that detached and in the renderer. So the C library's `fork` itself waits until
//! nobody holds one, behind all hooks in Python; a thread that wants its first lock meanwhile waits until
//! the fork is over. (A raw `clone` and `_Fork` ask nobody.)

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use mp_tqdm_counters::sync::{AtomicU32, Ordering};

use crate::hot;

/// For how long a fork waits for locks, and who wants a lock for a fork: as for the renderer's frame.
const LIMIT: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_micros(20);

/// One fork under way, beside the number of threads that hold locks.
const FORK: u32 = 1 << 16;
const THREADS: u32 = FORK - 1;

/// How many threads hold locks, and how many forks are under way.
static HELD: AtomicU32 = AtomicU32::new(0);

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

/// Locks a mutex that only threads of this process take, and that none of them panics with.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Guard<'_, T> {
    let hold = Hold::begin();
    Guard {
        inner: mutex.lock().unwrap_or_else(PoisonError::into_inner),
        _hold: hold,
    }
}

/// As [`lock`]; `None` where another thread has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<Guard<'_, T>> {
    let hold = Hold::begin();
    let inner = match mutex.try_lock() {
        Ok(inner) => inner,
        Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    Some(Guard { inner, _hold: hold })
}

/// Makes forks wait. Called at the import.
pub(crate) fn watch_forks() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| hot::around_forks(before_fork, after_fork_in_parent, after_fork_in_child));
}

/// What a lock guards.
pub(crate) struct Guard<'a, T> {
    // Given back before the hold ends, for fields are dropped in this order.
    inner: MutexGuard<'a, T>,
    _hold: Hold,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// A thread holds a lock, or is about to take one.
struct Hold;

impl Hold {
    fn begin() -> Self {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            let is_counted = poll(|| {
                let held = HELD.load(Ordering::Relaxed);
                let next = held + 1;
                // SYNC POINT: with the fork, which sees this thread or is seen by it.
                held < FORK
                    && HELD
                        .compare_exchange(held, next, Ordering::Acquire, Ordering::Relaxed)
                        .is_ok()
            });
            if !is_counted {
                HELD.fetch_add(1, Ordering::Acquire);
            }
        }
        Self
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if depth == 0 {
            // SYNC POINT: with the fork, which copies what this thread wrote.
            HELD.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Asks until the answer is yes; false where that takes too long.
fn poll(mut is_so: impl FnMut() -> bool) -> bool {
    if is_so() {
        return true;
    }
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

/// 1 if the calling thread holds a lock.
fn own() -> u32 {
    DEPTH.get().min(1)
}

extern "C" fn before_fork() {
    HELD.fetch_add(FORK, Ordering::Relaxed);
    // SYNC POINT: with the end of each hold.
    poll(|| HELD.load(Ordering::Acquire) & THREADS == own());
}

extern "C" fn after_fork_in_parent() {
    // SYNC POINT: with the begin of each hold.
    HELD.fetch_sub(FORK, Ordering::Release);
}

extern "C" fn after_fork_in_child() {
    HELD.store(own(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What a thread does with a lock while another one forks.
    fn child_of_a_fork_beside(hold: impl FnOnce(mpsc::Sender<()>) + Send) -> i32 {
        static LOCK: Mutex<i32> = Mutex::new(0);
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || {
                let mut value = lock(&LOCK);
                *value = 1;
                hold(sender);
                *value = 0;
            });
            receiver.recv().expect("the thread holds the lock");
            hot::code_of_fork(|| {
                let child = try_lock(&LOCK);
                child.map_or(2, |value| *value)
            })
        })
    }

    // faults: F19
    #[test]
    fn a_child_finds_free_what_a_thread_held_and_whole_what_it_guards() {
        watch_forks();
        for _ in 0..20 {
            let code = child_of_a_fork_beside(|held| {
                held.send(()).expect("somebody waits");
                thread::sleep(Duration::from_millis(3));
            });
            assert_eq!(code, 0);
        }
    }
}
