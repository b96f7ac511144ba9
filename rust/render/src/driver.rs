//! The render thread: calls a closure at a steady pace, on request, and never later than asked to
//! stop.
//!
//! The one clock of this crate is read here. The thread blocks every signal, so that none of the
//! user's handlers ever runs on its small stack.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, gettid};

/// The thread's stack. A frame of 64 rows takes some 20 KiB of it in a debug build.
const STACK_BYTES: usize = 256 * 1024;

/// How long the lock is waited for where waiting has no other limit. It is held for some hundred
/// nanoseconds; by a thread that lost the processor meanwhile, until it has that again; and for ever
/// in a child forked at that moment.
const LOCK_LIMIT: Duration = Duration::from_millis(10);

/// What the thread does after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The next tick comes this long after this one was due.
    For(Duration),
    /// The next tick comes when somebody asks for it.
    UntilWoken,
    /// There is no next tick.
    Exit,
}

/// A thread that ticks.
///
/// Dropping it asks the thread to stop and does not wait.
#[derive(Debug)]
pub struct Driver {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled at each change of the state.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_wanted: bool,
    is_stopping: bool,
    has_exited: bool,
    /// The thread's id, once it runs.
    thread: Option<Pid>,
}

impl Driver {
    /// Starts a thread of that name, which calls `tick` at once and then as `tick` says. The
    /// argument is the monotonic clock in seconds.
    ///
    /// A `tick` that panics ends the thread and nothing else.
    ///
    /// # Errors
    ///
    /// That of the system if it has no thread to give.
    pub fn start<F>(name: &str, tick: F) -> io::Result<Self>
    where
        F: FnMut(f64) -> Wait + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let builder = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES);
        // The mask is inherited: blocked here, no signal finds the thread with an open one.
        let previous = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let spawned = builder.spawn(move || {
            // Dropped last, also after a panic.
            let _farewell = Farewell(&of_thread);
            of_thread.lock().thread = Some(gettid());
            let mut tick = tick;
            // The closure is dropped with the thread, so a half-done tick is seen by nobody.
            let _ = catch_unwind(AssertUnwindSafe(|| of_thread.run(&mut tick)));
        });
        let restored = previous.thread_set_mask();
        let driver = Self {
            shared,
            thread: Mutex::new(Some(spawned?)),
        };
        restored?;
        Ok(driver)
    }

    /// Asks for a tick now.
    pub fn wake(&self) {
        if let Some(mut state) = lock_within(&self.shared.state, LOCK_LIMIT) {
            state.is_wanted = true;
            self.shared.changed.notify_all();
        }
    }

    /// Ends the thread: no tick begins after this call. `true` if it is gone, `false` if the tick
    /// in progress did not end within `limit`; it will be gone after that tick.
    pub fn stop(&self, limit: Duration) -> bool {
        let begin = monotonic();
        let Some(mut state) = lock_within(&self.shared.state, limit) else {
            return false;
        };
        state.is_stopping = true;
        self.shared.changed.notify_all();
        let left = limit.saturating_sub(monotonic().saturating_sub(begin));
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, left, |state| !state.has_exited);
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        if !state.has_exited {
            return false;
        }
        let id = state.thread;
        drop(state);
        let thread = lock_within(&self.thread, LOCK_LIMIT).and_then(|mut thread| thread.take());
        // All that is left of it is its return: where it has the processor, that is microseconds.
        thread.is_none_or(|thread| {
            let is_joined = thread.join().is_ok();
            if let Some(id) = id {
                await_end(id);
            }
            is_joined
        })
    }

    /// Whether the thread may still tick. Who holds the lock for so long is taken for a thread that
    /// waits for the processor: one thread too few for a while is better than two.
    #[must_use]
    pub fn is_running(&self) -> bool {
        lock_within(&self.shared.state, LOCK_LIMIT)
            .is_none_or(|state| !state.has_exited && !state.is_stopping)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(mut state) = lock_within(&self.shared.state, Duration::ZERO) {
            state.is_stopping = true;
            self.shared.changed.notify_all();
        }
    }
}

/// Says that the thread has ended, however it ended.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.lock().has_exited = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn run(&self, tick: &mut dyn FnMut(f64) -> Wait) {
        // When the coming tick is due. Kept as a point in time: a wait that is counted from the
        // end of a tick would make ten frames a second nine.
        let mut due = monotonic();
        while self.begin_tick() {
            let limit = match tick(monotonic().as_secs_f64()) {
                Wait::Exit => return,
                Wait::UntilWoken => None,
                Wait::For(pause) => Some(pause),
            };
            let now = monotonic();
            if let Some(pause) = limit {
                due = due.saturating_add(pause);
                if due < now {
                    // Late by a slow tick or a stopped process: the ticks missed are not made up.
                    due = now.saturating_add(pause);
                }
            }
            let state = self.wait_until_due(self.lock(), limit.map(|_| due));
            if state.is_wanted {
                // The pace counts from the tick that was asked for.
                due = monotonic();
            }
        }
    }

    /// Takes note of a tick, unless there is to be none any more.
    fn begin_tick(&self) -> bool {
        let mut state = self.lock();
        if state.is_stopping {
            return false;
        }
        state.is_wanted = false;
        true
    }

    fn wait_until_due<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        due: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        while !state.is_wanted && !state.is_stopping {
            let left = due.map(|due| due.saturating_sub(monotonic()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(|poisoned| poisoned.into_inner()),
            };
        }
        state
    }
}

/// Waits until the kernel has let go of a thread that was joined: until then it is counted among
/// those of the process, and a fork of CPython 3.12 and later would warn of it.
fn await_end(thread: Pid) {
    let begin = monotonic();
    let entry = format!("/proc/self/task/{thread}");
    while Path::new(&entry).exists() && monotonic().saturating_sub(begin) < LOCK_LIMIT {
        thread::yield_now();
    }
}

/// The lock, unless somebody holds it for so long that he is not there any more.
fn lock_within<T>(mutex: &Mutex<T>, limit: Duration) -> Option<MutexGuard<'_, T>> {
    let begin = monotonic();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if monotonic().saturating_sub(begin) >= limit => {
                return None;
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(50)),
        }
    }
}

/// The monotonic clock that ticks are given in seconds; all processes of a machine share it.
#[must_use]
pub fn monotonic() -> Duration {
    // The clock is there on every Linux; a start at zero is what is left to say without it.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(Duration::from)
        .unwrap_or_default()
}

/// The kernel's id of the calling thread.
#[must_use]
pub fn thread_id() -> i32 {
    gettid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_lost_the_processor_with_the_lock_is_running_and_is_stopped() {
        let driver = Driver::start("mp-tqdm-test", |_| Wait::UntilWoken).unwrap();
        thread::scope(|scope| {
            let held = driver.shared.lock();
            assert!(driver.is_running());
            let stopper = scope.spawn(|| driver.stop(Duration::from_secs(20)));
            // Longer than the lock is waited for elsewhere.
            thread::sleep(4 * LOCK_LIMIT);
            drop(held);
            assert!(stopper.join().unwrap());
        });
        assert!(!driver.is_running());
    }
}
