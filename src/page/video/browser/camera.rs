//! Records the camera and opens the recording as a video.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::MediaStreamConstraints;
use leptos::web_sys::{
    Blob, BlobEvent, BlobPropertyBag, DomException, MediaRecorder, MediaStream, MediaStreamTrack,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::page::common::playback_error::CameraError;
use crate::page::core::browser::core::Core;
use crate::page::video::browser::state::VideoState;
use crate::page::video::time;
use crate::protocol::TaskKind;
use crate::protocol::sentence;

/// The longest recording, in seconds.
const LONGEST: f64 = 120.0;

/// A camera that records. Dropping it switches the camera off.
struct CameraRecording {
    stream: MediaStream,
    recorder: MediaRecorder,
    _on_part: Closure<dyn FnMut(BlobEvent)>,
    _on_stop: Closure<dyn FnMut()>,
}

impl Drop for CameraRecording {
    /// Switches the camera off.
    fn drop(&mut self) {
        for track in self.stream.get_tracks() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
    }
}

/// A button that starts a recording, and stops the recording when clicked again.
#[component]
pub fn Camera() -> impl IntoView {
    let (core, video) = (expect_context::<Core>(), expect_context::<VideoState>());
    let filming = StoredValue::new_local(None::<CameraRecording>);
    let began = RwSignal::new(None::<f64>);
    let now = RwSignal::new(0.0);
    let stop = move || {
        filming.with_value(|filming| {
            if let Some(filming) = filming {
                // This fails if the browser has already stopped the recorder.
                let _stopped = filming.recorder.stop();
            }
        });
    };
    let tick = set_interval_with_handle(
        move || {
            now.set(js_sys::Date::now() / 1000.0);
            if began.get_untracked().is_some_and(|began| now.get_untracked() - began > LONGEST) {
                stop();
            }
        },
        std::time::Duration::from_millis(250),
    );
    on_cleanup(move || {
        if let Ok(tick) = tick {
            tick.clear();
        }
        filming.try_update_value(Option::take);
    });
    let done = move |blob: Blob| {
        filming.try_update_value(Option::take);
        began.set(None);
        video.open_file("camera.webm".to_owned(), blob);
    };
    let press = move |_| {
        if began.get_untracked().is_some() {
            return stop();
        }
        spawn_local(async move {
            match start(done).await {
                Ok(new) => {
                    filming.set_value(Some(new));
                    now.set(js_sys::Date::now() / 1000.0);
                    began.set(Some(now.get_untracked()));
                }
                Err(sentence) => core.complain(TaskKind::Video, sentence),
            }
        });
    };
    let is_opening = move || video.player.opening.with(Option::is_some);
    view! {
        <button type="button" id="camera" disabled=is_opening on:click=press title="The recording stays on your machine">
            {move || match began.get() {
                None => "Record the camera".to_owned(),
                Some(began) => format!("Stop at {}", time::clock(now.get() - began)),
            }}
        </button>
    }
}

/// Asks for the camera and starts recording. `done` receives the recording.
async fn start(done: impl Fn(Blob) + 'static) -> Result<CameraRecording, String> {
    let unsupported = || "This browser records no camera: open a video file instead.".to_owned();
    let devices = window().navigator().media_devices().map_err(|_none| unsupported())?;
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&JsValue::TRUE);
    let asked = devices.get_user_media_with_constraints(&constraints).map_err(|_refused| unsupported())?;
    let stream: MediaStream = JsFuture::from(asked).await.map_err(|err| said(&err))?.unchecked_into();
    let recorder = MediaRecorder::new_with_media_stream(&stream).map_err(|_refused| unsupported())?;
    let parts = Array::new();
    let on_part = Closure::<dyn FnMut(BlobEvent)>::new({
        let parts = parts.clone();
        move |event: BlobEvent| {
            if let Some(part) = event.data() {
                parts.push(&part);
            }
        }
    });
    let done = Rc::new(RefCell::new(Some(done)));
    let kind = recorder.mime_type();
    let on_stop = Closure::<dyn FnMut()>::new(move || {
        let options = BlobPropertyBag::new();
        options.set_type(&kind);
        let blob = Blob::new_with_blob_sequence_and_options(&parts, &options);
        // `done` drops this closure. This must not happen while the closure runs, so `done` is called a moment later.
        if let Some((done, blob)) = done.borrow_mut().take().zip(blob.ok()) {
            spawn_local(async move { done(blob) });
        }
    });
    recorder.set_ondataavailable(Some(on_part.as_ref().unchecked_ref()));
    recorder.set_onstop(Some(on_stop.as_ref().unchecked_ref()));
    recorder.start().map_err(|_refused| unsupported())?;
    Ok(CameraRecording { stream, recorder, _on_part: on_part, _on_stop: on_stop })
}

/// Returns a sentence that says why there is no camera.
fn said(err: &JsValue) -> String {
    let name = err.dyn_ref::<DomException>().map(DomException::name).unwrap_or_default();
    sentence(&CameraError::of_exception(&name).to_string())
}
