//! Records the video with its overlay while it plays.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Promise, Reflect};
use leptos::prelude::*;
use leptos::web_sys::{
    Blob, BlobEvent, BlobPropertyBag, CanvasRenderingContext2d, Element, HtmlCanvasElement, MediaRecorder,
    MediaRecorderOptions, MediaStream,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::state::VideoState;
use crate::geometry::Size;

#[wasm_bindgen]
extern "C" {
    /// A canvas that can be recorded.
    #[wasm_bindgen(extends = HtmlCanvasElement)]
    type CapturedCanvas;

    #[wasm_bindgen(method, catch, js_name = captureStream)]
    fn capture_stream(this: &CapturedCanvas, rate: f64) -> Result<MediaStream, JsValue>;

    /// A context that draws a video or a canvas.
    #[wasm_bindgen(extends = CanvasRenderingContext2d)]
    type FrameContext;

    #[wasm_bindgen(method, catch, js_name = drawImage)]
    fn draw(this: &FrameContext, image: &Element, x: f64, y: f64, width: f64, height: f64) -> Result<(), JsValue>;
}

/// Why an overlay could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("this browser does not record videos: save the masks instead, or try a newer browser")]
    Unsupported,
    #[error("the video is not on screen any more: open it again, then record")]
    Gone,
}

/// The media types that browsers record, the best first.
const KINDS: [&str; 3] = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/// The longest side of the recording, in pixels.
const LONGEST: f64 = 1280.0;

/// Plays the frames that are done, once, and records the video with its overlay.
///
/// # Errors
/// If the browser cannot record a canvas, or the video leaves the page.
pub async fn record(video: VideoState) -> Result<Blob, RecordError> {
    let times =
        video.frames.traced.with_untracked(|frames| frames.iter().map(|frame| frame.time).collect::<Vec<_>>());
    let (first, last) = times.first().copied().zip(times.last().copied()).ok_or(RecordError::Gone)?;
    let apart = (last - first) / (times.len() - 1).max(1) as f64;
    let end = (last + apart.max(0.04)).min(video.player.duration() - 0.02).max(first + 0.04);

    let canvas = stage_canvas(video)?;
    let painter: FrameContext = context_of(&canvas)?;
    let filmed: CapturedCanvas = canvas.clone().unchecked_into();
    let stream = filmed.capture_stream(25.0).map_err(|_refused| RecordError::Unsupported)?;
    let recorder = recorder_of(&stream)?;
    let parts = Array::new();
    let on_part = Closure::<dyn FnMut(BlobEvent)>::new({
        let parts = parts.clone();
        move |event: BlobEvent| {
            if let Some(part) = event.data() {
                parts.push(&part);
            }
        }
    });
    recorder.set_ondataavailable(Some(on_part.as_ref().unchecked_ref()));
    video.player.is_playing.set(false);
    video.player.seek(first);
    pause(300).await;
    draw_stage(&painter, &canvas)?;
    recorder.start().map_err(|_refused| RecordError::Unsupported)?;
    video.player.is_playing.set(true);
    let began = now();
    loop {
        frame().await;
        draw_stage(&painter, &canvas)?;
        let is_over = video.player.time.get_untracked() >= end || !video.player.is_playing.get_untracked();
        // Stops if the video stalls, after three times its length.
        if (is_over && now() - began > 0.2) || now() - began > 3.0 * (end - first) + 5.0 {
            break;
        }
    }
    video.player.is_playing.set(false);
    let stopped = stopped(&recorder);
    recorder.stop().map_err(|_refused| RecordError::Unsupported)?;
    stopped.await;
    let options = BlobPropertyBag::new();
    options.set_type("video/webm");
    Blob::new_with_blob_sequence_and_options(&parts, &options).map_err(|_refused| RecordError::Unsupported)
}

