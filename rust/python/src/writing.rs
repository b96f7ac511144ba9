//! One writes at a time to the terminal on which lines are drawn.
//!
//! The kernel sees to that for each write. But a terminal that is read too slowly takes a part of a
//! frame: the cursor stands in the midst of it then, and a text written there would be drawn over by
//! the rest. So the owner keeps the terminal until the frame is out, and texts of other processes wait
//! for that. They wait for room in the terminal anyway.

use std::cell::Cell;
use std::time::Duration;

use mp_tqdm_counters::Header;
use mp_tqdm_render::{FdSink, Outcome, Sink as _, Size};

use crate::above::is_erased;
use crate::process::now_ns;

/// For so long one process has the terminal at most; so late is a text at most, because of a frame.
pub(crate) const MOST: Duration = Duration::from_millis(50);
/// For so long a frame waits for a text, and for its own rest.
const FRAME_WAITS: Duration = Duration::from_millis(2);
const REST_WAITS: Duration = Duration::from_millis(40);
/// A time that nobody has the terminal until.
const NOBODY: u64 = u64::MAX;
/// How often it is looked meanwhile.
const PAUSE: Duration = Duration::from_micros(100);

thread_local! {
    /// Whether this thread has the terminal: a signal handler may print while it does.
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Has the terminal until it is dropped.
pub(crate) struct Writing {
    /// `None` where an outer one of this thread has it.
    taken: Option<(&'static Header, u64)>,
}

impl Writing {
    /// Takes the terminal, unless another thread or process has it for all of that time.
    pub(crate) fn take(header: &'static Header, patience: Duration) -> Option<Self> {
        if IS_HERE.get() {
            return Some(Self { taken: None });
        }
        let deadline_ns = now_ns() + nanoseconds(patience);
        loop {
            let now_ns = now_ns();
            let until_ns = now_ns + nanoseconds(MOST);
            if header.take_terminal(now_ns, until_ns) {
                IS_HERE.set(true);
                let taken = Some((header, until_ns));
                return Some(Self { taken });
            }
            if now_ns >= deadline_ns {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes what was left at `until_ns`, unless another process took it since.
    fn take_again(header: &'static Header, until_ns: u64) -> Option<Self> {
        let later_ns = now_ns() + nanoseconds(MOST);
        if IS_HERE.get() || !header.keep_terminal(until_ns, later_ns) {
            return None;
        }
        IS_HERE.set(true);
        let taken = Some((header, later_ns));
        Some(Self { taken })
    }

    /// Has it for longer; false where another process took it meanwhile.
    fn keep(&mut self) -> bool {
        let Some((header, until_ns)) = &mut self.taken else {
            return true;
        };
        let later_ns = now_ns() + nanoseconds(MOST);
        let is_kept = header.keep_terminal(*until_ns, later_ns);
        if is_kept {
            *until_ns = later_ns;
        }
        is_kept
    }

    /// Leaves it as it is: others see that something is not out yet, and wait for the time that is left.
    fn leave(mut self) -> u64 {
        self.taken.take().map_or(NOBODY, |(_, until_ns)| {
            IS_HERE.set(false);
            until_ns
        })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some((header, until_ns)) = self.taken {
            IS_HERE.set(false);
            header.give_terminal(until_ns);
        }
    }
}

/// A sink for frames beside texts of other processes.
pub(crate) struct FrameSink {
    sink: FdSink,
    /// `None` where there is no terminal.
    header: Option<&'static Header>,
    /// Until when the terminal was kept for the rest of a frame that was cut.
    cut: Option<u64>,
}

impl FrameSink {
    pub(crate) fn new(sink: FdSink, header: Option<&'static Header>) -> Self {
        Self {
            sink,
            header,
            cut: None,
        }
    }

    pub(crate) fn size(&self) -> Option<Size> {
        self.sink.size()
    }

    pub(crate) fn is_edited(&self) -> bool {
        self.sink.is_edited()
    }

    /// Writes a frame in one piece, as far as the terminal takes it before long.
    pub(crate) fn write_frame(&mut self, frame: &[u8]) -> Outcome {
        let Some(header) = self.header else {
            return self.sink.write_frame(frame);
        };
        let kept = self.cut.and_then(|cut| Writing::take_again(header, cut));
        let Some(mut writing) = kept.or_else(|| Writing::take(header, FRAME_WAITS)) else {
            return Outcome::Busy;
        };
        if self.cut.is_some() && is_erased(header) {
            // The rest goes on from a cursor of before that text: the next frame finds out.
            return Outcome::Busy;
        }
        let deadline_ns = now_ns() + nanoseconds(REST_WAITS);
        let mut written = 0;
        loop {
            match self.sink.write_frame(&frame[written..]) {
                Outcome::Part(more) => written += more,
                Outcome::Busy if written > 0 => {}
                Outcome::Busy if self.cut.is_some() => {
                    self.cut = Some(writing.leave());
                    return Outcome::Busy;
                }
                outcome => {
                    self.cut = None;
                    return outcome;
                }
            }
            if now_ns() < deadline_ns {
                std::thread::sleep(PAUSE);
                if writing.keep() {
                    continue;
                }
            }
            self.cut = Some(writing.leave());
            return Outcome::Part(written);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
