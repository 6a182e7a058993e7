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

/// Heads (layer, head) that somebody named, each a button that takes it away.
#[component]
pub fn HeadChips(
    /// What they are, for those who do not see the row.
    label: &'static str,
    #[prop(into)] heads: Signal<Vec<(usize, usize)>>,
    /// What a press on "layer.head" does, in words.
    says: fn(&str) -> String,
    on_press: impl Fn((usize, usize)) + Copy + Send + 'static,
) -> impl IntoView {
    let chip = move |head: (usize, usize)| {
        let name = format!("{}.{}", head.0, head.1);
        view! {
            <li>
                <button type="button" aria-label=says(&name) on:click=move |_| on_press(head)>
                    {format!("{name} ×")}
                </button>
            </li>
        }
    };
    view! {
        <ul class="chips" aria-label=label>
            <For each=move || heads.get() key=|head| *head let:head>{chip(head)}</For>
        </ul>
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
