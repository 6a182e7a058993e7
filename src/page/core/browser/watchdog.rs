//! A watchdog: reports a worker that is silent for a minute, and restarts a worker that lost its device.

use std::time::Duration;

use leptos::prelude::*;

use super::core::{Core, Notice};

/// A worker that reports nothing for this time may hang, in milliseconds. Downloads and text pools report progress.
/// One run of the largest model that fits takes less time.
const PATIENCE: f64 = 60_000.0;

/// How often the watchdog checks.
const ROUND: Duration = Duration::from_secs(2);

impl Core {
    /// Watches the worker from now on.
    pub(super) fn watch(self) {
        // Without a timer there is no watchdog, but the rest of the page works.
        let _timer = set_interval_with_handle(move || self.look_after(), ROUND);
    }

    fn look_after(self) {
        let (kind, last_contact) = self.inner.with_value(|inner| (inner.queue.under_way(), inner.last_contact));
        let Some(kind) = kind.filter(|_| js_sys::Date::now() - last_contact > PATIENCE) else { return };
        if self.notice.with_untracked(Option::is_none) {
            self.notice.set(Some(Notice {
                about: Some(kind),
                sentence:
                    "The worker has sent no message for a minute. It may be computing something large: wait, or \
                           restart it. Your photo, your phrases and all your settings stay."
                        .to_owned(),
                offers_restart: true,
            }));
        }
    }

    /// Replaces the worker after its device was lost, with all data on the device.
    pub(super) fn recover(self) {
        self.inner.update_value(|inner| inner.losses += 1);
        for hook in self.inner.with_value(|inner| inner.when_device_lost.clone()) {
            hook();
        }
        self.restart();
        let instead =
            if self.losses() > 1 { "headlamp continues on the CPU" } else { "headlamp has restarted it" };
        self.notice.set(Some(Notice {
            about: None,
            sentence: format!(
                "The GPU stopped working: {instead}. Your photo and all your settings are unchanged."
            ),
            offers_restart: false,
        }));
    }

    /// Returns how often the device was lost.
    pub fn losses(self) -> u32 {
        self.inner.with_value(|inner| inner.losses)
    }
}
