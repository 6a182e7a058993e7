//! A worker that this worker starts, from the same file.

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{Event, MessageEvent};

use super::progress::scope;
use crate::protocol::wire::{Payload, UNREAD};

#[wasm_bindgen]
extern "C" {
    /// The part of a worker's handle that is needed here.
    type Worker;

    #[wasm_bindgen(catch, constructor)]
    fn new(url: &str, options: &Object) -> Result<Worker, JsValue>;

    #[wasm_bindgen(catch, method, js_name = postMessage)]
    fn post_message(this: &Worker, message: &JsValue, transfer: &Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, setter, js_name = onmessage)]
    fn set_on_message(this: &Worker, listener: Option<&Function>);

    #[wasm_bindgen(method, setter, js_name = onerror)]
    fn set_on_error(this: &Worker, listener: Option<&Function>);

    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_listener(this: &Worker, event: &str, listener: &Function);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_listener(this: &Worker, event: &str, listener: &Function);

    #[wasm_bindgen(method)]
    fn terminate(this: &Worker);
}

/// A running worker. Dropping the value ends the worker at once.
pub(super) struct NestedWorker {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    on_error: Closure<dyn FnMut(Event)>,
}

impl NestedWorker {
    /// Starts a worker of this name; returns `None` if the browser does not support workers inside workers. `listener`
    /// receives its messages, and `None` when the worker has failed.
    pub(super) fn start(name: &str, listener: impl Fn(Option<JsValue>) + Clone + 'static) -> Option<Self> {
        let options = Object::new();
        for (key, value) in [("type", "module"), ("name", name)] {
            Reflect::set(&options, &key.into(), &value.into()).ok()?;
        }
        let worker = Worker::new(&scope().location().href(), &options).ok()?;
        let on_message = Closure::new({
            let listener = listener.clone();
            move |event: MessageEvent| listener(Some(event.data()))
        });
        let on_error = Closure::new(move |event: Event| {
            // Otherwise the error would reach the page as this worker's error.
            event.prevent_default();
            listener(None);
        });
        worker.set_on_message(Some(on_message.as_ref().unchecked_ref()));
        worker.set_on_error(Some(on_error.as_ref().unchecked_ref()));
        worker.add_listener(UNREAD, on_error.as_ref().unchecked_ref());
        Some(Self { worker, _on_message: on_message, on_error })
    }

    /// Posts a message, whose buffers move to the worker; returns whether that worked.
    pub(super) fn post(&self, payload: &Payload) -> bool {
        self.worker.post_message(&payload.message, &payload.transfer).is_ok()
    }
}

impl Drop for NestedWorker {
    fn drop(&mut self) {
        self.worker.set_on_message(None);
        self.worker.set_on_error(None);
        self.worker.remove_listener(UNREAD, self.on_error.as_ref().unchecked_ref());
        self.worker.terminate();
    }
}
