//! Chooses the pool of texts and the images for the head statistics.

use leptos::html::Textarea;
use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use crate::page::common::browser::dom;
use crate::page::heads::browser::completeness_curve::{CompletenessCurve, GalleryForLabels};
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::model::browser::label_sources::{PoolOf, StatisticsOf};
use crate::page::model::browser::state::ModelState;
use crate::protocol::{self, StatisticsSource};
use crate::text::{self, units};

#[component]
pub fn Sources(gallery: GalleryForLabels) -> impl IntoView {
    view! {
        <section class="sources" aria-labelledby="sources-title">
            <div class="heading">
                <h2 id="sources-title">"Where the heads' texts come from"</h2>
            </div>
            <Pool/>
            <Statistics gallery=gallery/>
            <Export/>
            <CompletenessCurve gallery=gallery/>
        </section>
    }
}

/// Saves the names and texts of all heads.
#[component]
fn Export() -> impl IntoView {
    let names = expect_context::<HeadNamesState>();
    view! {
        <div class="source">
            <button
                type="button"
                id="export-labels"
                disabled=move || names.names.with(Option::is_none)
                on:click=move |_| names.save()
            >
                "Save every head's name and texts (JSON and Markdown)"
            </button>
        </div>
    }
}

/// Shows how many texts of a new pool are embedded.
#[component]
pub fn PoolProgress() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let now = move || {
        let done = |pool: &protocol::PoolProgress| (pool.done as u64, pool.total as u64);
        model.label_sources.embedding.with(|pool| pool.as_ref().map(done))
    };
    let says = move || {
        now().map(|(done, total)| {
            format!("Preparing the texts: {} of {}.", units::count(done), units::plural(total, "text", "texts"))
        })
    };
    view! {
        <Show when=move || now().is_some()>
            <div class="row pool-progress">
                <progress
                    aria-label="Texts prepared"
                    max=move || now().map(|(_, total)| total.to_string())
                    prop:value=move || now().map_or(0.0, |(done, _)| done as f64)
                ></progress>
                <p class="quiet">{says}</p>
            </div>
        </Show>
    }
}

#[component]
fn Pool() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let area = NodeRef::<Textarea>::new();
    let typed = RwSignal::new(0);
    let count = move |_| {
        if let Some(area) = area.get() {
            typed.set(text::lines(&area.value()).count());
        }
    };
    let now = move || {
        let texts = units::plural(model.label_sources.pool_lines() as u64, "text", "texts");
        match model.label_sources.pool_of.get() {
            PoolOf::Person(_) => format!("In use: your own {texts}."),
            PoolOf::Headlamp(_) => format!("In use: headlamp's own {texts}."),
            PoolOf::Pack if !model.label_sources.has_pool() => "In use: none.".to_owned(),
            PoolOf::Pack => format!("In use: the pack's own {texts}."),
        }
    };
    let is_without =
        move || !model.label_sources.has_pool() && model.label_sources.embedding.with(Option::is_none);
    let pack_has_none = move || model.pack.with(|pack| pack.as_ref().is_some_and(|pack| pack.pool_lines == 0));
    let use_typed = move |_| {
        if let Some(area) = area.get() {
            model.label_sources.use_pool(area.value());
        }
    };
    let use_file = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = dom::files_of(input.files()).into_iter().next() {
            model.label_sources.use_pool_file(file);
        }
        input.set_value("");
    };
    view! {
        <div class="source" data-drop="pool">
            <h3>"Texts"</h3>
            <p class="quiet" id="pool-in-use">{now}</p>
            <PoolProgress/>
            <textarea
                name="pool"
                node_ref=area
                rows="4"
                aria-label="Your own texts, one per line; after a TAB, the text's property"
                placeholder="Paste your own texts, one per line, or drop a text file here. To give heads names, write a TAB and a property after each text"
                on:input=count
            ></textarea>
            <div class="row">
                <button type="button" class="use-pool" disabled=move || typed.get() == 0 on:click=use_typed>
                    {move || match typed.get() {
                        0 => "Use these texts".to_owned(),
                        lines => format!("Use {}", units::plural(lines as u64, "text", "texts")),
                    }}
                </button>
                <label class="button">
                    "Open a text file"
                    <input class="unseen" type="file" name="pool-file" accept=".txt,.tsv,text/plain,text/tab-separated-values" on:change=use_file/>
                </label>
                <Show when=is_without>
                    <button type="button" id="default-pool" on:click=move |_| model.label_sources.use_pool(String::new())>
                        "Use headlamp's own texts"
                    </button>
                </Show>
                <Show when=move || matches!(model.label_sources.pool_of.get(), PoolOf::Person(_))>
                    <button type="button" class="quiet-button" on:click=move |_| model.label_sources.use_pool(String::new())>
                        {move || if pack_has_none() { "Back to headlamp's" } else { "Back to the pack's" }}
                    </button>
                </Show>
            </div>
        </div>
    }
}

#[component]
fn Statistics(gallery: GalleryForLabels) -> impl IntoView {
    let model = expect_context::<ModelState>();
    let now = move || {
        let images = units::plural(model.label_sources.statistics_images(), "image", "images");
        match model.label_sources.statistics_of.get() {
            StatisticsOf::Pack if model.label_sources.statistics_images() == 0 => {
                "In use: none; this pack has no statistics.".to_owned()
            }
            StatisticsOf::Pack => format!("In use: the pack's statistics over {images}."),
            StatisticsOf::File(_) => format!("In use: a file's statistics over {images}."),
            StatisticsOf::Gallery(_) => format!("In use: your gallery's {images}."),
            StatisticsOf::Video(_) => format!("In use: the video's {images}."),
        }
    };
    let use_file = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = dom::files_of(input.files()).into_iter().next() {
            model.label_sources.use_statistics_file(file);
        }
        input.set_value("");
    };
    let has_gallery = move || gallery.pictures.get() >= 2;
    let is_pack = move || model.label_sources.statistics_of.get() == StatisticsOf::Pack;
    view! {
        <div class="source" data-drop="statistics">
            <h3>"Images"</h3>
            <p class="quiet" id="statistics-in-use">{now}</p>
            <p class="quiet hint">
                "A head's texts describe how its outputs vary over many images: the pack's images, or your
                gallery. A few hundred images give a stable result. You can also open a file that headlamp
                stats wrote."
            </p>
            <div class="row">
                <button
                    type="button"
                    id="use-gallery"
                    disabled=move || !has_gallery()
                    on:click=move |_| model.label_sources.use_statistics(StatisticsSource::Gallery)
                >
                    "Use my gallery"
                </button>
                <label class="button">
                    "Open a statistics file"
                    <input class="unseen" type="file" name="statistics" accept=".safetensors" on:change=use_file/>
                </label>
                <Show when=move || !is_pack()>
                    <button
                        type="button"
                        class="quiet-button"
                        on:click=move |_| model.label_sources.use_statistics(StatisticsSource::Pack)
                    >
                        "Back to the pack's"
                    </button>
                </Show>
            </div>
        </div>
    }
}
