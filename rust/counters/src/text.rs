//! Short texts that one process writes and others read without a lock: two buffers and a commit word.
//!
//! The commit word names the buffer that holds; a writer fills the other one and then turns the word.
//! A writer that dies half-way leaves the old text in place. A reader copies, then looks at the word
//! again (the idea of a seqlock, with a second buffer so that a reader meets a complete text even
//! while one is being written).

use crate::sync::{AtomicU64, Ordering, fence};
use crate::tag::{Liveness, ProcessId};

/// How often a reader tries again while the text changes under it.
const READ_TRIES: usize = 8;

/// The commit word: writing flag, version (15 bits, the lowest is the buffer that holds), process.
const WRITING: u64 = 1 << 63;
const VERSION_SHIFT: u32 = 48;
const VERSION_MASK: u64 = 0x7fff;
const PROCESS_MASK: u64 = (1 << VERSION_SHIFT) - 1;

/// A text of up to `WORDS * 8 - 8` bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Text<const WORDS: usize> {
    commit: AtomicU64,
    /// First word: length in bytes; then the bytes.
    buffers: [[AtomicU64; WORDS]; 2],
}

impl<const WORDS: usize> Text<WORDS> {
    /// Bytes that fit.
    pub const CAPACITY: usize = WORDS * 8 - 8;

