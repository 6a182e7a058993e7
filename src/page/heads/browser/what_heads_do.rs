//! "What the heads do": the properties that name heads, with the heads of each, their texts and their contributions.
//! A chosen property is shown on the photo, or switched off.

use leptos::prelude::*;

use crate::page::common::browser::dom;
use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::browser::property_mark::PropertyMark;
use crate::page::heads::contributions::Cell;
use crate::page::heads::properties::{HeadOfProperty, Property};
use crate::page::heads::switched_off;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::overlay::OverlayState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::raster::Layer;
use crate::text::units;

/// The number of texts that a property shows while it is closed, and each of its heads while it is open.
const TEXTS: usize = 3;

/// The list of properties. `gallery` is shown below the heads of the chosen property.
#[component]
pub fn WhatHeadsDo(#[prop(into)] gallery: ViewFn) -> impl IntoView {
    let (model, names) = (expect_context::<ModelState>(), expect_context::<HeadNamesState>());
    let says = move || match (names.properties.get(), names.progress.get()) {
        (Some(properties), _) if properties.all.is_empty() => {
            "The texts in use have no properties, so no head has a name.".to_owned()
        }
        (Some(properties), _) => format!("{}. The others are mixed.", properties.summary()),
        (None, Some((done, total))) => format!("Naming the heads: {done} of {total} have their texts…"),
        (None, None) if model.can_label_heads() => "Naming the heads…".to_owned(),
        (None, None) => "A head gets its name from its texts. Texts need head statistics and a list of texts: \
                         choose both below, where the heads' texts come from."
            .to_owned(),
    };
    let unused = move || {
        names.properties.with(|properties| {
            let unused = properties.as_ref()?.all.iter().filter(|property| property.heads.is_empty());
            let names: Vec<&str> = unused.map(|property| property.name.as_str()).collect();
            (!names.is_empty()).then(|| format!("No head is named by: {}.", names.join(", ")))
        })
    };
    view! {
        <section id="what-heads-do" aria-labelledby="what-heads-do-title">
            <div class="heading">
                <h2 id="what-heads-do-title">"What the heads do"</h2>
            </div>
            <p class="quiet" role="status">{says}</p>
            <ul class="property-list">
                <For
                    each=move || names.in_use()
                    // A property whose heads or texts have changed is a new row.
                    key=|property| (property.mark.clone(), property.name.clone(), property.members_and_texts())
                    let:property
                >
                    <PropertyRow property=property gallery=gallery.clone()/>
                </For>
            </ul>
            <p class="quiet hint">{unused}</p>
        </section>
    }
}

/// A property with the sum of its heads' values. A press opens or closes it.
#[component]
fn PropertyRow(property: Property, gallery: ViewFn) -> impl IntoView {
    let (heads, names) = (expect_context::<HeadsState>(), expect_context::<HeadNamesState>());
    let count = units::plural(property.heads.len() as u64, "head", "heads");
    let texts = property.first_texts().into_iter().take(TEXTS).collect::<Vec<_>>().join(" · ");
    let Property { name, mark, .. } = property.clone();
    let (members, row_name) = (StoredValue::new(property.heads()), StoredValue::new(name.clone()));
    let is_chosen =
        Memo::new(move |_| names.chosen.with(|chosen| row_name.with_value(|name| chosen.as_ref() == Some(name))));
    let value = Memo::new(move |_| {
        heads.values.with(|values| {
            let parts = &values.as_ref()?.parts;
            Some(members.with_value(|heads| parts.sum_of_heads(heads)))
        })
    });
    let property = StoredValue::new(property);
    view! {
        <li data-property=name.clone()>
            <button
                type="button"
                class="open-property"
                aria-expanded=move || is_chosen.get().to_string()
                data-value=move || value.get().map(|value| value.to_string())
                on:click=move |_| names.toggle(&row_name.get_value())
            >
                <PropertyMark mark=mark/>
                <span class="text">{name.clone()}</span>
                <span class="quiet">{count}</span>
                <b class:negative=move || value.get().is_some_and(|value| value < 0.0)>
                    {move || value.get().map(|value| units::signed(value, 3))}
                </b>
                <span class="quiet first-texts">{texts}</span>
            </button>
            <Show when=move || is_chosen.get()>
                <OpenProperty property=property.get_value()/>
                {gallery.run()}
            </Show>
        </li>
    }
}

/// The heads of the chosen property, and the buttons that show them on the photo or switch them off.
#[component]
fn OpenProperty(property: Property) -> impl IntoView {
    let (model, phrases, head_map, overlay) = (
        expect_context::<ModelState>(),
        expect_context::<PhrasesState>(),
        expect_context::<HeadMapState>(),
        expect_context::<OverlayState>(),
    );
    let members = StoredValue::new(property.heads());
    let is_shown = move || {
        overlay.layer.get() == Layer::Head
            && head_map.group.with(|group| members.with_value(|heads| group == heads))
    };
    let show = move |_| {
        if untrack(is_shown) {
            return head_map.group.set(Vec::new());
        }
        head_map.group.set(members.get_value());
        overlay.layer.set(Layer::Head);
        dom::scroll_to(".photo-panel");
    };
    let is_off =
        move || phrases.switched_off.with(|now| members.with_value(|heads| switched_off::are_off(now, heads)));
    let switch = move |_| {
        phrases.switched_off.update(|now| members.with_value(|heads| switched_off::toggle_heads(now, heads)));
    };
    let head = move |HeadOfProperty { head: (layer, head), share, texts }: HeadOfProperty| {
        let is_chosen = move || head_map.head.get() == Some((layer, head)) && head_map.group.with(Vec::is_empty);
        let name = Cell::Head { layer, head }.name();
        view! {
            <li>
                <button
                    type="button"
                    aria-label=name
                    aria-pressed=move || is_chosen().to_string()
                    on:click=move |_| head_map.head.set(Some((layer, head)))
                >
                    {format!("{layer}.{head}")}
                </button>
                <span class="quiet">{units::percent(share)}</span>
                <span>{texts.into_iter().take(TEXTS).collect::<Vec<_>>().join(" · ")}</span>
            </li>
        }
    };
    view! {
        <div class="row">
            <button type="button" id="show-property" aria-pressed=move || is_shown().to_string() on:click=show>
                "Show on the photo"
            </button>
            <button
                type="button"
                id="switch-property"
                aria-pressed=move || is_off().to_string()
                disabled=move || !model.has_statistics()
                on:click=switch
            >
                {move || if is_off() { "Switch on" } else { "Switch off" }}
            </button>
        </div>
        <p class="quiet hint">
            "The number is the sum of these heads in the grid, the map the sum of their maps. The percentage is
            the share of a head's explained variance that falls to the property."
        </p>
        <ul class="property-heads" aria-label="Heads of the property">
            {property.heads.into_iter().map(head).collect_view()}
        </ul>
    }
}
