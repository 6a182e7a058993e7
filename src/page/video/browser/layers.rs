//! Controls of the layer over the frames.

use leptos::prelude::*;
use leptos::web_sys::Event;

use super::frame_as_photo;
use super::state::VideoLayer;
use crate::page::common::browser::colour_scale::ColourScale;
use crate::page::common::browser::controls::{Check, Choice, Slider};
use crate::page::common::colour::Ramp;
use crate::page::model::browser::state::ModelState;
use crate::page::video::browser::state::VideoState;
use crate::text::units;

#[component]
pub fn Layers() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let shows = move |layer| move || video.overlay.layer.get() == layer;
    view! {
        <div class="overlay-controls">
            <Choice
                legend="Layer over the video"
                name="video-layer"
                options=vec![
                    (VideoLayer::Tracks, "Objects"),
                    (VideoLayer::Attention, "Attention"),
                    (VideoLayer::Segmentation, "Phrase"),
                    (VideoLayer::Propagation, "Masks"),
                    (VideoLayer::None, "None"),
                ]
                value=video.overlay.layer
                on_change=move |layer| video.overlay.layer.set(layer)
            />
            <Show when=move || video.overlay.layer.get() != VideoLayer::None>
                <Slider
                    label="Opacity"
                    name="video-opacity"
                    value=video.overlay.opacity
                    shown=Signal::derive(move || units::percent(video.overlay.opacity.get() as f32))
                    on_input=move |opacity| video.overlay.opacity.set(opacity)
                />
            </Show>
            <div class="row">
                <Show when=move || matches!(
                    video.overlay.layer.get(),
                    VideoLayer::Tracks | VideoLayer::Attention | VideoLayer::Propagation
                )>
                    <Check name="smooth" value=video.overlay.is_smooth>"Soft edges"</Check>
                </Show>
                <Show when=shows(VideoLayer::Attention)>
                    <Heads/>
                    <AttentionScale/>
                </Show>
                <p class="quiet hint">{move || hint(video)}</p>
                <frame_as_photo::FrameAsPhoto/>
            </div>
        </div>
    }
}

fn hint(video: VideoState) -> String {
    match video.overlay.layer.get() {
        VideoLayer::Tracks if video.frames.traced_here().is_none() => {
            "The model has not seen this frame yet.".to_owned()
        }
        VideoLayer::Tracks => "An object is where its track is above the mean of the track.".to_owned(),
        VideoLayer::Attention => "The attention of the CLS token in the last layer.".to_owned(),
        VideoLayer::Segmentation => match video.phrases.chosen.get() {
            None => "Choose a phrase in the chart.".to_owned(),
            Some(_) if video.player.is_playing.get() => "Pause to segment the frame on screen.".to_owned(),
            Some(phrase) => format!("Where this frame fits “{phrase}” better than the other phrases."),
        },
        VideoLayer::Propagation if video.masks.seeds.with(Vec::is_empty) => {
            "Point at an object first; the tools are under “Follow a mask”.".to_owned()
        }
        VideoLayer::Propagation => "Masks that follow what you pointed at.".to_owned(),
        VideoLayer::None => String::new(),
    }
}

/// The colour scale of the attention on the frame on screen.
#[component]
fn AttentionScale() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let strongest = Memo::new(move |_| {
        let frame = video.frames.traced_here()?;
        let patches = frame.grid.len();
        let map = frame.attention.get(video.overlay.head.get() * patches..)?.get(..patches)?;
        Some(map.iter().copied().fold(0.0_f32, f32::max))
    });
    let ends = move || ("0".to_owned(), strongest.get().map_or_else(|| "·".to_owned(), units::percent));
    view! { <ColourScale what="attention".to_owned() ramp=Ramp::Sequential ends=Signal::derive(ends)/> }
}

#[component]
fn Heads() -> impl IntoView {
    let (model, video) = (expect_context::<ModelState>(), expect_context::<VideoState>());
    let heads = move || model.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.heads));
    let choose = move |event: Event| {
        if let Ok(head) = event_target_value(&event).parse() {
            video.overlay.head.set(head);
        }
    };
    view! {
        <label class="inline">
            "Head"
            <select name="video-head" on:change=choose>
                {move || (0..heads())
                    .map(|head| view! {
                        <option value=head.to_string() selected=move || video.overlay.head.get() == head>{head}</option>
                    })
                    .collect_view()}
            </select>
        </label>
    }
}
