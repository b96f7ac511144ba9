//! From cells to rows: which lines a frame has, and when a bar's line ends.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mp_tqdm_counters::{BY_WORKERS, BarId, BarState, Identity, RankShare, Reduction, combine};
use mp_tqdm_render::{Ended, Number, OutputId, Postfix, Remark, Row, Style};

use crate::group::{Group, groups};
use crate::line::{Lines, better_reduction, combined, is_row_of, number, seconds};
use crate::note::node_note;
use crate::process::Process;
use crate::receipt::{worked_s, workers};
use crate::shared::Local;
use crate::stall::Stalls;
use crate::style::Looks;
use crate::traits::{APART, Leave, SELF_DRAWN, leave_of, reduction_of};

/// tqdm's `mininterval`.
const INTERVAL_S: f64 = 0.1;
/// No bar is drawn more often than a screen shows.
const SHORTEST_INTERVAL_S: f64 = 0.02;
/// A bar of another rank, which the owner never opened, is shown after this long.
const FOREIGN_AGE_S: f64 = 1.0;
/// The line of a worker's bar ends this long after the last worker closed it.
const SHARDS_LINGER_S: f64 = 2.0;
/// The line of a rank's bar that is over stays this long for an owner that has not come there yet.
const AHEAD_S: f64 = 10.0;
/// The tasks of `mp_tqdm(pool.imap(…))` are on their way before the bar around them is.
const HEAD_START_NS: u64 = 500_000_000;

/// What a frame shows.
#[derive(Default)]
pub(crate) struct Picture {
    /// Rows in order, with their output where this process knows one.
    pub(crate) rows: Vec<(BarId, Option<OutputId>, Row)>,
    /// Bars that are over and drawn for the last time: their places can be given back.
    pub(crate) over: Vec<BarId>,
    /// Until the next frame.
    pub(crate) interval: Duration,
    /// Whether there is anything to watch.
    pub(crate) is_live: bool,
    /// Whether a bar of workers is among that.
    pub(crate) has_workers: bool,
}

/// How a bar ends in the process that draws it.
pub(crate) struct LastRows {
    pub(crate) rows: Vec<Row>,
    /// Whether no other rank has something left to do.
    pub(crate) is_complete: bool,
    /// How it should have been combined, where its end says so.
    pub(crate) hint: Option<&'static str>,
}

/// What is remembered from frame to frame.
#[derive(Default)]
pub(crate) struct Scene {
    styles: HashMap<BarId, Arc<Style>>,
    lines: Lines,
    stalls: Stalls,
    /// Since when nobody has a worker's bar open, or a rank's that the owner has not come to.
    idle: HashMap<Identity, f64>,
    /// Bars of ranks ahead that had their last line: what they counted waits for the owner's bar.
    told: HashSet<BarId>,
    /// The rank's bar around each bar of workers, as it was when that was first seen.
    around: HashMap<BarId, BarId>,
    /// Set at the end of the process: bars that nobody has open are over at once.
    pub(crate) is_last: bool,
    /// Set while no worker is there, nor a process that could become one: their bars are over at once.
    pub(crate) are_workers_gone: bool,
    /// Set until the first look, where early workers left the segment: the bars that nobody has open
    /// have been over for long.
    was_left: bool,
    /// Whether bars that did not move keep their line, and the clock in it with it.
    has_prompts: bool,
    /// What each row last said, without its times.
    said: HashMap<u64, Said>,
}

/// What a row says, without what time alone changes.
#[derive(PartialEq)]
struct Said {
    n: Number,
    total: Option<Number>,
    desc: String,
    postfix: Postfix,
}

impl Scene {
    pub(crate) fn new(was_left: bool, has_prompts: bool) -> Self {
        Self {
            was_left,
            has_prompts,
            ..Self::default()
        }
    }

