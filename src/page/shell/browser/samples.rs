//! The sample photos, and the strip to pick them from.

use leptos::prelude::*;

use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::State;

/// A photo that comes with the page, in `samples/`.
pub struct Sample {
    pub name: &'static str,
    pub file: &'static str,
    /// What it shows.
    title: &'static str,
}

pub const SAMPLES: [Sample; 6] = [
    Sample { name: "astronaut", file: "astronaut.png", title: "Astronaut" },
    Sample { name: "chelsea", file: "chelsea.png", title: "Cat" },
    Sample { name: "china", file: "china.jpg", title: "Temple" },
    Sample { name: "coffee", file: "coffee.png", title: "Coffee" },
    Sample { name: "flower", file: "flower.jpg", title: "Flower" },
    Sample { name: "rocket", file: "rocket.jpg", title: "Rocket" },
];

impl Sample {
    pub fn url(&self) -> String {
        format!("samples/{}", self.file)
    }
}

#[component]
pub fn Samples() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    let current = move || state.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.name.clone()));
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
                    on:click=move |_| engine.open_sample(sample)
                >
                    <img src=sample.url() alt="" decoding="async"/>
                </button>
            </li>
        }
    };
    view! { <ul class="samples" aria-label="Sample photos">{SAMPLES.iter().map(button).collect_view()}</ul> }
}