    /// An empty text. (A segment's texts are not made, they are zeros of the file.)
    #[must_use]
    pub fn new() -> Self {
        let buffer = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            commit: AtomicU64::new(0),
            buffers: [buffer(), buffer()],
        }
    }

    /// Writes `bytes`, cut to the capacity. Returns what [`Text::holds`] says as long as they hold;
    /// `None` (and nothing changes) while another live process is writing.
    pub fn set(&self, bytes: &[u8], me: ProcessId, alive: &impl Liveness) -> Option<u64> {
        let seen = self.commit.load(Ordering::Relaxed);
        if seen & WRITING != 0 && !self.may_take_over(seen, me, alive) {
            return None;
        }
        let version = seen >> VERSION_SHIFT & VERSION_MASK;
        let writing = WRITING | version << VERSION_SHIFT | me.pack();
        // SYNC POINT: Acquire pairs with the Release below of the writer before: two writers never
        // fill a buffer at once.
        let won = self
            .commit
            .compare_exchange(seen, writing, Ordering::Acquire, Ordering::Relaxed);
        if won.is_err() {
            return None;
        }
        // SYNC POINT: a reader that sees one of the stores below sees the turn before it too, and so
        // notices at its second look that its buffer is no longer the one that holds.
        fence(Ordering::Release);
        let next = (version + 1) & VERSION_MASK;
        let buffer = &self.buffers[(next & 1) as usize];
        let bytes = &bytes[..bytes.len().min(Self::CAPACITY)];
        buffer[0].store(bytes.len() as u64, Ordering::Relaxed);
        for (word, chunk) in buffer[1..].iter().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
        let holds = next << VERSION_SHIFT | me.pack();
        // SYNC POINT: publishes the buffer to `get`.
        self.commit.store(holds, Ordering::Release);
        Some(holds)
    }

    /// A number that changes when another text is written.
    #[must_use]
    pub fn holds(&self) -> u64 {
        self.commit.load(Ordering::Relaxed)
    }

    /// Changes eight bytes of the text that `holds` names, from the eighth of so many on: a reader meets
    /// those before or these. For the process that wrote it, while no other one may write.
    pub fn store(&self, holds: u64, eighths: usize, eight: u64) {
        let version = holds >> VERSION_SHIFT & VERSION_MASK;
        if let Some(word) = self.buffers[(version & 1) as usize][1..].get(eighths) {
            word.store(eight, Ordering::Relaxed);
        }
    }

    fn may_take_over(&self, seen: u64, me: ProcessId, alive: &impl Liveness) -> bool {
        let writer = ProcessId::unpack(seen & PROCESS_MASK);
        writer != me && alive.is_dead(writer)
    }

    /// The bytes last written; empty before the first write, `None` if they never held still.
    #[must_use]
    pub fn get(&self) -> Option<Vec<u8>> {
        for _ in 0..READ_TRIES {
            // SYNC POINT: pairs with the Release store that published the buffer.
            let seen = self.commit.load(Ordering::Acquire);
            let version = seen >> VERSION_SHIFT & VERSION_MASK;
            let buffer = &self.buffers[(version & 1) as usize];
            let length = usize::try_from(buffer[0].load(Ordering::Relaxed)).unwrap_or(usize::MAX);
            let length = length.min(Self::CAPACITY);
            let words = buffer[1..].iter().take(length.div_ceil(8));
            let mut bytes: Vec<u8> = words
                .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
                .collect();
            bytes.truncate(length);
            // SYNC POINT: keeps the loads above before the second look at the word.
            fence(Ordering::Acquire);
            let now = self.commit.load(Ordering::Relaxed);
            if now >> VERSION_SHIFT & VERSION_MASK == version {
                return Some(bytes);
            }
        }
        None
    }

    /// The text last written, bytes that are no UTF-8 replaced.
    #[must_use]
    pub fn get_string(&self) -> Option<String> {
        self.get()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl<const WORDS: usize> Default for Text<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// What both texts begin with.
#[must_use]
pub fn shared_start(one: &str, other: &str) -> String {
    let pairs = one.chars().zip(other.chars());
    pairs.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// Cuts `text` to at most `bytes` bytes at a character boundary.
#[must_use]
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    &text[..end]
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;
    use crate::tag::{Dead, Incarnation, Slot};

    const ME: ProcessId = ProcessId {
        slot: Slot(3),
        incarnation: Incarnation(9),
    };

    #[test]
    fn the_last_text_is_read() {
        let text = Text::<4>::new();
        assert_eq!(text.get_string().unwrap(), "");
        for sample in ["one", "", "exactly 24 bytes long..."] {
            assert!(text.set(sample.as_bytes(), ME, &Dead(vec![])).is_some());
            assert_eq!(text.get_string().unwrap(), sample);
        }
        assert!(text.set(&[b'x'; 100], ME, &Dead(vec![])).is_some());
        assert_eq!(text.get().unwrap().len(), Text::<4>::CAPACITY);
    }

    #[test]
    fn a_dead_writer_leaves_the_old_text_and_is_taken_over() {
        let one_dead = Dead(vec![Slot(7)]);
        let text = Text::<4>::new();
        text.set(b"old", ME, &one_dead);
        let dead = ProcessId {
            slot: Slot(7),
            incarnation: Incarnation(1),
        };
        let version = text.commit.load(Ordering::Relaxed) >> VERSION_SHIFT & VERSION_MASK;
        text.commit.store(
            WRITING | version << VERSION_SHIFT | dead.pack(),
            Ordering::Relaxed,
        );
        assert_eq!(text.get().unwrap(), b"old");
        assert!(text.set(b"new", ME, &Dead(vec![])).is_none());
        assert!(text.set(b"new", ME, &one_dead).is_some());
        assert_eq!(text.get().unwrap(), b"new");
    }

    #[test]
    fn eight_bytes_of_a_text_can_be_changed_while_it_holds() {
        let text = Text::<4>::new();
        let holds = text.set(b"01234567abcdefgh", ME, &Dead(vec![])).unwrap();
        assert_eq!(text.holds(), holds);
        text.store(holds, 1, u64::from_le_bytes(*b"ABCDEFGH"));
        assert_eq!(text.get_string().unwrap(), "01234567ABCDEFGH");
        text.store(holds, usize::MAX, 0);
        text.set(b"other", ME, &Dead(vec![]));
        assert_ne!(text.holds(), holds);
        assert_eq!(text.get_string().unwrap(), "other");
    }

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
