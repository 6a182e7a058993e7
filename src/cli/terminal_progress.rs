//! The progress of long work, drawn on stderr. Nothing is drawn if stderr is not a terminal.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// A progress bar or a spinner. It disappears when dropped.
pub struct TerminalProgress {
    bar: ProgressBar,
}

impl TerminalProgress {
    /// Draws a bar for `total` `things`.
    pub fn bar(total: usize, things: &'static str) -> Self {
        let bar = ProgressBar::new(total as u64).with_message(things);
        let template = "{bar:30} {pos} of {len} {msg} · {eta} left";
        // If the template were wrong, indicatif's default style would stay.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Draws a spinner for work of unknown length.
    pub fn spinner(work: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(work);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// Adds one to the number of things done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Sets the number of things done.
    pub fn reached(&self, done: usize) {
        self.bar.set_position(done as u64);
    }

    /// Writes a complaint above the bar.
    pub fn complain(&self, message: &dyn Display) {
        self.bar.suspend(|| output::complain(message));
    }

    /// Runs `print` while the bar is hidden.
    pub fn hidden_while<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
