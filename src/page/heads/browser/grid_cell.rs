//! A cell of the grid: a head, an MLP, or the embedding z0.

use leptos::prelude::*;

use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::browser::property_mark::PropertyMark;
use crate::page::heads::contributions::{Cell, strength};
use crate::page::heads::switched_off;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::text::units;

/// One cell, coloured by its value.
#[component]
pub fn GridCell(cell: Cell, stop: Memo<Cell>, visited: RwSignal<Option<Cell>>) -> impl IntoView {
    let (model, phrases, head_map, heads, names) = (
        expect_context::<ModelState>(),
        expect_context::<PhrasesState>(),
        expect_context::<HeadMapState>(),
        expect_context::<HeadsState>(),
        expect_context::<HeadNamesState>(),
    );
    let value = Memo::new(move |_| heads.value(cell));
    let share = move || {
        heads.values.with(|values| {
            let (all, value) = (&values.as_ref()?.parts, value.get()?);
            let scale = if matches!(cell, Cell::Head { .. }) { all.head_scale() } else { all.other_scale() };
            Some(strength(value, scale))
        })
    };
    let paint = move || share().map(|share| format!("{:.1}%", share.abs() * 100.0));
    let is_off = move || phrases.switched_off.with(|now| switched_off::is_off(now, cell));
    let switch = move |_| {
        if model.has_statistics() {
            phrases.switched_off.update(|now| switched_off::toggle(now, cell));
        }
    };
    let is_negative = move || share().is_some_and(|share| share < 0.0);
    // Both are f32, not rounded.
    let contribution =
        move || heads.contributions.with(|all| all.as_ref()?.of(cell)).map(|value| value.to_string());
    let shown = move || value.get().map(|value| value.to_string());
    let named = Memo::new(move |_| names.of(cell));
    let name = move || named.with(|named| named.as_ref().map(|(name, _mark)| name.clone()));
    let label = move || {
        let value = value.get().map(|value| units::signed(value, 5)).unwrap_or_default();
        let name = name().map(|name| format!(", {name}")).unwrap_or_default();
        let off = if is_off() { ", switched off" } else { "" };
        format!("{}{name}{off}: {value}", cell.name())
    };
    let tabindex = move || if stop.get() == cell { "0" } else { "-1" };
    let point = move |_| heads.pointed.set(Some(cell));
    let focus = move |_| {
        visited.set(Some(cell));
        heads.pointed.set(Some(cell));
    };
    match cell {
        Cell::Head { layer, head } => {
            let is_chosen = move || head_map.head.get() == Some((layer, head));
            let is_of_property = move || names.chosen.with(|chosen| chosen.is_some() && *chosen == name());
            view! {
                <div role="gridcell">
                    <button
                        type="button"
                        class="head cell"
                        class:negative=is_negative
                        class:off=is_off
                        class:of-property=is_of_property
                        data-layer=layer.to_string()
                        data-head=head.to_string()
                        data-property=name
                        data-contribution=contribution
                        data-value=shown
                        aria-label=label
                        aria-pressed=move || is_chosen().to_string()
                        tabindex=tabindex
                        style:--share=paint
                        on:click=move |_| head_map.head.set(Some((layer, head)))
                        on:pointerenter=point
                        on:focus=focus
                    >
                        {move || named.get().map(|(_name, mark)| view! { <PropertyMark mark=mark/> })}
                    </button>
                </div>
            }
            .into_any()
        }
        Cell::Mlp { .. } | Cell::Embedding => {
            let mlp = if let Cell::Mlp { layer } = cell { Some(layer.to_string()) } else { None };
            let is_mlp = mlp.is_some();
            view! {
                <div
                    role="gridcell"
                    class="cell"
                    class:mlp=is_mlp
                    class:embedding-cell=!is_mlp
                    class:negative=is_negative
                    class:off=is_off
                    on:click=switch
                    data-mlp=mlp
                    data-contribution=move || contribution().filter(|_| is_mlp)
                    data-embedding-contribution=move || contribution().filter(|_| !is_mlp)
                    data-value=shown
                    aria-label=label
                    tabindex=tabindex
                    style:--share=paint
                    on:pointerenter=point
                    on:focus=focus
                ></div>
            }
            .into_any()
        }
    }
}
