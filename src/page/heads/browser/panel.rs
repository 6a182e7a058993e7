//! The chosen head: its map over the photo, and the texts that describe it (docs/PAPERS.md, 1.7).

use leptos::html::Canvas;
use leptos::prelude::*;

use crate::geometry::Size;
use crate::page::common::browser::controls::Choice;
use crate::page::common::browser::dom;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::heads::browser::heads::HeadTexts;
use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::contributions::Cell;
use crate::page::heads::switched_off;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::overlay_controls::HeadScale;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::raster::{self, HeadMapKind};
use crate::protocol::HeadLabel;
use crate::text::units;

/// The chosen head. `first_labels` comes below its texts, and instead of them while there are none.
#[component]
pub fn HeadPanel(#[prop(into)] first_labels: ViewFn) -> impl IntoView {
    let (model, phrases, head_map, heads) = (
        expect_context::<ModelState>(),
        expect_context::<PhrasesState>(),
        expect_context::<HeadMapState>(),
        expect_context::<HeadsState>(),
    );
    let names = expect_context::<HeadNamesState>();
    let cell = move || head_map.head.get().map(|(layer, head)| Cell::Head { layer, head });
    let title = move || match cell() {
        Some(cell) => {
            let name = names.of(cell).map(|(name, _mark)| format!(": {name}"));
            format!("{}{}", cell.name(), name.unwrap_or_default())
        }
        None => "Head".to_owned(),
    };
    let value = move || {
        let (layer, head) = head_map.head.get()?;
        let value = units::signed(heads.value(Cell::Head { layer, head })?, 5);
        let what = if heads.shows_differences() { "difference " } else { "" };
        Some(format!("{what}{value} for {}", heads.subject()?))
    };
    let is_off =
        move || cell().is_some_and(|cell| phrases.switched_off.with(|now| switched_off::is_off(now, cell)));
    let switch = move |_| {
        if let Some(cell) = untrack(cell) {
            phrases.switched_off.update(|now| switched_off::toggle(now, cell));
        }
    };
    view! {
        <section
            id="head-panel"
            aria-labelledby="head-title"
            data-layer=move || head_map.head.get().map(|(layer, _)| layer.to_string())
            data-head=move || head_map.head.get().map(|(_, head)| head.to_string())
        >
            <div class="heading">
                <h2 id="head-title">{title}</h2>
                <p class="quiet name">{value}</p>
                <Show when=move || model.has_text()>
                    <button
                        type="button"
                        id="switch-head"
                        aria-pressed=move || is_off().to_string()
                        disabled=move || cell().is_none() || !model.has_statistics()
                        on:click=switch
                    >
                        {move || if is_off() { "Switch on" } else { "Switch off" }}
                    </button>
                </Show>
            </div>
            <div class="head-body">
                <HeadMap/>
                <Labels first_labels=first_labels/>
            </div>
            <HowComputed about=Topic::HeadMap/>
            <Show when=move || model.has_text()>
                <HowComputed about=Topic::TextSpan/>
            </Show>
        </section>
    }
}

