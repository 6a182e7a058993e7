//! What lies over the frames, and how strongly.

use leptos::prelude::*;
use leptos::web_sys::Event;

use super::frame_as_photo;
use super::state::VideoLayer;
use crate::page::common::browser::colour_scale::ColourScale;
use crate::page::common::browser::controls::{Check, Choice, Slider};
use crate::page::common::colour::Ramp;
use crate::page::core::browser::state::State;
use crate::text::units;

#[component]
pub fn Layers() -> impl IntoView {
    let state = expect_context::<State>();
    let video = state.video;
    let shows = move |layer| move || video.layer.get() == layer;
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
                value=video.layer
                on_change=move |layer| video.layer.set(layer)
            />
            <Show when=move || video.layer.get() != VideoLayer::None>
                <Slider
                    label="Opacity"
                    name="video-opacity"
                    value=video.opacity
                    shown=Signal::derive(move || units::percent(video.opacity.get() as f32))
                    on_input=move |opacity| video.opacity.set(opacity)
                />
            </Show>
            <div class="row">
                <Show when=move || matches!(
                    video.layer.get(),
                    VideoLayer::Tracks | VideoLayer::Attention | VideoLayer::Propagation
                )>
                    <Check name="smooth" value=video.is_smooth>"Soft edges"</Check>
                </Show>
                <Show when=shows(VideoLayer::Attention)>
                    <Heads/>
                    <AttentionScale/>
                </Show>
                <p class="quiet hint">{move || hint(state)}</p>
                <frame_as_photo::TakeApart/>
            </div>
        </div>
    }
}

fn hint(state: State) -> String {
    let video = state.video;
    match video.layer.get() {
        VideoLayer::Tracks if video.frame_here().is_none() => "This frame has not been looked at yet.".to_owned(),
        VideoLayer::Tracks => "An object is where its track is above the track's own mean.".to_owned(),
        VideoLayer::Attention => "Where the last layer's CLS token looks.".to_owned(),
        VideoLayer::Segmentation => match state.chosen.get() {
            None => "Choose a phrase in the chart.".to_owned(),
            Some(_) if video.is_playing.get() => "Pause to segment the frame on screen.".to_owned(),
            Some(phrase) => format!("What speaks for “{phrase}” more than for the other phrases, on this frame."),
        },
        VideoLayer::Propagation if video.seeds.with(Vec::is_empty) => {
            "Point at an object first; the tools are under “Follow a mask”.".to_owned()
        }
        VideoLayer::Propagation => "Masks, carried on from where you pointed.".to_owned(),
        VideoLayer::None => String::new(),
    }
}

/// What the colours of the attention stand for, on the frame that is shown.
#[component]
fn AttentionScale() -> impl IntoView {
    let video = expect_context::<State>().video;
    let strongest = Memo::new(move |_| {
        let frame = video.frame_here()?;
        let patches = frame.grid.len();
        let map = frame.attention.get(video.head.get() * patches..)?.get(..patches)?;
        Some(map.iter().copied().fold(0.0_f32, f32::max))
    });
    let ends = move || ("0".to_owned(), strongest.get().map_or_else(|| "·".to_owned(), units::percent));
    view! { <ColourScale what="attention".to_owned() ramp=Ramp::Sequential ends=Signal::derive(ends)/> }
}

#[component]
fn Heads() -> impl IntoView {
    let state = expect_context::<State>();
    let heads = move || state.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.heads));
    let choose = move |event: Event| {
        if let Ok(head) = event_target_value(&event).parse() {
            state.video.head.set(head);
        }
    };
    view! {
        <label class="inline">
            "Head"
            <select name="video-head" on:change=choose>
                {move || (0..heads())
                    .map(|head| view! {
                        <option value=head.to_string() selected=move || state.video.head.get() == head>{head}</option>
                    })
                    .collect_view()}
            </select>
        </label>
    }
}
