//! What this process alone knows of a bar: which of its threads count, and what each of them last read,
//! as `bar.n = v` adds what `v` has more than that.
//!
//! What a thread counted itself since it read is in `v` already; what others counted is not. The count
//! path does not say who counts. So the count that follows a read by the only known counter is a cold
//! one, which tells whether that thread is the only one still.

use std::thread::{self, ThreadId};

use mp_tqdm_counters::Value;

use crate::process::Process;

/// Threads whose last read is known; a bound, not an expectation.
const MOST_READERS: usize = 64;

/// Who counts in a bar.
enum Counter {
    Unknown,
    One(ThreadId),
    Several,
}

/// What a thread saw.
struct Read {
    thread: ThreadId,
    /// What this process had counted.
    own: Value,
    /// All else that n was made of.
    others: Value,
}

pub(super) struct Here {
    process: &'static Process,
    counter: Counter,
    reads: Vec<Read>,
    /// What was counted through this handle into a cell that others count in too.
    pub(super) in_shared: Value,
}

impl Here {
    pub(super) const fn new(process: &'static Process) -> Self {
        Self {
            process,
            counter: Counter::Unknown,
            reads: Vec::new(),
            in_shared: Value::ZERO,
        }
    }

    /// In a fork child nothing of it holds.
    pub(super) fn of(&mut self, process: &'static Process) -> &mut Self {
        if !std::ptr::eq(self.process, process) {
            *self = Self::new(process);
        }
        self
    }

    /// Notes that this thread counts.
    pub(super) fn count(&mut self) {
        let me = thread::current().id();
        self.counter = match self.counter {
            Counter::Unknown => Counter::One(me),
            Counter::One(thread) if thread == me => return,
            _ => Counter::Several,
        };
    }

    /// Notes what this thread read. True if the next count may be another thread's first.
    pub(super) fn read(&mut self, own: Value, others: Value) -> bool {
        let thread = thread::current().id();
        self.forget_read();
        if self.reads.len() == MOST_READERS {
            self.reads.remove(0);
        }
        self.reads.push(Read {
            thread,
            own,
            others,
        });
        match self.counter {
            Counter::Unknown => true,
            Counter::One(counter) => counter == thread,
            Counter::Several => false,
        }
    }

    /// What this thread takes n to be, if it read n since it last set it: what it saw, and its own
    /// counts since. `own` is what this process has counted by now.
    pub(super) fn seen(&self, own: Value) -> Option<Value> {
        let me = thread::current().id();
        let read = self.reads.iter().find(|read| read.thread == me)?;
        Some(read.others + if self.is_alone() { own } else { read.own })
    }

    /// As [`Here::seen`], where other threads count as well.
    pub(super) fn seen_beside_others(&self) -> Option<Value> {
        (!self.is_alone()).then(|| self.seen(Value::ZERO)).flatten()
    }

    /// Whether no other thread is known to count.
    fn is_alone(&self) -> bool {
        match self.counter {
            Counter::Unknown => true,
            Counter::One(counter) => counter == thread::current().id(),
            Counter::Several => false,
        }
    }

    pub(super) fn forget_read(&mut self) {
        let me = thread::current().id();
        self.reads.retain(|read| read.thread != me);
    }

    pub(super) fn forget_reads(&mut self) {
        self.reads.clear();
    }
}
