//! What a line says: the numbers of all processes and the texts.

use std::collections::HashMap;
use std::sync::Arc;

use mp_tqdm_counters::{
    BY_WORKERS, BarId, BarView, CellView, Combined, Rank, RankShare, Reduction, Value, combine,
};
use mp_tqdm_render::{Estimator, Number, Row, Style};

use crate::group::Group;
use crate::note::Notes;
use crate::process::Process;
use crate::style::unpack_postfix;
use crate::traits::{DESC_SET, reduction_of};

/// What is remembered of each rank from frame to frame.
#[derive(Default)]
pub(crate) struct Lines {
    estimators: HashMap<(BarId, Rank), Estimator>,
    pub(crate) notes: Notes,
}

impl Lines {
    /// The `rest_s` seconds before `now_s` were a pause of this bar, on all ranks.
    pub(crate) fn rest(&mut self, ids: &[BarId], rest_s: f64, now_s: f64) {
        for ((id, _), estimator) in &mut self.estimators {
            if ids.contains(id) {
                estimator.rest(rest_s, now_s);
            }
        }
    }

    pub(crate) fn forget_gone(&mut self, is_gone: impl Fn(BarId) -> bool) {
        self.estimators.retain(|(id, _), _| !is_gone(*id));
        self.notes.forget_gone(is_gone);
    }

    /// The rows of a bar: one, or one for each rank that asked for a line of its own.
    pub(crate) fn rows_of(
        &mut self,
        process: &Process,
        group: &Group,
        style: &Arc<Style>,
        now_s: f64,
    ) -> Vec<Row> {
        let line = combined(process, group);
        let desc = desc_of(process, group, &line.ranks);
        let postfix = process
            .home
            .tables
            .bars()
            .entry(group.view.id)
            .and_then(|entry| entry.postfix.get());
        let postfix = postfix
            .map(|bytes| unpack_postfix(&bytes))
            .unwrap_or_default();
        let id = row_id(group.view.id);
        let asked: Vec<&RankShare> = line.ranks.iter().filter(|share| share.own_line).collect();
        let owner = process.home.rank;
        if asked.iter().any(|share| share.rank != owner) || has_places(&line.ranks) {
            let labelled = line.ranks.iter().filter(|share| {
                share.opened && (share.own_line || share.rank == owner || has_places(&line.ranks))
            });
            return labelled
                .map(|share| Row {
                    n: number(share.n),
                    total: share.total.map(number),
                    initial: number(share.initial),
                    start_s: clock_s(&group.view, share.start_ns),
                    style: Arc::clone(style),
                    desc: format!("[{}] {desc}", share.rank.0).trim_end().to_owned(),
                    postfix: if share.rank == owner {
                        postfix.clone()
                    } else {
                        Default::default()
                    },
                    ..Row::new(
                        own_row_id(group.view.id, share.rank),
                        0.into(),
                        0.0,
                        Arc::clone(style),
                    )
                })
                .collect();
        }
        let is_foreign = !group.view.has(BY_WORKERS)
            && !line
                .ranks
                .iter()
                .any(|share| share.rank == owner && share.opened);
        let desc = match line.ranks.iter().find(|share| share.opened) {
            Some(share) if is_foreign => format!("[{}] {desc}", share.rank.0).trim_end().to_owned(),
            _ => desc,
        };
        let reduction = reduction_of(group.view.traits, owner);
        let remaining_s = self.slowest_s(group, reduction, &line, style, now_s);
        let remarks = self.notes.of(process, group, reduction, &line, now_s);
        vec![Row {
            n: number(line.n),
            total: line.total.map(number),
            initial: number(line.initial),
            style: Arc::clone(style),
            desc,
            postfix,
            fraction: line.fraction,
            remaining_s,
            remarks,
            ..Row::new(
                id,
                0.into(),
                clock_s(&group.view, group.view.start_ns),
                Arc::clone(style),
            )
        }]
    }

    /// The time left of the rank that will be last, where ranks run copies of one loop.
    fn slowest_s(
        &mut self,
        group: &Group,
        reduction: Reduction,
        line: &Combined,
        style: &Style,
        now_s: f64,
    ) -> Option<f64> {
        if reduction != Reduction::Mean || line.total.is_none() {
            return None;
        }
        let openers = line.ranks.iter().filter(|share| share.opened);
        if openers.count() < 2 {
            return None;
        }
        let mut slowest: Option<f64> = None;
        for share in line.ranks.iter().filter(|share| share.opened) {
            let key = (group.view.id, share.rank);
            let start_s = clock_s(&group.view, share.start_ns);
            let estimator = self.estimators.entry(key).or_insert_with(|| {
                Estimator::new(style.smoothing, start_s, share.initial.as_f64())
            });
            estimator.start_at(start_s);
            estimator.update(now_s, share.n.as_f64());
            let left = share
                .total
                .and_then(|total| estimator.remaining_s(now_s, total.as_f64()));
            slowest = match (slowest, left) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        slowest
    }
}

/// A bar's numbers, of all its processes; of a job counter on several nodes this node's share.
pub(crate) fn combined(process: &Process, group: &Group) -> Combined {
    let reduction = reduction_of(group.view.traits, process.home.rank);
    let mut line = combine(&group.cells, reduction, &process.home.liveness());
    let world = process.world;
    if reduction == Reduction::Job && world.nodes > 1 && world.world > 0 {
        let share = f64::from(world.local_world) / f64::from(world.world);
        // What was done before was done for all nodes, too.
        let initial = part(line.initial, share, f64::floor);
        line.n = line.n - line.initial + initial;
        line.initial = initial;
        if let Some(total) = line.total {
            line.fraction = Some(line.n.as_f64() / (total.as_f64() * share));
            line.total = Some(part(total, share, f64::ceil));
        }
    }
    line
}

/// The part of a number that is one node's.
fn part(whole: Value, share: f64, round: fn(f64) -> f64) -> Value {
    match whole {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a share of an i64"
        )]
        Value::Int(whole) => Value::Int(round(whole as f64 * share) as i64),
        Value::Float(whole) => Value::Float(whole * share),
    }
}

