//! From cells to rows: which lines a frame has, and what each of them says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mp_tqdm_counters::{
    BY_WORKERS, BarId, BarState, BarView, Cell, CellView, Combined, Identity, Rank, RankShare,
    Reduction, Role, Value, combine,
};
use mp_tqdm_render::{Ended, Estimator, Number, OutputId, Postfix, Row, Style};

use crate::bar::{DESC_SET, Leave, SELF_DRAWN, leave_of, reduction_of};
use crate::process::Process;
use crate::stage::Local;
use crate::style::{Looks, unpack_postfix};

/// tqdm's `mininterval`.
const INTERVAL_S: f64 = 0.1;
/// No bar is drawn more often than a screen shows.
const SHORTEST_INTERVAL_S: f64 = 0.02;
/// A bar of another rank, which the owner never opened, is shown after this long.
const FOREIGN_AGE_S: f64 = 1.0;
/// The line of a worker's bar ends this long after the last worker closed it.
const SHARDS_LINGER_S: f64 = 2.0;
/// The tasks of `mp_tqdm(pool.imap(…))` are on their way before the bar around them is.
const HEAD_START_NS: u64 = 500_000_000;
/// A rank that the others passed is called silent after this long.
const SILENT_S: f64 = 5.0;

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
}

/// What is remembered from frame to frame.
#[derive(Default)]
pub(crate) struct Scene {
    styles: HashMap<BarId, Arc<Style>>,
    estimators: HashMap<(BarId, Rank), Estimator>,
    /// Since when nobody has a worker's bar open.
    idle: HashMap<Identity, f64>,
    /// The rank's bar around each bar of workers, as it was when that was first seen.
    around: HashMap<BarId, BarId>,
    /// Set at the end of the process: bars that no worker has open are over at once.
    pub(crate) is_last: bool,
    /// What each row last said, without its times.
    said: HashMap<u64, Said>,
    /// Each rank's count in all bars, and when it last changed.
    moves: HashMap<Rank, (f64, f64)>,
}

/// What a row says, without what time alone changes.
#[derive(PartialEq)]
struct Said {
    n: Number,
    total: Option<Number>,
    desc: String,
    postfix: Postfix,
}

/// A bar with all entries and cells that stand for it.
struct Group {
    view: BarView,
    ids: Vec<BarId>,
    cells: Vec<CellView>,
}

fn groups(process: &Process) -> Vec<Group> {
    let (bars, cells) = (process.home.tables.bars(), process.home.tables.cells());
    let mut groups: Vec<Group> = Vec::new();
    for view in bars.views() {
        match groups
            .iter_mut()
            .find(|group| group.view.identity == view.identity)
        {
            Some(group) => {
                group.ids.push(view.id);
                if view.state == BarState::Open && group.view.state == BarState::Ended {
                    group.view = view;
                }
            }
            None => groups.push(Group {
                view,
                ids: vec![view.id],
                cells: Vec::new(),
            }),
        }
    }
    for cell in cells.used().filter_map(Cell::read) {
        if let Some(group) = groups
            .iter_mut()
            .find(|group| group.ids.contains(&cell.key.bar))
        {
            group.cells.push(cell);
        }
    }
    groups.sort_by_key(|group| (group.view.position.unwrap_or(0), group.view.sequence));
    groups
}

impl Scene {
    /// Reads the segment and says what the frame at `now_s` shows.
    pub(crate) fn look(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        closing: &mut HashSet<BarId>,
        now_s: f64,
    ) -> Picture {
        let groups = groups(process);
        let bars = process.home.tables.bars();
        self.note_around(&groups);
        self.note_moves(&groups, now_s);
        self.forget_gone(|id| bars.is_gone(id));
        closing.retain(|id| !bars.is_gone(*id));
        let mut picture = Picture::default();
        let mut interval_s = INTERVAL_S;
        let mut first = true;
        for group in &groups {
            if group.ids.iter().any(|id| closing.contains(id)) {
                continue;
            }
            picture.is_live = true;
            let end = self.end_of(process, group, now_s);
            if end == End::Over {
                picture.over.extend(&group.ids);
            }
            let style = self.style_of(process, local, group.view.id);
            if end == End::Hidden || !self.is_due(process, group, &style, now_s) {
                continue;
            }
            if let Some(asked) = style.mininterval_s {
                interval_s = if first { asked } else { interval_s.min(asked) };
            }
            let output = local.get(&group.view.id).map(|local| local.output);
            let ended = (end == End::Over).then(|| match leave_of(group.view.traits) {
                Leave::Yes => Ended::Keep,
                Leave::IfFirst if first => Ended::Keep,
                _ => Ended::Erase,
            });
            for mut row in self.rows_of(process, group, &style, now_s) {
                row.ended = ended;
                row.is_still = process.is_interactive && self.is_still(&row);
                picture.rows.push((group.view.id, output, row));
            }
            first = false;
        }
        let shown: HashSet<u64> = picture.rows.iter().map(|(_, _, row)| row.id).collect();
        self.said.retain(|id, _| shown.contains(id));
        let interval_s = interval_s.clamp(SHORTEST_INTERVAL_S, 3600.0);
        picture.interval = Duration::from_secs_f64(interval_s);
        picture
    }

