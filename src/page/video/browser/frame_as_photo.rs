//! Opens the frame on screen as a photo.

use js_sys::{Function, Promise};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;

use super::state::{Mode, VideoState};
use crate::page::core::browser::core::Core;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::video::time;
use crate::protocol::TaskKind;

#[component]
pub fn FrameAsPhoto() -> impl IntoView {
    let (core, photo, video) =
        (expect_context::<Core>(), expect_context::<PhotoState>(), expect_context::<VideoState>());
    let open = move |_| {
        video.player.is_playing.set(false);
        spawn_local(async move {
            match picture().await {
                Some(blob) => {
                    video.player.show(Mode::Photo);
                    photo.open_file(name(video), blob);
                }
                None => {
                    core.complain(TaskKind::Photo, "The frame could not be taken: wait until it shows.".to_owned())
                }
            }
        });
    };
    view! {
        <button type="button" class="quiet-button" id="take-apart" on:click=open
            title="Open this frame as a photo: scores, heads and segmentation">
            "Frame as photo"
        </button>
    }
}

fn name(video: VideoState) -> String {
    let of = video
        .player
        .loaded
        .with_untracked(|loaded| loaded.as_ref().map(|loaded| loaded.name.clone()))
        .unwrap_or_default();
    format!("{of} at {}", time::clock(video.player.time.get_untracked()))
}

/// Returns the frame on screen as a PNG of the video's own size.
async fn picture() -> Option<Blob> {
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    let canvas = match find("#pictures") {
        Some(canvas) => canvas.dyn_into().ok()?,
        None => of_element(&find("#video")?.dyn_into().ok()?)?,
    };
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        // This fails only for canvases with another site's pictures.
        let _asked = canvas.to_blob(&resolve);
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}

fn of_element(element: &HtmlVideoElement) -> Option<HtmlCanvasElement> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.unchecked_into();
    canvas.set_width(element.video_width());
    canvas.set_height(element.video_height());
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
    context.draw_image_with_html_video_element(element, 0.0, 0.0).ok()?;
    Some(canvas)
}
