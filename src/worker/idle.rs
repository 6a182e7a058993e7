//! The timer after which the worker computes ahead of requests.

use async_channel::Sender;
use js_sys::Function;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::progress::scope;

/// The pause after a request before the worker computes ahead, in milliseconds. It is long enough for the next of
/// several quick clicks.
const QUIET: i32 = 300;

/// A timer that posts the message `null` to this worker, into the same queue as the page's messages.
pub(super) struct IdleTimer {
    post_tick: Function,
    timer: Option<i32>,
}

impl IdleTimer {
    pub(super) fn new(post: Sender<JsValue>) -> Self {
        let post_tick = Closure::<dyn FnMut()>::new(move || {
            // The channel is never closed nor full.
            let _sent = post.try_send(JsValue::NULL);
        });
        Self { post_tick: post_tick.into_js_value().unchecked_into(), timer: None }
    }

    /// Returns whether a message comes from the timer.
    pub(super) fn is_tick(message: &JsValue) -> bool {
        message.is_null()
    }

    /// Starts the timer with the full pause.
    pub(super) fn restart(&mut self) {
        self.after(QUIET);
    }

    /// Ticks as soon as all messages that are posted by now are handled.
    pub(super) fn tick_soon(&mut self) {
        self.after(0);
    }

    /// Stops the timer: a message has arrived.
    pub(super) fn stop(&mut self) {
        if let Some(timer) = self.timer.take() {
            scope().clear_timeout_with_handle(timer);
        }
    }

    fn after(&mut self, milliseconds: i32) {
        // Without a timer the worker computes nothing ahead.
        let timer = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&self.post_tick, milliseconds);
        self.timer = timer.ok();
    }
}
