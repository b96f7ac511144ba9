//! The end of a bar: its last line where this process draws, its place for the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mp_tqdm_counters::BY_WORKERS;
use mp_tqdm_render::{Ended, monotonic};

use crate::bar::BarCore;
use crate::process::Process;
use crate::receipt::sign;
use crate::stage::LAST_FRAME;
use crate::traits::{APART, SELF_DRAWN};

/// Closed bars that are remembered until the next frame. There may be none, and many bars between two.
const MOST_CLOSED: usize = 64;

/// What came of a bar's end in the process that draws.
#[derive(Clone, Copy, Default)]
pub(crate) struct Farewell {
    /// A last line, or the wiping of one, waits for the renderer.
    pub(crate) is_drawn: bool,
    /// The reduction under which the end would have met the total.
    pub(crate) reduction: Option<&'static str>,
}

impl Farewell {
    /// Hands the bar's last line to the renderer, if it is this process that draws.
    pub(crate) fn bid(
        process: &'static Process,
        core: &Arc<BarCore>,
        traits: u32,
        leave: Option<bool>,
        has_failed: bool,
    ) -> Self {
        let nothing = Self::default();
        let Some(id) = core.id else { return nothing };
        let home = &process.home;
        // Bars of workers end when the scene says so, also where a worker draws.
        let is_apart = traits & APART != 0;
        let draws = is_apart || home.tables.ownership().is_owner(home.me);
        if traits & BY_WORKERS != 0 || !draws {
            return nothing;
        }
        if traits & SELF_DRAWN != 0 {
            let has_copies = !core.is_alone(process);
            let now_s = monotonic().as_secs_f64();
            let last = has_copies.then(|| process.stage.shared().last_rows(process, id, now_s));
            return Self {
                is_drawn: false,
                reduction: last.flatten().and_then(|last| last.hint),
            };
        }
        // What was under way when the work failed is what somebody looks for.
        let leave = if has_failed { Some(true) } else { leave };
        let is_drawn = {
            let shared = process.stage.shared();
            if leave == Some(false) && !shared.drawn.contains(&id) {
                // Too short-lived to be seen: not worth waking the renderer.
                return nothing;
            }
            shared.drawn.contains(&id)
        };
        wait_for_copies(process, core);
        let mut shared = process.stage.shared();
        let now_s = monotonic().as_secs_f64();
        let Some(last) = shared.last_rows(process, id, now_s) else {
            return nothing;
        };
        let (mut rows, reduction) = (last.rows, last.hint);
        let keep = leave.unwrap_or_else(|| shared.is_outermost(process, id));
        let output = shared.local.get(&id).map(|local| local.output);
        if let [row] = &rows[..]
            && let Some(output) = output.filter(|output| shared.may_linger(*output))
            && !last.is_complete
            && keep
            && !has_failed
        {
            let row = row.clone();
            shared.linger((id, Arc::clone(core)), output, row, now_s);
            shared.closing.insert(id);
            shared.local.remove(&id);
            return Self {
                is_drawn: true,
                reduction: None,
            };
        }
        if let [row] = &mut rows[..]
            && shared.is_first(id)
        {
            sign(row, process, core);
        }
        for row in &mut rows {
            row.ended = Some(if keep { Ended::Keep } else { Ended::Erase });
            row.has_failed = has_failed;
        }
        shared.closing.insert(id);
        shared.local.remove(&id);
        match output {
            Some(output) if keep || is_drawn => {
                let rows = rows.into_iter().map(|row| (output, row));
                shared.finished.extend(rows);
                Self {
                    is_drawn: true,
                    reduction,
                }
            }
            _ => Self {
                is_drawn: false,
                reduction,
            },
        }
    }
}

/// The owner's `close` ends the line of all copies; those that are about to finish get a moment.
pub(crate) fn wait_for_copies(process: &Process, core: &BarCore) {
    if process.world.local_world < 2 || core.identity.pass == 0 {
        return;
    }
    let me = process.home.me;
    let deadline = Instant::now() + LAST_FRAME;
    let others_open = || {
        let cells = core.views(process);
        cells
            .iter()
            .any(|cell| cell.opens > 0 && cell.process != me)
    };
    while others_open() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ends a handle without a last line; if the bar is over, its place goes to the next one.
pub(crate) fn depart(process: &'static Process, core: &BarCore) {
    core.seal(process);
    let is_over = core.part(process) && core.is_makers(process);
    let Some(id) = core.id.filter(|_| is_over) else {
        return;
    };
    let home = &process.home;
    let mut shared = process.stage.shared();
    shared.local.remove(&id);
    // Elsewhere the owner draws the last line and then gives the place back; so does the one that has
    // yet to come, whose bar of this number goes on from what was counted here.
    let owner = home.tables.ownership().owner();
    let is_awaited = process.world.local_world > 1 && !process.is_first();
    if core.is_apart || owner.map_or(!is_awaited, |owner| owner.process == home.me) {
        home.tables
            .bars()
            .free(&home.tables.cells(), id, home.me, &home.liveness());
        if shared.closing.len() > MOST_CLOSED {
            shared.forget_gone();
        }
    }
}
