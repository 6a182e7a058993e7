//! A running decoder: chunks in, frames and their fate out.

use async_channel::{Receiver, Sender};
use js_sys::{Function, Object, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::super::Index;
use super::webcodecs::{self, Canvas2d, Frame, VideoDecoder, VideoFrame, object};

/// What a decoder reports.
pub(super) enum Event {
    /// A frame, in the order in which they are shown.
    Frame(Frame),
    /// It gave up, and is closed.
    Failed,
    /// It took a chunk from its queue.
    Dequeued,
    /// All frames of the chunks before a flush have come.
    Flushed,
    /// Nothing came for a while.
    Waited,
}

/// A browser's decoder, set up for one track; closed when dropped.
pub(super) struct Decoder {
    decoder: VideoDecoder,
    events: Receiver<Event>,
    sender: Sender<Event>,
    _callbacks: [Function; 3],
    _closures: (Closure<dyn FnMut(VideoFrame)>, Closure<dyn FnMut(JsValue)>, Closure<dyn FnMut()>),
}

impl Decoder {
    pub fn new(config: &Object) -> Result<Self, JsValue> {
        let (sender, events) = async_channel::unbounded();
        let (frames, failures, dequeued) = (sender.clone(), sender.clone(), sender.clone());
        // A receiver that is gone has dropped the frame, and with that closed it.
        let output = Closure::new(move |frame| drop(frames.try_send(Event::Frame(Frame::new(frame)))));
        let error = Closure::new(move |_err: JsValue| drop(failures.try_send(Event::Failed)));
        let dequeue = Closure::new(move || drop(dequeued.try_send(Event::Dequeued)));
        let as_function = |closure: &JsValue| closure.unchecked_ref::<Function>().clone();
        let callbacks = [as_function(output.as_ref()), as_function(error.as_ref()), as_function(dequeue.as_ref())];
        let init = object(&[("output", callbacks[0].clone().into()), ("error", callbacks[1].clone().into())]);
        let decoder = VideoDecoder::new(&init)?;
        decoder.set_ondequeue(Some(&callbacks[2]));
        decoder.configure(config)?;
        Ok(Self { decoder, events, sender, _callbacks: callbacks, _closures: (output, error, dequeue) })
    }

    /// The chunks that wait to be decoded.
    pub fn waiting(&self) -> u32 {
        self.decoder.decode_queue_size()
    }

    /// Hands over a chunk. An error is the decoder's refusal to begin with it.
    pub fn feed(&self, is_key: bool, micros: i64, data: &js_sys::ArrayBuffer) -> Result<(), JsValue> {
        self.decoder.decode(&webcodecs::chunk(is_key, micros, data)?)
    }

    /// Asks for all frames of what was fed; the next chunk has to be a key.
    pub fn flush(&self) -> Result<(), JsValue> {
        let flushed = JsFuture::from(self.decoder.flush()?);
        let sender = self.sender.clone();
        wasm_bindgen_futures::spawn_local(async move {
            // A flush fails where the decoder does, and that is reported.
            if flushed.await.is_ok() {
                let _gone = sender.try_send(Event::Flushed);
            }
        });
        Ok(())
    }

    /// What was reported already.
    pub fn reported(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// What is reported next, within `milliseconds`.
    pub async fn next(&self, milliseconds: i32) -> Event {
        let _timer = Timer::new(self.sender.clone(), milliseconds);
        let event = self.events.recv().await;
        // This holds a sender, so there will always be another event.
        event.unwrap_or(Event::Failed)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.decoder.set_ondequeue(None);
        if self.decoder.state() != "closed" {
            let _closed = self.decoder.close();
        }
    }
}

/// Reports [`Event::Waited`] after a while, unless it is dropped before.
struct Timer {
    id: i32,
    _waited: Closure<dyn FnMut()>,
}

impl Timer {
    fn new(sender: Sender<Event>, milliseconds: i32) -> Self {
        let waited = Closure::new(move || drop(sender.try_send(Event::Waited)));
        let id = webcodecs::set_timeout(AsRef::<JsValue>::as_ref(&waited).unchecked_ref(), milliseconds);
        Self { id, _waited: waited }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        webcodecs::clear_timeout(self.id);
    }
}

/// How WebCodecs is told of a track.
pub(super) fn config_of(index: &Index) -> Object {
    let config = object(&[
        ("codec", index.codec.string.as_str().into()),
        ("codedWidth", (index.shape.coded.width as f64).into()),
        ("codedHeight", (index.shape.coded.height as f64).into()),
    ]);
    if let Some(description) = &index.codec.description {
        let _set = js_sys::Reflect::set(&config, &"description".into(), &Uint8Array::from(&description[..]));
    }
    config
}

/// Whether this browser decodes a track so configured.
pub(super) async fn is_supported(config: &Object) -> bool {
    let Ok(promise) = VideoDecoder::is_config_supported(config) else { return false };
    let answer = JsFuture::from(promise).await;
    answer.and_then(|answer| js_sys::Reflect::get(&answer, &"supported".into())).is_ok_and(|is| is.is_truthy())
}

/// Draws a frame over the whole of a canvas, which may be turned.
pub(super) fn draw(context: &JsValue, frame: &Frame, width: f64, height: f64) -> Result<(), JsValue> {
    context.unchecked_ref::<Canvas2d>().draw_frame(frame.js(), 0.0, 0.0, width, height)
}