/// The reduction under which a bar would have met its total within 1 %, where it is far from it now:
/// a total that is the job's was given to a mean, or a rank's to a sum.
pub(crate) fn better_reduction(line: &Combined, reduction: Reduction) -> Option<&'static str> {
    let openers = line.ranks.iter().filter(|share| share.opened).count();
    let total = line.total?.as_f64();
    let done: f64 = line.ranks.iter().map(|share| share.n.as_f64()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of ranks")]
    let mean = done / openers.max(1) as f64;
    let meets = |n: f64| total > 0.0 && (n - total).abs() <= total / 100.0;
    match reduction {
        Reduction::Job if openers > 1 && !meets(line.n.as_f64()) && meets(mean) => Some("mean"),
        Reduction::Mean if openers > 1 && !meets(mean) && meets(done) => Some("sum"),
        _ => None,
    }
}

/// Whether ranks asked for places of their own (`position=rank`).
fn has_places(ranks: &[RankShare]) -> bool {
    let mut places = ranks
        .iter()
        .filter(|share| share.opened)
        .map(|share| share.position);
    let first = places.next().flatten();
    first.is_some() && places.any(|place| place != first)
}

/// Whether the desc of a line is made from those of all openers, as they differ. A rank that sets one
/// later speaks for the line, several workers for themselves.
pub(crate) fn has_several_descs(view: &BarView, cells: &[CellView]) -> bool {
    let has_several = || cells.iter().filter(|cell| cell.opened).count() > 1;
    let is_set = view.has(DESC_SET) && !(view.has(BY_WORKERS) && has_several());
    view.other_descs > 0 && !is_set
}

/// The bar's desc: the one that was set, else what the first descs of all openers begin with, else
/// the one that goes first and how many others there are.
fn desc_of(process: &Process, group: &Group, ranks: &[RankShare]) -> String {
    let view = &group.view;
    let Some(entry) = process.home.tables.bars().entry(view.id) else {
        return String::new();
    };
    let desc = entry.desc.get_string().unwrap_or_default();
    if !has_several_descs(view, &group.cells) {
        return desc;
    }
    let common = group
        .common_desc(process.home.tables)
        .trim_end_matches(|c: char| !c.is_alphanumeric())
        .to_owned();
    if common.is_empty() {
        let others = if !view.has(BY_WORKERS) {
            ranks
                .iter()
                .filter(|share| share.opened)
                .count()
                .saturating_sub(1)
        } else if view.has(DESC_SET) {
            group
                .cells
                .iter()
                .filter(|cell| cell.opened)
                .count()
                .saturating_sub(1)
        } else {
            view.other_descs as usize
        };
        // `set_description` puts a colon behind it.
        format!("{} +{others}", desc.trim_end_matches([':', ' ']))
    } else {
        common
    }
}

fn row_id(id: BarId) -> u64 {
    u64::from(id.index) | u64::from(id.generation) << 16
}

/// Whether a row is of the bar that these entries stand for: it has one, or one for each rank.
pub(crate) fn is_row_of(ids: &[BarId], row: u64) -> bool {
    ids.iter().any(|id| (row ^ row_id(*id)) << 8 == 0)
}

/// The ids that a rank's row of a bar may have: that of the line, and that of a line of its own.
pub(crate) fn row_ids(id: BarId, rank: Rank) -> [u64; 2] {
    [row_id(id), own_row_id(id, rank)]
}

fn own_row_id(id: BarId, rank: Rank) -> u64 {
    row_id(id) ^ (u64::from(rank.0) + 1) << 56
}

/// When the clock of a line started, of a bar or of one rank's part in it, that opened at `start_ns`.
/// A bar has one clock: what the owner says of it holds for all ranks.
pub(crate) fn clock_s(view: &BarView, start_ns: u64) -> f64 {
    seconds(start_ns) + signed_seconds(view.clock_shift_ns)
}

/// A count for the renderer.
pub(crate) fn number(value: Value) -> Number {
    match value {
        Value::Int(n) => Number::Int(i128::from(n)),
        Value::Float(n) => Number::Float(n),
    }
}

/// Seconds of a time in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "an uptime needs fewer bits")]
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Seconds of a difference in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "a pause needs fewer bits")]
pub(crate) fn signed_seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
