//! Controls that more than one view has.

use leptos::prelude::*;
use leptos::web_sys::Event;

/// One of a few values, all of them in sight: radio buttons in a row.
#[component]
pub fn Choice<T>(
    /// What is chosen, for those who do not see the row.
    legend: &'static str,
    /// Unique on the page.
    name: &'static str,
    options: Vec<(T, &'static str)>,
    #[prop(into)] value: Signal<T>,
    on_change: impl Fn(T) + Copy + 'static,
) -> impl IntoView
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let option = move |(option, label): (T, &'static str)| {
        view! {
            <label>
                <input
                    type="radio"
                    name=name
                    prop:checked=move || value.get() == option
                    on:change=move |_| on_change(option)
                />
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <fieldset class="choice">
            <legend class="unseen">{legend}</legend>
            {options.into_iter().map(option).collect_view()}
        </fieldset>
    }
}

/// A slider from 0 to 1, with its value in words.
#[component]
pub fn Slider(
    label: &'static str,
    name: &'static str,
    #[prop(into)] value: Signal<f64>,
    #[prop(into)] shown: Signal<String>,
    on_input: impl Fn(f64) + 'static,
) -> impl IntoView {
    view! {
        <label class="slider">
            <span>{label}</span>
            <input
                type="range"
                name=name
                min="0"
                max="1"
                step="0.005"
                prop:value=move || value.get().to_string()
                aria-valuetext=move || shown.get()
                on:input=move |event: Event| {
                    // A range input holds a number at all times.
                    if let Ok(value) = event_target_value(&event).parse() {
                        on_input(value);
                    }
                }
            />
            <output>{move || shown.get()}</output>
        </label>
    }
}

/// Yes or no.
#[component]
pub fn Check(name: &'static str, value: RwSignal<bool>, children: Children) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="checkbox"
                name=name
                prop:checked=move || value.get()
                on:change=move |event| value.set(event_target_checked(&event))
            />
            <span>{children()}</span>
        </label>
    }
}