/// Draws the head's map over the part of the photo that the model sees, one square per patch.
#[component]
fn HeadMap() -> impl IntoView {
    let (model, photo, head_map) =
        (expect_context::<ModelState>(), expect_context::<PhotoState>(), expect_context::<HeadMapState>());
    let (backdrop, canvas) = (NodeRef::<Canvas>::new(), NodeRef::<Canvas>::new());
    Effect::new(move || {
        let Some(backdrop) = backdrop.get() else { return };
        photo.photo.with(|photo| {
            let Some(photo) = photo else { return };
            let frame = photo.placement(photo.summary.crop_in_photo, photo.summary.preview).frame_in_preview();
            let size = Size { width: frame.width as usize, height: frame.height as usize };
            dom::paint(&backdrop, size, Some(&photo.pixels), (frame.left, frame.top));
        });
    });
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        let (size, image) = head_map.current().map_or((Size { width: 1, height: 1 }, None), |map| {
            let size = Size { width: map.grid.columns, height: map.grid.rows };
            (size, dom::image_of_slice(&raster::paint_patches(map.kind, &map.map).concat(), size))
        });
        dom::paint(&canvas, size, image.as_ref(), (0.0, 0.0));
    });
    view! {
        <div class="head-map-panel">
            <div class="head-stage">
                <canvas class="head-photo" node_ref=backdrop aria-hidden="true" width="1" height="1"></canvas>
                <canvas
                    class="head-map"
                    node_ref=canvas
                    role="img"
                    aria-label=move || format!("The map of {}", head_map.describe().unwrap_or_default())
                    width="1"
                    height="1"
                ></canvas>
            </div>
            <Show
                when=move || model.has_text()
                fallback=|| view! { <p class="quiet hint">"The attention of the CLS token to each patch."</p> }
            >
                <Choice
                    legend="What the map shows"
                    name="map-kind"
                    options=vec![(HeadMapKind::Contribution, "Contribution"), (HeadMapKind::Attention, "Attention")]
                    value=head_map.kind
                    on_change=move |kind| head_map.kind.set(kind)
                />
            </Show>
            <HeadScale/>
            <Show when=move || !head_map.group.with(Vec::is_empty)>
                <p class="quiet hint" id="map-of-group">
                    {move || head_map.describe().map(|heads| format!("The map of {heads}."))}
                </p>
                <button type="button" on:click=move |_| head_map.group.set(Vec::new())>"Only this head"</button>
            </Show>
        </div>
    }
}

#[component]
fn Labels(first_labels: ViewFn) -> impl IntoView {
    let (model, head_map, heads) =
        (expect_context::<ModelState>(), expect_context::<HeadMapState>(), expect_context::<HeadsState>());
    let texts = Memo::new(move |_| {
        let head = head_map.head.get();
        heads.texts.with(|texts| {
            let HeadTexts { head: of, labels, images } = texts.as_ref()?;
            (Some(*of) == head).then(|| (labels.clone(), *images))
        })
    });
    let label = |HeadLabel { text, variance_explained: share, .. }: HeadLabel| {
        view! {
            <li data-text=text.clone() data-explained=share.to_string()>
                <span class="text">{text.clone()}</span>
                <span class="explained">{units::percent(share)}</span>
                <span class="bar" aria-hidden="true">
                    <span class="fill" style=format!("width:{:.2}%", share * 100.0)></span>
                </span>
            </li>
        }
    };
    let list = move || texts.get().map(|(labels, _)| labels.into_iter().map(label).collect_view());
    let source = move || {
        let images = texts.get().map_or(0, |(_, images)| images);
        let lines = Some(model.label_sources.pool_lines() as u64).filter(|lines| *lines > 0);
        let among = lines.map(|lines| format!("among {} ", units::plural(lines, "text", "texts")));
        format!(
            "This head's outputs vary most along these texts, chosen {}over {}. The percentage is the share \
             of the variance that a text and those above it explain. Where it stays low, words describe \
             little of what the head does.",
            among.unwrap_or_default(),
            units::plural(images, "image", "images"),
        )
    };
    let is_shown = move || model.can_label_heads() || model.pack.with(Option::is_none);
    view! {
        <div class="labels-panel">
            <Show when=is_shown>
                <ol class="labels" class:waiting=move || texts.with(Option::is_none)>{list}</ol>
                <Show when=move || texts.with(Option::is_some)>
                    <p class="quiet hint">{source}" "<a href="#model-panel">"What to expect of this model."</a></p>
                </Show>
            </Show>
            <Show when=move || !model.has_text()>
                <p class="quiet">"This model cannot score phrases, so its heads have no texts."</p>
            </Show>
            {first_labels.run()}
        </div>
    }
}
