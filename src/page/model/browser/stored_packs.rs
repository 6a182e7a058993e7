//! The packs that the browser stores, so that they open without a network.

use js_sys::{Array, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{Cache, CacheStorage, Request, Response, StorageEstimate, StorageManager};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::state::{ModelState, Opening};
use crate::page::model::address::{ModelAddress, is_converted_here};
use crate::page::model::stored_files::{self, StoredFile, StoredPack};
use crate::protocol::PackSummary;
use crate::text::units;

/// The name of the worker's cache (`worker/pack_store.rs`).
const CACHE: &str = "headlamp-packs";

/// Lists the stored packs with size and day, opens and removes them, and asks the browser to store them permanently.
#[component]
pub fn StoredPacks() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let packs = model.stored;
    let storage_use = RwSignal::new(None::<StorageUse>);
    let refresh = move || {
        spawn_local(async move {
            packs.set(list_packs().await.unwrap_or_default());
            storage_use.set(StorageUse::measure().await.ok());
        });
    };
    Effect::new(move || {
        model.pack.track();
        model.label_sources.version.track();
        refresh();
    });
    let drop_pack = move |folder: String| {
        spawn_local(async move {
            // A pack that cannot be removed is still listed.
            let _removed = drop_folder(&folder).await;
            refresh();
        });
    };
    let persist = move |_| {
        spawn_local(async move {
            let _asked = ask_to_persist().await;
            refresh();
        });
    };
    let row = move |pack: StoredPack| {
        let about = about(&pack);
        let StoredPack { folder, name, weights, is_whole, .. } = pack;
        let is_open = {
            let folder = folder.clone();
            move || model.pack.with(|open| open.as_ref().is_some_and(|open| is_stored_in(open, &folder, &weights)))
        };
        let open = {
            let folder = folder.clone();
            move |_| model.open_folder(folder.clone())
        };
        let compare = {
            let folder = folder.clone();
            move |_| model.open_beside(Opening::of_address(ModelAddress::Folder(folder.clone())))
        };
        let label = format!("Remove {name}");
        view! {
            <li>
                <span class="name">{name.clone()}</span>
                <span class="quiet">{about}</span>
                <Show when=move || is_whole>
                    <button
                        type="button"
                        class="quiet-button open-kept"
                        aria-label=format!("Open {name}")
                        disabled=is_open.clone()
                        on:click=open.clone()
                    >
                        {let is_open = is_open.clone(); move || if is_open() { "Is open" } else { "Open" }}
                    </button>
                    <button
                        type="button"
                        class="quiet-button compare-kept"
                        aria-label=format!("Compare with {name}")
                        disabled=is_open.clone()
                        on:click=compare.clone()
                    >
                        "Compare"
                    </button>
                </Show>
                <button type="button" class="quiet-button" aria-label=label on:click=move |_| drop_pack(folder.clone())>
                    "Remove"
                </button>
            </li>
        }
    };
    let not_stored = move || {
        let why = model.pack.with(|pack| pack.as_ref().and_then(|pack| pack.not_stored.clone()));
        why.map(|why| {
            format!("The browser does not store the open model, so it must be read again next time: {why}.")
        })
    };
    let is_persistent =
        move || storage_use.with(|storage_use| storage_use.is_some_and(|storage_use| storage_use.is_persistent));
    view! {
        <section id="kept" aria-labelledby="kept-title">
            <div class="heading">
                <h2 id="kept-title">"Stored on this machine"</h2>
            </div>
            <Show
                when=move || packs.with(|packs| !packs.is_empty())
                fallback=|| view! { <p class="quiet">"Nothing yet: without a network, headlamp cannot open a model."</p> }
            >
                <ul class="kept">
                    <For each=move || packs.get() key=|pack| (pack.folder.clone(), pack.bytes, pack.day.clone(), pack.has_labels) let:pack>{row(pack)}</For>
                </ul>
            </Show>
            <p class="quiet">{not_stored}</p>
            <p class="quiet">{move || storage_use.with(|storage_use| storage_use.map(StorageUse::sentence))}</p>
            <Show when=move || storage_use.with(Option::is_some) && !is_persistent()>
                <button type="button" id="persist" on:click=persist>"Keep it permanently"</button>
            </Show>
        </section>
    }
}

