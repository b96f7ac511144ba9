//! The outputs of this process: one for each terminal or file that its bars are drawn on.

use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use mp_tqdm_counters::move_up;
use mp_tqdm_render::{FdSink, Output, OutputId};

use crate::hot;
use crate::stage::Shared;
use crate::turn::OwnersSink;

/// What the environment says about outputs of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) log: Log,
    pub(crate) has_colours: bool,
}

/// What a log is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Log {
    Lines,
    Json,
}

impl Shared {
    /// The output for a stream of this process: one for each terminal or file, however many
    /// descriptors lead to it.
    pub(crate) fn output_of(&mut self, descriptor: RawFd, is_terminal: bool) -> Option<OutputId> {
        let copy = hot::duplicate(descriptor).ok()?;
        let file = std::fs::File::from(copy);
        let meta = file.metadata().ok()?;
        let key = (meta.dev(), meta.ino(), is_terminal);
        if let Some(known) = self.outputs.get(&key)
            && self.display.has_output(*known)
        {
            return Some(*known);
        }
        let sink = Box::new(OwnersSink {
            sink: FdSink::new(OwnedFd::from(file)).moved(move_up),
            tables: self.tables,
            me: self.me,
        });
        let output = match (is_terminal, self.manner.log) {
            (true, _) if self.manner.has_colours => Output::terminal(sink),
            (true, _) => Output::terminal(sink).without_colours(),
            (false, Log::Lines) => Output::log(sink),
            (false, Log::Json) => Output::json(sink),
        };
        let next = self.outputs.values().map(|id| id.0 + 1).max().unwrap_or(1);
        let id = OutputId(next);
        self.display.add_output(id, output);
        self.outputs.insert(key, id);
        if is_terminal {
            self.devices.insert(id, meta.rdev());
        }
        Some(id)
    }

    pub(crate) fn default_output(&mut self) -> Option<OutputId> {
        if self.default_output.is_none()
            && let Some((descriptor, is_terminal)) = self.stream.take()
        {
            self.default_output = self.output_of(descriptor, is_terminal);
        }
        self.default_output
    }
}
