//! The model in use, its device, and the timings and the sum check of the current photo.

use leptos::prelude::*;

use crate::geometry::Size;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::model::browser::destination::CompareButton;
use crate::page::model::browser::label_sources::LabelSources;
use crate::page::model::browser::state::ModelState;
use crate::page::model::browser::storage_costs::Storages;
use crate::protocol::{HeadNames, PackSummary, PhotoSummary};
use crate::text::units;

/// The decomposition is exact: a larger difference than this is an error.
const SUM_CHECK: f64 = 1e-4;

/// A value, in one form for programs and one for people.
struct Figure {
    raw: String,
    shown: String,
}

impl Figure {
    fn new(raw: impl ToString, shown: impl Into<String>) -> Self {
        Self { raw: raw.to_string(), shown: shown.into() }
    }

    fn count(count: u64) -> Self {
        Self::new(count, units::count(count))
    }

    fn seconds(seconds: f64) -> Self {
        Self::new(seconds, units::seconds(seconds))
    }

    fn text(text: &str) -> Self {
        Self::new(text, text)
    }
}

#[component]
pub fn ModelPanel(
    /// The current photo.
    #[prop(into)]
    photo: Signal<Option<PhotoSummary>>,
    /// Whether the photo's figures were measured on this machine.
    #[prop(into)]
    is_measured_here: Signal<bool>,
    /// The names of the heads.
    names: RwSignal<Option<HeadNames>>,
    /// The view below the figures.
    children: Children,
) -> impl IntoView {
    let model = expect_context::<ModelState>();
    let description = move || {
        let text = model.pack.with(|pack| pack.as_ref().map(|pack| pack.description.clone())).unwrap_or_default();
        let paragraphs = text.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        paragraphs.map(|text| view! { <p>{text.to_owned()}</p> }).collect_view()
    };
    view! {
        <section id="model-panel" aria-labelledby="model-title">
            <div class="heading">
                <h2 id="model-title">"Model"</h2>
                <CompareButton/>
            </div>
            <div class="description">{description}</div>
            <div class="figure-groups">
                <ModelFigures/>
                <DeviceFigures/>
                <PhotoFigures photo=Signal::derive(move || photo.get().filter(|_| is_measured_here.get()))/>
                <Show when=move || names.with(|names| names.as_ref().is_some_and(has_properties))>
                    <NameFigures names=names/>
                </Show>
            </div>
            {children()}
            <SumCheck photo=photo/>
            <Show when=move || names.with(|names| names.as_ref().is_some_and(has_properties))>
                <HowComputed about=Topic::Names/>
            </Show>
            <Storages/>
            <SaveModel/>
        </section>
    }
}

/// Saves the model as one file.
#[component]
fn SaveModel() -> impl IntoView {
    let model = expect_context::<ModelState>();
    view! {
        <div class="row">
            <button
                type="button"
                id="save-model"
                disabled=move || model.pack.with(Option::is_none)
                on:click=move |_| model.save()
            >
                "Save this model"
            </button>
            <p class="quiet hint">
                "One file with the weights, and with the texts and statistics in use. It opens when you drop it here, by a
                link (?pack=) and in the command-line tool."
            </p>
        </div>
    }
}

#[component]
fn ModelFigures() -> impl IntoView {
    view! {
        <dl>
            <Field name="name" label="Pack" figure=of_pack(|pack| Figure::text(&pack.name))/>
            <Field name="licence" label="Licence" figure=of_pack(|pack| Figure::text(&pack.licence))/>
            <Field
                name="layers"
                label="Layers × heads"
                figure=of_pack(|pack| Figure::new(pack.layers, format!("{} × {}", pack.layers, pack.heads)))
            />
            <Field
                name="width"
                label="Width, embedding"
                figure=of_pack(|pack| Figure::new(pack.width, format!("{}, {}", pack.width, pack.embedding)))
            />
            <Field
                name="image-size"
                label="Crop, patch"
                figure=of_pack(|pack| Figure::new(pack.image_size, format!("{} px, {} px", pack.image_size, pack.patch)))
            />
            <Field name="parameters" label="Parameters" figure=of_pack(|pack| Figure::count(pack.parameters))/>
            <Field name="bytes" label="Size" figure=of_pack(|pack| Figure::new(pack.bytes, units::bytes(pack.bytes)))/>
            <Field
                name="statistics-images"
                label="Images behind the statistics"
                figure=of_labels(|labels| labels.statistics_images())
            />
            <Field
                name="pool-lines"
                label="Texts in the pool"
                figure=of_labels(|labels| labels.pool_lines() as u64)
            />
        </dl>
    }
}

#[component]
fn DeviceFigures() -> impl IntoView {
    view! {
        <dl>
            <Field
                name="device"
                label="Device"
                figure=of_pack(|pack| Figure::new(&pack.device.kind, device(&pack.device.kind, &pack.device.name)))
            />
            <Field name="why" label="Why this device" figure=of_pack(|pack| Figure::text(&pack.device.why))/>
            <Field
                name="download-seconds"
                label="Download"
                figure=of_pack(|pack| Figure::seconds(pack.seconds.download))
            />
            <Field name="load-seconds" label="Loading" figure=of_pack(|pack| Figure::seconds(pack.seconds.load))/>
        </dl>
    }
}

