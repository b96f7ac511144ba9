//! The renderer of this process: who may draw, on which outputs, and when the thread lives.

use std::collections::{HashMap, HashSet};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use mp_tqdm_counters::sync::{AtomicU32, Ordering};
use mp_tqdm_counters::{BY_WORKERS, BarId, BarState, BarView, Home, ProcessId, Role, Tables};
use mp_tqdm_render::{Display, Driver, OutputId, Row, Style, Wait, monotonic};

use crate::above::Noise;
use crate::bar::FRAMES;
use crate::line::is_row_of;
use crate::outputs::Manner;
use crate::process::{Process, lock};
use crate::scene::Scene;
use crate::style::Looks;
use crate::turn::{Drawer, Turn};

/// How long a closing bar waits for its last line, so that the next `print` comes after it.
pub(crate) const LAST_FRAME: Duration = Duration::from_millis(50);
/// How soon a closing bar tries again, where the renderer is drawing just now.
const RETRY: Duration = Duration::from_micros(200);
/// How soon it does where the terminal has not taken its last line.
const UNREAD_RETRY: Duration = Duration::from_millis(1);
/// How long a fork, or the end of the process, waits for the renderer's present frame.
const STOP_LIMIT: Duration = Duration::from_millis(500);
/// tqdm's `mininterval`.
const FRAME: Duration = Duration::from_millis(100);
/// How often a process that does not draw, or has nothing to draw, looks whether it should.
const WATCH: Duration = Duration::from_secs(1);
/// How often it looks while there is no owner.
const WATCH_CLOSELY: Duration = Duration::from_millis(250);
/// After so many looks that found nothing to draw, the thread ends.
const IDLE_LOOKS: u32 = 2;

/// What this process knows of a bar that it opened, beyond what the segment says.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) output: OutputId,
    pub(crate) style: Arc<Style>,
}

/// Whether the outputs take what is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reader {
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
    /// Bars whose last line is on its way, or out: no live line any more.
    pub(crate) closing: HashSet<BarId>,
    /// Bars that stood on the screen in the last frame.
    pub(crate) drawn: HashSet<BarId>,
    pub(crate) finished: Vec<(OutputId, Row)>,
    /// The outermost bar of the last frame.
    first: Option<BarId>,
    pub(crate) default_output: Option<OutputId>,
    /// Device numbers of the terminals among the outputs.
    pub(crate) devices: HashMap<OutputId, u64>,
    /// Where live lines stand, as the job was last told; see `above.rs`.
    pub(crate) shown: Option<(OutputId, u64)>,
    pub(crate) noise: Noise,
    /// The stream for bars that other processes opened: descriptor, and whether it is a terminal.
    pub(crate) stream: Option<(RawFd, bool)>,
    pub(crate) manner: Manner,
    scene: Scene,
    idle_looks: u32,
    reader: Reader,
    turn: Turn,
    pub(crate) tables: &'static Tables,
    pub(crate) me: ProcessId,
    /// Until when nothing is drawn, because Python code writes to a terminal.
    pub(crate) held_until_s: f64,
}

/// The renderer of this process.
pub(crate) struct Stage {
    shared: Mutex<Shared>,
    driver: Mutex<Option<Driver>>,
    /// 1 while the thread sleeps longer than a frame: a new bar has to wake it.
    drowsy: AtomicU32,
    /// Forks in progress; no thread is started above 0.
    forks: AtomicU32,
}

impl Stage {
    pub(crate) fn new(home: &Home, stream: Option<(RawFd, bool)>, manner: Manner) -> Self {
        Self {
            shared: Mutex::new(Shared {
                display: Display::new(),
                outputs: HashMap::new(),
                local: HashMap::new(),
                closing: HashSet::new(),
                drawn: HashSet::new(),
                finished: Vec::new(),
                first: None,
                default_output: None,
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
                reader: Reader::default(),
                turn: Turn::default(),
                tables: home.tables,
                me: home.me,
                held_until_s: 0.0,
            }),
            driver: Mutex::new(None),
            drowsy: AtomicU32::new(1),
            forks: AtomicU32::new(0),
        }
    }

