//! Rows in, text out: formatting, rate and time left, frames, sinks and the render thread.
//!
//! A [`Display`] is given the [`Row`]s of each [`Output`] at a time and writes one frame to each.
//! On its way a row becomes a [`Meter`], the meter a line ([`format_meter`], equal to tqdm's), the
//! lines a block on a terminal or now and then a line of a log, and that goes to a [`Sink`] in one
//! write that never blocks. A [`Driver`] is the thread that does so ten times a second.
//!
//! Only the driver reads a clock, and only it and the sinks touch the outside: everything else is
//! told the time, so that the same rows at the same times give the same bytes.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use mp_tqdm_render::{Display, MemorySink, Output, OutputId, Row, Size, Style};
//!
//! let terminal = MemorySink::new(Size { cols: 60, rows: 10 });
//! let mut display = Display::new();
//! display.add_output(OutputId(2), Output::terminal(Box::new(terminal.clone())));
//!
//! let row = Row {
//!     total: Some(782.into()),
//!     desc: "train".to_owned(),
//!     ..Row::new(1, 391.into(), 100.0, Arc::new(Style::default()))
//! };
//! display.draw(112.5, &[(OutputId(2), vec![row])]);
//! assert_eq!(
//!     terminal.lines(),
//!     ["", "train:  50%|██████▌      | 391/782 [00:12<00:12, 31.28it/s]"],
//! );
//! ```

mod bar;
mod block;
mod charset;
mod clean;
mod display;
mod driver;
mod encoding;
mod error;
mod estimate;
mod fd_sink;
mod field;
mod figures;
mod float_text;
mod give_way;
mod interval;
mod json;
mod line;
mod lines;
mod memory;
mod meter;
mod number;
mod outlet;
mod output;
mod postfix;
mod remark;
mod row;
mod screen;
mod sink;
mod sizes;
mod spec;
mod template;
mod tracks;
mod width;

pub use bar::Bar;
pub use block::ERASE_BELOW;
pub use charset::{Charset, Colour, CustomCharset};
pub use clean::{CLEAN_MAX_CHARS, clean, harmless};
pub use display::{Display, Drawn, OutputId};
pub use driver::{Driver, Wait, monotonic, thread_id};
pub use encoding::Encoding;
pub use error::FormatError;
pub use estimate::Estimator;
pub use fd_sink::FdSink;
pub use field::{Field, FieldValue};
pub use figures::Figures;
pub use interval::format_interval;
pub use line::format_meter;
pub use memory::{Fault, MemorySink};
pub use meter::{Extent, Meter, MeterPostfix, UnitScale};
pub use number::Number;
pub use output::Output;
pub use postfix::{Postfix, Value};
pub use remark::{Remark, note_of};
pub use row::{Ended, Row, Style};
pub use screen::Screen;
pub use sink::{Outcome, Sink, Size};
pub use sizes::{UNIT_DIVISOR, format_num, format_sizeof, shorter_num};
pub use template::Template;
pub use tracks::LastText;
pub use width::{disp_len, disp_trim, fit_to_columns, terminal_columns};
