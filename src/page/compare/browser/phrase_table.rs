//! The phrases with the figures of both models.

use leptos::prelude::*;

use super::state::CompareState;
use crate::page::compare::pairs::{self, PhraseFigures, PhrasePair, Side};
use crate::text::units;

#[component]
pub fn PhraseTable() -> impl IntoView {
    let compare = expect_context::<CompareState>();
    let pairs = Memo::new(move |_| {
        let phrases = compare.first.phrases.list.get();
        let scores = |side| compare.side(side).phrases.scores.get().map(|scores| scores.attribution);
        let (first, second) = (scores(Side::First), scores(Side::Second));
        pairs::pairs(phrases.as_slice(), first.as_deref(), second.as_deref())
    });
    let has_phrases = move || pairs.with(|pairs| !pairs.is_empty());
    let summary = move || {
        pairs.with(|pairs| {
            let (first, second) = pairs::tops(pairs)?;
            Some(match first == second {
                true => format!("Both models put “{first}” first."),
                false => format!("A puts “{first}” first, B “{second}”."),
            })
        })
    };
    let group = |side: Side| view! { <th scope="colgroup" colspan="3">{side.letter()}</th> };
    let columns =
        || ["cosine", "probability", "rank"].map(|name| view! { <th scope="col">{name}</th> }).collect_view();
    view! {
        <Show when=has_phrases>
            <p id="compared-tops">{summary}</p>
            <div class="plain-table" tabindex="0" role="group" aria-label="The phrases in both models">
                <table class="compared-phrases">
                    <thead>
                        <tr>
                            <td></td>
                            {group(Side::First)}
                            {group(Side::Second)}
                            <td></td>
                        </tr>
                        <tr>
                            <th scope="col">"Phrase"</th>
                            {columns()}
                            {columns()}
                            <th scope="col">"More probable in"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || pairs.get().into_iter().map(|pair| view! { <PhraseRow pair=pair/> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <p class="quiet hint">
                "Each model has its own scale of cosines, so do not compare the cosines of A with those of B. The
                probabilities (softmax over these phrases) and the ranks can be compared."
            </p>
        </Show>
    }
}

#[component]
fn PhraseRow(pair: PhrasePair) -> impl IntoView {
    let compare = expect_context::<CompareState>();
    let favoured = pair.favoured_by();
    let PhrasePair { phrase, first, second } = pair;
    let phrase = StoredValue::new(phrase);
    let is_chosen = move || {
        phrase.with_value(|phrase| compare.first.phrases.chosen.with(|chosen| chosen.as_ref() == Some(phrase)))
    };
    let choose = move |_| compare.first.phrases.choice.set(Some(phrase.get_value()));
    let more = match favoured {
        Some((side, more)) => format!("{}, by {:.0} points", side.letter(), more * 100.0),
        None if first.is_some() && second.is_some() => "alike".to_owned(),
        None => "·".to_owned(),
    };
    let score = |of: Option<PhraseFigures>| of.map(|figures| figures.score.to_string());
    let probability = |of: Option<PhraseFigures>| of.map(|figures| figures.probability.to_string());
    view! {
        <tr
            data-phrase=phrase.get_value()
            data-first-score=score(first)
            data-first-probability=probability(first)
            data-second-score=score(second)
            data-second-probability=probability(second)
            aria-current=move || is_chosen().then_some("true")
        >
            <th scope="row">
                <button type="button" class="quiet-button" aria-pressed=move || is_chosen().to_string() on:click=choose>
                    {phrase.get_value()}
                </button>
            </th>
            {cells(first)}
            {cells(second)}
            <td>{more}</td>
        </tr>
    }
}

/// The figures of a phrase in one model.
fn cells(figures: Option<PhraseFigures>) -> impl IntoView {
    let [score, probability, rank] = match figures {
        Some(PhraseFigures { score, probability, rank }) => {
            [units::signed(score, 3), units::percent(probability), rank.to_string()]
        }
        None => ["·"; 3].map(str::to_owned),
    };
    view! {
        <td class="quiet">{score}</td>
        <td>{probability}</td>
        <td>{rank}</td>
    }
}
