//! When the worker takes to work that nobody has asked for.

use async_channel::Sender;
use js_sys::Function;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::report::scope;

/// Nobody has asked for anything for so long, in milliseconds: the next click of many is not kept waiting.
const QUIET: i32 = 300;

/// Posts the worker a message of its own, `null`, among those that are posted to it.
pub(super) struct Idle {
    nudge: Function,
    timer: Option<i32>,
}

impl Idle {
    pub(super) fn new(post: Sender<JsValue>) -> Self {
        let nudge = Closure::<dyn FnMut()>::new(move || {
            // The channel is never closed nor full.
            let _sent = post.try_send(JsValue::NULL);
        });
        Self { nudge: nudge.into_js_value().unchecked_into(), timer: None }
    }

    /// Whether a message is one of these.
    pub(super) fn is_nudge(message: &JsValue) -> bool {
        message.is_null()
    }

    /// A nudge after a while, if nothing comes meanwhile.
    pub(super) fn when_quiet(&mut self) {
        self.after(QUIET);
    }

    /// A nudge as soon as everything has been heard that is posted by now.
    pub(super) fn go_on(&mut self) {
        self.after(0);
    }

    /// Something has come.
    pub(super) fn stop(&mut self) {
        if let Some(timer) = self.timer.take() {
            scope().clear_timeout_with_handle(timer);
        }
    }

    fn after(&mut self, milliseconds: i32) {
        // Without a timer the worker does what it is asked for, and no more.
        let timer = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&self.nudge, milliseconds);
        self.timer = timer.ok();
    }
}
