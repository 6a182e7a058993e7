//! Over the worker: what hangs is told, and a device that is lost is replaced, with all that the person had made.

use std::time::Duration;

use leptos::prelude::*;

use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::Notice;
use crate::page::core::queue::Kind;
use crate::protocol::{DevicePreference, Task};

/// A worker that says nothing for so long may hang, in milliseconds. Downloads and pools tell how far they are;
/// one run of the largest model that fits takes less.
const PATIENCE: f64 = 60_000.0;

/// How often the worker is looked after.
const ROUND: Duration = Duration::from_secs(2);

impl Engine {
    /// Looks after the worker from now on.
    pub(in crate::page) fn watch(self) {
        // Without timers nobody looks after it, and that is all.
        let _timer = set_interval_with_handle(move || self.look_after(), ROUND);
    }

    fn look_after(self) {
        let (kind, heard) = self.inner.with_value(|inner| (inner.queue.under_way(), inner.heard));
        let Some(kind) = kind.filter(|_| js_sys::Date::now() - heard > PATIENCE) else { return };
        if self.state.notice.with_untracked(Option::is_none) {
            self.state.notice.set(Some(Notice {
                about: Some(kind),
                sentence:
                    "The engine has said nothing for a minute. It may be at work on something large: wait, or \
                           restart it. Your photo, your phrases and all that you set stay."
                        .to_owned(),
                offers_restart: true,
            }));
        }
    }

    /// The device is lost, and with it what the worker had there: a new worker begins where that one was.
    pub(in crate::page) fn recover(self) {
        let mut losses = 0;
        self.inner.update_value(|inner| {
            inner.losses += 1;
            losses = inner.losses;
            // A photo on its way is the one to go on with.
            let waiting = inner.queue.withdraw(Kind::Photo);
            let waiting = waiting.filter(|(task, _)| matches!(task, Task::TracePhoto(_)));
            let waiting = waiting.and_then(|(_, freight)| freight.source);
            if let Some(source) = waiting.or_else(|| inner.under_way.source.take()) {
                inner.last_source = Some(source);
            }
        });
        self.start();
        let instead = if losses > 1 { "headlamp goes on with the CPU" } else { "headlamp has started it anew" };
        self.state.notice.set(Some(Notice {
            about: None,
            sentence: format!(
                "The GPU stopped working: {instead}. Your photo and all that you set are as they were."
            ),
            offers_restart: false,
        }));
    }

    /// The device that the address asks for; the CPU after a GPU was lost twice.
    pub(in crate::page) fn device_preference(self) -> DevicePreference {
        match self.inner.with_value(|inner| inner.losses) {
            0 | 1 => super::engine::asked_for(),
            _ => DevicePreference::Cpu,
        }
    }
}
