//! Controls that several views share.

use leptos::prelude::*;
use leptos::web_sys::Event;

/// A choice of one of a few values, as radio buttons in a row.
#[component]
pub fn Choice<T>(
    /// The name of the choice, for screen readers.
    legend: &'static str,
    /// The HTML name of the radio buttons, unique on the page.
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

/// A list of heads (layer, head). Each head is a button that removes the head.
#[component]
pub fn HeadChips(
    /// The name of the list, for screen readers.
    label: &'static str,
    #[prop(into)] heads: Signal<Vec<(usize, usize)>>,
    /// Returns the label of the button for "layer.head", for screen readers.
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
                    // The value of a range input is always a number.
                    if let Ok(value) = event_target_value(&event).parse() {
                        on_input(value);
                    }
                }
            />
            <output>{move || shown.get()}</output>
        </label>
    }
}

/// A checkbox.
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
