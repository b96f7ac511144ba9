//! Where frames go: the whole contract between drawing and the outside.

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns of a line.
    pub cols: u16,
    /// Lines of the screen.
    pub rows: u16,
}

impl Size {
    /// What is assumed of a terminal that does not say: a VT100's.
    pub const UNKNOWN: Self = Self { cols: 80, rows: 24 };
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was taken.
    Whole,
    /// So many bytes were taken, more than none and fewer than all; the rest has to follow first.
    Part(usize),
    /// Nothing was taken; a later frame may be.
    Busy,
    /// Nothing will ever be taken again.
    Dead,
}

/// Something that takes frames. It never blocks and never fails upwards.
pub trait Sink {
    /// Offers a frame, once.
    fn write_frame(&mut self, bytes: &[u8]) -> Outcome;

    /// The size of the terminal now; `None` if it is none, or does not say.
    fn size(&self) -> Option<Size>;

    /// Whether somebody edits a line on the terminal now: the cursor stands in the midst of it.
    fn is_edited(&self) -> bool {
        false
    }
}
