//! Controls of the layer over the photo: the choice of the layer, its opacity, and the segmentation's threshold and
//! contrast.

use leptos::prelude::*;

use crate::page::common::browser::colour_scale::ColourScale;
use crate::page::common::browser::controls::{Check, Choice, Slider};
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::overlay::OverlayState;
use crate::page::photo::browser::segmentation::SegmentationState;
use crate::page::photo::raster::HeadMapKind;
use crate::page::photo::raster::Layer;
use crate::text::units;

#[component]
pub fn OverlayControls() -> impl IntoView {
    let (model, overlay) = (expect_context::<ModelState>(), expect_context::<OverlayState>());
    let shows = move |layer| move || overlay.layer.get() == layer;
    let has_text = Memo::new(move |_| model.has_text());
    let choice = move || {
        let segmentation = has_text.get().then_some((Layer::Segmentation, "Segmentation"));
        let others = [(Layer::Head, "Head map"), (Layer::None, "None")];
        view! {
            <Choice
                legend="Layer over the photo"
                name="layer"
                options=segmentation.into_iter().chain(others).collect()
                value=overlay.layer
                on_change=move |layer| overlay.layer.set(layer)
            />
        }
    };
    view! {
        <div class="overlay-controls">
            {choice}
            <Show when=move || overlay.layer.get() != Layer::None>
                <Slider
                    label="Opacity"
                    name="opacity"
                    value=overlay.opacity
                    shown=Signal::derive(move || units::percent(overlay.opacity.get() as f32))
                    on_input=move |opacity| overlay.opacity.set(opacity)
                />
            </Show>
            <Show when=shows(Layer::Segmentation)>
                <Segmenting/>
            </Show>
            <Show when=shows(Layer::Head)>
                <HeadScale/>
            </Show>
        </div>
    }
}

/// The colour scale of the chosen head's map.
#[component]
pub fn HeadScale() -> impl IntoView {
    let head_map = expect_context::<HeadMapState>();
    let scale = Memo::new(move |_| head_map.scale());
    let what = move || match head_map.kind.get() {
        HeadMapKind::Contribution => "per patch",
        HeadMapKind::Attention => "attention",
    };
    view! {
        <div class="legend">
            {move || scale.get().map(|(ramp, low, high)| view! {
                <ColourScale what=Signal::derive(move || what().to_owned()) ramp=ramp ends=(low, high)/>
            })}
            <Show when=move || head_map.head.with(Option::is_none)>
                <p class="quiet hint">"Choose a head in the grid."</p>
            </Show>
        </div>
    }
}

#[component]
fn Segmenting() -> impl IntoView {
    let segmentation = expect_context::<SegmentationState>();
    let threshold = Signal::derive(move || f64::from(segmentation.threshold_in_use().unwrap_or(0.0)));
    let shown = Signal::derive(move || format!("{:.2}", threshold.get()));
    let is_own = move || segmentation.threshold.get().is_none();
    let has_map = move || segmentation.current().is_some_and(|segmentation| !segmentation.is_empty);
    let says = move || match segmentation.current() {
        Some(segmentation) if segmentation.is_empty => {
            format!("Nothing on this photo fits “{}” better than what it is compared with.", segmentation.phrase)
        }
        Some(segmentation) => format!("“{}”, compared with the rest.", segmentation.phrase),
        None => "Add a phrase to segment the photo by.".to_owned(),
    };
    view! {
        <div class="row with-reset">
            <Slider
                label="Threshold"
                name="threshold"
                value=threshold
                shown=shown
                on_input=move |value| segmentation.threshold.set(Some(value as f32))
            />
            <Show when=is_own fallback=move || view! {
                <button
                    type="button"
                    class="quiet-button"
                    title="Back to the mean of the map"
                    on:click=move |_| segmentation.threshold.set(None)
                >
                    "Reset"
                </button>
            }>
                <span class="quiet hint own" title="The threshold is the mean of the map">"mean"</span>
            </Show>
        </div>
        <fieldset class="checks">
            <legend>"Compared with"</legend>
            <Check name="against-others" value=segmentation.against_others>"the other phrases"</Check>
            <Check name="background" value=segmentation.background>"common backgrounds"</Check>
        </fieldset>
        <div class="row">
            <p class="quiet hint">{says}</p>
            <button type="button" disabled=move || !has_map() on:click=move |_| segmentation.save_mask()>
                "Save mask"
            </button>
        </div>
        <HowComputed about=Topic::Segmentation/>
    }
}
