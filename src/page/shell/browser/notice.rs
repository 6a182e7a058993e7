//! The current failure: a sentence, and what helps.

use leptos::prelude::*;

use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::{EngineState, State};

#[component]
pub fn Notice() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    let sentence = move || state.notice.get().map(|notice| notice.sentence).unwrap_or_default();
    let offers_restart = move || state.notice.with(|at| at.as_ref().is_some_and(|at| at.offers_restart));
    view! {
        <div class="notice" class:shown=move || state.notice.with(Option::is_some)>
            <p id="message" role="alert">{sentence}</p>
            <Show when=offers_restart>
                <button type="button" class="restart" on:click=move |_| engine.start()>"Restart"</button>
            </Show>
            // Without a working engine the notice says why nothing moves: it stays.
            <Show when=move || state.engine.get() != EngineState::Failed>
                <button type="button" class="dismiss" on:click=move |_| state.notice.set(None)>"Dismiss"</button>
            </Show>
        </div>
    }
}
