//! The compact page inside another page: the photo, its phrases, and the heads. It takes no files and knows nothing
//! about the person. Its address and its host decide what it shows.

use leptos::html::Div;
use leptos::prelude::*;
use leptos_use_element_size::{UseElementSizeReturn, use_element_size};

use crate::page::common::browser::dom;
use crate::page::embed::browser::host;
use crate::page::heads::browser::grid::HeadGrid;
use crate::page::heads::browser::panel::HeadPanel;
use crate::page::photo::browser::phrases_panel;
use crate::page::photo::browser::stage::Stage;
use crate::page::shell::address::Address;
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::history;
use crate::page::shell::browser::masthead::Status;
use crate::page::shell::browser::notice::Notice;

#[component]
pub fn Embed() -> impl IntoView {
    let address = expect_context::<Address>();
    let features = expect_context::<Features>();
    if let (Some(theme), Some(root)) = (address.theme, document().document_element()) {
        // Setting an attribute whose name is a literal does not fail.
        let _set = root.set_attribute("data-theme", theme.name());
    }
    let frame = NodeRef::<Div>::new();
    let UseElementSizeReturn { width, height } = use_element_size(frame);
    let host = host::listen(features, &address.origins);
    Effect::new(move || {
        let (width, height) = (width.get(), height.get());
        if let Some(host) = host.filter(|_| height > 0.0) {
            host.send_size(width, height);
        }
    });
    // The link opens the same view as a full page.
    let opened = Address { embed: false, origins: Vec::new(), theme: None, ..address };
    let link = move || format!("{}{}", dom::base(), history::now(features, &opened).query());
    let photo =
        move || features.phrases.scores.with(|scores| scores.as_ref().map(|scores| scores.photo_name.clone()));
    view! {
        <div class="embed" node_ref=frame>
            <header>
                <h1>"headlamp"</h1>
                <Status/>
                <a href=link target="_blank" rel="noopener">"Open in headlamp"</a>
            </header>
            <Notice/>
            <main>
                <div class="embed-photo"><Stage/></div>
                <section id="scores" aria-label="Phrases" data-photo=photo>
                    <phrases_panel::List/>
                </section>
                <HeadGrid/>
                <HeadPanel first_labels=WithoutTexts/>
            </main>
        </div>
    }
}

/// Says why the heads of a model have no texts.
#[component]
fn WithoutTexts() -> impl IntoView {
    let model = expect_context::<Features>().model;
    let is_without = move || model.pack.with(Option::is_some) && model.has_text() && !model.can_label_heads();
    view! {
        <Show when=is_without>
            <p class="quiet">
                "This model has no head statistics or no pool of texts, so its heads have no texts here. Open it
                in headlamp to compute them."
            </p>
        </Show>
    }
}
