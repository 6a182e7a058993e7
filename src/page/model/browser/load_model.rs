//! Opens another model instead of the open one: from files, or from a hub.

use leptos::html::Input;
use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement, SubmitEvent};

use super::known_models::KnownModels;
use crate::page::common::browser::dom;
use crate::page::model::browser::destination::{ChooseDestination, FromAddress};
use crate::page::model::browser::state::ModelState;
use crate::protocol::{ModelSettings, ModelSource, Storage};

/// The settings, for files and for the hub.
#[derive(Clone, Copy)]
struct Choices {
    storage: RwSignal<Storage>,
    settings: RwSignal<ModelSettings>,
}

#[component]
pub fn LoadModel() -> impl IntoView {
    let choices = Choices { storage: RwSignal::default(), settings: RwSignal::default() };
    view! {
        <section id="load-model" aria-labelledby="load-title">
            <div class="heading">
                <h2 id="load-title">"Open a CLIP, DINO or DoRA"</h2>
            </div>
            <p class="quiet">
                "headlamp opens published CLIPs (files from Hugging Face, OpenCLIP and OpenAI) and vision
                transformers that learned without texts (DINO, DoRA and DINOv2; files from their authors,
                timm and Hugging Face). The weights are read part by part and quantised. The weights
                stay on this machine, and the browser stores them for the next visit. A published CLIP has no head
                statistics: choose pictures in its head panel, and headlamp finds the texts of its heads. The other
                models show where their heads look."
            </p>
            <ChooseDestination/>
            <FromFiles choices=choices/>
            <FromHub choices=choices/>
            <FromAddress/>
            <StorageChoice choices=choices/>
            <SettingsChoice choices=choices/>
        </section>
    }
}

#[component]
fn FromFiles(choices: Choices) -> impl IntoView {
    let model = expect_context::<ModelState>();
    let open = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        let files = dom::files_of(input.files());
        if !files.is_empty() {
            let names = files.iter().map(leptos::web_sys::File::name).collect();
            let source = ModelSource::Files { names };
            model.load(source, files, choices.storage.get_untracked(), choices.settings.get_untracked());
        }
        input.set_value("");
    };
    view! {
        <div class="row">
            <label class="button">
                "Open weights from your disk"
                <input
                    class="unseen"
                    type="file"
                    name="weights"
                    accept=".safetensors,.bin,.pt,.pth,.json,.tar"
                    multiple
                    on:change=open
                />
            </label>
            <p class="quiet hint">"The weights, and config.json with them if you have it; or a saved model (.headlamp.tar)."</p>
        </div>
    }
}

#[component]
fn FromHub(choices: Choices) -> impl IntoView {
    let model = expect_context::<ModelState>();
    let (name, hub) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let value = |input: NodeRef<Input>| input.get().map(|input| input.value().trim().to_owned());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(repository) = value(name).filter(|name| !name.is_empty()) else { return };
        let source = ModelSource::Hub { repository, hub: value(hub).filter(|hub| !hub.is_empty()) };
        model.load(source, Vec::new(), choices.storage.get_untracked(), choices.settings.get_untracked());
    };
    view! {
        <form class="from-hub" on:submit=submit>
            <label>
                <span>"or from a model hub"</span>
                <input
                    type="text"
                    name="repository"
                    node_ref=name
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="openai/clip-vit-base-patch32"
                />
            </label>
            <label>
                <span>"Hub"</span>
                <input
                    type="text"
                    name="hub"
                    node_ref=hub
                    inputmode="url"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="Hugging Face"
                />
            </label>
            <button type="submit">"Fetch and open"</button>
        </form>
        <KnownModels storage=choices.storage hub=hub/>
    }
}

/// Chooses the number of bits that each weight is stored in.
#[component]
fn StorageChoice(choices: Choices) -> impl IntoView {
    let option = move |storage: Storage| {
        let is_chosen = move || choices.storage.get() == storage;
        view! {
            <label>
                <input
                    type="radio"
                    name="storage"
                    prop:checked=is_chosen
                    on:change=move |_| choices.storage.set(storage)
                />
                <span>{storage.label()}</span>
            </label>
        }
    };
    view! {
        <fieldset class="choice">
            <legend class="unseen">"Store weights in"</legend>
            {option(Storage::Q8)}
            {option(Storage::Q4)}
            {option(Storage::F16)}
        </fieldset>
    }
}

/// Asks for settings that neither the weights nor the config may contain.
#[component]
fn SettingsChoice(choices: Choices) -> impl IntoView {
    let heads = move |label: &'static str, name: &'static str, set: fn(&mut ModelSettings, Option<usize>)| {
        let change = move |event: Event| {
            let heads = event_target_value(&event).trim().parse().ok();
            choices.settings.update(|settings| set(settings, heads));
        };
        view! {
            <label>
                <span>{label}</span>
                <input type="text" name=name inputmode="numeric" autocomplete="off" placeholder="from the config" on:change=change/>
            </label>
        }
    };
    let activation = move |event: Event| {
        let quick = match event_target_value(&event).as_str() {
            "quick_gelu" => Some(true),
            "gelu" => Some(false),
            _ => None,
        };
        choices.settings.update(|settings| settings.quick_gelu = quick);
    };
    view! {
        <details>
            <summary>"Settings that the file does not contain"</summary>
            <div class="telling">
                {heads("Heads of the image tower", "vision-heads", |settings, heads| settings.vision_heads = heads)}
                {heads("Heads of the text tower", "text-heads", |settings, heads| settings.text_heads = heads)}
                <label>
                    <span>"Activation"</span>
                    <select name="activation" on:change=activation>
                        <option value="">"from the config"</option>
                        <option value="quick_gelu">"QuickGELU (OpenAI's weights)"</option>
                        <option value="gelu">"GELU (most others)"</option>
                    </select>
                </label>
            </div>
        </details>
    }
}
