//! Rows in, text out: formatting, rate and time left, frames, sinks and the render thread.
