//! Compares the chosen phrase with another phrase and the photo with another photo, and ranks the heads by their part
//! in the difference.

use leptos::prelude::*;

use crate::page::heads::browser::heads::HeadsState;
use crate::page::heads::browser::heads::Pinned;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::browser::property_mark::PropertyMark;
use crate::page::heads::contributions::Cell;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::text::units;

/// The number of heads in the list.
const RANKED: usize = 6;

#[component]
pub fn Contrast() -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let others = move || {
        let chosen = phrases.chosen.get().unwrap_or_default();
        phrases.list.with(|phrases| phrases.others(&chosen))
    };
    let choose = move |event| {
        let phrase = event_target_value(&event);
        phrases.rather_than.set((!phrase.is_empty()).then_some(phrase));
    };
    let option = move |phrase: String| {
        let is_rival = {
            let phrase = phrase.clone();
            move || phrases.rival.get().as_ref() == Some(&phrase)
        };
        view! { <option value=phrase.clone() prop:selected=is_rival>{phrase.clone()}</option> }
    };
    view! {
        <div class="contrast">
            <label class="rival">
                <span>"rather than"</span>
                <select name="rather-than" on:change=choose>
                    <option value="" prop:selected=move || phrases.rival.get().is_none()>"nothing else"</option>
                    <For each=others key=String::clone let:phrase>{option(phrase)}</For>
                </select>
            </label>
            <Pin/>
        </div>
        <Ranking/>
    }
}

/// Stores the current photo's scores, to compare the next photo with them.
#[component]
fn Pin() -> impl IntoView {
    let (phrases, heads) = (expect_context::<PhrasesState>(), expect_context::<HeadsState>());
    let is_pinned = move || heads.pinned.with(Option::is_some);
    let click = move |_| {
        let pin =
            phrases.scores.get_untracked().map(|scores| Pinned { photo_name: scores.photo_name.clone(), scores });
        heads.pinned.update(|pinned| *pinned = if pinned.is_some() { None } else { pin });
    };
    let says = move || {
        let name = heads.pinned.with(|pinned| pinned.as_ref().map(|pinned| pinned.photo_name.clone()))?;
        Some(match heads.contributions.with(Option::is_some) {
            true => format!("All values are differences from {name}."),
            false => format!("{name} has no score for this phrase: stop comparing, then compare again."),
        })
    };
    view! {
        <button
            type="button"
            id="pin"
            aria-pressed=move || is_pinned().to_string()
            disabled=move || phrases.scores.with(Option::is_none)
            title="Then open another photo: the grid shows how the two differ"
            on:click=click
        >
            {move || if is_pinned() { "Stop comparing" } else { "Compare with another photo" }}
        </button>
        <p class="quiet hint">{says}</p>
    }
}

/// Lists the heads with the largest contributions of either sign.
#[component]
fn Ranking() -> impl IntoView {
    let (head_map, heads) = (expect_context::<HeadMapState>(), expect_context::<HeadsState>());
    let names = expect_context::<HeadNamesState>();
    let ranking = move || {
        heads.values.with(|values| values.as_ref().map(|values| values.parts.ranking(RANKED))).unwrap_or_default()
    };
    let row = move |(layer, head, value): (usize, usize, f32)| {
        let cell = Cell::Head { layer, head };
        let named = Memo::new(move |_| names.of(cell));
        let label = move || {
            let name = named.with(|named| named.as_ref().map(|(name, _mark)| format!(", {name}")));
            format!("{}{}: {}", cell.name(), name.unwrap_or_default(), units::signed(value, 4))
        };
        let is_chosen = move || head_map.head.get() == Some((layer, head));
        view! {
            <li>
                <button
                    type="button"
                    aria-label=label
                    aria-pressed=move || is_chosen().to_string()
                    data-value=value.to_string()
                    on:click=move |_| head_map.head.set(Some((layer, head)))
                >
                    <span>{format!("{layer}.{head}")}</span>
                    {move || named.get().map(|(_name, mark)| view! { <PropertyMark mark=mark/> })}
                    <b class:negative={value < 0.0}>{units::signed(value, 3)}</b>
                </button>
            </li>
        }
    };
    view! {
        <ol class="ranking" aria-label="Heads that matter most here, layer.head">
            {move || ranking().into_iter().map(row).collect_view()}
        </ol>
    }
}
