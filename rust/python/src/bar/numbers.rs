//! What a bar reads in this process, n, total and initial, and how Python code sets them.

use std::thread;

use mp_tqdm_counters::{BY_WORKERS, Reduction, Role, Value, combine};

use super::BarCore;
use crate::process::{Process, lock};
use crate::report::add_to;
use crate::traits::reduction_of;

impl BarCore {
    /// What n reads: this rank's work in the bar; of a job counter the job's; of a bar that a worker
    /// opened, this handle's own.
    pub(crate) fn n(&self, process: &'static Process) -> Value {
        let state = *lock(&self.state);
        if let Some((closed, _)) = state.closed {
            return closed;
        }
        let (cell, _) = self.cell(process);
        let own = cell.n();
        if process.home.role == Role::Worker && self.is_makers(process) {
            return state.initial + own - state.base;
        }
        let is_shared = !std::ptr::eq(cell, self.own);
        if self.id.is_none() || is_shared && self.is_alone(process) {
            self.note_read(state.initial);
            return state.initial + own;
        }
        if std::ptr::eq(cell, self.own) {
            return own;
        }
        let traits = self.traits(process);
        if traits & BY_WORKERS != 0 {
            return state.initial + own - process.held.left(cell);
        }
        let reduction = reduction_of(traits, process.home.rank);
        let line = combine(&self.views(process), reduction, &process.home.liveness());
        let read = if reduction == Reduction::Job {
            line.n
        } else {
            let share = line
                .ranks
                .iter()
                .find(|share| share.rank == process.home.rank);
            share.map_or(own, |share| share.n)
        };
        self.note_read(read - own);
        read
    }

    /// Notes what others had counted when this thread read n.
    fn note_read(&self, others: Value) {
        lock(&self.state).last_read = Some((thread::current().id(), others));
    }

    /// Counts a report that names this bar; false where the bar is over, or another job's.
    pub(crate) fn report(&self, process: &'static Process, n: Value) -> bool {
        match self.id {
            _ if self.is_closed() => false,
            Some(id) => self.job == process.home.job && add_to(process, id, n),
            None => {
                self.cell(process).0.add_value(n);
                true
            }
        }
    }

    /// What this process alone did.
    pub(crate) fn n_own(&self, process: &'static Process) -> Value {
        let state = *lock(&self.state);
        if let Some((_, own)) = state.closed {
            return own;
        }
        let cell = self.cell(process).0;
        if self.is_makers(process) {
            cell.n() - state.base
        } else {
            cell.n() - process.held.left(cell)
        }
    }

    /// Makes n read `value`: adds what is missing from what this thread last saw, so that
    /// `bar.n += 1` beside counting workers loses nothing.
    pub(crate) fn set_n(&self, process: &'static Process, value: Value) {
        let mut state = lock(&self.state);
        if let Some((closed, _)) = &mut state.closed {
            *closed = value;
            return;
        }
        // Taken before the look below, which notes what others count meanwhile.
        let last_read = state.last_read.take();
        drop(state);
        let (cell, _) = self.cell(process);
        let others = match last_read {
            Some((thread, others)) if thread == thread::current().id() => others,
            _ => self.n(process) - cell.n(),
        };
        lock(&self.state).last_read = None;
        let delta = value - others - cell.n();
        if delta != Value::ZERO {
            cell.add_value(delta);
        }
    }

    pub(crate) fn total(&self) -> Option<Value> {
        lock(&self.state).total
    }

    pub(crate) fn set_total(&self, process: &'static Process, total: Option<Value>) {
        let mut state = lock(&self.state);
        let old = std::mem::replace(&mut state.total, total);
        drop(state);
        if self.is_makers(process) && !self.is_closed() && self.id.is_some() && old != total {
            self.cell(process).0.set_total(old, total);
        }
    }

    pub(crate) fn initial(&self) -> Value {
        lock(&self.state).initial
    }

    /// Changes the initial count; n, which begins there, keeps what it reads.
    pub(crate) fn set_initial(&self, process: &'static Process, initial: Value) {
        let n = self.n(process);
        let old = std::mem::replace(&mut lock(&self.state).initial, initial);
        if self.is_makers(process) && !self.is_closed() {
            if self.id.is_some() {
                self.cell(process).0.change_initial(initial - old);
            }
            lock(&self.state).last_read = None;
            self.set_n(process, n);
        }
    }
}
