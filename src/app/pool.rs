//! Where the heads' texts come from: the pool of texts, and the images behind the statistics.

use leptos::html::Textarea;
use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use crate::app::dom;
use crate::app::engine::Engine;
use crate::app::intake::use_pool_file;
use crate::app::state::{Gallery, State};
use crate::view::{phrases, units};

#[component]
pub fn Sources() -> impl IntoView {
    view! {
        <section class="sources" aria-labelledby="sources-title">
            <div class="heading">
                <h2 id="sources-title">"Where the heads' texts come from"</h2>
            </div>
            <Pool/>
            <OwnImages/>
            <Export/>
        </section>
    }
}

/// All heads' texts at once, for people's own notes.
#[component]
fn Export() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    view! {
        <div class="source">
            <button
                type="button"
                id="export-labels"
                disabled=move || !state.has_statistics()
                on:click=move |_| engine.export_labels()
            >
                "Save every head's texts (JSON and Markdown)"
            </button>
        </div>
    }
}

#[component]
fn Pool() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    let area = NodeRef::<Textarea>::new();
    let typed = RwSignal::new(0);
    let count = move |_| {
        if let Some(area) = area.get() {
            typed.set(phrases::lines(&area.value()).count());
        }
    };
    let now = move || match state.own_pool.get() {
        Some(lines) => format!("In use: your own {}.", units::plural(lines as u64, "text", "texts")),
        None => state.pack.with(|pack| {
            pack.as_ref().map_or_else(String::new, |pack| {
                format!("In use: the pack's own {}.", units::plural(pack.pool_lines as u64, "text", "texts"))
            })
        }),
    };
    let pack_has_none = move || state.pack.with(|pack| pack.as_ref().is_some_and(|pack| pack.pool_lines == 0));
    let use_typed = move |_| {
        if let Some(area) = area.get() {
            engine.use_pool(&area.value());
        }
    };
    let use_file = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = dom::files_of(input.files()).into_iter().next() {
            use_pool_file(engine, file);
        }
        input.set_value("");
    };
    view! {
        <div class="source" data-drop="pool">
            <h3>"Texts"</h3>
            <p class="quiet">{now}</p>
            <textarea
                name="pool"
                node_ref=area
                rows="4"
                aria-label="Texts of your own, one a line"
                placeholder="Paste texts of your own, one a line, or drop a text file here"
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
                    <input class="unseen" type="file" name="pool-file" accept=".txt,text/plain" on:change=use_file/>
                </label>
                <Show when=move || state.own_pool.get().is_none() && pack_has_none()>
                    <button type="button" id="default-pool" on:click=move |_| engine.use_default_pool()>
                        "Use headlamp's own texts"
                    </button>
                </Show>
                <Show when=move || state.own_pool.get().is_some()>
                    <button type="button" class="quiet-button" on:click=move |_| engine.use_pool("")>
                        "Back to the pack's"
                    </button>
                </Show>
            </div>
        </div>
    }
}

#[component]
fn OwnImages() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    let now = move || match state.gallery.get() {
        Gallery::Own { images, .. } => format!("In use: your own {}.", units::plural(images, "image", "images")),
        Gallery::Pack => state.pack.with(|pack| {
            pack.as_ref().map_or_else(String::new, |pack| match pack.statistics_images {
                0 => "In use: none; this pack comes without statistics.".to_owned(),
                images => {
                    format!("In use: the pack's statistics over {}.", units::plural(images, "image", "images"))
                }
            })
        }),
    };
    let skipped = move || match state.gallery.get() {
        Gallery::Own { skipped, .. } if !skipped.is_empty() => {
            Some(format!("Left out, as they could not be read: {}.", skipped.join(", ")))
        }
        _ => None,
    };
    let use_files = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        let files = dom::files_of(input.files());
        if !files.is_empty() {
            engine.use_gallery(files);
        }
        input.set_value("");
    };
    view! {
        <div class="source" data-drop="gallery">
            <h3>"Images"</h3>
            <p class="quiet">{now}</p>
            <p class="quiet hint">
                "A head's texts describe how its outputs vary over many images. With images of your own, they
                describe how it varies over yours. Some hundreds give a steady result; nothing leaves this
                machine. A file that headlamp stats made does as well."
            </p>
            <p class="quiet hint">{skipped}</p>
            <div class="row">
                <label class="button">
                    "Use my own images"
                    <input
                        class="unseen"
                        type="file"
                        name="gallery"
                        accept="image/*,.heic,.heif,.avif,.safetensors"
                        multiple
                        on:change=use_files
                    />
                </label>
                <Show when=move || state.gallery.with(|gallery| *gallery != Gallery::Pack)>
                    <button type="button" class="quiet-button" on:click=move |_| engine.use_gallery(Vec::new())>
                        "Back to the pack's"
                    </button>
                </Show>
            </div>
        </div>
    }
}
