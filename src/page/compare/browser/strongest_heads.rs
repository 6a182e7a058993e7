//! The heads of one of the two models that matter most for the chosen phrase, with their names and first texts.

use leptos::prelude::*;

use super::state::CompareState;
use crate::page::compare::pairs::Side;
use crate::page::compare::top_heads::{TopHead, top_heads};
use crate::page::heads::browser::heads::{contributions, mean_contributions};
use crate::page::heads::contributions::Cell;
use crate::text::units;

/// The number of heads that are shown of each model.
const COUNT: usize = 5;

#[component]
pub fn StrongestHeads(side: Side) -> impl IntoView {
    let compared = expect_context::<CompareState>().side(side);
    let heads = Memo::new(move |_| {
        let phrase = compared.phrases.chosen.get()?;
        let all = compared.phrases.scores.with(|scores| {
            let all = contributions(scores.as_ref()?, &phrase)?;
            // A part that is the same in every picture does not explain the score of this one.
            let differences = mean_contributions(scores.as_ref()?, &phrase).and_then(|means| all.minus(&means));
            Some(differences.unwrap_or(all))
        })?;
        Some(compared.names.names.with(|names| top_heads(&all, names.as_ref(), COUNT)))
    });
    let explanation = move || {
        if !compared.model.has_text() {
            "This model scores no phrases, so its heads contribute to none."
        } else if !compared.model.has_statistics() {
            "This model has no head statistics yet, so its heads have no names. Open it alone to compute them."
        } else if compared.names.names.with(Option::is_none) {
            "The heads are being named."
        } else {
            "The head's name, with the share of its property; its contribution to the score, minus its mean over the \
             images of the statistics; its first texts."
        }
    };
    view! {
        <div class="strongest-heads" data-side=side.name()>
            <h3>{format!("Strongest heads of {}", side.letter())}</h3>
            <ol>{move || heads.get().map(|heads| heads.into_iter().map(row).collect_view())}</ol>
            <p class="quiet hint">{explanation}</p>
        </div>
    }
}

fn row(TopHead { head: (layer, head), value, name, texts }: TopHead) -> impl IntoView {
    let data_name = name.clone();
    view! {
        <li data-head=format!("{layer}.{head}") data-value=value.to_string() data-name=data_name>
            <span>{Cell::Head { layer, head }.name()}{name.map(|name| view! { ": "<b>{name}</b> })}</span>
            <span class="value">{units::signed(value, 4)}</span>
            <span class="quiet texts">{texts.join(" · ")}</span>
        </li>
    }
}
