//! Whose turn it is to draw: the owner's, until another process takes over from a dead or a stopped
//! one.

use mp_tqdm_counters::{Liveness as _, ProcessId, Role, Tables};
use mp_tqdm_render::{Outcome, Sink, Size};

use crate::process::Process;
use crate::writing::FrameSink;

/// How long nobody was the owner before another rank than the first draws: that one may be on its way.
const VACANT_MS: u64 = 1_000;
/// How long an owner was seen dead before another rank draws: at the end of a job all end together.
const DEAD_MS: u64 = 500;
/// An owner that is there but has not looked for this long was stopped. With a second until the others
/// look, it is replaced within five.
const STOPPED_MS: u64 = 4_000;
/// Who has not looked for this long was stopped itself, perhaps with everybody else.
const ASLEEP_MS: u64 = 3_000;

/// What this process knows of the ownership beyond what the segment says.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// It was the owner once. If another process took over, it was stopped or given up for it: the
    /// first rank does not take the ownership back then, for it would draw over the other's lines.
    was_owner: bool,
    is_owner: bool,
    vacant_since_ms: Option<u64>,
    looked_ms: u64,
    awake_since_ms: u64,
}

/// The answer of a look at the ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawer {
    /// This process, as before.
    Me,
    /// This process, from now on.
    MeNow,
    /// Another one, or nobody yet.
    Other,
}

impl Turn {
    /// Whether this process draws now; takes over where that is its turn.
    pub(crate) fn look(&mut self, process: &Process, now_ms: u64) -> Drawer {
        if now_ms.saturating_sub(self.looked_ms) >= ASLEEP_MS {
            self.awake_since_ms = now_ms;
        }
        self.looked_ms = now_ms;
        let was = self.is_owner;
        self.is_owner = process.home.tables.ownership().is_owner(process.home.me)
            || self.take_over(process, now_ms);
        self.was_owner |= self.is_owner;
        match (was, self.is_owner) {
            (_, false) => Drawer::Other,
            (true, true) => Drawer::Me,
            (false, true) => Drawer::MeNow,
        }
    }

    /// Whether there is nobody to draw just now, so that the next look should come soon.
    pub(crate) fn is_vacant(&self) -> bool {
        self.vacant_since_ms.is_some()
    }

    /// This process draws no longer because there is nothing to draw: whoever has something may. Whoever
    /// took over meanwhile did not take it for a dead one.
    pub(crate) fn give_up(&mut self, process: &Process) {
        process.home.tables.ownership().release(process.home.me);
        *self = Self::default();
    }

    fn take_over(&mut self, process: &Process, now_ms: u64) -> bool {
        let home = &process.home;
        let ownership = home.tables.ownership();
        let owner = ownership.owner();
        let alive = home.liveness();
        if home.role == Role::Worker {
            // Of a program that does not draw itself one worker does.
            return process.may_draw()
                && ownership.is_vacant(&alive, now_ms, STOPPED_MS)
                && ownership.take(owner, home.me, now_ms);
        }
        if process.is_first() && !self.was_owner {
            let first = owner.and_then(|owner| home.tables.processes().view(owner.process));
            // A root that only started the ranks leaves their bars to the first of them.
            let is_rival = first.is_some_and(|view| {
                view.role != Role::Worker
                    && view.rank == home.rank
                    && (view.role == home.role || process.has_open_bar(view.id))
                    && !ownership.is_vacant(&alive, now_ms, STOPPED_MS)
            });
            return !is_rival && ownership.take(owner, home.me, now_ms);
        }
        let patience_ms = match owner {
            None => VACANT_MS,
            Some(owner) if alive.is_dead(owner.process) => DEAD_MS,
            // It had the time to look since this process was awake.
            Some(_)
                if ownership.silent_ms(now_ms) >= STOPPED_MS
                    && now_ms.saturating_sub(self.awake_since_ms) >= ASLEEP_MS =>
            {
                0
            }
            Some(_) => {
                self.vacant_since_ms = None;
                return false;
            }
        };
        let since_ms = *self.vacant_since_ms.get_or_insert(now_ms);
        let has_bar = home.tables.bars().views().next().is_some();
        let is_taken = has_bar
            && now_ms.saturating_sub(since_ms) >= patience_ms
            && ownership.take(owner, home.me, now_ms);
        if is_taken {
            self.vacant_since_ms = None;
        }
        is_taken
    }
}

/// A sink that takes nothing from a process that is not the owner: it may have been stopped between
/// composing a frame and writing it, and another one draws by now.
pub(crate) struct OwnersSink {
    pub(crate) sink: FrameSink,
    pub(crate) tables: &'static Tables,
    pub(crate) me: ProcessId,
    /// What is drawn here is no matter of the job's.
    pub(crate) is_apart: bool,
}

impl Sink for OwnersSink {
    fn write_frame(&mut self, bytes: &[u8]) -> Outcome {
        if self.is_apart || self.tables.ownership().is_owner(self.me) {
            self.sink.write_frame(bytes)
        } else {
            Outcome::Busy
        }
    }

    fn size(&self) -> Option<Size> {
        self.sink.size()
    }

    fn is_edited(&self) -> bool {
        self.sink.is_edited()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;

    use mp_tqdm_counters::{Application, Home, Incarnation, Rank};
    use mp_tqdm_render::FdSink;

    use super::*;

    #[test]
    fn a_frame_composed_before_another_process_took_over_is_not_written() {
        let home = Home::attach(&Application {
            job: 1,
            role: Role::Rank,
            rank: Rank(0),
            parent: None,
            pid: std::process::id(),
            directories: Vec::new(),
        })
        .expect("there is memory");
        let (reader, writer) = std::io::pipe().expect("there are descriptors");
        let mut sink = OwnersSink {
            sink: FrameSink::new(FdSink::new(writer.into()), Some(&home.tables.header)),
            tables: home.tables,
            me: home.me,
            is_apart: false,
        };
        let ownership = home.tables.ownership();
        let successor = ProcessId {
            incarnation: Incarnation(home.me.incarnation.0 + 1),
            ..home.me
        };
        assert!(ownership.take(None, home.me, 1));
        assert_eq!(sink.write_frame(b"mine"), Outcome::Whole);
        assert!(ownership.take(ownership.owner(), successor, 2));
        assert_eq!(sink.write_frame(b"late"), Outcome::Busy);
        drop(sink);
        let mut written = String::new();
        let read = File::from(std::os::fd::OwnedFd::from(reader)).read_to_string(&mut written);
        assert_eq!((read.ok(), written.as_str()), (Some(4), "mine"));
    }
}
