//! Saves the results: JSON, masks, and the overlay as a video.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::record;
use super::state::VideoLayer;
use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::page::video::browser::state::VideoState;
use crate::protocol::TaskKind;
use crate::protocol::sentence;
use crate::protocol::video::MasksOf;
use crate::text::units;

#[component]
pub fn Save() -> impl IntoView {
    let (core, video) = (expect_context::<Core>(), expect_context::<VideoState>());
    let is_recording = RwSignal::new(false);
    // The masks of the layer on screen.
    let of = move || match video.overlay.layer.get() {
        VideoLayer::Propagation => MasksOf::Propagation,
        _ => MasksOf::Tracks,
    };
    let has = move || match of() {
        MasksOf::Propagation => !video.masks.propagated.with(|all| all.is_empty()),
        MasksOf::Tracks => !video.frames.traced.with(Vec::is_empty),
    };
    let record = move |_| {
        is_recording.set(true);
        spawn_local(async move {
            match record::record(video).await {
                Ok(blob) => {
                    let name = video
                        .player
                        .loaded
                        .with_untracked(|loaded| loaded.as_ref().map(|loaded| loaded.name.clone()));
                    let stem = units::file_stem(&format!("{} overlay", name.unwrap_or_default()));
                    dom::save(&format!("{stem}.webm"), &blob);
                }
                Err(err) => core.complain(TaskKind::VideoExport, sentence(&err.to_string())),
            }
            is_recording.set(false);
        });
    };
    view! {
        <section class="save" aria-labelledby="save-title">
            <div class="heading">
                <h2 id="save-title">"Save"</h2>
                <p class="quiet name">{move || match of() {
                    MasksOf::Tracks => "the objects' tracks",
                    MasksOf::Propagation => "the propagated masks",
                }}</p>
            </div>
            <div class="row">
                <button type="button" id="export-json" disabled=move || !has()
                    on:click=move |_| video.export_json(of())>
                    "JSON"
                </button>
                <button type="button" id="export-masks" disabled=move || !has()
                    on:click=move |_| video.export_masks(of())>
                    "Masks (PNG)"
                </button>
                <button type="button" id="export-overlay" disabled=move || !has() || is_recording.get()
                    on:click=record>
                    {move || if is_recording.get() { "Recording…" } else { "Overlay (WebM)" }}
                </button>
            </div>
            <p class="quiet hint">
                "The JSON has every object's mask on every frame, as COCO run lengths. The overlay is
                recorded while the frames that are done play once."
            </p>
        </section>
    }
}