    /// Reads the segment and says what the frame at `now_s` shows: the job's lines if this process
    /// `owns` them, and the bars that it draws apart.
    pub(crate) fn look(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        closing: &HashSet<BarId>,
        owns: bool,
        now_s: f64,
    ) -> Picture {
        let groups = groups(process.home.tables);
        self.note_around(&groups);
        self.lines.notes.note_moves(&groups, now_s);
        let mut picture = Picture::default();
        let mut interval_s = INTERVAL_S;
        let mut first = true;
        for group in &groups {
            if group.ids.iter().any(|id| closing.contains(id)) {
                continue;
            }
            let is_here = group.ids.iter().any(|id| local.contains_key(id));
            if group.view.has(APART) && !is_here {
                // Its process gives the place back, unless it was killed.
                if owns {
                    free_if_over(process, group.view.id);
                }
                continue;
            }
            if !owns && !group.view.has(APART) {
                continue;
            }
            picture.is_live = true;
            let end = self.end_of(process, group, now_s);
            if end == End::Over {
                picture.over.extend(&group.ids);
            }
            picture.has_workers |= end == End::Live && group.view.has(BY_WORKERS);
            let id = group.id_here(local);
            let style = self.style_of(process, local, id);
            if end == End::Hidden || !self.is_due(process, group, &style, now_s) {
                continue;
            }
            if let Some(asked) = style.mininterval_s {
                interval_s = if first { asked } else { interval_s.min(asked) };
            }
            let output = local.get(&id).map(|local| local.output);
            let is_last = matches!(end, End::Over | End::Told);
            let ended = is_last.then(|| match leave_of(group.view.traits) {
                Leave::Yes => Ended::Keep,
                Leave::IfFirst if first => Ended::Keep,
                _ => Ended::Erase,
            });
            for mut row in self.lines.rows_of(process, group, &style, now_s) {
                row.ended = ended;
                let is_workers = group.view.has(BY_WORKERS);
                if is_last && is_workers {
                    row.elapsed_s = worked_s(group).or(row.elapsed_s);
                }
                match ended {
                    None => self.stalls.look(&row, group.view.identity.path, now_s),
                    Some(Ended::Keep) if first && is_workers && row.remarks.is_empty() => {
                        row.remarks.extend(workers(&group.cells));
                    }
                    Some(_) => {}
                }
                row.is_still = self.has_prompts && self.is_still(&row);
                picture.rows.push((id, output, row));
            }
            first = false;
        }
        self.was_left = false;
        let shown: HashSet<u64> = picture.rows.iter().map(|(_, _, row)| row.id).collect();
        self.said.retain(|id, _| shown.contains(id));
        self.stalls.keep(&shown);
        for (_, _, row) in &mut picture.rows {
            if row.ended.is_none() {
                self.stalls.note(row, now_s);
            }
        }
        let interval_s = interval_s.clamp(SHORTEST_INTERVAL_S, 3600.0);
        picture.interval = Duration::from_secs_f64(interval_s);
        picture
    }

    /// The last line of a bar that this process closes, or of each rank that has one of its own.
    pub(crate) fn last_rows(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        id: BarId,
        now_s: f64,
    ) -> Option<LastRows> {
        let groups = groups(process.home.tables);
        // The bar may be around others: they end with it, and it is gone when they are looked at.
        self.note_around(&groups);
        let group = groups.into_iter().find(|group| group.ids.contains(&id))?;
        let style = self.style_of(process, local, id);
        let line = combined(process, &group);
        let mine = process.home.rank;
        let unfinished = line
            .ranks
            .iter()
            .filter(|share| share.open && share.rank != mine && !is_through(share))
            .count();
        let mut rows = self.lines.rows_of(process, &group, &style, now_s);
        let reduction = reduction_of(group.view.traits, mine);
        if let [row] = &mut rows[..] {
            if unfinished > 0 && !group.view.has(BY_WORKERS) {
                let openers = line.ranks.iter().filter(|share| share.opened).count();
                let through = openers - unfinished;
                let node =
                    node_note(process, reduction).map_or_else(String::new, |node| node + " ");
                let remark = Remark::new(format!("{node}({through} of {openers} ranks done)"));
                row.remarks = vec![remark.or(format!("{node}({through}/{openers} done)"))];
                if reduction == Reduction::Mean
                    && let Some(own) = line.ranks.iter().find(|share| share.rank == mine)
                {
                    row.n = number(own.n);
                    row.total = own.total.map(number);
                }
            } else {
                row.remarks
                    .retain(|remark| !remark.text().ends_with(" ranks"));
            }
        }
        let is_over = !line.ranks.iter().any(|share| share.open);
        let end_ns = line.ranks.iter().map(|share| share.end_ns).max();
        let end_s = end_ns.filter(|_| is_over).map_or(now_s, seconds);
        for row in &mut rows {
            row.remaining_s = None;
            row.elapsed_s = Some((end_s - row.start_s).max(0.0));
        }
        let hint = if unfinished == 0 {
            better_reduction(&line, reduction)
        } else {
            None
        };
        Some(LastRows {
            rows,
            is_complete: unfinished == 0,
            hint,
        })
    }

