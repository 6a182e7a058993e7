//! Frames by way of a video element, for files that the browser plays but the worker cannot decode.

use js_sys::{Function, Promise};
use leptos::prelude::*;
use leptos::web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::state::Picture;
use crate::engine::video::sampling::Sampling;

/// How long the element may take to open a file, and to go to a frame, in milliseconds.
const OPENING: i32 = 15_000;
const SEEKING: i32 = 8_000;

/// A far moment: a recording without a length tells it when it is sent there.
const FAR: f64 = 1e7;

/// A file that the browser does not play.
#[derive(Debug, thiserror::Error)]
#[error("this browser does not play the file either")]
pub struct Unplayable;

/// The pictures that the browser shows at the moments of `sampling`; JPEGs of the video's own size, as the frames
/// of a video are photos to the model.
///
/// # Errors
/// Where the browser does not play the file.
pub async fn pictures(url: &str, sampling: Sampling) -> Result<Vec<Picture>, Unplayable> {
    let element: HtmlVideoElement =
        document().create_element("video").map_err(|_refused| Unplayable)?.unchecked_into();
    element.set_muted(true);
    element.set_preload("auto");
    element.set_src(url);
    happened(&element, "loadeddata", OPENING).await?;
    if !element.duration().is_finite() {
        element.set_current_time(FAR);
        happened(&element, "seeked", SEEKING).await?;
    }
    let duration = if element.duration().is_finite() { element.duration() } else { element.current_time() };
    let canvas: HtmlCanvasElement =
        document().create_element("canvas").map_err(|_refused| Unplayable)?.unchecked_into();
    canvas.set_width(element.video_width());
    canvas.set_height(element.video_height());
    let context = canvas.get_context("2d").ok().flatten().ok_or(Unplayable)?;
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let mut pictures = Vec::new();
    for time in sampling.moments(duration) {
        // The element answers a seek to where it already is, too, but not every browser's does for 0.
        element.set_current_time(time + 1e-3);
        if happened(&element, "seeked", SEEKING).await.is_err() {
            break;
        }
        let drawn = context.draw_image_with_html_video_element(&element, 0.0, 0.0);
        drawn.map_err(|_refused| Unplayable)?;
        let blob = jpeg(&canvas).await.ok_or(Unplayable)?;
        pictures.push(Picture { name: format!("the frame at {time:.2} s"), blob, time });
    }
    element.set_src("");
    if pictures.is_empty() { Err(Unplayable) } else { Ok(pictures) }
}

/// Waits for an event of the element; not longer than `limit` milliseconds.
async fn happened(element: &HtmlVideoElement, event: &str, limit: i32) -> Result<(), Unplayable> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        element.set_onerror(Some(&reject));
        // Neither fails for an element of the page's own.
        let _added = element.add_event_listener_with_callback(event, &resolve);
        let _set = window().set_timeout_with_callback_and_timeout_and_arguments_0(&reject, limit);
    });
    let happened = JsFuture::from(promise).await;
    element.set_onerror(None);
    happened.map(|_event| ()).map_err(|_failed| Unplayable)
}

async fn jpeg(canvas: &HtmlCanvasElement) -> Option<Blob> {
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        // It fails for canvases with another site's pictures only.
        let quality = JsValue::from_f64(0.95);
        let _asked = canvas.to_blob_with_type_and_encoder_options(&resolve, "image/jpeg", &quality);
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}
