//! The grid of all components: layers by heads, one MLP per layer, and the embedding z0. Each cell is coloured by its
//! contribution to the chosen phrase's score (docs/PAPERS.md, 1.1), or by the difference between the contribution and
//! its mean over many images (1.11). The cell of a head also has the mark of the property that names the head.

use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::{HtmlElement, KeyboardEvent};
use wasm_bindgen::JsCast as _;

use crate::page::common::browser::colour_scale::ColourScale;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::colour::Ramp;
use crate::page::common::formulas::Topic;
use crate::page::heads::browser::average_picture::AveragePicture;
use crate::page::heads::browser::contrast::Contrast;
use crate::page::heads::browser::grid_cell::GridCell;
use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::browser::property_mark::PropertyMark;
use crate::page::heads::contributions::{Cell, Contributions, Extent, Step};
use crate::page::heads::properties::Property;
use crate::page::heads::switched_off;
use crate::page::model::address::ModelAddress;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::text::units;

#[component]
pub fn HeadGrid() -> impl IntoView {
    let (model, head_map, heads) =
        (expect_context::<ModelState>(), expect_context::<HeadMapState>(), expect_context::<HeadsState>());
    let extent = Memo::new(move |_| {
        let of_pack =
            || model.pack.with(|pack| pack.as_ref().map(|pack| Extent { layers: pack.layers, heads: pack.heads }));
        // Precomputed results are on screen before the model is open.
        let of_computed = || heads.contributions.with(|all| all.as_ref().map(Contributions::extent));
        of_pack().or_else(of_computed).or_else(|| awaited(model))
    });
    view! {
        <section class="head-grid" aria-labelledby="grid-title">
            <div class="heading">
                <h2 id="grid-title">"Heads"</h2>
                <p class="quiet name">{move || heads.subject().map(|subject| format!("for {subject}"))}</p>
                <Show when=move || model.has_text()>
                    <button
                        type="button"
                        class="quiet-button"
                        disabled=move || heads.strongest().is_none()
                        on:click=move |_| head_map.head.set(untrack(|| heads.strongest()))
                    >
                        "Strongest"
                    </button>
                </Show>
            </div>
            <Readout/>
            <Show when=move || model.has_text()>
                <Contrast/>
                <AveragePicture/>
            </Show>
            {move || extent.get().map(|extent| view! { <Cells extent=extent/> })}
            <Show when=move || model.has_text()>
                <Legend/>
                <HowComputed about=Topic::Contributions/>
                <Show when=move || heads.shows_differences()>
                    <HowComputed about=Topic::Differences/>
                </Show>
            </Show>
        </section>
    }
}

/// Returns the size of the default model's grid while the model loads, so that the page reserves the space.
fn awaited(model: ModelState) -> Option<Extent> {
    let is_default =
        model.address.with(|model| model.as_ref().is_none_or(|model| *model == ModelAddress::default()));
    is_default.then_some(Extent { layers: 12, heads: 6 })
}

/// Shows the exact value of the cell under the pointer or the focus, or else of the chosen head.
#[component]
fn Readout() -> impl IntoView {
    let (head_map, heads) = (expect_context::<HeadMapState>(), expect_context::<HeadsState>());
    let names = expect_context::<HeadNamesState>();
    let cell = move || {
        let chosen = || head_map.head.get().map(|(layer, head)| Cell::Head { layer, head });
        heads.pointed.get().or_else(chosen)
    };
    let value = move || heads.value(cell()?);
    let share = move || {
        let total = heads.values.with(|values| values.as_ref().map(|values| values.parts.total()))?;
        Some(format!("of {}", units::signed(total, 4)))
    };
    let name = move || {
        let cell = cell()?;
        Some(match names.of(cell) {
            Some((name, _mark)) => format!("{}, {name}", cell.name()),
            None => cell.name(),
        })
    };
    view! {
        <p class="readout">
            <span>{move || name().unwrap_or_else(|| "No phrase is chosen".to_owned())}</span>
            <b>{move || value().map(|value| units::signed(value, 5))}</b>
            <span class="quiet">{move || value().and_then(|_| share())}</span>
        </p>
    }
}

/// Returns a cell's CSS selector.
fn selector(cell: Cell) -> String {
    match cell {
        Cell::Head { layer, head } => format!("button.head[data-layer='{layer}'][data-head='{head}']"),
        Cell::Mlp { layer } => format!("[data-mlp='{layer}']"),
        Cell::Embedding => ".embedding-cell".to_owned(),
    }
}

