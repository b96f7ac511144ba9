//! Whole frames over a sink that may take only a part of one.

use crate::block::stale_bytes;
use crate::sink::{Outcome, Sink, Size};

/// A sink and the rest of the frame that it cut.
///
/// The rest goes out before anything else, so that what the reader gets is always a sequence of
/// whole frames: no escape sequence is left open, and no permanent line comes twice.
pub(crate) struct Outlet {
    sink: Box<dyn Sink + Send>,
    rest: Vec<u8>,
    is_dead: bool,
}

/// Whether a frame was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is out, or its beginning is and the rest will follow.
    Taken,
    /// Not a byte of it is out.
    Refused,
}

impl Outlet {
    pub(crate) fn new(sink: Box<dyn Sink + Send>) -> Self {
        Self {
            sink,
            rest: Vec::new(),
            is_dead: false,
        }
    }

    pub(crate) fn size(&self) -> Option<Size> {
        self.sink.size()
    }

    pub(crate) fn is_edited(&self) -> bool {
        self.sink.is_edited()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Whether a part of the last frame is still to go.
    pub(crate) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Hands over what is left of the last frame, which somebody else writes before a text of his own.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// Forgets what is left of the last frame where it goes on from a cursor of before; a line that stays
    /// is never in that part.
    pub(crate) fn drop_stale_rest(&mut self) {
        let stale = stale_bytes(&self.rest);
        self.rest.drain(..stale);
    }

    /// Offers what is left of the last frame and then `frame`, as one.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Sent {
        let earlier = self.rest.len();
        self.rest.extend_from_slice(frame);
        if self.rest.is_empty() {
            return Sent::Taken;
        }
        let taken = match self.sink.write_frame(&self.rest) {
            Outcome::Whole => self.rest.len(),
            Outcome::Part(taken) => taken.min(self.rest.len()),
            Outcome::Busy => 0,
            Outcome::Dead => {
                self.is_dead = true;
                self.rest.clear();
                return Sent::Refused;
            }
        };
        if taken <= earlier && !frame.is_empty() {
            // The new frame was not begun; a later one will know better what to show.
            self.rest.truncate(earlier);
            self.rest.drain(..taken);
            return Sent::Refused;
        }
        self.rest.drain(..taken);
        Sent::Taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes at most so many bytes a call.
    struct Narrow {
        taken: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Sink for Narrow {
        fn write_frame(&mut self, bytes: &[u8]) -> Outcome {
            let count = self.room.min(bytes.len());
            self.taken
                .lock()
                .unwrap()
                .extend_from_slice(&bytes[..count]);
            match count {
                _ if count == bytes.len() => Outcome::Whole,
                0 => Outcome::Busy,
                _ => Outcome::Part(count),
            }
        }

        fn size(&self) -> Option<Size> {
            None
        }
    }

    #[test]
    fn the_rest_of_a_frame_is_dropped_as_far_as_it_goes_back_to_a_cursor_of_before() {
        let left_of = |rest: &[u8]| {
            let mut outlet = Outlet::new(Box::new(Narrow {
                taken: Arc::default(),
                room: 0,
            }));
            outlet.rest = rest.to_vec();
            outlet.drop_stale_rest();
            outlet.rest
        };
        assert_eq!(left_of(b"line\x1b8"), b"");
        assert_eq!(left_of(b"line\x1b8\x1b7next\x1b8"), b"\x1b7next\x1b8");
        assert_eq!(
            left_of(b"stays\r\n\x1b7line\x1b8"),
            b"stays\r\n\x1b7line\x1b8"
        );
        assert_eq!(left_of(b"of a log\n"), b"of a log\n");
    }

    #[test]
    fn a_reader_gets_whole_frames_whatever_each_write_takes() {
        for room in 1..12 {
            let taken = Arc::new(Mutex::new(Vec::new()));
            let mut outlet = Outlet::new(Box::new(Narrow {
                taken: Arc::clone(&taken),
                room,
            }));
            let mut expected = String::new();
            for number in 0..50 {
                let frame = format!("<{number}>");
                if outlet.send(frame.as_bytes()) == Sent::Taken {
                    expected.push_str(&frame);
                }
            }
            while outlet.has_rest() {
                outlet.send(b"");
            }
            assert_eq!(String::from_utf8_lossy(&taken.lock().unwrap()), expected);
        }
    }

    #[test]
    fn a_busy_sink_loses_the_frame_and_nothing_else() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut outlet = Outlet::new(Box::new(Narrow { taken, room: 0 }));
        assert_eq!(outlet.send(b"frame"), Sent::Refused);
        assert!(!outlet.has_rest());
    }
}
