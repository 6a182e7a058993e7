//! The gallery: the person's own pictures. The model runs on them in the background, and they are ordered by
//! similarity or score, through a head or the whole model (docs/PAPERS.md, 1.13).

use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use super::state::{GalleryOrder, OrderBasis};
use super::{cues, grid};
use crate::page::common::browser::controls::{Choice, HeadChips};
use crate::page::common::browser::dom;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::gallery::browser::state::GalleryState;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::text::units;

#[component]
pub fn Gallery() -> impl IntoView {
    let (model, gallery) = (expect_context::<ModelState>(), expect_context::<GalleryState>());
    let count = move || gallery.pictures.with(|pictures| pictures.len());
    let held = move || match count() {
        0 => String::new(),
        count => units::plural(count as u64, "picture", "pictures"),
    };
    view! {
        <section
            id="gallery"
            aria-labelledby="gallery-title"
            data-drop="gallery"
            data-pictures=count
        >
            <div class="heading">
                <h2 id="gallery-title">"Gallery"</h2>
                <p class="quiet">{held}</p>
                <Adding/>
            </div>
            <AddingProgress/>
            <Show
                when=move || count() != 0
                fallback=|| view! {
                    <p class="quiet">
                        "Add your own pictures, a few dozen or thousands. Order them by similarity to the
                        photo or by score for a phrase, through the whole model or through single heads, and
                        label the heads from them. They stay on this machine."
                    </p>
                }
            >
                <Ordering/>
                <grid::Grid/>
                <HowComputed about=Topic::Ranking/>
                <Show when=move || model.has_text()>
                    <cues::Cues/>
                </Show>
            </Show>
            <p class="quiet hint">{move || gallery.not_stored.get()}</p>
        </section>
    }
}

/// Adds pictures, and removes all of them.
#[component]
fn Adding() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let add = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        gallery.add(dom::files_of(input.files()));
        input.set_value("");
    };
    let is_empty = move || gallery.pictures.with(|pictures| pictures.is_empty());
    let sure = RwSignal::new(false);
    let clear = move |_| {
        if sure.get_untracked() {
            gallery.clear();
        }
        sure.update(|sure| *sure = !*sure);
    };
    view! {
        <div class="row">
            <label class="button">
                "Add pictures"
                <input class="unseen" type="file" name="gallery" accept="image/*,.heic,.heif,.avif" multiple on:change=add/>
            </label>
            <label class="button">
                "Add a folder"
                <input class="unseen" type="file" name="gallery-folder" prop:webkitdirectory=true multiple on:change=add/>
            </label>
            <Show when=move || !is_empty()>
                <button
                    type="button"
                    id="clear-gallery"
                    class="quiet-button"
                    on:click=clear
                    on:blur=move |_| sure.set(false)
                >
                    {move || if sure.get() { "Really remove all?" } else { "Remove all" }}
                </button>
            </Show>
        </div>
    }
}

/// Shows the progress with the pictures that were added.
#[component]
fn AddingProgress() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let is_open = move || gallery.run.with(|run| run.done < run.total);
    let is_going = move || gallery.run.with(|run| run.is_going);
    let says = move || progress_words(gallery);
    let left_out = move || {
        let all = gallery.left_out.get();
        match &all[..] {
            [] => None,
            [one] => Some(format!("Left out: {one}")),
            [first, ..] => Some(format!("{} were left out, the first because: {first}", all.len())),
        }
    };
    view! {
        <Show when=is_open>
            <div class="row" id="gallery-progress">
                <progress
                    aria-label="Pictures done"
                    max=move || gallery.run.with(|run| run.total.to_string())
                    prop:value=move || gallery.run.with(|run| run.done as f64)
                ></progress>
                <p class="quiet">{says}</p>
                <Show
                    when=is_going
                    fallback=move || view! {
                        <button type="button" id="go-on" on:click=move |_| gallery.go_on()>"Continue"</button>
                    }
                >
                    <button type="button" id="pause" on:click=move |_| gallery.pause()>"Pause"</button>
                </Show>
            </div>
        </Show>
        <p class="quiet hint" id="left-out">{left_out}</p>
    }
}

/// Describes the progress: "12 of 60 done, 40 s left…".
pub fn progress_words(gallery: GalleryState) -> String {
    let run = gallery.run.get();
    let done = format!("{} of {} done", units::count(run.done as u64), units::count(run.total as u64));
    if !run.is_going {
        return format!("Paused: {done}.");
    }
    let seconds = (js_sys::Date::now() - run.start) / 1000.0;
    match run.done {
        0 => format!("{done}…"),
        count => {
            let left = seconds / count as f64 * (run.total - count) as f64;
            format!("{done}, {} left…", units::time_left(left))
        }
    }
}

