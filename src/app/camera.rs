//! Frames from a camera.

use std::ops::ControlFlow;

use leptos::prelude::{document, window};
use leptos::web_sys::{
    DomException, HtmlVideoElement, ImageBitmap, MediaStream, MediaStreamConstraints, MediaStreamTrack,
};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::app::wait;
use crate::geometry::Size;
use crate::view::playback::CameraError;

/// How long a camera may take to start, in milliseconds.
const TO_START: i32 = 10_000;

/// A running camera; dropping it switches it off.
pub struct Camera {
    stream: MediaStream,
    element: HtmlVideoElement,
}

impl Camera {
    /// Asks for the camera, and waits for its first picture.
    ///
    /// # Errors
    /// Where there is none, the user or the browser refuses, another program has it, or it gives no picture.
    pub async fn open() -> Result<Self, CameraError> {
        let refused = |err: JsValue| {
            let exception = err.dyn_ref::<DomException>().map(DomException::name);
            CameraError::of_exception(exception.as_deref().unwrap_or("TypeError"))
        };
        let constraints = MediaStreamConstraints::new();
        constraints.set_video(&true.into());
        let devices = window().navigator().media_devices().map_err(refused)?;
        // Pages that are not secure have no devices at all, whatever the interface promises.
        if devices.is_undefined() {
            return Err(CameraError::Insecure);
        }
        let stream = devices.get_user_media_with_constraints(&constraints).map_err(refused)?;
        let stream: MediaStream = JsFuture::from(stream).await.map_err(refused)?.unchecked_into();
        let element = document().create_element("video").map_err(|_err| CameraError::Silent)?;
        let camera = Self { stream, element: element.unchecked_into() };
        camera.element.set_muted(true);
        camera.element.set_src_object(Some(&camera.stream));
        if let Ok(playing) = camera.element.play() {
            // It plays or it does not: the first picture tells.
            let _playing = JsFuture::from(playing).await;
        }
        let is_ready = camera.element.ready_state() >= 2;
        if !is_ready && wait::event(&camera.element, &["loadeddata"], TO_START).await.is_none() {
            return Err(CameraError::Silent);
        }
        Ok(camera)
    }

    /// The size of its pictures.
    pub fn size(&self) -> Size {
        Size { width: self.element.video_width() as usize, height: self.element.video_height() as usize }
    }

    /// What it sees now.
    ///
    /// # Errors
    /// Where it was unplugged.
    pub async fn frame(&self) -> Result<ImageBitmap, CameraError> {
        let silent = |_err| CameraError::Silent;
        if !self.stream.active() {
            return Err(CameraError::Silent);
        }
        let bitmap = window().create_image_bitmap_with_html_video_element(&self.element).map_err(silent)?;
        Ok(JsFuture::from(bitmap).await.map_err(silent)?.unchecked_into())
    }

    /// Gives `each` a frame `rate` times a second, with the seconds since the first, until it says to stop. Late
    /// frames are left out.
    ///
    /// # Errors
    /// Where the camera was unplugged.
    pub async fn frames(
        &self,
        rate: f64,
        mut each: impl FnMut(f64, ImageBitmap) -> ControlFlow<()>,
    ) -> Result<(), CameraError> {
        let interval = 1000.0 / rate.clamp(0.1, 60.0);
        let start = js_sys::Date::now();
        loop {
            let elapsed = js_sys::Date::now() - start;
            if each(elapsed / 1000.0, self.frame().await?).is_break() {
                return Ok(());
            }
            let elapsed = js_sys::Date::now() - start;
            let next = (elapsed / interval).floor() * interval + interval;
            wait::pause((next - elapsed).ceil() as i32).await;
        }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        for track in self.stream.get_tracks() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
        self.element.set_src_object(None);
    }
}
