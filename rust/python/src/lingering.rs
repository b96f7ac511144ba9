//! Lines of bars that closed here while other ranks had a little left to do: they stay live for a moment,
//! and are complete when they end.

use std::sync::Arc;

use mp_tqdm_counters::BarId;
use mp_tqdm_render::{Ended, OutputId, Row};

use crate::bar::BarCore;
use crate::process::Process;
use crate::receipt::sign;
use crate::scene::free_if_over;
use crate::shared::Shared;

/// For how long such a line waits. Ranks do the same work: those that need longer are not about to end.
const LINGER_S: f64 = 2.0;
/// So many lines wait at most; a loop may close bars by the thousand.
const MOST: usize = 4;

/// A bar that closed here.
pub(crate) struct Lingering {
    id: BarId,
    core: Arc<BarCore>,
    output: OutputId,
    /// As it was last seen.
    row: Row,
    is_first: bool,
    until_s: f64,
}

impl Shared {
    /// Whether a bar's last line may wait for other ranks: where it can be drawn again, and nobody is
    /// asked for anything meanwhile.
    pub(crate) fn may_linger(&self, output: OutputId) -> bool {
        self.devices.contains_key(&output)
            && !self.manner.has_prompts
            && self.lingering.len() < MOST
    }

    /// Lets a bar's last line wait.
    pub(crate) fn linger(
        &mut self,
        (id, core): (BarId, Arc<BarCore>),
        output: OutputId,
        row: Row,
        now_s: f64,
    ) {
        self.lingering.push(Lingering {
            id,
            core,
            output,
            row,
            is_first: self.is_first(id),
            until_s: now_s + LINGER_S,
        });
    }

    /// The lines that wait on, at `now_s`; the others are finished. `are_over`: all of them.
    pub(crate) fn lines_that_wait(
        &mut self,
        process: &'static Process,
        are_over: bool,
        now_s: f64,
    ) -> Vec<(OutputId, Row)> {
        for mut one in std::mem::take(&mut self.lingering) {
            let last = self.last_rows(process, one.id, now_s);
            let is_complete = last.as_ref().is_none_or(|last| last.is_complete);
            if let Some(row) = last.and_then(|mut last| last.rows.pop()) {
                one.row = row;
            }
            if !is_complete && !are_over && now_s < one.until_s {
                self.lingering.push(one);
                continue;
            }
            if one.is_first {
                sign(&mut one.row, process, &one.core);
            }
            one.row.ended = Some(Ended::Keep);
            self.finished.push((one.output, one.row));
            free_if_over(process, one.id);
        }
        let waiting = self.lingering.iter();
        waiting.map(|one| (one.output, one.row.clone())).collect()
    }
}
