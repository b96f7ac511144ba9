//! The outputs of this process: one for each terminal or file that its bars are drawn on.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use mp_tqdm_counters::move_up;
use mp_tqdm_render::{Encoding, FdSink, Output, OutputId};

use crate::hot;
use crate::shared::Shared;
use crate::turn::OwnersSink;
use crate::writing::FrameSink;

/// Outputs that are kept although no bar is drawn on them; each has a descriptor.
const IDLE_OUTPUTS: usize = 8;

/// What the environment says about outputs of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) log: Log,
    pub(crate) has_colours: bool,
    /// Whether somebody types into this process: a bar that did not move is not drawn again.
    pub(crate) has_prompts: bool,
}

/// What a log is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Log {
    Lines,
    Json,
}

/// A stream by number, whether it is a terminal, and the last character that its encoding has.
pub(crate) type Stream = (RawFd, bool, u32);

/// What the segment says where the job's lines have no file that the renderer could write to.
const NO_FILE: u64 = 1;

/// Which file a stream leads to, as one word for the segment, and the device number of a terminal.
pub(crate) fn word_of(stream: Option<Stream>) -> (u64, u64) {
    let meta = stream.and_then(|(descriptor, ..)| hot::metadata(descriptor).ok());
    meta.map_or((NO_FILE, 0), |meta| {
        let word = meta.dev().rotate_left(40) ^ meta.ino();
        (word.max(NO_FILE + 1), meta.rdev())
    })
}

impl Shared {
    /// The output for a stream of this process: one for each terminal or file, however many
    /// descriptors lead to it. What is drawn `apart` goes there whoever draws for the job.
    pub(crate) fn output_of(
        &mut self,
        (descriptor, is_terminal, last): Stream,
        apart: bool,
    ) -> Option<OutputId> {
        let key_of = |meta: &Metadata| (meta.dev(), meta.ino(), is_terminal);
        let known = self.outputs.get(&key_of(&hot::metadata(descriptor).ok()?));
        if let Some(known) = known
            && self.display.has_output(*known)
        {
            return Some(*known);
        }
        let file = File::from(hot::duplicate(descriptor).ok()?);
        let meta = file.metadata().ok()?;
        let key = key_of(&meta);
        let own = FdSink::new(OwnedFd::from(file)).moved(move_up);
        let sink = Box::new(OwnersSink {
            sink: FrameSink::new(own, is_terminal.then_some(&self.tables.header)),
            tables: self.tables,
            me: self.me,
            is_apart: apart,
        });
        let mut output = match (is_terminal, self.manner.log) {
            (true, _) => Output::terminal(sink),
            (false, Log::Lines) => Output::log(sink),
            (false, Log::Json) => Output::json(sink),
        };
        output = output.encoded(match last {
            ..=0x7f => Encoding::Ascii,
            0x80..=0xff => Encoding::Latin1,
            _ => Encoding::Utf8,
        });
        if is_terminal && !self.manner.has_colours {
            output = output.without_colours();
        }
        if self.manner.has_prompts {
            output = output.with_prompts();
        }
        let next = self.outputs.values().map(|id| id.0 + 1).max().unwrap_or(1);
        let id = OutputId(next);
        self.display.add_output(id, output);
        self.outputs.insert(key, id);
        if apart {
            self.apart.insert(id);
        }
        if is_terminal {
            self.devices.insert(id, meta.rdev());
        }
        Some(id)
    }

    /// Lets go of outputs that no bar is drawn on, but for the last few: the next bar may want them,
    /// and a log is to go on in its own time.
    pub(crate) fn release_outputs(&mut self) {
        if self.outputs.len() <= IDLE_OUTPUTS {
            return;
        }
        let used: HashSet<OutputId> = self
            .local
            .values()
            .map(|local| local.output)
            .chain(self.finished.iter().map(|(output, _)| *output))
            .chain(self.default_output)
            .collect();
        let mut idle: Vec<u64> = self
            .outputs
            .values()
            .filter(|id| !used.contains(id) && !self.display.is_behind(**id))
            .map(|id| id.0)
            .collect();
        idle.sort_unstable();
        idle.truncate(idle.len().saturating_sub(IDLE_OUTPUTS));
        for id in idle.into_iter().map(OutputId) {
            self.display.remove_output(id);
            self.outputs.retain(|_, output| *output != id);
            self.devices.remove(&id);
            self.apart.remove(&id);
        }
    }

    /// The output for bars that other processes opened. There is none where the program closed the
    /// descriptor since this process attached: its number may be that of a data file by now.
    pub(crate) fn default_output(&mut self) -> Option<OutputId> {
        if self.default_output.is_none()
            && let Some((stream, word)) = self.stream.take()
            && word_of(Some(stream)).0 == word
        {
            self.default_output = self.output_of(stream, false);
        }
        self.default_output
    }
}
