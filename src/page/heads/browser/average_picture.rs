//! The average picture of the grid: the sum of the mean contributions, beside what this picture changes
//! (docs/PAPERS.md, 1.11).

use leptos::prelude::*;

use crate::page::common::browser::controls::Choice;
use crate::page::heads::browser::heads::HeadsState;
use crate::text::units;

/// Chooses whether the grid shows the contributions or their differences from an average picture, and shows that the
/// differences and the average picture sum to the score.
#[component]
pub fn AveragePicture() -> impl IntoView {
    let heads = expect_context::<HeadsState>();
    let has_means = Memo::new(move |_| heads.means.with(Option::is_some));
    let sums = Memo::new(move |_| {
        heads.values.with(|values| {
            let values = values.as_ref()?;
            Some((values.average?, values.parts.total(), values.total()))
        })
    });
    let says = move || {
        let (average, parts, total) = sums.get()?;
        let [average, parts, total] = [average, parts, total].map(|value| units::signed(value, 4));
        Some(format!("An average picture has {average}. This picture changes that by {parts}, to {total}."))
    };
    view! {
        <div class="comparison">
            <Show when=move || has_means.get()>
                <Choice
                    legend="What the cells show"
                    name="grid-values"
                    options=vec![(false, "Difference from average"), (true, "Raw contribution")]
                    value=heads.shows_raw
                    on_change=move |raw| heads.shows_raw.set(raw)
                />
            </Show>
            <p
                class="quiet hint"
                id="grid-sum"
                data-average=move || sums.get().map(|(average, ..)| average.to_string())
                data-parts=move || sums.get().map(|(_, parts, _)| parts.to_string())
                data-total=move || sums.get().map(|(.., total)| total.to_string())
            >
                {says}
            </p>
        </div>
    }
}
