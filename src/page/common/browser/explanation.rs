//! "How is this computed?": the formula of a view, its symbols in words, and the paper.

use leptos::prelude::*;

use crate::page::common::formulas::{self, Explanation, Topic};

/// The explanation of a topic, collapsed at first.
#[component]
pub fn HowComputed(about: Topic) -> impl IntoView {
    let Explanation { formulas, words, source } = formulas::explanation(about);
    view! {
        <details class="how" data-topic=format!("{about:?}").to_lowercase()>
            <summary>"How is this computed?"</summary>
            <div class="how-body">
                <div class="formulas" tabindex="0" role="group" aria-label="Formula" inner_html=formulas.concat()></div>
                <p class="quiet hint">{words}</p>
                <p class="quiet hint">
                    <a href=source.address target="_blank" rel="noopener">{source.paper}</a>
                    {format!(", {}.", source.place)}
                </p>
            </div>
        </details>
    }
}
