//! Bindings for the part of WebCodecs that headlamp uses. web-sys has WebCodecs only behind a compiler flag, which
//! would make every dependency compile again.

use js_sys::{ArrayBuffer, Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

#[wasm_bindgen]
extern "C" {
    /// <https://www.w3.org/TR/webcodecs/#videodecoder-interface>
    #[wasm_bindgen(extends = js_sys::Object)]
    pub type VideoDecoder;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(init: &Object) -> Result<VideoDecoder, JsValue>;
    #[wasm_bindgen(static_method_of = VideoDecoder, js_name = isConfigSupported, catch)]
    pub fn is_config_supported(config: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn configure(this: &VideoDecoder, config: &Object) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn decode(this: &VideoDecoder, chunk: &EncodedVideoChunk) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn flush(this: &VideoDecoder) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn reset(this: &VideoDecoder) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn close(this: &VideoDecoder) -> Result<(), JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn state(this: &VideoDecoder) -> String;
    #[wasm_bindgen(method, getter, js_name = decodeQueueSize)]
    pub fn decode_queue_size(this: &VideoDecoder) -> u32;
    #[wasm_bindgen(method, setter)]
    pub fn set_ondequeue(this: &VideoDecoder, handler: Option<&js_sys::Function>);

    #[wasm_bindgen(extends = js_sys::Object)]
    pub type EncodedVideoChunk;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(init: &Object) -> Result<EncodedVideoChunk, JsValue>;

    #[wasm_bindgen(extends = js_sys::Object)]
    pub type VideoFrame;
    #[wasm_bindgen(method, getter)]
    pub fn timestamp(this: &VideoFrame) -> f64;
    #[wasm_bindgen(method)]
    pub fn close(this: &VideoFrame);

    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(handler: &js_sys::Function, milliseconds: i32) -> i32;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(id: i32);

    /// A 2D context that draws a `VideoFrame` of these bindings. web-sys's context takes only web-sys's own
    /// `VideoFrame`.
    #[wasm_bindgen(extends = js_sys::Object)]
    pub type Canvas2d;
    #[wasm_bindgen(method, js_name = drawImage, catch)]
    pub fn draw_frame(
        this: &Canvas2d,
        frame: &VideoFrame,
        left: f64,
        top: f64,
        width: f64,
        height: f64,
    ) -> Result<(), JsValue>;
}

/// Returns whether this browser has WebCodecs in this context.
pub(super) fn is_available() -> bool {
    Reflect::has(&js_sys::global(), &"VideoDecoder".into()).unwrap_or(false)
}

/// A decoded frame that is closed when it is dropped. A browser has only a few frames, and its decoder waits until
/// some are closed.
pub(super) struct DecodedFrame(VideoFrame);

impl DecodedFrame {
    pub fn new(frame: VideoFrame) -> Self {
        Self(frame)
    }

    pub fn js(&self) -> &VideoFrame {
        &self.0
    }

    /// Returns the timestamp of its encoded frame, in microseconds.
    pub fn micros(&self) -> i64 {
        self.0.timestamp() as i64
    }
}

impl Drop for DecodedFrame {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Returns a JavaScript object with these fields.
pub(super) fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // This cannot fail: only frozen objects refuse a field.
        let _set = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// Returns an encoded frame with its timestamp in microseconds.
///
/// # Errors
/// If the browser refuses it.
pub(super) fn chunk(is_key: bool, micros: i64, data: &ArrayBuffer) -> Result<EncodedVideoChunk, JsValue> {
    let kind = if is_key { "key" } else { "delta" };
    EncodedVideoChunk::new(&object(&[
        ("type", kind.into()),
        ("timestamp", (micros as f64).into()),
        ("data", data.unchecked_ref::<JsValue>().clone()),
    ]))
}

/// Draws a frame over the whole canvas. The canvas may be rotated.
///
/// # Errors
/// If the frame is closed.
pub(super) fn draw(context: &JsValue, frame: &DecodedFrame, width: f64, height: f64) -> Result<(), JsValue> {
    context.unchecked_ref::<Canvas2d>().draw_frame(frame.js(), 0.0, 0.0, width, height)
}
