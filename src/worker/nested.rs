//! A worker of this worker, started from the very file that this one was started from.

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{Event, MessageEvent};

use super::report::scope;
use crate::protocol::wire::{Payload, UNREAD};

#[wasm_bindgen]
extern "C" {
    /// What of a worker's handle is needed here.
    type Worker;

    #[wasm_bindgen(catch, constructor)]
    fn new(url: &str, options: &Object) -> Result<Worker, JsValue>;

    #[wasm_bindgen(catch, method, js_name = postMessage)]
    fn post_message(this: &Worker, message: &JsValue, transfer: &Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, setter, js_name = onmessage)]
    fn set_on_message(this: &Worker, hear: Option<&Function>);

    #[wasm_bindgen(method, setter, js_name = onerror)]
    fn set_on_error(this: &Worker, hear: Option<&Function>);

    #[wasm_bindgen(method, js_name = addEventListener)]
    fn listen(this: &Worker, event: &str, hear: &Function);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn listen_no_more(this: &Worker, event: &str, hear: &Function);

    #[wasm_bindgen(method)]
    fn terminate(this: &Worker);
}

/// A running worker; dropping it ends the worker, whatever it does.
pub(super) struct Nested {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    on_error: Closure<dyn FnMut(Event)>,
}

impl Nested {
    /// Starts a worker that finds `name` as its own; none where the browser has no workers of workers. `hear` gets
    /// its messages, and none when it has failed.
    pub(super) fn start(name: &str, hear: impl Fn(Option<JsValue>) + Clone + 'static) -> Option<Self> {
        let options = Object::new();
        for (key, value) in [("type", "module"), ("name", name)] {
            Reflect::set(&options, &key.into(), &value.into()).ok()?;
        }
        let worker = Worker::new(&scope().location().href(), &options).ok()?;
        let on_message = Closure::new({
            let hear = hear.clone();
            move |event: MessageEvent| hear(Some(event.data()))
        });
        let on_error = Closure::new(move |event: Event| {
            // Else it would be this worker's failure too.
            event.prevent_default();
            hear(None);
        });
        worker.set_on_message(Some(on_message.as_ref().unchecked_ref()));
        worker.set_on_error(Some(on_error.as_ref().unchecked_ref()));
        worker.listen(UNREAD, on_error.as_ref().unchecked_ref());
        Some(Self { worker, _on_message: on_message, on_error })
    }

    /// Whether the message is on its way. Its buffers' memory moves to the worker.
    pub(super) fn post(&self, payload: &Payload) -> bool {
        self.worker.post_message(&payload.message, &payload.transfer).is_ok()
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        self.worker.set_on_message(None);
        self.worker.set_on_error(None);
        self.worker.listen_no_more(UNREAD, self.on_error.as_ref().unchecked_ref());
        self.worker.terminate();
    }
}
