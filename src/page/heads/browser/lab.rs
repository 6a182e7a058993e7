//! The ablation lab: switches parts of the model off (replaces them by their means) and shows the effect
//! (docs/PAPERS.md, 1.11).

use leptos::prelude::*;

use crate::ablate::{Ablation, LATE_LAYERS, Study};
use crate::page::common::browser::controls::HeadChips;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::heads::browser::undo::UndoButtons;
use crate::page::heads::contributions::Cell;
use crate::page::heads::switched_off;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::text::units;

/// At most this many switched-off heads are listed one by one; more are only counted.
const NAMED: usize = 12;

#[component]
pub fn Lab() -> impl IntoView {
    let (model, phrases) = (expect_context::<ModelState>(), expect_context::<PhrasesState>());
    let layers = move || model.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.layers));
    let summary = move || phrases.switched_off.with(|ablation| switched_off::summary(ablation, layers()));
    let says = move || match summary() {
        off if off.is_empty() => "Everything is on.".to_owned(),
        off => format!("Off: {off}."),
    };
    let is_none = move || phrases.switched_off.with(Ablation::is_none);
    view! {
        <section id="lab" aria-labelledby="lab-title" data-off=summary>
            <div class="heading">
                <h2 id="lab-title">"Switch parts off"</h2>
                <UndoButtons/>
                <button
                    type="button"
                    id="all-on"
                    class="quiet-button"
                    disabled=is_none
                    on:click=move |_| phrases.switched_off.set(Ablation::default())
                >
                    "All on"
                </button>
            </div>
            <Show
                when=move || model.has_statistics() || model.pack.with(Option::is_none)
                fallback=|| view! {
                    <p class="quiet">
                        "A part is switched off by replacing it by its mean over many images. This pack has
                        no means: add your own images below."
                    </p>
                }
            >
                <p class="quiet" role="status">{says}</p>
                <Studies/>
                <OffHeads/>
                <Outcome/>
                <p class="quiet hint">
                    {move || format!(
                        "A part that is off is replaced by its mean over {}. Scores and segmentation update \
                         at once, without running the model again. In the grid, X switches the focused cell, \
                         and a click switches an MLP.",
                        means(model),
                    )}
                </p>
                <HowComputed about=Topic::Ablation/>
            </Show>
        </section>
    }
}

/// Describes the images that the means were computed from.
fn means(model: ModelState) -> String {
    match model.label_sources.statistics_images() {
        0 => "many images".to_owned(),
        images => units::plural(images, "image", "images"),
    }
}

/// The ablations that the paper studies, one click each.
#[component]
fn Studies() -> impl IntoView {
    let (model, phrases) = (expect_context::<ModelState>(), expect_context::<PhrasesState>());
    let early =
        move || model.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.layers.saturating_sub(LATE_LAYERS)));
    let of = move |study: Study| {
        model.pack.with(|pack| pack.as_ref().map(|pack| Ablation::of_study(study, pack.layers, pack.heads)))
    };
    let button = move |label: &'static str, study: Signal<Study>| {
        // In a model with few layers some studies switch nothing off.
        let is_on = move || {
            of(study.get())
                .is_some_and(|wanted| !wanted.is_none() && phrases.switched_off.with(|now| *now == wanted))
        };
        let click = move |_| {
            let wanted = untrack(|| of(study.get())).unwrap_or_default();
            phrases.switched_off.update(|now| *now = if *now == wanted { Ablation::default() } else { wanted });
        };
        view! {
            <button type="button" aria-pressed=move || is_on().to_string() on:click=click>{label}</button>
        }
    };
    view! {
        <div class="studies" role="group" aria-label="The paper's studies">
            {button("All MLPs", Signal::stored(Study::Mlps))}
            {button("CLS to CLS", Signal::stored(Study::ClsToCls))}
            {button("Both", Signal::stored(Study::MlpsAndClsToCls))}
            {button("Early attention", Signal::derive(move || Study::FirstAttentions(early())))}
            {button("All but late attention", Signal::stored(Study::AllButLastAttentions))}
        </div>
    }
}

/// Lists the heads that are off, each with a button that switches it on.
#[component]
fn OffHeads() -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let few = move || {
        let heads = phrases.switched_off.with(|ablation| ablation.heads.clone());
        if heads.len() <= NAMED { heads.into_iter().collect() } else { Vec::new() }
    };
    let switch_on = move |(layer, head): (usize, usize)| {
        phrases.switched_off.update(|now| switched_off::toggle(now, Cell::Head { layer, head }));
    };
    view! {
        <HeadChips
            label="Heads that are off"
            heads=Signal::derive(few)
            says=|name| format!("Switch head {name} on")
            on_press=switch_on
        />
    }
}

/// Says how the ablation changes the chosen phrase's score and the phrase with the highest score.
#[component]
fn Outcome() -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let says = move || {
        let chosen = phrases.chosen.get()?;
        phrases.scores.with(|scores| {
            let scores = scores.as_ref()?;
            let (before, after) = (scores.before(&chosen)?, scores.of(&chosen)?.0);
            let (first, now) = (scores.top_before()?, scores.top()?);
            let top = if first == now {
                format!("“{now}” still comes first.")
            } else {
                format!("“{now}” comes first instead of “{first}”.")
            };
            Some(format!(
                "“{chosen}”: {} with everything on, {} now. {top}",
                units::signed(before, 3),
                units::signed(after, 3)
            ))
        })
    };
    view! { <p class="effect">{says}</p> }
}
