//! A sink in memory, so that tests judge frames as a person would see them.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::screen::Screen;
use crate::sink::{Outcome, Sink, Size};

/// What a [`MemorySink`] does with the next frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Takes everything.
    None,
    /// Takes at most so many bytes of each; with 0, nothing.
    Bytes(usize),
    /// Is gone for good.
    Dead,
}

/// A sink whose frames a test can look at. Clones share one screen.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::{MemorySink, Sink, Size};
///
/// let mut terminal = MemorySink::new(Size { cols: 20, rows: 5 });
/// terminal.write_frame(b"one\r\ntwo\x1b[A three");
/// assert_eq!(terminal.lines(), ["one three", "two"]);
/// ```
#[derive(Clone, Debug)]
pub struct MemorySink {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    screen: Screen,
    bytes: Vec<u8>,
    frames: usize,
    fault: Fault,
    is_terminal: bool,
}

impl MemorySink {
    /// A terminal of that size.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self::with(Screen::new(size), true)
    }

    /// Something that is no terminal: it has no size.
    #[must_use]
    pub fn log() -> Self {
        Self::with(
            Screen::new(Size {
                cols: u16::MAX,
                rows: u16::MAX,
            }),
            false,
        )
    }

    fn with(screen: Screen, is_terminal: bool) -> Self {
        let fault = Fault::None;
        let inner = Inner {
            screen,
            bytes: Vec::new(),
            frames: 0,
            fault,
            is_terminal,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Makes the next frames meet a fault.
    pub fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// Gives the terminal another size, as a window without reflow does.
    pub fn resize(&self, size: Size) {
        self.lock().screen.resize(size);
    }

    /// Text from somebody else. Line ends return the carriage, as a terminal driver makes them.
    pub fn print(&self, text: &str) {
        self.lock().screen.feed(&text.replace('\n', "\r\n"));
    }

    /// All lines from the first that scrolled away to the last that is not empty, without trailing
    /// spaces.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().screen.lines()
    }

    /// Column and line of the cursor, from 0; the line counts from the first that scrolled away.
    #[must_use]
    pub fn cursor(&self) -> (usize, usize) {
        self.lock().screen.cursor()
    }

    /// Every byte of every frame so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// How many frames were written, whole or in part.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.lock().frames
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Sink for MemorySink {
    fn write_frame(&mut self, bytes: &[u8]) -> Outcome {
        let mut inner = self.lock();
        let taken = match inner.fault {
            Fault::None => bytes.len(),
            Fault::Bytes(most) => most.min(bytes.len()),
            Fault::Dead => return Outcome::Dead,
        };
        if taken == 0 && !bytes.is_empty() {
            return Outcome::Busy;
        }
        inner.frames += 1;
        inner.bytes.extend_from_slice(&bytes[..taken]);
        inner.screen.feed_bytes(&bytes[..taken]);
        if taken < bytes.len() {
            Outcome::Part(taken)
        } else {
            Outcome::Whole
        }
    }

    fn size(&self) -> Option<Size> {
        let inner = self.lock();
        inner.is_terminal.then_some(inner.screen.size())
    }
}
