//! The current notice: a sentence about a failure, and buttons to restart the worker or to dismiss the notice.

use crate::page::core::browser::core::WorkerState;
use crate::page::shell::browser::features::Features;
use leptos::prelude::*;

#[component]
pub fn Notice() -> impl IntoView {
    let features = expect_context::<Features>();
    let sentence = move || features.core.notice.get().map(|notice| notice.sentence).unwrap_or_default();
    let offers_restart = move || features.core.notice.with(|at| at.as_ref().is_some_and(|at| at.offers_restart));
    view! {
        <div class="notice" class:shown=move || features.core.notice.with(Option::is_some)>
            <p id="message" role="alert">{sentence}</p>
            <Show when=offers_restart>
                <button type="button" class="restart" on:click=move |_| features.core.restart()>"Restart"</button>
            </Show>
            // Without a worker the notice explains why nothing works, so it stays.
            <Show when=move || features.core.worker.get() != WorkerState::Failed>
                <button type="button" class="dismiss" on:click=move |_| features.core.notice.set(None)>"Dismiss"</button>
            </Show>
        </div>
    }
}
