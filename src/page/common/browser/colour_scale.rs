//! The colour scale of a map, with the values at its ends.

use leptos::prelude::*;

use crate::page::common::colour::Ramp;

/// A colour scale. `what` names the quantity.
#[component]
pub fn ColourScale(
    #[prop(into)] what: Signal<String>,
    #[prop(into)] ramp: Signal<Ramp>,
    /// The values at the left and the right end.
    #[prop(into)]
    ends: Signal<(String, String)>,
) -> impl IntoView {
    view! {
        <div class="scale">
            <span class="what">{what}</span>
            <span class="end">{move || ends.get().0}</span>
            <span class="ramp" aria-hidden="true" style:background=move || ramp.get().css()></span>
            <span class="end">{move || ends.get().1}</span>
        </div>
    }
}
