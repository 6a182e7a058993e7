//! The wire format between page and worker: a typed message and its attachments.
//!
//! On the wire a message is `{ body, buffers, files }`. `body` is the serde value. `buffers` is a list of `Uint8Array`s,
//! whose memory moves to the receiver without a copy. `files` is a list of files;
//! only their handles travel.

use js_sys::{Array, Object, Reflect, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Blob;

/// The event of a message that the browser cannot deserialise. Chromium's workers have no `onmessageerror` property, so
/// an event listener is needed.
pub const UNREAD: &str = "messageerror";

/// A message of an unknown form: page and worker come from different builds.
#[derive(Debug, thiserror::Error)]
#[error("page and worker do not understand each other ({0}): reload the page to get both from the same build")]
pub struct WireError(String);

/// A message as a JavaScript value, with the list of buffers to transfer.
pub struct Payload {
    pub message: JsValue,
    pub transfer: Array,
}

/// The buffers and files that travel beside a message.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    pub buffers: Vec<Uint8Array>,
    pub files: Vec<Blob>,
}

impl Attachments {
    /// Attachments of buffers alone.
    pub fn of(buffers: Vec<Uint8Array>) -> Self {
        Self { buffers, files: Vec::new() }
    }
}

/// Wraps a message and its attachments for `postMessage(payload.message, payload.transfer)`.
pub fn wrap<T: Serialize>(body: &T, attachments: &Attachments) -> Result<Payload, WireError> {
    let body = serde_wasm_bindgen::to_value(body).map_err(|err| WireError(err.to_string()))?;
    let transfer = Array::new();
    let views = Array::new();
    for buffer in &attachments.buffers {
        transfer.push(&buffer.buffer());
        views.push(buffer);
    }
    let files: Array = attachments.files.iter().collect();
    let message = Object::new();
    for (key, value) in [("body", &body), ("buffers", views.as_ref()), ("files", files.as_ref())] {
        Reflect::set(&message, &key.into(), value).map_err(|_refused| WireError(key.to_owned()))?;
    }
    Ok(Payload { message: message.into(), transfer })
}

/// Reads a received message and its attachments.
pub fn unwrap<T: DeserializeOwned>(message: &JsValue) -> Result<(T, Attachments), WireError> {
    let field = |key: &str| Reflect::get(message, &key.into()).map_err(|_missing| WireError(key.to_owned()));
    let body = serde_wasm_bindgen::from_value(field("body")?).map_err(|err| WireError(err.to_string()))?;
    let list = |key: &str| field(key)?.dyn_into::<Array>().map_err(|_other| WireError(key.to_owned()));
    let buffers = list("buffers")?.iter().map(JsValue::unchecked_into).collect();
    let files = list("files")?.iter().map(JsValue::unchecked_into).collect();
    Ok((body, Attachments { buffers, files }))
}

/// Copies floats into a JavaScript buffer that can be transferred.
pub fn buffer_of_f32(values: &[f32]) -> Uint8Array {
    let floats = js_sys::Float32Array::new_from_slice(values);
    Uint8Array::new(&floats.buffer())
}

/// Reads the floats of a buffer.
pub fn f32_of_buffer(buffer: &Uint8Array) -> Vec<f32> {
    js_sys::Float32Array::new_with_byte_offset_and_length(
        &buffer.buffer(),
        buffer.byte_offset(),
        buffer.byte_length() / 4,
    )
    .to_vec()
}
