//! What a bar reads in this process, n, total and initial, and how Python code sets them.

use mp_tqdm_counters::{BY_WORKERS, Cell, FED, Reduction, Role, Value, combine};

use super::BarCore;
use crate::locks::lock;
use crate::process::Process;
use crate::report::add_to;
use crate::traits::reduction_of;

/// What n is made of.
#[derive(Clone, Copy)]
struct Count {
    n: Value,
    /// What this process counts up as part of it, be it from another number on.
    own: Value,
}

impl BarCore {
    /// What n and this process's part of it read, with `ending` held.
    pub(super) fn ends(&self, process: &'static Process) -> (Value, Value) {
        let closed = lock(&self.state).closed;
        closed.unwrap_or_else(|| (self.look(process).n, self.own_part(process)))
    }

    fn own_part(&self, process: &'static Process) -> Value {
        let (cell, shared) = self.cell(process);
        let (own, before) = self.count_here(process, cell, shared);
        own - before
    }

    /// What n reads, for Python code, which may go on from it: this rank's work in the bar; of a job
    /// counter the job's; of a bar that a worker opened, this handle's own.
    pub(crate) fn read_n(&self, process: &'static Process) -> Value {
        let _ending = lock(&self.ending);
        let closed = lock(&self.state).closed;
        if let Some((n, _)) = closed {
            lock(&self.here).of(process).read(n, Value::ZERO);
            return n;
        }
        let Count { n, own } = self.look(process);
        let may_be_anothers = lock(&self.here).of(process).read(own, n - own);
        if may_be_anothers {
            self.cool();
        }
        n
    }

    fn look(&self, process: &'static Process) -> Count {
        let (cell, shared) = self.cell(process);
        let (own, before) = self.count_here(process, cell, shared);
        let initial = self.initial();
        let count = |n| Count { n, own };
        if process.home.role == Role::Worker && self.is_makers(process) {
            return count(initial + own - before);
        }
        let is_private = std::ptr::eq(cell, self.own);
        if self.id.is_none() || !is_private && !shared && self.is_alone(process) {
            return count(initial + own);
        }
        if is_private {
            return count(own);
        }
        let traits = self.traits(process);
        if traits & BY_WORKERS != 0 {
            return count(initial + own - before);
        }
        let reduction = reduction_of(traits, process.home.rank);
        let line = combine(&self.views(process), reduction, &process.home.liveness());
        if reduction == Reduction::Job {
            return count(line.n);
        }
        let mut ranks = line.ranks.iter();
        let share = ranks.find(|share| share.rank == process.home.rank);
        count(share.map_or(own, |share| share.n))
    }

    /// What stands where this handle counts in this process, and what of it was there before.
    fn count_here(&self, process: &'static Process, cell: &Cell, shared: bool) -> (Value, Value) {
        if shared {
            (lock(&self.here).of(process).in_shared, Value::ZERO)
        } else if self.is_makers(process) {
            (cell.n(), lock(&self.state).base)
        } else {
            (cell.n(), process.held.left(cell))
        }
    }

    /// Counts a report that names this bar; false where the bar is over, or another job's.
    pub(crate) fn report(&self, process: &'static Process, n: Value) -> bool {
        match self.id {
            _ if self.is_closed() => false,
            Some(id) if !self.is_makers(process) => {
                self.job == process.home.job && add_to(process, id, n)
            }
            id => {
                let bars = process.home.tables.bars();
                if let Some(entry) = id.and_then(|id| bars.entry(id)) {
                    entry.add_traits(FED);
                }
                self.add(process, n);
                true
            }
        }
    }

    /// This process's part of what n reads.
    pub(crate) fn n_own(&self, process: &'static Process) -> Value {
        let _ending = lock(&self.ending);
        let closed = lock(&self.state).closed;
        closed.map_or_else(|| self.own_part(process), |(_, own)| own)
    }

    /// Makes n read `value`: adds what is missing from what this thread last saw, so that
    /// `bar.n += 1` beside counting workers and threads loses nothing.
    pub(crate) fn set_n(&self, process: &'static Process, value: Value) {
        let _ending = lock(&self.ending);
        self.set_while_kept(process, value);
    }

    /// As [`BarCore::set_n`], with `ending` held.
    fn set_while_kept(&self, process: &'static Process, value: Value) {
        if let Some((closed, _)) = &mut lock(&self.state).closed {
            // Others may have counted between this thread's last read and the end.
            let mut here = lock(&self.here);
            let here = here.of(process);
            let seen = here.seen_beside_others();
            here.forget_read();
            here.count();
            *closed = seen.map_or(value, |seen| *closed + (value - seen));
            return;
        }
        let now = self.look(process);
        let seen = {
            let mut here = lock(&self.here);
            let here = here.of(process);
            let seen = here.seen(now.own);
            here.forget_read();
            seen.unwrap_or(now.n)
        };
        if value != seen && !(seen == now.n && self.place(process, value, now)) {
            self.add(process, value - seen);
        }
    }

    /// As [`BarCore::set_n`] where nobody counted since: to the last bit, which the sum of a float and
    /// a difference may miss. False where that is exact, or where others count in the same place.
    fn place(&self, process: &'static Process, value: Value, now: Count) -> bool {
        let (cell, shared) = self.cell(process);
        let is_whole = matches!((value, now.n), (Value::Int(_), Value::Int(_)));
        if is_whole || shared || cfg!(Py_GIL_DISABLED) {
            return false;
        }
        cell.set_n(if now.n == now.own {
            value
        } else {
            now.own + (value - now.n)
        });
        self.warm_again(cell);
        lock(&self.here).of(process).count();
        true
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
        let _ending = lock(&self.ending);
        let (n, _) = self.ends(process);
        let old = std::mem::replace(&mut lock(&self.state).initial, initial);
        if self.is_makers(process) && !self.is_closed() {
            if self.id.is_some() {
                self.cell(process).0.change_initial(initial - old);
            }
            lock(&self.here).of(process).forget_reads();
            self.set_while_kept(process, n);
        }
    }
}