    /// The last line of a bar that this process closes now, and how it should have been combined where
    /// its end says so.
    pub(crate) fn last_row(
        &mut self,
        process: &Process,
        local: &HashMap<BarId, Local>,
        id: BarId,
        now_s: f64,
    ) -> Option<(Row, Option<&'static str>)> {
        let groups = groups(process);
        // The bar may be around others: they end with it, and it is gone when they are looked at.
        self.note_around(&groups);
        let group = groups.into_iter().find(|group| group.ids.contains(&id))?;
        let style = self.style_of(process, local, id);
        let line = self.combined(process, &group);
        let mine = process.home.rank;
        let unfinished = line
            .ranks
            .iter()
            .filter(|share| share.open && share.rank != mine)
            .count();
        let mut row = self
            .rows_of(process, &group, &style, now_s)
            .into_iter()
            .next()?;
        let reduction = reduction_of(group.view.traits, mine);
        if unfinished > 0 && !group.view.has(BY_WORKERS) {
            let openers = line.ranks.iter().filter(|share| share.opened).count();
            row.note = format!("({} of {openers} ranks done)", openers - unfinished);
            if reduction == Reduction::Mean
                && let Some(own) = line.ranks.iter().find(|share| share.rank == mine)
            {
                row.n = number(own.n);
                row.total = own.total.map(number);
                row.fraction = None;
            }
        } else if row.note.ends_with("ranks") {
            row.note.clear();
        }
        row.remaining_s = None;
        row.elapsed_s = Some((now_s - row.start_s).max(0.0));
        let hint = if unfinished == 0 {
            better_reduction(&line, reduction)
        } else {
            None
        };
        Some((row, hint))
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

    fn forget_gone(&mut self, is_gone: impl Fn(BarId) -> bool) {
        self.styles.retain(|id, _| !is_gone(*id));
        self.around.retain(|id, _| !is_gone(*id));
        self.estimators.retain(|(id, _), _| !is_gone(*id));
    }

    /// Finds for each bar of workers the innermost of the ranks' bars that is open around it.
    fn note_around(&mut self, groups: &[Group]) {
        let views = || groups.iter().map(|group| &group.view);
        for inner in views().filter(|view| view.has(BY_WORKERS)) {
            let around = views()
                .filter(|view| !view.has(BY_WORKERS) && view.state == BarState::Open)
                .filter(|view| view.start_ns <= inner.start_ns.saturating_add(HEAD_START_NS))
                .max_by_key(|view| view.sequence);
            if let Some(around) = around {
                self.around.entry(inner.id).or_insert(around.id);
            }
        }
    }

    fn note_moves(&mut self, groups: &[Group], now_s: f64) {
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
            if !around_ended && !self.is_last && now_s - since_s < SHARDS_LINGER_S {
                return End::Live;
            }
        }
        self.idle.remove(&view.identity);
        let is_over = view.state == BarState::Ended
            || !is_open
                && group
                    .ids
                    .iter()
                    .all(|id| tables.bars().try_end(&tables.cells(), *id, home.me, &alive));
        // Closed here, or passed with the bar off: the copies that go on are not drawn again.
        if view.identity.pass > 0 && process.passed(view.identity.path) >= view.identity.pass {
            if is_over {
                for id in &group.ids {
                    tables.bars().free(&tables.cells(), *id, home.me, &alive);
                }
            }
            return End::Hidden;
        }
        if is_over { End::Over } else { End::Live }
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

    fn combined(&self, process: &Process, group: &Group) -> Combined {
        let reduction = reduction_of(group.view.traits, process.home.rank);
        let mut line = combine(&group.cells, reduction, &process.home.liveness());
        let world = process.world;
        if reduction == Reduction::Job
            && world.nodes > 1
            && let Some(total) = line.total
            && world.world > 0
        {
            let share = f64::from(world.local_world) / f64::from(world.world);
            line.fraction = Some(line.n.as_f64() / (total.as_f64() * share));
            line.total = Some(match total {
                #[expect(clippy::cast_possible_truncation, reason = "a share of an i64")]
                Value::Int(total) => Value::Int((total as f64 * share).ceil() as i64),
                Value::Float(total) => Value::Float(total * share),
            });
        }
        line
    }

    fn rows_of(
        &mut self,
        process: &Process,
        group: &Group,
        style: &Arc<Style>,
        now_s: f64,
    ) -> Vec<Row> {
        let line = self.combined(process, group);
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
        let mut notes = Vec::new();
        let world = process.world;
        let reduction = reduction_of(group.view.traits, process.home.rank);
        if reduction == Reduction::Job && world.nodes > 1 {
            notes.push(format!("node {}/{}", world.node, world.nodes));
        }
        let openers = line.ranks.iter().filter(|share| share.opened).count();
        let expected = world.local_world as usize;
        if !group.view.has(BY_WORKERS)
            && openers < expected
            && openers * 2 >= expected
            && openers > 1
        {
            notes.push(format!("{openers}/{expected} ranks"));
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
            } else if share.open && still_s >= SILENT_S && share.n.as_f64() < best {
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Live,
    Hidden,
    Over,
}

/// The reduction under which a bar would have met its total within 1 %, where it is far from it now:
/// a total that is the job's was given to a mean, or a rank's to a sum.
fn better_reduction(line: &Combined, reduction: Reduction) -> Option<&'static str> {
    let openers = line.ranks.iter().filter(|share| share.opened).count();
    let total = line.total?.as_f64();
    let done: f64 = line.ranks.iter().map(|share| share.n.as_f64()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of ranks")]
    let mean = done / openers.max(1) as f64;
    let meets = |n: f64| total > 0.0 && (n - total).abs() <= total / 100.0;
    match reduction {
        Reduction::Job if openers > 1 && !meets(done) && meets(mean) => Some("mean"),
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

fn number(value: Value) -> Number {
    match value {
        Value::Int(n) => Number::Int(i128::from(n)),
        Value::Float(n) => Number::Float(n),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an uptime needs fewer bits")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
