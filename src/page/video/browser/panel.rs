//! The video view: a video, with the model's results over its frames.
//!
//! `state` has the signals of the view. `opening` and the files whose names end in `requests` ask the worker. Every
//! other file is one view.

use crate::page::model::browser::state::ModelState;
use leptos::prelude::*;
use leptos::web_sys::{HtmlElement, HtmlInputElement, KeyboardEvent};
use wasm_bindgen::JsCast as _;

use super::state::VideoState;
use super::{layers, objects, open, phrase_chart, processing, propagation, save, stage, timeline};

/// The whole view.
#[component]
pub fn VideoView() -> impl IntoView {
    let (model, video) = (expect_context::<ModelState>(), expect_context::<VideoState>());
    let is_open = move || video.player.loaded.with(Option::is_some);
    view! {
        <main class="video-main" class:off=move || !video.player.is_video()>
            <section
                id="player"
                class="player"
                aria-labelledby="video-title"
                tabindex="-1"
                data-frames=move || video.frames.traced.with(Vec::len).to_string()
                data-sampled=move || video.frames.times().len().to_string()
                data-work=move || format!("{:?}", video.frames.work.get()).to_lowercase()
                data-time=move || format!("{:.3}", video.player.time.get())
                on:keydown=move |event| press(video, &event)
            >
                <open::Heading/>
                <Show when=is_open fallback=|| view! { <open::Welcome/> }>
                    <layers::Layers/>
                    <stage::Stage/>
                    <timeline::Timeline/>
                    <Show when=move || model.has_text()>
                        <phrase_chart::PhraseChart/>
                    </Show>
                </Show>
            </section>
            <Show when=is_open>
                <div class="video-side">
                    <processing::Processing/>
                    <objects::Objects/>
                    <propagation::Propagation/>
                    <save::Save/>
                </div>
            </Show>
        </main>
    }
}

/// Handles keys, unless the person types: Space plays, and arrow keys go one frame back or forward.
fn press(video: VideoState, event: &KeyboardEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let tag = target.as_ref().map(|target| target.tag_name());
    let kind = target.and_then(|target| target.dyn_into::<HtmlInputElement>().ok()).map(|input| input.type_());
    let is_scrubber = kind.as_deref() == Some("range");
    if matches!(tag.as_deref(), Some("SELECT" | "TEXTAREA")) || (kind.is_some() && !is_scrubber) {
        return;
    }
    // The space bar clicks a focused button.
    let is_button = tag.as_deref() == Some("BUTTON");
    match event.key().as_str() {
        " " | "k" if !is_button => video.player.is_playing.update(|is_playing| *is_playing = !*is_playing),
        "ArrowLeft" => video.frames.step(-1),
        "ArrowRight" => video.frames.step(1),
        "Home" => video.player.seek(0.0),
        "End" => video.player.seek(video.player.duration()),
        _ => return,
    }
    event.prevent_default();
}
