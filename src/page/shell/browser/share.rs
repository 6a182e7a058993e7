//! Shares the view: a link, and the code that embeds it in another page.

use leptos::html::{Dialog, Input, Textarea};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;

use crate::page::common::browser::dom;
use crate::page::model::address::ModelAddress;
use crate::page::model::browser::label_sources::{PoolOf, StatisticsOf};
use crate::page::photo::browser::photo::Origin;
use crate::page::shell::address::Address;
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::history;
use crate::page::video::browser::state::Mode;

/// The button, and the dialog that it opens.
#[component]
pub fn Share() -> impl IntoView {
    let features = expect_context::<Features>();
    let dialog = NodeRef::<Dialog>::new();
    let is_open = RwSignal::new(false);
    let open = move |_| {
        is_open.set(true);
        if let Some(dialog) = dialog.get_untracked() {
            // This fails if the dialog is already open.
            let _shown = dialog.show_modal();
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <button type="button" id="share" class="quiet-button" aria-haspopup="dialog" on:click=open>"Share"</button>
        <dialog
            id="share-dialog"
            class="share"
            aria-labelledby="share-title"
            node_ref=dialog
            on:close=move |_| is_open.set(false)
        >
            <div class="heading">
                <h2 id="share-title">"Share this view"</h2>
                <button type="button" class="quiet-button" on:click=close>"Close"</button>
            </div>
            <Show when=move || is_open.get()>
                <Link address=shared(features)/>
                <Embed address=shared(features)/>
                <ul class="losses" aria-label="What a link cannot carry">
                    {losses(features).into_iter().map(|loss| view! { <li>{loss}</li> }).collect_view()}
                </ul>
            </Show>
        </dialog>
    }
}

/// Returns the address to share, with everything that works on another machine.
fn shared(features: Features) -> Address {
    untrack(|| {
        let now = history::now(features, &Address::default());
        let model = if now.model.is_on_this_machine_only() { Default::default() } else { now.model };
        let compare = now.compare.filter(|second| !second.is_on_this_machine_only());
        // The receiver may have another list, so the phrases are included even if they are the examples.
        Address {
            model,
            compare,
            texts: Some(features.phrases.list.get()),
            phrase: features.phrases.chosen.get(),
            ..now
        }
    })
}

/// Returns a sentence for each thing on screen that a link cannot carry.
fn losses(features: Features) -> Vec<&'static str> {
    untrack(|| {
        let is_own_photo = features
            .photo
            .photo
            .with(|photo| matches!(photo.as_ref().map(|photo| &photo.origin), Some(Origin::Machine(_))));
        let is_own_model =
            features.model.address.with(|model| model.as_ref().is_none_or(ModelAddress::is_on_this_machine_only));
        let is_own_second = features.compare.is_open.get()
            && features
                .compare
                .address
                .with(|second| second.as_ref().is_none_or(ModelAddress::is_on_this_machine_only));
        let is_own_labels = matches!(features.model.label_sources.pool_of.get(), PoolOf::Person(_))
            || features.model.label_sources.statistics_of.get() != StatisticsOf::Pack;
        [
            (is_own_photo, "The photo is from your machine and stays there: a link opens a sample instead."),
            (is_own_model, "The model is stored only on your machine: a link opens the default one."),
            (is_own_second, "The second model is stored only on your machine: a link opens the first one alone."),
            (is_own_labels, "Texts and images of your own that label the heads stay on your machine."),
            (
                features.video.player.mode.get() == Mode::Video,
                "A video stays on your machine: the link is to the photo.",
            ),
            (!shared(features).carries_texts(), "There are too many phrases for an address: they are left out."),
        ]
        .into_iter()
        .filter_map(|(is_lost, sentence)| is_lost.then_some(sentence))
        .collect()
    })
}

#[component]
fn Link(address: Address) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let link = format!("{}{}", dom::base(), address.query());
    let select = move || field.get_untracked().iter().for_each(|field| field.select());
    view! {
        <div class="share-part">
            <label for="share-link">"Link to this view"</label>
            <div class="row">
                <input id="share-link" type="text" readonly node_ref=field prop:value=link.clone()/>
                <Copy text=link label="Copy link" id="copy-link" select=select/>
            </div>
        </div>
    }
}

#[component]
fn Embed(address: Address) -> impl IntoView {
    let field = NodeRef::<Textarea>::new();
    let address = Address { embed: true, ..address };
    let src = format!("{}{}", dom::base(), address.query()).replace('&', "&amp;");
    let code = format!(
        "<iframe src=\"{src}\" title=\"headlamp\" width=\"100%\" height=\"560\" loading=\"lazy\" \
         style=\"border: 0\"></iframe>"
    );
    let select = move || field.get_untracked().iter().for_each(|field| field.select());
    view! {
        <div class="share-part">
            <label for="share-embed">"Embed it in your page"</label>
            <div class="row">
                <textarea id="share-embed" rows="4" readonly node_ref=field prop:value=code.clone()></textarea>
                <Copy text=code label="Copy embed code" id="copy-embed" select=select/>
            </div>
            <p class="quiet hint">
                "It computes in the reader's browser. With &origin=https://your.site in its address, your page can
                drive it by messages: "
                <a href="embed/index.html">"an example"</a>
                "."
            </p>
        </div>
    }
}

/// Copies a text and confirms. If the browser refuses, selects the text, so that the person can copy it.
#[component]
fn Copy(text: String, label: &'static str, id: &'static str, select: impl Fn() + Copy + 'static) -> impl IntoView {
    let says = RwSignal::new("");
    let copy = move |_| {
        let text = text.clone();
        spawn_local(async move {
            says.set(match write_to_clipboard(&text).await {
                true => "Copied.",
                false => {
                    select();
                    "Selected: press Ctrl+C, or ⌘C."
                }
            });
        });
    };
    view! {
        <button type="button" id=id on:click=copy>{label}</button>
        <p class="quiet hint" role="status">{move || says.get()}</p>
    }
}

/// Writes to the clipboard and returns whether the browser allowed it. Pages without HTTPS have no clipboard, so the
/// code checks for one.
pub(in crate::page) async fn write_to_clipboard(text: &str) -> bool {
    let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into());
    let Ok(clipboard) = clipboard.map(wasm_bindgen::JsValue::dyn_into::<leptos::web_sys::Clipboard>) else {
        return false;
    };
    match clipboard {
        Ok(clipboard) => JsFuture::from(clipboard.write_text(text)).await.is_ok(),
        Err(_none) => false,
    }
}
