//! Opens a sample photo, and shows the strip of samples to choose from.

use leptos::prelude::*;

use super::features::Features;
use super::precomputed_results;
use crate::page::shell::sample_photos::{SAMPLES, Sample};

/// Opens a sample. Its precomputed results are shown until the model is open.
pub fn open(features: Features, sample: &'static Sample) {
    precomputed_results::show(features, sample);
    features.photo.open_address(sample.url());
}

#[component]
pub fn Samples() -> impl IntoView {
    let features = expect_context::<Features>();
    let current = move || features.photo.name();
    let button = move |sample: &'static Sample| {
        let is_current = move || current().is_some_and(|name| name == sample.file);
        view! {
            <li>
                <button
                    type="button"
                    class="sample"
                    data-sample=sample.name
                    aria-label=format!("Sample photo: {}", sample.title)
                    aria-current=move || is_current().then_some("true")
                    title=sample.title
                    on:click=move |_| open(features, sample)
                >
                    <img src=sample.url() alt="" decoding="async"/>
                </button>
            </li>
        }
    };
    view! { <ul class="samples" aria-label="Sample photos">{SAMPLES.iter().map(button).collect_view()}</ul> }
}
