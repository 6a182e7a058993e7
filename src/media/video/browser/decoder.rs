//! A running decoder: it takes encoded frames and reports decoded frames, failures and progress.

use async_channel::{Receiver, Sender};
use js_sys::{Function, Object, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::webcodecs::{self, DecodedFrame, VideoDecoder, VideoFrame, object};
use crate::media::video::video_index::VideoIndex;

/// An event that a decoder reports.
pub(super) enum DecoderEvent {
    /// A decoded frame. Frames come in the order in which they are shown.
    Frame(DecodedFrame),
    /// The decoder failed and is closed.
    Failed,
    /// The decoder took an encoded frame from its queue.
    Dequeued,
    /// All frames before a flush have come.
    Flushed,
    /// No event came within the waiting time.
    TimedOut,
}

/// A browser's decoder that is configured for one track. Dropping it closes it.
pub(super) struct Decoder {
    decoder: VideoDecoder,
    events: Receiver<DecoderEvent>,
    sender: Sender<DecoderEvent>,
    _callbacks: [Function; 3],
    _closures: DecoderClosures,
}

/// What a decoder calls with a frame, with an error, and when its queue shrinks.
type DecoderClosures = (Closure<dyn FnMut(VideoFrame)>, Closure<dyn FnMut(JsValue)>, Closure<dyn FnMut()>);

impl Decoder {
    /// Creates a decoder with this configuration.
    ///
    /// # Errors
    /// If the browser refuses the configuration.
    pub fn new(config: &Object) -> Result<Self, JsValue> {
        let (sender, events) = async_channel::unbounded();
        let (frames, failures, dequeued) = (sender.clone(), sender.clone(), sender.clone());
        // If the receiver is gone, the frame is dropped, which closes it.
        let output =
            Closure::new(move |frame| drop(frames.try_send(DecoderEvent::Frame(DecodedFrame::new(frame)))));
        let error = Closure::new(move |_err: JsValue| drop(failures.try_send(DecoderEvent::Failed)));
        let dequeue = Closure::new(move || drop(dequeued.try_send(DecoderEvent::Dequeued)));
        let as_function = |closure: &JsValue| closure.unchecked_ref::<Function>().clone();
        let callbacks = [as_function(output.as_ref()), as_function(error.as_ref()), as_function(dequeue.as_ref())];
        let init = object(&[("output", callbacks[0].clone().into()), ("error", callbacks[1].clone().into())]);
        let decoder = VideoDecoder::new(&init)?;
        decoder.set_ondequeue(Some(&callbacks[2]));
        decoder.configure(config)?;
        Ok(Self { decoder, events, sender, _callbacks: callbacks, _closures: (output, error, dequeue) })
    }

    /// Returns the number of encoded frames that wait in the decoder's queue.
    pub fn queue_length(&self) -> u32 {
        self.decoder.decode_queue_size()
    }

    /// Gives an encoded frame to the decoder.
    ///
    /// # Errors
    /// If the decoder refuses to start with this frame.
    pub fn feed(&self, is_key: bool, micros: i64, data: &js_sys::ArrayBuffer) -> Result<(), JsValue> {
        self.decoder.decode(&webcodecs::chunk(is_key, micros, data)?)
    }

    /// Asks the decoder for all frames of its queue. The next encoded frame must be a key frame.
    ///
    /// # Errors
    /// If the decoder is closed.
    pub fn flush(&self) -> Result<(), JsValue> {
        let flushed = JsFuture::from(self.decoder.flush()?);
        let sender = self.sender.clone();
        wasm_bindgen_futures::spawn_local(async move {
            // A flush fails only if the decoder fails, and the decoder reports that itself.
            if flushed.await.is_ok() {
                let _gone = sender.try_send(DecoderEvent::Flushed);
            }
        });
        Ok(())
    }

    /// Returns an event that the decoder has reported already, if there is one.
    pub fn reported_event(&self) -> Option<DecoderEvent> {
        self.events.try_recv().ok()
    }

    /// Waits for the next event, at most `milliseconds`.
    pub async fn next_event(&self, milliseconds: i32) -> DecoderEvent {
        let _timer = Timer::new(self.sender.clone(), milliseconds);
        let event = self.events.recv().await;
        // `self` holds a sender, so the channel is never closed.
        event.unwrap_or(DecoderEvent::Failed)
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

/// Reports [`DecoderEvent::TimedOut`] after its time, unless it is dropped before.
struct Timer {
    id: i32,
    _waited: Closure<dyn FnMut()>,
}

impl Timer {
    fn new(sender: Sender<DecoderEvent>, milliseconds: i32) -> Self {
        let waited = Closure::new(move || drop(sender.try_send(DecoderEvent::TimedOut)));
        let id = webcodecs::set_timeout(AsRef::<JsValue>::as_ref(&waited).unchecked_ref(), milliseconds);
        Self { id, _waited: waited }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        webcodecs::clear_timeout(self.id);
    }
}

/// Returns the WebCodecs configuration for a track.
pub(super) fn config_of(index: &VideoIndex) -> Object {
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

/// Returns whether this browser decodes a track with this configuration.
pub(super) async fn is_supported(config: &Object) -> bool {
    let Ok(promise) = VideoDecoder::is_config_supported(config) else { return false };
    let answer = JsFuture::from(promise).await;
    answer.and_then(|answer| js_sys::Reflect::get(&answer, &"supported".into())).is_ok_and(|is| is.is_truthy())
}
