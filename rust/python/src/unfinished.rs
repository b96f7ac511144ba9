//! Lines that are not finished yet: they are held back for a moment, so that nothing of others gets in
//! between.
//!
//! `print` is two writes at least. A stream with a buffer hands them on as one at the end of the line;
//! one without (`python -u`, which is how torchrun starts its ranks) hands on each, and eight ranks that
//! print at once tear each other's lines. So the beginning of a line waits here, for each thread by
//! itself, until its end comes. Of a stream without a buffer it is written by a thread if that takes
//! long: it never attaches to Python, so it writes beside C code that holds the GIL too.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use mp_tqdm_counters::sync::{AtomicU32, Ordering};
use mp_tqdm_counters::{HotEntry, move_up};
use mp_tqdm_render::{Driver, ERASE_BELOW, FdSink, Outcome, Sink as _, Wait, monotonic, thread_id};

use crate::above::{around, draws_on, header_of_lines, printed};
use crate::locks::lock;
use crate::writing::Writing;
use crate::{entries, hot};

/// How long the end of a line is waited for: a text is to be seen 50 ms later.
const PATIENCE_S: f64 = 0.03;
/// How often it is looked for texts that waited so long.
const LOOK_S: f64 = 0.008;
/// How long it is waited for at most where the printing thread has not had the processor since.
const LIMIT_S: f64 = 1.0;
/// For how long the thread looks on after the last text, and stays after that.
const BUSY_S: f64 = 0.05;
const IDLE_S: f64 = 1.0;

/// How often what is the last chance of a text is tried, with a millisecond between: the terminal takes
/// nothing while somebody else writes.
const TRIES: u32 = 20;

/// States of the thread: it looks, it sleeps, there is none.
const LOOKS: u32 = 0;
const SLEEPS: u32 = 1;
const IS_GONE: u32 = 2;

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The terminal of that device number, by streams that write at once.
    Terminal(u64),
    /// A stream that waits for the end of the line by itself, named by the address of what stands in
    /// the place of its `write`.
    Stream(usize),
}

/// The beginning of a line.
struct Text {
    thread: i32,
    place: Place,
    bytes: Vec<u8>,
    since_s: f64,
    /// How long the printing thread has run, as of the first look; `None`: it waits for something.
    ran: Option<Option<u64>>,
}

#[derive(Default)]
struct Held {
    texts: Vec<Text>,
    /// What the thread writes to, by device.
    sinks: HashMap<u64, FdSink>,
    last_s: f64,
}

/// The lines that this process has begun to print.
pub(crate) struct Unfinished {
    held: Mutex<Held>,
    driver: Mutex<Option<Driver>>,
    state: AtomicU32,
}

/// The entry that keeps them, so that a fork child begins with none.
static ENTRY: OnceLock<Option<&'static HotEntry>> = OnceLock::new();

thread_local! {
    /// This thread's id, and for which of [`Unfinished`] it was asked: a fork child's is another.
    static THREAD: Cell<(usize, i32)> = const { Cell::new((0, 0)) };
}

/// Those of this process; `None` before its first, or where there is no memory.
fn present() -> Option<&'static Unfinished> {
    hot::unfinished_at(ENTRY.get().copied().flatten()?)
}

/// Those of this process.
pub(crate) fn here() -> Option<&'static Unfinished> {
    let entry = (*ENTRY.get_or_init(entries::take))?;
    hot::unfinished_at(entry).or_else(|| {
        let made = Box::leak(Box::new(Unfinished {
            held: Mutex::default(),
            driver: Mutex::new(None),
            state: AtomicU32::new(IS_GONE),
        }));
        hot::keep_unfinished(entry, made);
        Some(made)
    })
}

/// Before a fork: writes what waits for its line's end, and ends the thread. It is called with the GIL,
/// so that no text comes meanwhile.
pub(crate) fn before_fork() {
    if let Some(unfinished) = present() {
        unfinished.stop();
    }
}

