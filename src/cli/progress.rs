//! A bar on stderr while many things are worked through; nothing where stderr is no terminal.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// The bar. It goes away when dropped.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `total` `things`.
    pub fn of(total: usize, things: &'static str) -> Self {
        // The bar draws to stderr, and hides itself where that is no terminal.
        let bar = ProgressBar::new(total as u64).with_message(things);
        let template = "{bar:30} {pos} of {len} {msg} · {eta} left";
        // A template that did not parse would leave indicatif's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// A sign of life for work of unknown length.
    pub fn busy(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// So many are done.
    pub fn reached(&self, done: usize) {
        self.bar.set_position(done as u64);
    }

    /// Complains above the bar.
    pub fn complain(&self, what: &dyn Display) {
        self.bar.suspend(|| output::complain(what));
    }

    /// Does `print` with the bar out of its way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
