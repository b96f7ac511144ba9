//! The renderer of this process: who may draw, on which outputs, and when the thread lives.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mp_tqdm_counters::sync::{AtomicU32, Ordering};
use mp_tqdm_counters::{BY_WORKERS, BarState, BarView, Home, Role, has_children};
use mp_tqdm_render::{Driver, OutputId, Row, Wait, monotonic};

use crate::bar::FRAMES;
use crate::locks::{Guard, lock, try_lock};
use crate::outputs::{Manner, Stream};
use crate::process::Process;
use crate::shared::{Reader, Shared};

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
/// How often it looks while there is no owner, or workers may open bars: those are seen within a second.
const WATCH_CLOSELY: Duration = Duration::from_millis(250);
/// For how long children are awaited, which may import much before they open a bar. Who comes later than
/// that draws itself.
const EXPECTED_S: f64 = 60.0;
/// After so many looks that found nothing to draw, the thread ends.
const IDLE_LOOKS: u32 = 2;

const DROWSY: u32 = 1;
const LEAVING: u32 = 2;

/// The renderer of this process.
pub(crate) struct Stage {
    shared: Mutex<Shared>,
    driver: Mutex<Option<Driver>>,
    /// [`DROWSY`] while the thread sleeps longer than a frame: a new bar has to wake it. [`LEAVING`]
    /// once it found nothing to draw for good: a new bar needs another one.
    drowsy: AtomicU32,
    /// Forks in progress; no thread is started above 0.
    forks: AtomicU32,
}

impl Stage {
    pub(crate) fn new(home: &Home, stream: Option<(Stream, u64)>, manner: Manner) -> Self {
        Self {
            shared: Mutex::new(Shared::new(home, stream, manner)),
            driver: Mutex::new(None),
            drowsy: AtomicU32::new(DROWSY),
            forks: AtomicU32::new(0),
        }
    }