fn device(kind: &str, name: &str) -> String {
    if name.is_empty() || name == kind { kind.to_owned() } else { format!("{kind}: {name}") }
}

#[component]
fn PhotoFigures(photo: Signal<Option<PhotoSummary>>) -> impl IntoView {
    let size = |size: Size| format!("{} × {} px", size.width, size.height);
    view! {
        <dl>
            <Field
                name="photo-size"
                label="Photo"
                figure=of_photo(photo, move |photo| Figure::new(photo.photo.width, size(photo.photo)))
            />
            <Field
                name="grid"
                label="Patches"
                figure=of_photo(photo, |photo| {
                    Figure::new(photo.grid.len(), format!("{} × {}", photo.grid.columns, photo.grid.rows))
                })
            />
            <Field
                name="decode-seconds"
                label="Decoding the photo"
                figure=of_photo(photo, |photo| Figure::seconds(photo.seconds.decode))
            />
            <Field
                name="encode-seconds"
                label="Running the model"
                figure=of_photo(photo, |photo| Figure::seconds(photo.seconds.encode))
            />
            <Field
                name="residual"
                label="Sum check"
                figure=of_photo(photo, |photo| Figure::new(photo.residual, units::scientific(photo.residual)))
            />
        </dl>
    }
}

/// Returns whether the pool groups its texts, so that heads can have names.
fn has_properties(names: &HeadNames) -> bool {
    !names.properties.is_empty()
}

/// Shows how many heads have a name, and how clear the names are (docs/PAPERS.md, 1.15).
#[component]
fn NameFigures(names: RwSignal<Option<HeadNames>>) -> impl IntoView {
    let of_names = move |figure: fn(&HeadNames) -> Figure| {
        Signal::derive(move || {
            names.with(|names| names.as_ref().map(figure).map(|Figure { raw, shown }| (raw, shown)))
        })
    };
    let named = |names: &HeadNames| {
        let heads = names.heads.iter().flatten().count();
        Figure::new(names.named(), format!("{} of {heads}", names.named()))
    };
    view! {
        <dl>
            <Field name="named-heads" label="Heads with a name" figure=of_names(named)/>
            <Field
                name="consistency"
                label="Concept consistency"
                figure=of_names(|names| {
                    let texts = names.consistency * 5.0;
                    Figure::new(names.consistency, format!("{texts:.1} of 5 texts fit the name"))
                })
            />
            <Field
                name="entanglement"
                label="Entanglement"
                figure=of_names(|names| Figure::new(names.entanglement, format!("{:.2}", names.entanglement)))
            />
        </dl>
    }
}

/// Shows whether the components sum to the embedding (docs/PAPERS.md, 1.3).
#[component]
fn SumCheck(photo: Signal<Option<PhotoSummary>>) -> impl IntoView {
    let residual = move || photo.with(|photo| photo.as_ref().map(|photo| photo.residual));
    let says = move || {
        residual().map(|residual| {
            let size = units::scientific(residual);
            if residual < SUM_CHECK {
                format!(
                    "The parts add up: heads, MLPs and z0 (the embedding before the first layer) sum to the \
                     model's embedding of this photo, with an error of {size}. The grid shows everything."
                )
            } else {
                format!(
                    "The parts do not add up: their sum differs from the model's embedding by {size}. Do not \
                     trust the numbers on this page; try another device."
                )
            }
        })
    };
    view! {
        <p
            class="sum-check"
            class:holds=move || residual().is_some_and(|residual| residual < SUM_CHECK)
            class:fails=move || residual().is_some_and(|residual| residual >= SUM_CHECK || residual.is_nan())
        >
            {says}
        </p>
    }
}

fn of_pack(figure: impl Fn(&PackSummary) -> Figure + Send + Sync + 'static) -> Signal<Option<(String, String)>> {
    let model = expect_context::<ModelState>();
    Signal::derive(move || {
        model.pack.with(|pack| pack.as_ref().map(&figure).map(|Figure { raw, shown }| (raw, shown)))
    })
}

/// Returns a count of the labels' sources in use; `None` until a model is open.
fn of_labels(count: impl Fn(LabelSources) -> u64 + Send + Sync + 'static) -> Signal<Option<(String, String)>> {
    let model = expect_context::<ModelState>();
    Signal::derive(move || {
        let Figure { raw, shown } = Figure::count(count(model.label_sources));
        model.pack.with(Option::is_some).then_some((raw, shown))
    })
}

fn of_photo(
    photo: Signal<Option<PhotoSummary>>,
    figure: impl Fn(&PhotoSummary) -> Figure + Send + Sync + 'static,
) -> Signal<Option<(String, String)>> {
    Signal::derive(move || {
        photo.with(|photo| photo.as_ref().map(&figure).map(|Figure { raw, shown }| (raw, shown)))
    })
}

#[component]
fn Field(name: &'static str, label: &'static str, figure: Signal<Option<(String, String)>>) -> impl IntoView {
    view! {
        <div class="field" data-field=name data-value=move || figure.get().map(|(raw, _)| raw)>
            <dt>{label}</dt>
            <dd>{move || figure.get().map_or_else(|| "·".to_owned(), |(_, shown)| shown)}</dd>
        </div>
    }
}