    /// The line of a bar as it is now, for Python code that draws it or asks for its text; `None` where
    /// ranks have lines of their own.
    pub(crate) fn present_row(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        id: BarId,
        now_s: f64,
    ) -> Option<Row> {
        let groups = groups(process.home.tables);
        let bars = process.home.tables.bars();
        // Nobody else may look at bars here: the memory of those that are gone is given back.
        self.lines.notes.note_moves(&groups, now_s);
        self.forget_gone(|id| bars.is_gone(id));
        let group = groups.into_iter().find(|group| group.ids.contains(&id))?;
        let style = self.style_of(process, local, id);
        only(self.lines.rows_of(process, &group, &style, now_s))
    }

    /// Takes the time in which nothing was counted out of what is known of a bar; returns its seconds,
    /// or `None` where the bar is not drawn.
    pub(crate) fn rest(&mut self, ids: &[BarId], now_s: f64) -> Option<f64> {
        let rest_s = self.stalls.rest(|row| is_row_of(ids, row), now_s)?;
        self.lines.rest(ids, rest_s, now_s);
        Some(rest_s)
    }

    fn is_still(&mut self, row: &Row) -> bool {
        let said = Said {
            n: row.n,
            total: row.total,
            desc: row.desc.clone(),
            postfix: row.postfix.clone(),
        };
        let is_still = self.said.get(&row.id) == Some(&said);
        self.said.insert(row.id, said);
        is_still
    }

    pub(crate) fn forget_gone(&mut self, is_gone: impl Fn(BarId) -> bool) {
        self.styles.retain(|id, _| !is_gone(*id));
        self.around.retain(|id, _| !is_gone(*id));
        self.told.retain(|id| !is_gone(*id));
        self.lines.forget_gone(&is_gone);
    }

    /// Finds for each bar of workers the innermost of the ranks' bars that is open around it.
    fn note_around(&mut self, groups: &[Group]) {
        let views = || groups.iter().map(|group| &group.view);
        for inner in views().filter(|view| view.has(BY_WORKERS)) {
            let around = views()
                .filter(|view| !view.has(BY_WORKERS) && !view.has(APART))
                .filter(|view| view.state == BarState::Open)
                .filter(|view| view.start_ns <= inner.start_ns.saturating_add(HEAD_START_NS))
                .max_by_key(|view| view.sequence);
            if let Some(around) = around {
                self.around.entry(inner.id).or_insert(around.id);
            }
        }
    }