/// Chooses the order of the gallery, and the parts of the model that count.
#[component]
fn Ordering() -> impl IntoView {
    let (phrases, head_map, gallery) =
        (expect_context::<PhrasesState>(), expect_context::<HeadMapState>(), expect_context::<GalleryState>());
    let head = move || head_map.head.get().map(|(layer, head)| format!("{layer}.{head}"));
    let says = move || {
        let property = match gallery.through.get() {
            OrderBasis::Whole => "the whole model".to_owned(),
            OrderBasis::Head => {
                head().map_or_else(|| "no head: choose one first".to_owned(), |head| format!("head {head}"))
            }
            OrderBasis::Heads => {
                match (
                    gallery.heads.with(|heads| heads.len()),
                    gallery.heads.with(|heads| gallery.names.of_group(heads)),
                ) {
                    (0, _) => "the whole model, until heads are added".to_owned(),
                    (_, Some(name)) => format!("the heads of {name}"),
                    (count, None) => format!("{} together", units::plural(count as u64, "head", "heads")),
                }
            }
        };
        match gallery.by.get() {
            GalleryOrder::AsAdded => None,
            GalleryOrder::Photo => Some(format!("Most similar to the photo first, by {property}.")),
            GalleryOrder::Phrase => {
                phrases.chosen.get().map(|phrase| format!("Highest for “{phrase}” first, by {property}."))
            }
        }
    };
    let is_ordered = move || gallery.by.get() != GalleryOrder::AsAdded;
    view! {
        <div class="row ordering">
            <Choice
                legend="Order of the gallery"
                name="gallery-order"
                options=vec![(GalleryOrder::AsAdded, "As added"), (GalleryOrder::Photo, "By similarity to the photo"), (GalleryOrder::Phrase, "By score for the phrase")]
                value=gallery.by
                on_change=move |order| gallery.by.set(order)
            />
            <Show when=is_ordered>
                <Choice
                    legend="Parts of the model that count"
                    name="gallery-through"
                    options=vec![(OrderBasis::Whole, "Whole model"), (OrderBasis::Head, "The chosen head"), (OrderBasis::Heads, "Some heads")]
                    value=gallery.through
                    on_change=move |through| gallery.through.set(through)
                />
            </Show>
        </div>
        <Show when=move || is_ordered() && gallery.through.get() == OrderBasis::Heads>
            <Heads/>
        </Show>
        <p class="quiet" role="status">{says}</p>
    }
}

/// Chooses the heads that count together: all heads of a property, or heads one by one.
#[component]
fn Heads() -> impl IntoView {
    let (head_map, gallery) = (expect_context::<HeadMapState>(), expect_context::<GalleryState>());
    let heads = gallery.heads;
    let open = move || head_map.head.get().filter(|head| heads.with(|heads| !heads.contains(head)));
    let add = move |_| {
        // Read the signal first: it cannot be read while it is being changed.
        if let Some(head) = untrack(open) {
            heads.update(|heads| {
                heads.insert(head);
            });
        }
    };
    let leave_out = move |head: (usize, usize)| {
        heads.update(|heads| {
            heads.remove(&head);
        });
    };
    view! {
        <div class="row">
            <HeadChips
                label="Heads that count"
                heads=Signal::derive(move || heads.get().into_iter().collect())
                says=|name| format!("Leave head {name} out")
                on_press=leave_out
            />
            <Show when=move || open().is_some()>
                <button
                    type="button"
                    id="count-head"
                    on:click=add
                >
                    {move || open().map(|(layer, head)| format!("Add head {layer}.{head}"))}
                </button>
            </Show>
            <PropertyChoice/>
        </div>
    }
}

/// Chooses all heads of a property.
#[component]
fn PropertyChoice() -> impl IntoView {
    let gallery = expect_context::<GalleryState>();
    let properties = Memo::new(move |_| {
        let in_use = gallery.names.in_use().into_iter();
        in_use.map(|property| (property.name.clone(), property.heads())).collect::<Vec<_>>()
    });
    let current = Memo::new(move |_| gallery.heads.with(|heads| gallery.names.of_group(heads)));
    let choose = move |event: Event| {
        let chosen = event_target_value(&event);
        let all = properties.get_untracked();
        if let Some((_name, heads)) = all.into_iter().find(|(name, _heads)| *name == chosen) {
            gallery.heads.set(heads.into_iter().collect());
        }
    };
    let option = move |(name, heads): (String, Vec<(usize, usize)>)| {
        let count = units::plural(heads.len() as u64, "head", "heads");
        let label = format!("{name} ({count})");
        let is_current = {
            let name = name.clone();
            move || current.with(|current| current.as_ref() == Some(&name))
        };
        view! { <option value=name prop:selected=is_current>{label}</option> }
    };
    view! {
        <Show when=move || properties.with(|all| !all.is_empty())>
            <label class="inline">
                <span>"All heads of"</span>
                <select name="gallery-property" on:change=choose>
                    <option value="" prop:selected=move || current.with(Option::is_none)>"a property"</option>
                    {move || properties.get().into_iter().map(option).collect_view()}
                </select>
            </label>
        </Show>
    }
}
