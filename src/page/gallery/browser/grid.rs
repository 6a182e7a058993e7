//! The gallery's thumbnails. Only the visible rows are in the document, no matter how many pictures the gallery has.

use leptos::html::Div;
use leptos::prelude::*;
use leptos_use_element_size::{UseElementSizeReturn, use_element_size};

use crate::page::gallery::browser::state::GalleryState;
use crate::page::gallery::tiles::Tiles;
use crate::text::units;

#[component]
pub fn Grid() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let frame = NodeRef::<Div>::new();
    let UseElementSizeReturn { width, height } = use_element_size(frame);
    let scrolled = RwSignal::new(0.0);
    // The picture at each place.
    let count = Memo::new(move |_| match gallery.order.with(|order| order.as_ref().map(Vec::len)) {
        Some(count) => count,
        None => gallery.pictures.with(|pictures| pictures.len()),
    });
    let at = move |place: usize| {
        gallery.order.with(|order| match order {
            Some(order) => order.get(place).map(|(index, score)| (*index, Some(*score))),
            None => Some((place, None)),
        })
    };
    let tiles = Memo::new(move |_| Tiles::new(count.get(), width.get()));
    let in_sight = Memo::new(move |_| tiles.get().in_sight(scrolled.get(), height.get()));
    Effect::new(move || {
        let pictures: Vec<usize> = in_sight.get().filter_map(at).map(|(index, _)| index).collect();
        gallery.ask_for_thumbnails(&pictures);
    });
    // Scroll to the top for a new order.
    Effect::new(move || {
        gallery.order.track();
        if let Some(frame) = frame.get_untracked() {
            frame.set_scroll_top(0);
        }
    });
    let on_scroll =
        move |_| scrolled.set(frame.get_untracked().map_or(0.0, |frame| f64::from(frame.scroll_top())));
    let name_of = move |index: usize| gallery.pictures.with(|all| all.get(index).map(|entry| entry.name.clone()));
    let places = move || {
        let tile = |place: usize| {
            let (index, score) = at(place)?;
            Some((place, index, score, name_of(index).unwrap_or_default()))
        };
        in_sight.get().filter_map(tile).collect::<Vec<_>>()
    };
    // The key contains the name, because the gallery of another model has another picture at the same place.
    let key = |(place, index, score, name): &(usize, usize, Option<f32>, String)| {
        (*place, *index, score.map(f32::to_bits), name.clone())
    };
    view! {
        <div class="gallery-grid" node_ref=frame on:scroll=on_scroll tabindex="0" role="group" aria-label="Pictures">
            <ul style:height=move || format!("{}px", tiles.get().height())>
                <For each=places key=key let:tile>
                    <Tile place=tile.0 index=tile.1 score=tile.2 name=tile.3 tiles=tiles/>
                </For>
            </ul>
        </div>
    }
}

#[component]
fn Tile(place: usize, index: usize, score: Option<f32>, name: String, tiles: Memo<Tiles>) -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let label = match score {
        Some(score) => format!("{name}, {}", units::signed(score, 3)),
        None => name.clone(),
    };
    let title = name.clone();
    view! {
        <li
            style:transform=move || {
                let (x, y) = tiles.get().corner(place);
                format!("translate({x}px, {y}px)")
            }
            data-index=index
            data-name=name
        >
            <button type="button" title=title aria-label=label on:click=move |_| gallery.open_picture(index)>
                {move || gallery.thumbnail(index).map(|url| view! { <img src=url alt="" decoding="async"/> })}
                {score.map(|score| view! { <span class="score">{units::signed(score, 3)}</span> })}
            </button>
        </li>
    }
}
