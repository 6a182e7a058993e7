//! The gallery seen through a property of heads: the pictures that vary most along its heads, and the order by its
//! heads (docs/PAPERS.md, 1.13).

use leptos::prelude::*;

use super::state::{GalleryOrder, GalleryState, OrderBasis};
use crate::page::common::browser::dom;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::text::units;

/// The part of the gallery that belongs to the chosen property.
#[component]
pub fn PropertyPictures() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let property =
        Memo::new(move |_| gallery.names.property().map(|property| (property.name.clone(), property.heads())));
    let has_pictures = move || gallery.pictures.with(|pictures| !pictures.is_empty());
    let order = move |_| {
        let Some((_name, members)) = property.get_untracked() else { return };
        gallery.heads.set(members.into_iter().collect());
        gallery.through.set(OrderBasis::Heads);
        gallery.by.set(GalleryOrder::Photo);
        dom::scroll_to("#gallery");
    };
    let says = move || {
        let name = property.with(|property| property.as_ref().map(|(name, _)| name.clone())).unwrap_or_default();
        format!("Order my gallery by {name}, like this photo")
    };
    view! {
        <Show
            when=has_pictures
            fallback=|| view! {
                <p class="quiet hint">
                    "Add pictures to the gallery to see which of them these heads tell apart, and to order them by
                    this property."
                </p>
            }
        >
            <div class="row">
                <button type="button" id="order-by-property" on:click=order>{says}</button>
            </div>
            <Outlying/>
        </Show>
    }
}

/// The pictures in which the heads of the property differ most from their mean.
#[component]
fn Outlying() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let tiles = move || {
        let order = gallery.outlying.get().unwrap_or_default();
        let name = |index: usize| gallery.pictures.with(|all| all.get(index).map(|entry| entry.name.clone()));
        order.into_iter().filter_map(|(index, length)| Some((index, length, name(index)?))).collect::<Vec<_>>()
    };
    let tile = move |(index, length, name): (usize, f32, String)| {
        let length = units::signed(length, 3).trim_start_matches('+').to_owned();
        view! {
            <li data-index=index>
                <button
                    type="button"
                    title=name.clone()
                    aria-label=format!("{name}, {length}")
                    on:click=move |_| gallery.open_picture(index)
                >
                    {move || gallery.thumbnail(index).map(|url| view! { <img src=url alt="" decoding="async"/> })}
                    <span class="score">{length.clone()}</span>
                </button>
            </li>
        }
    };
    view! {
        <h3>"Pictures that vary most"</h3>
        <p class="quiet hint">
            "In these pictures of your gallery, the heads of this property differ most from their mean."
        </p>
        <ul class="outlying" aria-label="Pictures that vary most">
            {move || tiles().into_iter().map(tile).collect_view()}
        </ul>
        <HowComputed about=Topic::OutlyingPictures/>
    }
}
