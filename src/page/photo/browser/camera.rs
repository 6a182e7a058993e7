//! Takes a photo with the camera, in a dialog.

use leptos::html::{Dialog, Video};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{
    Blob, CanvasRenderingContext2d, DomException, HtmlCanvasElement, HtmlVideoElement, MediaStream,
    MediaStreamConstraints, MediaStreamTrack,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::page::common::playback_error::CameraError;
use crate::page::core::browser::core::Core;
use crate::page::photo::browser::photo::PhotoState;
use crate::protocol::TaskKind;
use crate::protocol::sentence;

/// A camera that is on. Dropping it switches the camera off.
struct CameraStream(MediaStream);

impl Drop for CameraStream {
    fn drop(&mut self) {
        for track in self.0.get_tracks() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
    }
}

/// Opens the camera's dialog.
#[component]
pub fn PhotoCamera() -> impl IntoView {
    let (core, photo) = (expect_context::<Core>(), expect_context::<PhotoState>());
    let (dialog, video) = (NodeRef::<Dialog>::new(), NodeRef::<Video>::new());
    let looking = StoredValue::new_local(None::<CameraStream>);
    on_cleanup(move || {
        looking.try_update_value(Option::take);
    });
    // Esc closes the dialog too, so the camera is switched off here.
    let closed = move |_| {
        looking.try_update_value(Option::take);
        if let Some(video) = video.get_untracked() {
            video.set_src_object(None);
        }
    };
    let open = move |_| {
        spawn_local(async move {
            match look().await {
                Ok(new) => {
                    if let Some((dialog, video)) = dialog.get_untracked().zip(video.get_untracked()) {
                        video.set_src_object(Some(&new.0));
                        // Browsers let a muted video play without a click.
                        let _playing = video.play();
                        // This fails for a dialog that is open already.
                        let _shown = dialog.show_modal();
                        looking.set_value(Some(new));
                    }
                }
                Err(sentence) => core.complain(TaskKind::Photo, sentence),
            }
        });
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let take = move |_| {
        let Some(video) = video.get_untracked() else { return };
        spawn_local(async move {
            match picture_of(&video).await {
                Some(blob) => photo.open_file("camera photo".to_owned(), blob),
                None => core.complain(TaskKind::Photo, "The camera gave no picture: try again.".to_owned()),
            }
            close();
        });
    };
    view! {
        <button type="button" id="photo-camera" on:click=open
            title="The photo stays on your machine">"Camera"</button>
        <dialog id="camera-dialog" class="dialog" node_ref=dialog aria-labelledby="camera-title" on:close=closed>
            <div class="dialog-body">
                <h2 id="camera-title">"Take a photo"</h2>
                <video class="viewfinder" node_ref=video playsinline muted aria-label="What the camera sees"></video>
                <div class="row">
                    <button type="button" id="take-photo" class="strong" on:click=take>"Take the photo"</button>
                    <button type="button" on:click=move |_| close()>"Cancel"</button>
                </div>
            </div>
        </dialog>
    }
}

/// Asks for the camera.
async fn look() -> Result<CameraStream, String> {
    let unsupported = || "This browser has no camera for the page: open a photo instead.".to_owned();
    let devices = window().navigator().media_devices().map_err(|_none| unsupported())?;
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&JsValue::TRUE);
    let asked = devices.get_user_media_with_constraints(&constraints).map_err(|_refused| unsupported())?;
    let stream = JsFuture::from(asked).await.map_err(|err| {
        let name = err.dyn_ref::<DomException>().map(DomException::name).unwrap_or_default();
        sentence(&CameraError::of_exception(&name).to_string())
    })?;
    Ok(CameraStream(stream.unchecked_into()))
}

/// Returns the frame on screen as a PNG file; `None` before the first frame.
async fn picture_of(video: &HtmlVideoElement) -> Option<Blob> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(video.video_width());
    canvas.set_height(video.video_height());
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_html_video_element(video, 0.0, 0.0).ok()?;
    // For a canvas without pixels, the browser returns null, and this function `None`.
    let promise = js_sys::Promise::new(&mut |resolve, _reject| {
        if canvas.to_blob(&resolve).is_err() {
            let _settled = resolve.call1(&JsValue::NULL, &JsValue::NULL);
        }
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}
