//! The known models as cards, with a search field. One press opens a model.

use leptos::html::Input;
use leptos::prelude::*;

use crate::page::model::browser::state::ModelState;
use crate::page::model::published::{KNOWN_MODELS, KnownModel};
use crate::protocol::{ModelSettings, ModelSource, Storage};
use crate::text::units;

/// Shows a card for each known model. `storage` is the chosen precision, and `hub` is the field with the address of
/// another hub.
#[component]
pub fn KnownModels(storage: RwSignal<Storage>, hub: NodeRef<Input>) -> impl IntoView {
    let query = RwSignal::new(String::new());
    let found = Memo::new(move |_| query.with(|query| KNOWN_MODELS.map(|model| model.matches(query))));
    let says = move || {
        let count = found.with(|found| found.iter().filter(|is_found| **is_found).count());
        match count {
            0 => "No known model has these words. Other names work in the field above.".to_owned(),
            count => format!("{count} of {} models", KNOWN_MODELS.len()),
        }
    };
    let card = move |(index, model): (usize, KnownModel)| {
        view! {
            <Show when=move || found.with(|found| found[index])>
                <Card model=model storage=storage hub=hub/>
            </Show>
        }
    };
    view! {
        <details id="known-models">
            <summary>{format!("Choose from {} known models", KNOWN_MODELS.len())}</summary>
            <label class="search">
                <span>"Search the models"</span>
                <input
                    type="search"
                    name="model-search"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="clip b/16"
                    on:input=move |event| query.set(event_target_value(&event))
                />
            </label>
            <p class="quiet hint" role="status">{says}</p>
            <ul class="cards">{KNOWN_MODELS.into_iter().enumerate().map(card).collect_view()}</ul>
            <p class="quiet">
                "Other models of the same kinds open too, if their config.json describes them. DoRA's weights are on
                its authors' own drive: "
                <a href="https://github.com/shashankvkt/DoRA_ICLR24" target="_blank" rel="noopener">"fetch them there"</a>
                " and open the file."
            </p>
        </details>
    }
}

#[component]
fn Card(model: KnownModel, storage: RwSignal<Storage>, hub: NodeRef<Input>) -> impl IntoView {
    let state = expect_context::<ModelState>();
    let KnownModel { repository, name, licence, grid: (layers, heads), good_for, .. } = model;
    let is_stored = move || state.is_stored(repository, storage.get());
    let stored = move || {
        let bits = storage.get();
        format!("{} in {}", units::bytes(model.stored_bytes(bits)), bits.label())
    };
    let time = move || {
        let (seconds, is_measured) = model.seconds(state.fetch_speed.get());
        let time = units::time_left(seconds);
        match is_measured {
            _ if is_stored() => "stored on this machine, no download".to_owned(),
            true => format!("{time}, at the speed measured here"),
            false => format!("{time} at 100 Mbit/s"),
        }
    };
    let open = move |_| {
        let hub = hub.get().map(|hub| hub.value().trim().to_owned()).filter(|hub| !hub.is_empty());
        let source = ModelSource::Hub { repository: repository.to_owned(), hub };
        state.load(source, Vec::new(), storage.get_untracked(), ModelSettings::default());
    };
    view! {
        <li class="card" data-repository=repository>
            <h3><a href=model.link() target="_blank" rel="noopener">{name}</a></h3>
            <p>{good_for}</p>
            <dl>
                <dt>"Download"</dt>
                <dd>{units::bytes(model.bytes())}</dd>
                <dt>"Stored"</dt>
                <dd>{stored}</dd>
                <dt>"Estimated time"</dt>
                <dd data-time="">{time}</dd>
                <dt>"Layers × heads"</dt>
                <dd>{format!("{layers} × {heads}")}</dd>
                <dt>"Licence"</dt>
                <dd>{licence}</dd>
            </dl>
            <button type="button" aria-label=format!("Open {name}") on:click=open>"Open"</button>
        </li>
    }
}
