//! Takes pictures with the browser's player, from files that the worker cannot decode.

use js_sys::{Function, Promise};
use leptos::prelude::document;
use leptos::web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::state::{Picture, PlayerPictures};
use crate::page::common::playback_error::PlaybackError;
use crate::page::video::browser::hidden_player::HiddenPlayer;
use crate::protocol::sampling::Sampling;

/// A moment after the end of every video. A recording without a length reports its length when the player seeks there.
const FAR: f64 = 1e7;

/// Returns the pictures that the player shows at the moments of `sampling`, as JPEGs of the video's own size. If the
/// player stops before the end, returns the pictures so far.
///
/// # Errors
/// If the player does not play the file.
pub async fn pictures(name: &str, file: &Blob, sampling: Sampling) -> Result<PlayerPictures, PlaybackError> {
    let player = HiddenPlayer::open(name, file).await?;
    if player.duration().is_none() {
        player.frame_at(FAR).await?.close();
    }
    let duration = player.duration().unwrap_or_default();
    let mut pictures = Vec::new();
    for time in sampling.moments(duration) {
        // Ask for a time slightly after the start of the frame, because players round times.
        match player.frame_at(time + 1e-3).await {
            Ok(bitmap) => {
                let blob = jpeg(&bitmap).await;
                bitmap.close();
                let unreadable = || PlaybackError::Unreadable { name: name.to_owned() };
                pictures.push(Picture {
                    name: format!("{name} at {time:.2} s"),
                    blob: blob.ok_or_else(unreadable)?,
                    time,
                });
            }
            Err(err) if pictures.is_empty() => return Err(err),
            Err(_) => break,
        }
    }
    Ok(PlayerPictures { pictures: pictures.into(), sampling, duration })
}

async fn jpeg(bitmap: &ImageBitmap) -> Option<Blob> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.unchecked_into();
    canvas.set_width(bitmap.width());
    canvas.set_height(bitmap.height());
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
    context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0).ok()?;
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        // This fails only for canvases with another site's pictures.
        let quality = JsValue::from_f64(0.95);
        let _asked = canvas.to_blob_with_type_and_encoder_options(&resolve, "image/jpeg", &quality);
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}