/// Before the process crashes: writes what waits for its line's end, unless it crashes in the midst of
/// that.
fn before_crash() {
    let Some(unfinished) = present() else {
        return;
    };
    // The thread that crashed may have it.
    let held = (0..TRIES).find_map(|_| unfinished.held.try_lock().ok().or_else(pause));
    if let Some(mut held) = held {
        held.release_in_crash();
    }
}

/// What is to be tried again did not come to anything.
fn pause<T>() -> Option<T> {
    std::thread::sleep(Duration::from_millis(1));
    None
}

/// At the end of the process: the same, also of streams that have not been flushed.
pub(crate) fn at_exit() {
    if let Some(unfinished) = present() {
        unfinished.stop();
    }
}

impl Unfinished {
    /// Holds back what this thread wrote to `place`. False if that cannot be; then it is to be written.
    pub(crate) fn hold(&'static self, place: Place, fd: RawFd, bytes: Vec<u8>) -> bool {
        let now_s = monotonic().as_secs_f64();
        let thread = self.thread();
        {
            let mut held = lock(&self.held);
            if let Place::Terminal(device) = place
                && !held.can_write(device, fd)
            {
                return false;
            }
            held.last_s = now_s;
            match held.position(thread, place) {
                Some(position) => held.texts[position].bytes.extend(bytes),
                None => held.texts.push(Text {
                    thread,
                    place,
                    bytes,
                    since_s: now_s,
                    ran: None,
                }),
            }
        }
        if matches!(place, Place::Terminal(_)) {
            self.attend();
        }
        true
    }

    /// What this thread has begun to write to `place`; it goes before what it writes now.
    pub(crate) fn take(&self, place: Place) -> Vec<u8> {
        let thread = self.thread();
        let mut held = lock(&self.held);
        let position = held.position(thread, place);
        position.map_or_else(Vec::new, |position| held.texts.remove(position).bytes)
    }

    /// What all threads have begun to write to one of `places`, the oldest first.
    pub(crate) fn take_all(&self, places: [Place; 2]) -> Vec<u8> {
        let mut held = lock(&self.held);
        let (taken, left) = std::mem::take(&mut held.texts)
            .into_iter()
            .partition(|text| places.contains(&text.place));
        held.texts = left;
        let taken: Vec<Text> = taken;
        taken.into_iter().flat_map(|text| text.bytes).collect()
    }

    fn thread(&self) -> i32 {
        let me = std::ptr::from_ref(self).addr();
        THREAD.with(|known| match known.get() {
            (of, id) if of == me => id,
            _ => {
                let id = thread_id();
                known.set((me, id));
                id
            }
        })
    }

    /// Makes sure that the thread looks after a text.
    fn attend(&'static self) {
        let state = self.state.swap(LOOKS, Ordering::SeqCst);
        if state == LOOKS {
            return;
        }
        let mut driver = lock(&self.driver);
        if state == SLEEPS
            && let Some(driver) = &*driver
        {
            driver.wake();
            return;
        }
        *driver = Driver::start("mp-tqdm-text", |now_s| self.tick(now_s)).ok();
        if driver.is_none() {
            self.state.store(IS_GONE, Ordering::SeqCst);
            let _ = lock(&self.held).release(|_| true);
        }
    }

    fn tick(&self, now_s: f64) -> Wait {
        let mut held = lock(&self.held);
        let is_empty = held.release(|text| text.is_due(now_s));
        let idle_s = now_s - held.last_s;
        if !is_empty || idle_s < BUSY_S {
            return Wait::For(Duration::from_secs_f64(LOOK_S));
        }
        if idle_s < IDLE_S {
            self.state.store(SLEEPS, Ordering::SeqCst);
            return Wait::For(Duration::from_secs_f64(IDLE_S));
        }
        held.sinks.clear();
        self.state.store(IS_GONE, Ordering::SeqCst);
        Wait::Exit
    }

    fn stop(&self) {
        if let Some(driver) = lock(&self.driver).take() {
            driver.stop(Duration::from_millis(500));
            self.state.store(IS_GONE, Ordering::SeqCst);
        }
        let mut held = lock(&self.held);
        let is_out = |_| held.release(|_| true).then_some(()).or_else(pause);
        let _ = (0..TRIES).find_map(is_out);
    }
}