/// Makes a canvas of the video's size, or smaller if the video is large.
fn stage_canvas(video: VideoState) -> Result<HtmlCanvasElement, RecordError> {
    let size = video.player.summary.with_untracked(|summary| summary.as_ref().map(|summary| summary.size));
    let Size { width, height } = size.ok_or(RecordError::Gone)?;
    let scale = (LONGEST / width.max(height).max(1) as f64).min(1.0);
    // Video codecs need even sides.
    let even = |side: usize| ((side as f64 * scale / 2.0).round() as u32 * 2).max(2);
    let canvas: HtmlCanvasElement =
        document().create_element("canvas").map_err(|_refused| RecordError::Unsupported)?.unchecked_into();
    canvas.set_width(even(width));
    canvas.set_height(even(height));
    Ok(canvas)
}

fn context_of(canvas: &HtmlCanvasElement) -> Result<FrameContext, RecordError> {
    let context = canvas.get_context("2d").ok().flatten().ok_or(RecordError::Unsupported)?;
    Ok(context.unchecked_into())
}

fn recorder_of(stream: &MediaStream) -> Result<MediaRecorder, RecordError> {
    let has = Reflect::has(&window(), &"MediaRecorder".into()).unwrap_or(false);
    let kind = KINDS.iter().find(|kind| has && MediaRecorder::is_type_supported(kind));
    let kind = kind.ok_or(RecordError::Unsupported)?;
    let options = MediaRecorderOptions::new();
    options.set_mime_type(kind);
    options.set_video_bits_per_second(6_000_000);
    MediaRecorder::new_with_media_stream_and_media_recorder_options(stream, &options)
        .map_err(|_refused| RecordError::Unsupported)
}

/// Draws the video or its picture, and the overlay at its position on the page.
fn draw_stage(painter: &FrameContext, canvas: &HtmlCanvasElement) -> Result<(), RecordError> {
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    let below = find("#video").or_else(|| find("#pictures")).ok_or(RecordError::Gone)?;
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    painter.set_global_alpha(1.0);
    painter.draw(&below, 0.0, 0.0, width, height).map_err(|_refused| RecordError::Gone)?;
    if let Some(overlay) = find("#video-overlay") {
        let (stage, place) = (below.get_bounding_client_rect(), overlay.get_bounding_client_rect());
        let (x, y) = (width / stage.width().max(1.0), height / stage.height().max(1.0));
        let opacity = overlay.parent_element().and_then(|over| window().get_computed_style(&over).ok().flatten());
        let opacity = opacity.and_then(|style| style.get_property_value("opacity").ok()?.parse().ok());
        painter.set_global_alpha(opacity.unwrap_or(1.0));
        painter.set_image_smoothing_enabled(overlay.class_list().contains("smooth"));
        let (left, top) = ((place.left() - stage.left()) * x, (place.top() - stage.top()) * y);
        let drawn = painter.draw(&overlay, left, top, place.width() * x, place.height() * y);
        drawn.map_err(|_refused| RecordError::Gone)?;
    }
    Ok(())
}

/// Waits until the recorder has given its last part.
fn stopped(recorder: &MediaRecorder) -> impl Future<Output = ()> + use<> {
    let recorder = recorder.clone();
    let promise = Promise::new(&mut |resolve, _reject| recorder.set_onstop(Some(&resolve)));
    async move {
        let _stopped = JsFuture::from(promise).await;
    }
}

/// Waits for the next repaint.
async fn frame() {
    let promise = Promise::new(&mut |resolve, _reject| {
        let resolve = Rc::new(RefCell::new(Some(resolve)));
        request_animation_frame(move || {
            if let Some(resolve) = resolve.borrow_mut().take() {
                let _called = resolve.call0(&JsValue::NULL);
            }
        });
    });
    let _waited = JsFuture::from(promise).await;
}

async fn pause(milliseconds: i32) {
    let promise = Promise::new(&mut |resolve, _reject| {
        let _set = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    let _waited = JsFuture::from(promise).await;
}

fn now() -> f64 {
    js_sys::Date::now() / 1000.0
}
