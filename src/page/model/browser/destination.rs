//! Where the next model opens: in place of the open model, or beside it, so that the two can be compared.

use leptos::html::Input;
use leptos::prelude::*;
use leptos::web_sys::{HtmlElement, SubmitEvent};
use wasm_bindgen::JsCast as _;

use super::state::{Destination, ModelState};
use crate::page::common::browser::controls::Choice;
use crate::page::model::address::{DEFAULT_PACK, ModelAddress};

/// The radio button for a model beside the open one.
const BESIDE: &str = "#load-model label:nth-of-type(2) > input[name=destination]";

/// Leads to the choice of a second model.
#[component]
pub fn CompareButton() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let choose = move |_| {
        model.destination.set(Destination::Beside);
        let radio = document().query_selector(BESIDE).ok().flatten();
        if let Some(radio) = radio.and_then(|radio| radio.dyn_into::<HtmlElement>().ok()) {
            // If the focus cannot be set, the choice is made all the same.
            let _focused = radio.focus();
        }
    };
    view! { <button type="button" id="compare-models" on:click=choose>"Compare with another model"</button> }
}

/// Chooses where the next model opens.
#[component]
pub fn ChooseDestination() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let hint = move || {
        let name = model.pack.with(|pack| pack.as_ref().map(|pack| pack.name.clone())).unwrap_or_default();
        format!(
            "The next model that you choose here opens beside {name}, in a worker of its own. Both work on the \
             same photo and the same phrases."
        )
    };
    view! {
        <Choice
            legend="Where the next model opens"
            name="destination"
            options=vec![
                (Destination::InPlace, "Replace the open model"),
                (Destination::Beside, "Compare with it"),
            ]
            value=model.destination
            on_change=move |destination| model.destination.set(destination)
        />
        <Show when=move || model.destination.get() == Destination::Beside>
            <p class="quiet hint">{hint}</p>
        </Show>
    }
}

/// Opens the pack at an address, in the chosen place.
#[component]
pub fn FromAddress() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let field = NodeRef::<Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let address = field.get_untracked().map(|field| field.value().trim().to_owned());
        if let Some(address) = address.filter(|address| !address.is_empty()) {
            model.open_chosen(ModelAddress::Folder(format!("{}/", address.trim_end_matches('/'))));
        }
    };
    view! {
        <form class="from-address" on:submit=submit>
            <label>
                <span>"or the address of a pack"</span>
                <input
                    type="text"
                    name="pack-address"
                    node_ref=field
                    inputmode="url"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=DEFAULT_PACK
                />
            </label>
            <button type="submit">"Open"</button>
        </form>
    }
}