/// The cells. Together they are one stop for the Tab key; arrow keys move inside.
#[component]
fn Cells(extent: Extent) -> impl IntoView {
    let (model, phrases, head_map, heads) = (
        expect_context::<ModelState>(),
        expect_context::<PhrasesState>(),
        expect_context::<HeadMapState>(),
        expect_context::<HeadsState>(),
    );
    let grid = NodeRef::<Div>::new();
    // The cell that the Tab key leads to: the last cell that had the focus, or else the chosen head.
    let visited = RwSignal::new(None::<Cell>);
    let stop = Memo::new(move |_| {
        let chosen = || head_map.head.get().map(|(layer, head)| Cell::Head { layer, head });
        let first = Cell::Head { layer: extent.layers.saturating_sub(1), head: 0 };
        visited.get().or_else(chosen).unwrap_or(first)
    });
    let move_on = move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "x" | "X") && model.has_statistics() {
            phrases.switched_off.update(|now| switched_off::toggle(now, stop.get_untracked()));
        }
        let Some(step) = Step::of_key(&event.key()) else { return };
        event.prevent_default();
        let next = extent.after(stop.get_untracked(), step);
        visited.set(Some(next));
        let found = grid.get().and_then(|grid| grid.query_selector(&selector(next)).ok().flatten());
        if let Some(cell) = found.and_then(|cell| cell.dyn_into::<HtmlElement>().ok()) {
            let _focused = cell.focus();
        }
    };
    let rows = (0..extent.layers)
        .map(|layer| view! { <Layer layer=layer heads=extent.heads stop=stop visited=visited/> });
    view! {
        <div
            class="cells"
            class:dense={extent.heads > 12}
            // Reserves the space of the marks, so that the layout does not shift when the names arrive.
            class:named=move || model.can_label_heads() || model.pack.with(Option::is_none)
            node_ref=grid
            role="grid"
            aria-label="Contribution of every head, MLP and the embedding; the last layer is at the top"
            style:--heads=extent.heads.to_string()
            on:keydown=move_on
            on:pointerleave=move |_| heads.pointed.set(None)
            on:focusout=move |_| heads.pointed.set(None)
        >
            // In the document, the embedding and the first layer come first. On screen they are at the bottom.
            <div class="grid-row" role="row">
                <span class="axis" role="rowheader">"z0"</span>
                <GridCell cell=Cell::Embedding stop=stop visited=visited/>
                <span class="note">"the embedding before the first layer"</span>
            </div>
            {rows.collect_view()}
            <div class="grid-row columns" role="row">
                <span class="axis" role="columnheader">"layer"</span>
                {(0..extent.heads)
                    .map(|head| view! { <span class="axis" role="columnheader">{head}</span> })
                    .collect_view()}
                <span class="axis mlp" role="columnheader">"MLP"</span>
            </div>
        </div>
    }
}

#[component]
fn Layer(layer: usize, heads: usize, stop: Memo<Cell>, visited: RwSignal<Option<Cell>>) -> impl IntoView {
    let cells =
        (0..heads).map(|head| view! { <GridCell cell=Cell::Head { layer, head } stop=stop visited=visited/> });
    view! {
        <div class="grid-row" role="row">
            <span class="axis" role="rowheader">{layer}</span>
            {cells.collect_view()}
            <GridCell cell=Cell::Mlp { layer } stop=stop visited=visited/>
        </div>
    }
}

/// Explains the colours.
#[component]
fn Legend() -> impl IntoView {
    let heads = expect_context::<HeadsState>();
    let scales = Memo::new(move |_| {
        heads.values.with(|values| {
            let parts = &values.as_ref()?.parts;
            Some((parts.head_scale(), parts.other_scale()))
        })
    });
    let scale = |what: &'static str, scale: f32| {
        let ends = (units::signed(-scale, 4), units::signed(scale, 4));
        view! { <ColourScale what=what.to_owned() ramp=Ramp::Diverging ends=ends/> }
    };
    view! {
        <div class="legend">
            {move || scales.get().map(|(heads, others)| (scale("heads", heads), scale("MLPs, z0", others)))}
            <p class="quiet hint">
                {move || if heads.shows_differences() {
                    "Orange cells add more to the phrase's score than in an average picture, blue cells add less. \
                     Hatched cells are switched off: they are as in an average picture."
                } else {
                    "Orange cells add to the phrase's score, blue cells reduce it. All cells together sum to the \
                     score. Hatched cells are switched off."
                }}
            </p>
            <PropertyLegend/>
        </div>
    }
}

/// Explains the marks of the properties. A press on a property chooses it.
#[component]
fn PropertyLegend() -> impl IntoView {
    let names = expect_context::<HeadNamesState>();
    let all = Memo::new(move |_| names.in_use());
    let chip = move |Property { name, mark, .. }: Property| {
        let own = StoredValue::new(name.clone());
        let is_chosen = move || names.chosen.with(|chosen| own.with_value(|own| chosen.as_ref() == Some(own)));
        view! {
            <li>
                <button
                    type="button"
                    data-property=name.clone()
                    aria-pressed=move || is_chosen().to_string()
                    on:click=move |_| names.toggle(&own.get_value())
                >
                    <PropertyMark mark=mark/>
                    {name.clone()}
                </button>
            </li>
        }
    };
    view! {
        <ul class="property-legend" aria-label="Properties of the heads">
            {move || all.get().into_iter().map(chip).collect_view()}
        </ul>
        <Show when=move || all.with(|all| !all.is_empty())>
            <p class="quiet hint">
                "A head's mark is the property that its texts stand out for. Heads without a mark are mixed. "
                <a href="#what-heads-do">"What the heads do"</a>
            </p>
        </Show>
    }
}
