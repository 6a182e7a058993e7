//! Sends progress reports and answers to the page, and reads the worker's clock.

use std::cell::Cell;

use serde::Serialize;
use wasm_bindgen::JsCast as _;
use web_sys::DedicatedWorkerGlobalScope;

use crate::protocol::wire::{self, Attachments};
use crate::protocol::{Answer, Response, TaskProgress};

/// The shortest time between two progress reports, in milliseconds.
const PROGRESS_PAUSE: f64 = 60.0;

/// Reports the progress of one request to the page.
pub(super) struct ProgressReporter {
    id: u32,
    last: Cell<f64>,
}

impl ProgressReporter {
    pub(super) fn new(id: u32) -> Self {
        Self { id, last: Cell::new(f64::NEG_INFINITY) }
    }

    /// Reports a phase, in words.
    pub(super) fn phase(&self, what: &str) {
        self.post(TaskProgress::Phase { what: what.to_owned() });
    }

    /// Reports the bytes of a download.
    pub(super) fn bytes(&self, what: &str, done: u64, total: u64) {
        if done == total || self.is_due() {
            self.post(TaskProgress::Bytes { what: what.to_owned(), done, total });
        }
    }

    /// Reports the items that are done.
    pub(super) fn items(&self, what: &str, done: usize, total: usize) {
        if done == 0 || done == total || self.is_due() {
            self.post(TaskProgress::Items { what: what.to_owned(), done, total });
        }
    }

    /// Returns whether the pause since the last report is over.
    fn is_due(&self) -> bool {
        let is_due = now() * 1000.0 - self.last.get() >= PROGRESS_PAUSE;
        if is_due {
            self.last.set(now() * 1000.0);
        }
        is_due
    }

    fn post(&self, progress: TaskProgress) {
        post(&Response { id: self.id, answer: Answer::Progress(progress) }, Attachments::default());
    }
}

/// Posts a message to the page, or to the main worker if this is a helper.
pub(super) fn post<T: Serialize>(message: &T, attachments: Attachments) {
    let payload = match wire::wrap(message, &attachments) {
        Ok(payload) => payload,
        Err(err) => wasm_bindgen::throw_str(&err.to_string()),
    };
    if scope().post_message_with_transfer(&payload.message, &payload.transfer).is_err() {
        wasm_bindgen::throw_str("the browser did not take the worker's answer");
    }
}

pub(super) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Returns the seconds since the worker started.
pub(super) fn now() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now() / 1000.0)
}
