//! Futures that wait for a browser event or callback, with a timeout.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use leptos::prelude::window;
use leptos::web_sys::{Event, EventTarget};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Waits for the first of these events at `target` and returns its name; `None` after `milliseconds`.
pub async fn event(target: &EventTarget, names: &'static [&'static str], milliseconds: i32) -> Option<String> {
    let (promise, settle) = promise();
    let answer = settle.clone();
    let callback = Closure::new(move |event: Event| settled(&answer, &event.type_().into()));
    let _listener = Listener::new(target, names, callback);
    let _timer = Timer::new(milliseconds, settle);
    JsFuture::from(promise).await.ok()?.as_string()
}

/// Returns a function, and a future that ends with its first call or after `milliseconds`.
pub fn callback(milliseconds: i32) -> (Function, impl Future<Output = ()>) {
    let (promise, settle) = promise();
    let callback = settle.clone();
    let called = async move {
        let _timer = Timer::new(milliseconds, settle);
        // The promise never fails.
        let _settled = JsFuture::from(promise).await;
    };
    (callback, called)
}

fn settled(settle: &Function, value: &JsValue) {
    let _settled = settle.call1(&JsValue::NULL, value);
}

/// Returns a promise, and the function that settles it.
fn promise() -> (Promise, Function) {
    let settle = Rc::new(RefCell::new(None));
    let shared = Rc::clone(&settle);
    let promise = Promise::new(&mut move |resolve, _reject| {
        shared.replace(Some(resolve));
    });
    // A new promise calls its function immediately.
    let settle = settle.borrow_mut().take().unwrap_or_else(|| Function::new_no_args(""));
    (promise, settle)
}

struct Listener {
    target: EventTarget,
    names: &'static [&'static str],
    callback: Closure<dyn FnMut(Event)>,
}

impl Listener {
    fn new(target: &EventTarget, names: &'static [&'static str], callback: Closure<dyn FnMut(Event)>) -> Self {
        for name in names {
            // Adding a listener does not fail.
            let _listens = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        }
        Self { target: target.clone(), names, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for name in self.names {
            let _gone =
                self.target.remove_event_listener_with_callback(name, self.callback.as_ref().unchecked_ref());
        }
    }
}

struct Timer(i32);

impl Timer {
    fn new(milliseconds: i32, settle: Function) -> Self {
        let id = window().set_timeout_with_callback_and_timeout_and_arguments_0(&settle, milliseconds);
        Self(id.unwrap_or_default())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        window().clear_timeout_with_handle(self.0);
    }
}
