//! What the renderer draws with: outputs, bars as this process knows them, and what it remembers from
//! frame to frame.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mp_tqdm_counters::{BarId, Home, ProcessId, Rank, Role, Tables};
use mp_tqdm_render::{Display, LastText, OutputId, Row, Style};

use crate::above::Noise;
use crate::group::{Group, groups};
use crate::line::{is_row_of, row_ids};
use crate::lingering::Lingering;
use crate::outputs::{Manner, Stream};
use crate::process::Process;
use crate::scene::{LastRows, Scene};
use crate::style::Looks;
use crate::traits::APART;
use crate::turn::{Drawer, Turn};

/// What this process knows of a bar that it opened, beyond what the segment says.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) output: OutputId,
    pub(crate) style: Arc<Style>,
}

/// Whether the outputs take what is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reader {
    #[default]
    Reads,
    /// Something waits.
    IsBehind,
    /// Something waits, and a closing bar has waited for it in vain: the next ones do not.
    IsAway,
}

/// Everything that is drawn with, under one lock.
pub(crate) struct Shared {
    pub(crate) display: Display,
    pub(crate) outputs: HashMap<(u64, u64, bool), OutputId>,
    pub(crate) local: HashMap<BarId, Local>,
    /// Bars without a live line: their last one is on its way, or out, or they are off.
    pub(crate) closing: HashSet<BarId>,
    /// Bars that stood on the screen in the last frame.
    pub(crate) drawn: HashSet<BarId>,
    pub(crate) finished: Vec<(OutputId, Row)>,
    /// Bars that closed here and wait for other ranks.
    pub(crate) lingering: Vec<Lingering>,
    /// Set while those are to be finished.
    pub(crate) ends_waiting: bool,
    /// Whether the last frame had a live line of workers.
    pub(crate) has_workers: bool,
    /// The outermost bar of the last frame.
    pub(crate) first: Option<BarId>,
    pub(crate) default_output: Option<OutputId>,
    /// The outputs of bars that a worker draws itself; see [`APART`](crate::traits::APART).
    pub(crate) apart: HashSet<OutputId>,
    /// Device numbers of the terminals among the outputs.
    pub(crate) devices: HashMap<OutputId, u64>,
    /// Where live lines stand, as the job was last told; see `above.rs`.
    pub(crate) shown: Option<(OutputId, u64)>,
    pub(crate) noise: Noise,
    /// The stream for bars that other processes opened, until its output is there, and which file it
    /// led to when this process attached.
    pub(crate) stream: Option<(Stream, u64)>,
    pub(crate) manner: Manner,
    pub(crate) scene: Scene,
    pub(crate) idle_looks: u32,
    /// Until when processes that this one started may open their first bar.
    pub(crate) expected_until_s: f64,
    pub(crate) reader: Reader,
    pub(crate) turn: Turn,
    pub(crate) tables: &'static Tables,
    pub(crate) me: ProcessId,
    /// Until when nothing is drawn, because Python code writes to a terminal.
    pub(crate) held_until_s: f64,
}

impl Shared {
    pub(crate) fn new(home: &Home, stream: Option<(Stream, u64)>, manner: Manner) -> Self {
        Self {
            display: Display::new(),
            outputs: HashMap::new(),
            local: HashMap::new(),
            closing: HashSet::new(),
            drawn: HashSet::new(),
            finished: Vec::new(),
            lingering: Vec::new(),
            ends_waiting: false,
            has_workers: false,
            first: None,
            default_output: None,
            apart: HashSet::new(),
            devices: HashMap::new(),
            shown: None,
            noise: Noise::default(),
            stream,
            manner,
            scene: Scene::new(
                home.was_left && home.role != Role::Worker,
                manner.has_prompts,
            ),
            idle_looks: 0,
            expected_until_s: 0.0,
            reader: Reader::default(),
            turn: Turn::default(),
            tables: home.tables,
            me: home.me,
            held_until_s: 0.0,
        }
    }

    /// Whether this process draws now.
    pub(crate) fn owns(&mut self, process: &Process, now_ms: u64) -> bool {
        let drawer = self.turn.look(process, now_ms);
        if drawer == Drawer::MeNow {
            // Another process may have drawn meanwhile.
            self.display.redraw();
        }
        drawer != Drawer::Other
    }

    /// The last lines of a bar that this process closes now; see [`Scene::last_rows`].
    pub(crate) fn last_rows(
        &mut self,
        process: &Process,
        id: BarId,
        now_s: f64,
    ) -> Option<LastRows> {
        let Self { scene, local, .. } = self;
        scene.last_rows(process, local, id, now_s)
    }

    /// A bar's line as it is now: see [`Scene::present_row`].
    pub(crate) fn present_row(&mut self, process: &Process, id: BarId, now_s: f64) -> Option<Row> {
        let Self { scene, local, .. } = self;
        scene.present_row(process, local, id, now_s)
    }

    /// What the latest text of a bar said, whose entries these are: see [`LastText`].
    pub(crate) fn last_text(&self, ids: &[BarId], rank: Rank) -> Option<LastText> {
        ids.iter()
            .flat_map(|id| row_ids(*id, rank))
            .find_map(|row| self.display.last_text(row))
    }

    /// A bar goes on after a pause, which ends now: see [`Scene::rest`].
    pub(crate) fn rest(&mut self, ids: &[BarId], now_s: f64) -> Option<f64> {
        let rest_s = self.scene.rest(ids, now_s)?;
        let is_meant = |row| is_row_of(ids, row);
        self.display.rest(is_meant, rest_s, now_s);
        Some(rest_s)
    }

    /// Whether this process has bars to draw whoever draws for the job.
    pub(crate) fn draws_apart(&self) -> bool {
        let local = self.local.values().map(|local| local.output);
        let finished = self.finished.iter().map(|(output, _)| *output);
        local
            .chain(finished)
            .any(|output| self.apart.contains(&output))
    }

    /// Forgets bars that are gone.
    pub(crate) fn forget_gone(&mut self) {
        let bars = self.tables.bars();
        self.closing.retain(|id| !bars.is_gone(*id));
        self.scene.forget_gone(|id| bars.is_gone(id));
    }

    /// Whether there is anything to draw on: not where the display is forced off.
    pub(crate) fn has_outputs(&self) -> bool {
        self.stream.is_some() || self.default_output.is_some() || !self.outputs.is_empty()
    }

    /// Shows a bar in another style.
    pub(crate) fn restyle(&mut self, id: BarId, looks: &Looks) {
        if let Some(local) = self.local.get_mut(&id) {
            local.style = Arc::new(looks.style());
        }
    }

    /// Whether the bar is the outermost one of those that are open now, drawn or not yet.
    pub(crate) fn is_outermost(&self, process: &Process, id: BarId) -> bool {
        let is_seen = |group: &&Group| {
            let is_here = group.ids.iter().any(|id| self.local.contains_key(id));
            let is_closing = group.ids.iter().any(|id| self.closing.contains(id));
            !is_closing && (is_here || !group.view.has(APART))
        };
        let groups = groups(process.home.tables);
        let first = groups.iter().find(is_seen);
        first.is_none_or(|group| group.ids.contains(&id))
    }

    /// Whether the bar's line was the outermost one of the last frame.
    pub(crate) fn is_first(&self, id: BarId) -> bool {
        self.first.is_none_or(|first| first == id)
    }
}
