//! What a line says: the numbers of all processes, the texts, and what the numbers do not tell.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mp_tqdm_counters::{
    BY_WORKERS, BarId, BarView, Combined, Rank, RankShare, Reduction, Role, Value, combine,
};
use mp_tqdm_render::{Estimator, Number, Row, Style};

use crate::group::Group;
use crate::process::Process;
use crate::style::unpack_postfix;
use crate::traits::{DESC_SET, reduction_of};

/// A rank that the others passed is called silent after this long.
const SILENT_S: f64 = 5.0;
/// Ranks that are not there this long after a bar opened are called out of sight.
const UNSEEN_S: f64 = 5.0;

/// What is remembered of each rank from frame to frame.
#[derive(Default)]
pub(crate) struct Lines {
    estimators: HashMap<(BarId, Rank), Estimator>,
    /// Each rank's count in all bars, and when it last changed.
    moves: HashMap<Rank, (f64, f64)>,
}

impl Lines {
    pub(crate) fn forget_gone(&mut self, is_gone: impl Fn(BarId) -> bool) {
        self.estimators.retain(|(id, _), _| !is_gone(*id));
    }

    /// Takes note of which ranks are at work.
    pub(crate) fn note_moves(&mut self, groups: &[Group], now_s: f64) {
        let mut sums: HashMap<Rank, f64> = HashMap::new();
        for cell in groups.iter().flat_map(|group| &group.cells) {
            *sums.entry(cell.key.rank).or_default() += cell.n.as_f64();
        }
        for (rank, sum) in sums {
            let entry = self.moves.entry(rank).or_insert((sum, now_s));
            if entry.0.to_bits() != sum.to_bits() {
                *entry = (sum, now_s);
            }
        }
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
        let desc = desc_of(process, &group.view);
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
                    start_s: seconds(share.start_ns),
                    style: Arc::clone(style),
                    desc: format!("[{}] {desc}", share.rank.0).trim_end().to_owned(),
                    postfix: if share.rank == owner {
                        postfix.clone()
                    } else {
                        Default::default()
                    },
                    ..Row::new(
                        id ^ (u64::from(share.rank.0) + 1) << 56,
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
        let remaining_s = self.slowest_s(group, &line, style, now_s);
        let note = self.note(process, group, &line, now_s);
        vec![Row {
            n: number(line.n),
            total: line.total.map(number),
            initial: number(line.initial),
            style: Arc::clone(style),
            desc,
            postfix,
            fraction: line.fraction,
            remaining_s,
            note,
            ..Row::new(
                id,
                0.into(),
                seconds(group.view.start_ns),
                Arc::clone(style),
            )
        }]
    }

    /// The time left of the rank that will be last, where ranks run copies of one loop.
    fn slowest_s(
        &mut self,
        group: &Group,
        line: &Combined,
        style: &Style,
        now_s: f64,
    ) -> Option<f64> {
        line.fraction?;
        let mut slowest: Option<f64> = None;
        for share in line.ranks.iter().filter(|share| share.opened) {
            let key = (group.view.id, share.rank);
            let estimator = self.estimators.entry(key).or_insert_with(|| {
                Estimator::new(
                    style.smoothing,
                    seconds(share.start_ns),
                    share.initial.as_f64(),
                )
            });
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

    /// What the numbers alone do not tell: ranks that are missing, dead or silent.
    fn note(&self, process: &Process, group: &Group, line: &Combined, now_s: f64) -> String {
        let reduction = reduction_of(group.view.traits, process.home.rank);
        let mut notes = Vec::from_iter(node_note(process, reduction));
        let openers = line.ranks.iter().filter(|share| share.opened).count();
        let expected = process.world.local_world as usize;
        if !group.view.has(BY_WORKERS)
            && openers < expected
            && openers * 2 >= expected
            && openers > 1
        {
            notes.push(format!("{openers}/{expected} ranks"));
        }
        if now_s - seconds(group.view.start_ns) >= UNSEEN_S
            && let Some(seen) = seen_without_the_first(process, line)
        {
            notes.push(format!("{seen} of {expected} ranks visible"));
        }
        let best = line
            .ranks
            .iter()
            .map(|share| share.n.as_f64())
            .fold(0.0, f64::max);
        for share in line
            .ranks
            .iter()
            .filter(|share| share.opened && expected > 1)
        {
            let Some((_, moved_s)) = self.moves.get(&share.rank) else {
                continue;
            };
            let still_s = now_s - moved_s;
            if share.dead {
                notes.push(format!(
                    "rank {} died at {}",
                    share.rank.0,
                    share.n.as_f64()
                ));
            } else if share.open
                && still_s >= SILENT_S
                && share.n.as_f64() < best
                && !has_met_its_total(share)
            {
                let n = share.n.as_f64();
                notes.push(format!(
                    "rank {} silent for {still_s:.0}s at {n}",
                    share.rank.0
                ));
            }
        }
        notes.join(", ")
    }
}

/// How many ranks this process sees, where these are few and rank 0 is not among them: each is in a
/// container of its own, say, with a `/dev/shm` of its own. (Rank 0 itself cannot tell that from being
/// the only one that has a bar.)
fn seen_without_the_first(process: &Process, line: &Combined) -> Option<usize> {
    let expected = process.world.local_world as usize;
    if expected < 2 || process.home.role != Role::Rank {
        return None;
    }
    let views = process.home.tables.processes().views();
    let attached: HashSet<Rank> = views
        .filter(|view| view.role == Role::Rank)
        .map(|view| view.rank)
        .collect();
    // A rank that ended may have left its place to another process, but never its counts.
    let is_first_here =
        attached.contains(&Rank(0)) || line.ranks.iter().any(|share| share.rank == Rank(0));
    (!is_first_here && attached.len() * 2 <= expected).then_some(attached.len())
}

/// Of which node's share a line tells, where it is not that of all.
pub(crate) fn node_note(process: &Process, reduction: Reduction) -> Option<String> {
    let world = process.world;
    let is_share = reduction == Reduction::Job && world.nodes > 1;
    is_share.then(|| format!("node {}/{}", world.node, world.nodes))
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

/// Whether a rank is through with its share, which may be smaller than the others': it waits for them.
fn has_met_its_total(share: &RankShare) -> bool {
    share
        .total
        .is_some_and(|total| share.n.as_f64() >= total.as_f64())
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

/// The bar's desc: the one that was set, else what the first descs of all openers begin with.
fn desc_of(process: &Process, view: &BarView) -> String {
    let Some(entry) = process.home.tables.bars().entry(view.id) else {
        return String::new();
    };
    let desc = entry.desc.get_string().unwrap_or_default();
    if view.other_descs == 0 || view.has(DESC_SET) || process.home.role == Role::Worker {
        return desc;
    }
    let common = entry.common_desc.get_string().unwrap_or_default();
    let common = common
        .trim_end_matches(|c: char| !c.is_alphanumeric())
        .to_owned();
    if common.is_empty() {
        format!("{desc} +{}", view.other_descs)
    } else {
        common
    }
}

fn row_id(id: BarId) -> u64 {
    u64::from(id.index) | u64::from(id.generation) << 16
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
