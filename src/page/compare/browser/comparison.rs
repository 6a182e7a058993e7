//! The comparison: the photo with each model's segmentation, the phrases with both scores, and the strongest heads of
//! each model.

use leptos::prelude::*;

use super::phrase_table::PhraseTable;
use super::segmented_photo::SegmentedPhoto;
use super::state::CompareState;
use super::strongest_heads::StrongestHeads;
use crate::page::common::progress_line::progress_line;
use crate::page::compare::pairs::Side;
use crate::page::core::browser::core::WorkerState;

#[component]
pub fn Comparison() -> impl IntoView {
    let compare = expect_context::<CompareState>();
    let is_open = move || compare.is_open.get();
    let is_shown = move || is_open() || compare.why_closed.with(Option::is_some);
    let close = move |_| {
        compare.close();
        compare.why_closed.set(None);
    };
    view! {
        <Show when=is_shown>
            <section
                id="comparison"
                aria-labelledby="comparison-title"
                data-phase=move || if is_open() { compare.second.core.phase() } else { "closed" }
            >
                <div class="heading">
                    <h2 id="comparison-title">"Two models, one photo"</h2>
                    <button type="button" id="close-comparison" on:click=close>"Close"</button>
                </div>
                <WhyClosed/>
                <Show when=is_open>
                    <SecondNotice/>
                    <p class="quiet hint" role="status">{move || status(compare)}</p>
                    <div class="two-models">
                        <SegmentedPhoto side=Side::First/>
                        <SegmentedPhoto side=Side::Second/>
                    </div>
                    <PhraseTable/>
                    <div class="two-models">
                        <StrongestHeads side=Side::First/>
                        <StrongestHeads side=Side::Second/>
                    </div>
                </Show>
            </section>
        </Show>
    }
}

/// Says why the second model was closed, and offers to open it again.
#[component]
fn WhyClosed() -> impl IntoView {
    let compare = expect_context::<CompareState>();
    let is_closed = move || compare.why_closed.with(Option::is_some);
    view! {
        <p id="why-closed" role="alert" class:hint=move || !is_closed()>{move || compare.why_closed.get()}</p>
        <Show when=is_closed>
            <div class="row">
                <button type="button" id="open-second-again" on:click=move |_| compare.open_again()>"Open it again"</button>
            </div>
        </Show>
    }
}

/// Shows a failure that leaves the second worker running.
#[component]
fn SecondNotice() -> impl IntoView {
    let compare = expect_context::<CompareState>();
    let core = compare.second.core;
    let offers_restart =
        move || core.notice.with(|notice| notice.as_ref().is_some_and(|notice| notice.offers_restart));
    let sentence = move || core.notice.with(|notice| notice.as_ref().map(|notice| notice.sentence.clone()));
    view! {
        <p id="second-notice" class="hint" role="alert">{sentence}</p>
        <Show when=offers_restart>
            <div class="row">
                <button type="button" on:click=move |_| core.restart()>"Restart the second model"</button>
            </div>
        </Show>
    }
}

/// Returns what the second worker does.
fn status(compare: CompareState) -> String {
    let second = compare.second;
    if compare.first.core.worker.get() != WorkerState::Open && second.model.pack.with(Option::is_none) {
        return "The second model opens when the first is open.".to_owned();
    }
    if let Some(progress) = second.core.progress.get() {
        return format!("Second model: {}", progress_line(&progress));
    }
    match (second.core.worker.get(), second.core.busy_with.get()) {
        (WorkerState::Open, None) => {
            let off = compare.first.phrases.switched_off.with(|off| !off.is_none());
            let of_first =
                if off { " Parts of the first model are switched off; all of the second are on." } else { "" };
            format!("Both models work on this photo and these phrases. Each change goes to both.{of_first}")
        }
        (WorkerState::Open, Some(busy)) => format!("Second model: {}", busy.status),
        (WorkerState::Opening | WorkerState::Failed, _) => "The second model is being opened.".to_owned(),
    }
}