    /// Whether a bar goes on, and whether it is this process's to draw.
    fn end_of(&mut self, process: &Process, group: &Group, now_s: f64) -> End {
        let view = &group.view;
        let home = &process.home;
        let alive = home.liveness();
        let tables = home.tables;
        let is_mine = group
            .cells
            .iter()
            .any(|cell| cell.process == home.me && cell.opens > 0);
        if is_mine {
            return if view.has(SELF_DRAWN) {
                End::Hidden
            } else {
                End::Live
            };
        }
        let line = combine(&group.cells, Reduction::Shards, &alive);
        let is_open = line.ranks.iter().any(|share| share.open);
        if view.has(BY_WORKERS) && !is_open && view.state == BarState::Open {
            let since_s = *self.idle.entry(view.identity).or_insert(now_s);
            let around = self.around.get(&view.id);
            let around_ended = around.is_some_and(|id| tables.bars().has_ended(*id));
            let are_gone = self.is_last || self.was_left || self.are_workers_gone;
            let may_go_on = !around_ended && !are_gone;
            if may_go_on && now_s - since_s < SHARDS_LINGER_S {
                return End::Live;
            }
        }
        let is_over = view.state == BarState::Ended
            || !is_open
                && group
                    .ids
                    .iter()
                    .all(|id| tables.bars().try_end(&tables.cells(), *id, home.me, &alive));
        let is_numbered = view.identity.pass > 0;
        let came_by = process.passed(view.identity.path) >= view.identity.pass;
        if is_over && is_numbered && !came_by && process.world.local_world > 1 {
            return self.end_ahead(group, &line.ranks, now_s);
        }
        self.idle.remove(&view.identity);
        // Closed here, or passed with the bar off: the copies that go on are not drawn again.
        if is_numbered && came_by {
            if is_over {
                for id in &group.ids {
                    tables.bars().free(&tables.cells(), *id, home.me, &alive);
                }
            }
            return End::Hidden;
        }
        if is_over { End::Over } else { End::Live }
    }

    /// The end of a bar that ranks are through with before the owner came there. Its place is kept, so
    /// that what they counted is in the owner's bar, which may yet come.
    fn end_ahead(&mut self, group: &Group, ranks: &[RankShare], now_s: f64) -> End {
        let end_ns = ranks.iter().map(|share| share.end_ns).max().unwrap_or(0);
        let was_short = seconds(end_ns.saturating_sub(group.view.start_ns)) < FOREIGN_AGE_S;
        if was_short || self.told.contains(&group.view.id) {
            return End::Hidden;
        }
        let since_s = *self.idle.entry(group.view.identity).or_insert(now_s);
        if now_s - since_s < AHEAD_S && !self.is_last {
            return End::Live;
        }
        self.idle.remove(&group.view.identity);
        self.told.extend(&group.ids);
        End::Told
    }

    fn is_due(&self, process: &Process, group: &Group, style: &Style, now_s: f64) -> bool {
        let view = &group.view;
        let age_s = now_s - seconds(view.start_ns);
        let is_mine = view.opener == process.home.me;
        if !is_mine && !view.has(BY_WORKERS) && view.opener.slot != process.home.me.slot {
            let opened_here = group
                .cells
                .iter()
                .any(|cell| cell.process == process.home.me && cell.opened);
            if !opened_here && age_s < FOREIGN_AGE_S {
                return false;
            }
        }
        let least_s = style.mininterval_s.unwrap_or(INTERVAL_S).min(INTERVAL_S);
        leave_of(view.traits) == Leave::Yes || age_s >= least_s
    }

    fn style_of(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        id: BarId,
    ) -> Arc<Style> {
        if let Some(local) = local.get(&id) {
            return Arc::clone(&local.style);
        }
        let read = || {
            let bytes = process.home.tables.bars().entry(id)?.style.get()?;
            Some(Looks::unpack(&bytes)?.style())
        };
        let style = self.styles.entry(id);
        Arc::clone(style.or_insert_with(|| Arc::new(read().unwrap_or_default())))
    }
}

/// Whether a rank has counted to its total: nothing is missing but its `close()`.
fn is_through(share: &RankShare) -> bool {
    let n = share.n.as_f64();
    share.total.is_some_and(|total| n >= total.as_f64())
}

/// Gives the place of a bar back that nobody has open any more.
pub(crate) fn free_if_over(process: &Process, id: BarId) {
    let home = &process.home;
    let (bars, cells, alive) = (home.tables.bars(), home.tables.cells(), home.liveness());
    if bars.try_end(&cells, id, home.me, &alive) {
        bars.free(&cells, id, home.me, &alive);
    }
}

/// The row of a bar that has one.
pub(crate) fn only(mut rows: Vec<Row>) -> Option<Row> {
    rows.pop().filter(|_| rows.is_empty())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Live,
    Hidden,
    /// Drawn for the last time; its place is given back.
    Over,
    /// Drawn for the last time; its place is kept.
    Told,
}
