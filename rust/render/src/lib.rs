//! Rows in, text out: formatting, rate and time left, frames, sinks and the render thread.

mod bar;
mod charset;
mod clean;
mod error;
mod estimate;
mod fields;
mod float_text;
mod interval;
mod meter;
mod number;
mod postfix;
mod sizes;
mod spec;
mod template;
mod width;

pub use bar::Bar;
pub use charset::{Charset, Colour, CustomCharset};
pub use clean::{CLEAN_MAX_CHARS, clean};
pub use error::FormatError;
pub use estimate::Estimator;
pub use fields::{Field, FieldValue, Fields};
pub use interval::format_interval;
pub use meter::{Meter, MeterPostfix, UnitScale, format_meter};
pub use number::Number;
pub use postfix::{Postfix, Value};
pub use sizes::{UNIT_DIVISOR, format_num, format_sizeof, shorter_num};
pub use template::Template;
pub use width::{disp_len, disp_trim, fit_to_columns, terminal_columns};