    pub(crate) fn shared(&self) -> Guard<'_, Shared> {
        lock(&self.shared)
    }

    /// As [`Stage::shared`], unless a frame is being drawn just now.
    pub(crate) fn try_shared(&self) -> Option<Guard<'_, Shared>> {
        try_lock(&self.shared)
    }

    /// Whether there is something for a thread to do here.
    fn is_wanted(&self, process: &Process) -> bool {
        let shared = self.shared();
        shared.has_outputs() && (process.may_draw() || shared.draws_apart())
    }

    /// Draws a bar that was just opened on a terminal, in the calling thread, if that of the renderer
    /// is not there yet: it has to be made, and on a busy machine it waits for the processor.
    pub(crate) fn show_first(&self, process: &'static Process) {
        let is_there = try_lock(&self.driver)
            .is_none_or(|driver| driver.as_ref().is_some_and(Driver::is_running));
        if !is_there
            && self.is_wanted(process)
            && let Some(mut shared) = self.try_shared()
        {
            self.look(process, &mut shared, monotonic().as_secs_f64());
        }
    }

    /// Makes sure that the thread runs and will soon look at the bars.
    pub(crate) fn attend(&self, process: &'static Process) {
        if self.forks.load(Ordering::SeqCst) > 0 || !self.is_wanted(process) {
            return;
        }
        let mut driver = lock(&self.driver);
        // The fork of another thread may have begun meanwhile, and have found none to stop.
        if self.forks.load(Ordering::SeqCst) > 0 {
            return;
        }
        let state = self.drowsy.swap(0, Ordering::SeqCst);
        match driver.as_ref().filter(|driver| driver.is_running()) {
            None => {}
            Some(leaving) if state == LEAVING => _ = leaving.stop(STOP_LIMIT),
            Some(drowsy) if state == DROWSY => return drowsy.wake(),
            Some(_) => return,
        }
        {
            let mut shared = self.shared();
            shared.idle_looks = 0;
            // Here, since the program may close its descriptor before the thread comes to it.
            shared.default_output();
        }
        // No thread to be had: counting works, nothing is drawn.
        *driver = Driver::start("mp-tqdm", move |now_s| process.stage.tick(process, now_s)).ok();
    }

    /// Has the thread look now, if it is there.
    pub(crate) fn wake(&self) {
        // Where somebody starts or stops it just now, it looks anyway, or is not to.
        if let Some(driver) = try_lock(&self.driver)
            && let Some(driver) = &*driver
        {
            driver.wake();
        }
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
    /// What a terminal has not taken so far is tried once more: it may be read by now.
    pub(crate) fn finish(&self, process: &'static Process) {
        let bars = process.home.tables.bars();
        let waits = |view: BarView| view.has(BY_WORKERS) || view.state == BarState::Ended;
        let lingers = !self.shared().lingering.is_empty();
        let is_head = process.home.role != Role::Worker;
        let is_last = is_head && (lingers || bars.views().any(waits));
        self.shared().scene.is_last = is_last;
        if is_last || !self.is_read() {
            self.flush(process);
        }
    }

    /// Before this process prints or opens a bar: lines that wait for other ranks are over, and come
    /// before that; so do those of workers that are gone. `has_children` knows who may become one.
    pub(crate) fn end_lines_of_gone(
        &self,
        process: &'static Process,
        has_children: impl FnOnce() -> bool,
    ) {
        // A frame that is drawn just now is waited for: it may have the line that is to end.
        let (has_workers, waits) = {
            let shared = self.shared();
            (shared.has_workers, !shared.lingering.is_empty())
        };
        let is_head = process.home.role != Role::Worker;
        let are_gone = is_head && has_workers && !process.has_workers() && !has_children();
        if !(are_gone || waits) {
            return;
        }
        let mut shared = self.shared();
        shared.scene.are_workers_gone = are_gone;
        shared.ends_waiting = true;
        self.look(process, &mut shared, monotonic().as_secs_f64());
        shared.scene.are_workers_gone = false;
        shared.ends_waiting = false;
    }

    /// Whether the outputs took all that was drawn.
    pub(crate) fn is_read(&self) -> bool {
        self.shared().reader == Reader::Reads
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
        if process.home.role != Role::Worker {
            self.expect_workers(process);
        } else if self.has_work(process) {
            self.attend(process);
        }
    }

    /// Looks for bars of workers: processes were started, or may be.
    pub(crate) fn expect_workers(&self, process: &'static Process) {
        self.shared().expected_until_s = monotonic().as_secs_f64() + EXPECTED_S;
        if self.shared().has_outputs() {
            self.claim(process);
        }
        self.attend(process);
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

    pub(crate) fn look(&self, process: &'static Process, shared: &mut Shared, now_s: f64) -> Wait {
        let now_ms = milliseconds(now_s);
        let owns = shared.owns(process, now_ms);
        if owns {
            process.home.tables.ownership().beat(now_ms);
        } else if !shared.draws_apart() {
            return self.watch(process, shared, now_s);
        }
        if now_s < shared.held_until_s {
            return Wait::For(FRAME);
        }
        shared.forget_gone();
        let picture = {
            let Shared {
                scene,
                local,
                closing,
                ..
            } = shared;
            scene.look(process, local, closing, owns, now_s)
        };
        shared.has_workers = picture.has_workers;
        let mut outputs: Vec<(OutputId, Vec<Row>)> = Vec::new();
        if owns {
            let are_over = shared.ends_waiting || shared.scene.is_last;
            for (output, row) in shared.lines_that_wait(process, are_over, now_s) {
                place(&mut outputs, output, row);
            }
        }
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
        let header = &process.home.tables.header;
        if owns {
            shared.note_printed(header, now_s);
        }
        let outcome = shared.display.draw(now_s, &outputs);
        if owns {
            shared.tell_shown(header);
        }
        if !is_empty {
            FRAMES.fetch_add(1, Ordering::Relaxed);
            header.frames.fetch_add(1, Ordering::Relaxed);
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
        if picture.is_live || outcome.is_behind || !shared.lingering.is_empty() {
            shared.idle_looks = 0;
            return shared.until_next(now_s, picture.interval);
        }
        self.watch(process, shared, now_s)
    }

    /// Nothing to draw now: look again soon, and end if that goes on.
    fn watch(&self, process: &Process, shared: &mut Shared, now_s: f64) -> Wait {
        let has_bars = || process.home.tables.bars().views().next().is_some();
        let expects = process.home.role != Role::Worker
            && (now_s < shared.expected_until_s && has_children() || process.has_workers());
        shared.idle_looks = if expects || has_bars() {
            0
        } else {
            shared.idle_looks + 1
        };
        if shared.idle_looks > IDLE_LOOKS {
            self.drowsy.store(LEAVING, Ordering::SeqCst);
            shared.turn.give_up(process);
            // Whoever opened one just now counts on this thread.
            if !has_bars() {
                return Wait::Exit;
            }
        }
        self.drowsy.store(DROWSY, Ordering::SeqCst);
        if shared.turn.is_vacant() || expects && process.is_first() {
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