    pub(crate) fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    /// As [`Stage::shared`], unless a frame is being drawn just now.
    pub(crate) fn try_shared(&self) -> Option<MutexGuard<'_, Shared>> {
        match self.shared.try_lock() {
            Ok(shared) => Some(shared),
            Err(TryLockError::Poisoned(shared)) => Some(shared.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Makes sure that the thread runs and will soon look at the bars.
    pub(crate) fn attend(&self, process: &'static Process) {
        if self.forks.load(Ordering::SeqCst) > 0
            || !self.shared().has_outputs()
            || !process.may_draw()
        {
            return;
        }
        let mut driver = lock(&self.driver);
        // The fork of another thread may have begun meanwhile, and have found none to stop.
        if self.forks.load(Ordering::SeqCst) > 0 {
            return;
        }
        if driver.as_ref().is_some_and(Driver::is_running) {
            if self.drowsy.swap(0, Ordering::SeqCst) == 1
                && let Some(driver) = &*driver
            {
                driver.wake();
            }
            return;
        }
        self.drowsy.store(0, Ordering::SeqCst);
        self.shared().idle_looks = 0;
        // No thread to be had: counting works, nothing is drawn.
        *driver = Driver::start("mp-tqdm", move |now_s| process.stage.tick(process, now_s)).ok();
    }

    /// Draws what is due, in the calling thread: on a busy machine the renderer's may not get the
    /// processor within [`LAST_FRAME`], which is the longest that a frame of it is waited for. So long
    /// a terminal may also take to read it: what is printed next would stand in the middle of it.
    pub(crate) fn flush(&self, process: &'static Process) {
        self.attend(process);
        let deadline = Instant::now() + LAST_FRAME;
        loop {
            let is_late = Instant::now() >= deadline;
            let reader = self.try_shared().map(|mut shared| {
                self.look(process, &mut shared, monotonic().as_secs_f64());
                if is_late && shared.reader == Reader::IsBehind {
                    shared.reader = Reader::IsAway;
                }
                shared.reader
            });
            let pause = match reader {
                Some(Reader::Reads | Reader::IsAway) => return,
                Some(Reader::IsBehind) => UNREAD_RETRY,
                None if is_late => return,
                None => RETRY,
            };
            std::thread::sleep(pause);
        }
    }

    /// At exit: the lines of workers that nobody has open any more get their last state (they would
    /// have waited for the next task), and so do bars of other ranks that ended since the last frame.
    pub(crate) fn finish(&self, process: &'static Process) {
        let bars = process.home.tables.bars();
        let waits = |view: BarView| view.has(BY_WORKERS) || view.state == BarState::Ended;
        if process.home.role != Role::Worker && bars.views().any(waits) {
            self.shared().scene.is_last = true;
            self.flush(process);
        }
    }

    /// Ends the thread; at exit.
    pub(crate) fn stop(&self) {
        if let Some(driver) = lock(&self.driver).take() {
            driver.stop(STOP_LIMIT);
        }
    }

    /// Takes the ownership where this process is the one to draw, before its first frame.
    pub(crate) fn claim(&self, process: &'static Process) {
        if process.is_first() {
            let now_ms = u64::try_from(monotonic().as_millis()).unwrap_or(u64::MAX);
            self.shared().owns(process, now_ms);
        }
    }

    pub(crate) fn before_fork(&self) {
        self.forks.fetch_add(1, Ordering::SeqCst);
        self.stop();
    }

    pub(crate) fn after_fork(&self, process: &'static Process) {
        // There is none to take away where the process attached after the fork had begun.
        let one_less = |forks: u32| forks.checked_sub(1);
        let forks = self
            .forks
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if forks.is_ok_and(|forks| forks > 1) {
            return;
        }
        if process.stage.has_work(process) {
            self.attend(process);
        }
    }

    fn has_work(&self, process: &Process) -> bool {
        process.home.tables.bars().views().next().is_some() || !self.shared().finished.is_empty()
    }

    /// One look of the thread.
    fn tick(&self, process: &'static Process, now_s: f64) -> Wait {
        self.drowsy.store(0, Ordering::SeqCst);
        self.mend(process, now_s, milliseconds(now_s))
            .unwrap_or_else(|| self.look(process, &mut self.shared(), now_s))
    }

    fn look(&self, process: &'static Process, shared: &mut Shared, now_s: f64) -> Wait {
        let now_ms = milliseconds(now_s);
        if !shared.owns(process, now_ms) {
            return self.watch(process, shared);
        }
        process.home.tables.ownership().beat(now_ms);
        if now_s < shared.held_until_s {
            return Wait::For(FRAME);
        }
        let picture = {
            let Shared {
                scene,
                local,
                closing,
                ..
            } = shared;
            scene.look(process, local, closing, now_s)
        };
        let mut outputs: Vec<(OutputId, Vec<Row>)> = Vec::new();
        let finished = std::mem::take(&mut shared.finished);
        shared.first = picture.rows.first().map(|(id, _, _)| *id);
        let mut drawn = HashSet::new();
        for (id, output, row) in picture.rows {
            let output = output.or_else(|| shared.default_output());
            if let Some(output) = output {
                drawn.insert(id);
                place(&mut outputs, output, row);
            }
        }
        // Behind the live ones: a log tells an inner bar by the one above it.
        for (output, row) in finished {
            place(&mut outputs, output, row);
        }
        let is_empty = outputs.is_empty() && shared.drawn.is_empty();
        shared.drawn = drawn;
        shared.note_printed(&process.home.tables.header, now_s);
        let outcome = shared.display.draw(now_s, &outputs);
        shared.tell_shown(&process.home.tables.header);
        if !is_empty {
            FRAMES.fetch_add(1, Ordering::Relaxed);
            process
                .home
                .tables
                .header
                .frames
                .fetch_add(1, Ordering::Relaxed);
        }
        shared.reader = match shared.reader {
            _ if !outcome.is_behind => Reader::Reads,
            Reader::IsAway => Reader::IsAway,
            _ => Reader::IsBehind,
        };
        for died in outcome.died {
            shared.outputs.retain(|_, output| *output != died);
        }
        shared.release_outputs();
        for id in picture.over {
            let tables = process.home.tables;
            tables.bars().free(
                &tables.cells(),
                id,
                process.home.me,
                &process.home.liveness(),
            );
        }
        if picture.is_live || outcome.is_behind {
            shared.idle_looks = 0;
            return shared.until_next(now_s, picture.interval);
        }
        self.watch(process, shared)
    }

    /// Nothing to draw now: look again in a second, and end if that goes on.
    fn watch(&self, process: &Process, shared: &mut Shared) -> Wait {
        let has_bars = process.home.tables.bars().views().next().is_some();
        shared.idle_looks = if has_bars { 0 } else { shared.idle_looks + 1 };
        self.drowsy.store(1, Ordering::SeqCst);
        if shared.idle_looks > IDLE_LOOKS {
            shared.turn.give_up();
            Wait::Exit
        } else if shared.turn.is_vacant() {
            Wait::For(WATCH_CLOSELY)
        } else {
            Wait::For(WATCH)
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an uptime"
)]
fn milliseconds(now_s: f64) -> u64 {
    (now_s * 1000.0) as u64
}

fn place(outputs: &mut Vec<(OutputId, Vec<Row>)>, output: OutputId, row: Row) {
    match outputs.iter_mut().find(|(known, _)| *known == output) {
        Some((_, rows)) => rows.push(row),
        None => outputs.push((output, vec![row])),
    }
}

impl Shared {
    /// Whether this process draws now.
    fn owns(&mut self, process: &Process, now_ms: u64) -> bool {
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
    ) -> Option<(Vec<Row>, Option<&'static str>)> {
        let Self { scene, local, .. } = self;
        scene.last_rows(process, local, id, now_s)
    }

    /// A bar's line as it is now: see [`Scene::present_row`].
    pub(crate) fn present_row(&mut self, process: &Process, id: BarId, now_s: f64) -> Option<Row> {
        let Self { scene, local, .. } = self;
        scene.present_row(process, local, id, now_s)
    }

    /// A bar goes on after a pause, which ends now: see [`Scene::rest`].
    pub(crate) fn rest(&mut self, ids: &[BarId], now_s: f64) -> Option<f64> {
        let rest_s = self.scene.rest(ids, now_s)?;
        let is_meant = |row| is_row_of(ids, row);
        self.display.rest(is_meant, rest_s, now_s);
        Some(rest_s)
    }

    /// Whether there is anything to draw on: not where the display is forced off.
    fn has_outputs(&self) -> bool {
        self.stream.is_some() || self.default_output.is_some() || !self.outputs.is_empty()
    }

    /// Shows a bar in another style.
    pub(crate) fn restyle(&mut self, id: BarId, looks: &Looks) {
        if let Some(local) = self.local.get_mut(&id) {
            local.style = Arc::new(looks.style());
        }
    }

    /// Whether the bar's line is the outermost one.
    pub(crate) fn is_first(&self, id: BarId) -> bool {
        self.first.is_none_or(|first| first == id)
    }
}