/// Describes a stored pack: "8 bits, 161.3 MB, 25 Nov 2026".
fn about(pack: &StoredPack) -> String {
    let stored = pack.stored_as.map(|storage| storage.label().to_owned());
    let size = format!("{}{}", units::bytes(pack.bytes), if pack.is_whole { "" } else { " so far" });
    let labels = pack.has_labels.then(|| "with the texts of its heads".to_owned());
    [stored, Some(size), labels, pack.day.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The storage that the browser gives this page, and whether the browser may clear it.
#[derive(Clone, Copy, Debug)]
struct StorageUse {
    used: f64,
    quota: f64,
    is_persistent: bool,
}

impl StorageUse {
    async fn measure() -> Result<Self, JsValue> {
        let storage = storage()?;
        let estimate: StorageEstimate = JsFuture::from(storage.estimate()?).await?.unchecked_into();
        let is_persistent = JsFuture::from(storage.persisted()?).await?.is_truthy();
        let number = |value: Option<f64>| value.unwrap_or_default();
        Ok(Self { used: number(estimate.get_usage()), quota: number(estimate.get_quota()), is_persistent })
    }

    fn sentence(self) -> String {
        let keeps = match self.is_persistent {
            true => "It stays until you remove it.",
            false => "The browser may remove it when the disk runs full.",
        };
        format!(
            "headlamp uses {} of the {} that the browser gives it. {keeps}",
            units::bytes(self.used as u64),
            units::bytes(self.quota as u64)
        )
    }
}

/// Returns the browser's storage manager.
///
/// # Errors On pages without HTTPS, which have no storage manager.
fn storage() -> Result<StorageManager, JsValue> {
    Reflect::get(&window().navigator(), &"storage".into())?.dyn_into()
}

async fn ask_to_persist() -> Result<JsValue, JsValue> {
    JsFuture::from(storage()?.persist()?).await
}

async fn pack_cache() -> Result<Cache, JsValue> {
    let caches: CacheStorage = Reflect::get(&window(), &"caches".into())?.dyn_into()?;
    Ok(JsFuture::from(caches.open(CACHE)).await?.unchecked_into())
}

async fn list_packs() -> Result<Vec<StoredPack>, JsValue> {
    let cache = pack_cache().await?;
    let mut files = Vec::new();
    for request in keys(&cache).await? {
        let response: Response = JsFuture::from(cache.match_with_request(&request)).await?.dyn_into()?;
        let url = request.url();
        let date = response.headers().get("date")?;
        let text = match stored_files::is_manifest(&url) {
            true => JsFuture::from(response.text()?).await?.as_string(),
            false => None,
        };
        files.push(StoredFile { url, text, date });
    }
    Ok(stored_files::packs(&files))
}

async fn drop_folder(folder: &str) -> Result<(), JsValue> {
    let cache = pack_cache().await?;
    for request in keys(&cache).await? {
        if request.url().starts_with(folder) {
            JsFuture::from(cache.delete_with_request(&request)).await?;
        }
    }
    Ok(())
}

async fn keys(cache: &Cache) -> Result<Vec<Request>, JsValue> {
    let keys: Array = JsFuture::from(cache.keys()).await?.unchecked_into();
    Ok(keys.iter().map(JsCast::unchecked_into).collect())
}

/// Returns whether the open model is the stored pack in `folder` with these weights. A converted model can be stored
/// several times, with different settings. Then the weights are the same, but the names of the folders differ.
fn is_stored_in(open: &PackSummary, folder: &str, weights: &str) -> bool {
    let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    open.weights == weights && (!is_converted_here(folder) || open.model.starts_with(name))
}