impl Held {
    fn position(&self, thread: i32, place: Place) -> Option<usize> {
        let is_it = |text: &Text| text.thread == thread && text.place == place;
        self.texts.iter().position(is_it)
    }

    /// Whether the thread can write to this terminal, which `fd` leads to.
    fn can_write(&mut self, device: u64, fd: RawFd) -> bool {
        if self.sinks.contains_key(&device) {
            return true;
        }
        let Ok(copy) = hot::duplicate(fd).map(std::fs::File::from) else {
            return false;
        };
        if copy.metadata().map(|meta| meta.rdev()).ok() != Some(device) {
            return false;
        }
        hot::before_crash(before_crash);
        self.sinks
            .insert(device, FdSink::new(copy.into()).moved(move_up));
        true
    }

    /// Writes texts for terminals that are due; what is not taken stays. Whether none of them is left.
    fn release(&mut self, mut is_due: impl FnMut(&mut Text) -> bool) -> bool {
        let Self { texts, sinks, .. } = self;
        texts.retain_mut(|text| {
            let Place::Terminal(device) = text.place else {
                return true;
            };
            let Some(sink) = sinks.get_mut(&device).filter(|_| is_due(text)) else {
                return true;
            };
            // Where another process has the terminal, the next look is soon.
            let drawn = header_of_lines(device);
            let writing = drawn.map(|header| Writing::take(header, Duration::ZERO));
            if let Some(None) = writing {
                return true;
            }
            let mut frame = Vec::new();
            if let Some(around) = around(device, false) {
                frame = around.rest;
                // It is there where the text was tried before.
                if !text.bytes.starts_with(ERASE_BELOW.as_bytes()) {
                    frame.extend(ERASE_BELOW.as_bytes());
                }
            }
            frame.append(&mut text.bytes);
            let taken = match sink.write_frame(&frame) {
                Outcome::Part(taken) => taken,
                Outcome::Busy => 0,
                Outcome::Whole | Outcome::Dead => frame.len(),
            };
            printed(device);
            text.bytes = frame.split_off(taken);
            !text.bytes.is_empty()
        });
        let waits = |text: &Text| matches!(text.place, Place::Terminal(_));
        !texts.iter().any(waits)
    }

    /// Writes all texts for terminals, without a new allocation.
    fn release_in_crash(&mut self) {
        let Self { texts, sinks, .. } = self;
        for text in texts.iter() {
            if let Place::Terminal(device) = text.place
                && let Some(sink) = sinks.get_mut(&device)
            {
                let erase = if draws_on(device) { ERASE_BELOW } else { "" };
                for mut bytes in [erase.as_bytes(), &text.bytes] {
                    let _ = (0..TRIES).find_map(|_| match sink.write_frame(bytes) {
                        Outcome::Whole | Outcome::Dead => Some(()),
                        Outcome::Busy => pause(),
                        Outcome::Part(taken) => {
                            bytes = &bytes[taken..];
                            pause()
                        }
                    });
                }
            }
        }
    }
}

impl Text {
    /// Whether its end was waited for long enough. It is not where the printing thread has not run
    /// since, because others had the processor: the end may be its very next instruction.
    fn is_due(&mut self, now_s: f64) -> bool {
        let waited_s = now_s - self.since_s;
        let thread = self.thread;
        let ran = *self.ran.get_or_insert_with(|| time_in_line(thread));
        waited_s >= PATIENCE_S
            && (waited_s >= LIMIT_S || ran.is_none() || ran != time_in_line(thread))
    }
}

/// How many nanoseconds a thread has run, if it would run now and does not get the processor, or does.
/// Linux says so in `/proc`; where that is missing nobody knows.
fn time_in_line(thread: i32) -> Option<u64> {
    let read = |name| std::fs::read_to_string(format!("/proc/self/task/{thread}/{name}")).ok();
    // The name, in brackets, may have any character in it.
    let is_runnable = read("stat")?.rsplit_once(") ")?.1.starts_with('R');
    let ran = read("schedstat")?.split(' ').next()?.parse().ok()?;
    is_runnable.then_some(ran)
}
