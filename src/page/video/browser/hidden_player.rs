//! Frames from the browser's player: for browsers without WebCodecs, and for files that only the player supports.

use js_sys::{Function, Reflect};
use leptos::prelude::{document, window};
use leptos::web_sys::{Blob, HtmlVideoElement, ImageBitmap, Url};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use crate::geometry::Size;
use crate::page::common::browser::wait_for_event;
use crate::page::common::playback_error::PlaybackError;

/// The longest time that a player may take, in milliseconds.
const TO_OPEN: i32 = 20_000;
const TO_SEEK: i32 = 10_000;
/// Players present a frame within a few screen refreshes. On hidden pages they never report the frame.
const TO_PRESENT: i32 = 250;

#[wasm_bindgen]
extern "C" {
    /// web-sys does not have this method yet.
    #[wasm_bindgen(extends = js_sys::Object)]
    type VideoWithFrameCallbacks;
    #[wasm_bindgen(method, js_name = requestVideoFrameCallback)]
    fn request_video_frame_callback(this: &VideoWithFrameCallbacks, callback: &Function) -> u32;
}

/// A video file in a player that is never shown. Dropping it frees the file.
pub struct HiddenPlayer {
    name: String,
    element: HtmlVideoElement,
    url: String,
}

impl HiddenPlayer {
    /// Opens a file.
    ///
    /// # Errors If the player does not play the file, or the file has no pictures.
    pub async fn open(name: &str, file: &Blob) -> Result<Self, PlaybackError> {
        let unreadable = |_err| PlaybackError::Unreadable { name: name.to_owned() };
        let url = Url::create_object_url_with_blob(file).map_err(unreadable)?;
        let element: HtmlVideoElement = document().create_element("video").map_err(unreadable)?.unchecked_into();
        let video = Self { name: name.to_owned(), element, url };
        video.element.set_muted(true);
        video.element.set_preload("auto");
        video.element.set_src(&video.url);
        let event = wait_for_event::event(&video.element, &["loadeddata", "error"], TO_OPEN).await;
        match event.as_deref() {
            Some("loadeddata") if video.element.video_width() > 0 => Ok(video),
            Some("loadeddata") => Err(PlaybackError::NoPictures { name: name.to_owned() }),
            _ => Err(video.failure(0.0)),
        }
    }

    /// Returns the upright video's size in pixels.
    pub fn size(&self) -> Size {
        Size { width: self.element.video_width() as usize, height: self.element.video_height() as usize }
    }

    /// Returns the length in seconds; `None` if the file does not contain its length.
    pub fn duration(&self) -> Option<f64> {
        Some(self.element.duration()).filter(|duration| duration.is_finite())
    }

    /// Returns the frame that is shown at `seconds`. Players round times, so ask for the middle of a frame and not for
    /// its start.
    ///
    /// # Errors If the player fails at this time, or takes too long.
    pub async fn frame_at(&self, seconds: f64) -> Result<ImageBitmap, PlaybackError> {
        let is_there = (self.element.current_time() - seconds).abs() < 1e-6;
        if !is_there {
            // The callback is requested before the seek. After the seek, the frame may already have been presented.
            let presented = self.presented();
            self.element.set_current_time(seconds);
            if wait_for_event::event(&self.element, &["seeked", "error"], TO_SEEK).await.as_deref()
                != Some("seeked")
            {
                return Err(self.failure(seconds));
            }
            presented.await;
        }
        let failed = |_err| self.failure(seconds);
        let bitmap = window().create_image_bitmap_with_html_video_element(&self.element).map_err(failed)?;
        Ok(JsFuture::from(bitmap).await.map_err(failed)?.unchecked_into())
    }

    /// Waits until the player presents a new frame: some players report the end of a seek earlier.
    fn presented(&self) -> impl Future<Output = ()> + use<> {
        let presenter: &VideoWithFrameCallbacks = self.element.unchecked_ref();
        let is_known = Reflect::has(presenter, &"requestVideoFrameCallback".into()).unwrap_or(false);
        let (callback, called) = wait_for_event::callback(if is_known { TO_PRESENT } else { 0 });
        if is_known {
            presenter.request_video_frame_callback(&callback);
        }
        called
    }

    fn failure(&self, seconds: f64) -> PlaybackError {
        match self.element.error() {
            Some(error) => PlaybackError::of_code(&self.name, error.code()),
            None => PlaybackError::Late { name: self.name.clone(), seconds },
        }
    }
}

impl Drop for HiddenPlayer {
    fn drop(&mut self) {
        // A player keeps its file until its source changes or is removed.
        let _emptied = self.element.remove_attribute("src");
        self.element.load();
        let _revoked = Url::revoke_object_url(&self.url);
    }
}
