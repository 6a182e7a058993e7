//! The shelf: packs, kept by the browser so that they open again without a network.
//!
//! Fetched packs lie under their own addresses. Converted models lie in [`CONVERTED`], beside the page, each in a
//! folder named by what it is; no server has anything there.
//!
//! It is a `Cache`, which the page can list and clear too. A browser may have none (a private window, a page
//! without HTTPS) or no room left: then nothing is kept, and nothing else changes.

use js_sys::{Array, Date, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Cache, Request, Response, WorkerGlobalScope};

use super::fetch::Download;
use crate::checkpoint::{Manifest, Pack, Quantisation, pack};

/// The cache's name. The page knows it too (`page/model/browser/kept_packs.rs`).
pub(crate) const SHELF: &str = "headlamp-packs";

/// The folder of models that were converted here.
pub(super) const CONVERTED: &str = "converted-here/";

/// A large file is handed over in parts of so many bytes, so that it is never held twice.
const PART: usize = 8 << 20;

/// Why a converted model is not kept.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("this browser keeps nothing for this page (in a private window, or without HTTPS)")]
    NoShelf,
    #[error("the browser has no room left for it: remove another model, or make some room on the disk")]
    NoRoom,
}

/// Whether a folder is a converted model's.
pub(super) fn is_converted(folder: &str) -> bool {
    folder.starts_with(CONVERTED) || folder.contains(&format!("/{CONVERTED}"))
}

/// Where a converted model lies: the same model lies in the same place.
fn converted(manifest: &Manifest) -> String {
    format!("{CONVERTED}{:.16}/", manifest.model_hash())
}

/// The kept packs' files, by their addresses.
pub(super) struct Shelf(Option<Cache>);

impl Shelf {
    pub(super) async fn open() -> Self {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let Ok(caches) = scope.caches() else { return Self(None) };
        // Absent on pages without HTTPS, whatever the binding says.
        if caches.is_undefined() {
            return Self(None);
        }
        let opened = JsFuture::from(caches.open(SHELF)).await;
        Self(opened.ok().map(JsCast::unchecked_into))
    }

    /// What is kept under `url`.
    pub(super) async fn find(&self, url: &str) -> Option<Download> {
        let found = JsFuture::from(self.0.as_ref()?.match_with_str(url)).await.ok()?;
        let response = found.dyn_into().ok()?;
        Some(Download { file: url.to_owned(), response })
    }

    /// Begins to keep what `response` brings, while somebody else reads it.
    pub(super) fn keep(&self, url: &str, response: &Response) -> Keeping {
        let put = |cache: &Cache| Some(cache.put_with_str(url, &response.clone().ok()?));
        Keeping(self.0.as_ref().and_then(put))
    }

    /// Keeps a file that has come in pieces; not where there is no room.
    pub(super) async fn keep_bytes(&self, url: &str, bytes: &[u8]) {
        if let Some(cache) = &self.0 {
            let _no_room = put(cache, url, bytes).await;
        }
    }

    /// Keeps a converted model, and says in which folder. Of one that is not kept whole, nothing stays.
    pub(super) async fn keep_converted(&self, pack: &Pack) -> Result<String, NotKept> {
        let cache = self.0.as_ref().ok_or(NotKept::NoShelf)?;
        let manifest = serde_json::to_vec(&pack.manifest).map_err(|_err| NotKept::NoRoom)?;
        let folder = converted(&pack.manifest);
        // The manifest first, by which the page lists it.
        let listed = pack.manifest.files.iter().map(|file| (file.path.as_str(), pack.bytes(&file.path)));
        for (path, bytes) in std::iter::once((pack::MANIFEST, Some(&manifest[..]))).chain(listed) {
            let put = put(cache, &format!("{folder}{path}"), bytes.unwrap_or_default()).await;
            if put.is_err() {
                self.drop_converted(&pack.manifest).await;
                return Err(NotKept::NoRoom);
            }
        }
        Ok(folder)
    }

    /// The folder of the model that was converted here from `source`, is stored so, and of which nobody told anything.
    pub(super) async fn converted_from(&self, source: &str, quantisation: Quantisation) -> Option<String> {
        let requests: Array = JsFuture::from(self.0.as_ref()?.keys()).await.ok()?.unchecked_into();
        for request in requests.iter().map(JsCast::unchecked_into::<Request>) {
            let url = request.url();
            let Some(folder) = url.strip_suffix(pack::MANIFEST).filter(|folder| is_converted(folder)) else {
                continue;
            };
            let kept = self.find(&url).await?.manifest().await;
            let is_it = |kept: &Manifest| {
                kept.source.as_deref() == Some(source) && kept.quantisation == quantisation && !kept.settings_given
            };
            if kept.is_ok_and(|(kept, _bytes)| is_it(&kept)) {
                return Some(folder.to_owned());
            }
        }
        None
    }

    /// Lets go of a converted model.
    pub(super) async fn drop_converted(&self, manifest: &Manifest) {
        let folder = converted(manifest);
        let listed = manifest.files.iter().map(|file| file.path.as_str());
        for path in listed.chain([pack::MANIFEST]) {
            self.drop(&format!("{folder}{path}")).await;
        }
    }

    /// Lets go of what is kept under `url`.
    pub(super) async fn drop(&self, url: &str) {
        if let Some(cache) = &self.0 {
            let _was_there = JsFuture::from(cache.delete_with_str(url)).await;
        }
    }
}

/// Puts bytes under `url`, with today's date.
async fn put(cache: &Cache, url: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let part = |bytes: &[u8]| Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)));
    let parts: Array = bytes.chunks(PART).map(part).collect::<Result<Vec<Blob>, _>>()?.into_iter().collect();
    let response = Response::new_with_opt_blob(Some(&Blob::new_with_blob_sequence(&parts)?))?;
    let today = String::from(Date::new_0().to_utc_string());
    response.headers().set("date", &today)?;
    JsFuture::from(cache.put_with_str(url, &response)).await.map(|_undefined| ())
}

/// A file on its way to the shelf.
#[must_use]
pub(super) struct Keeping(Option<Promise>);

impl Keeping {
    /// Waits until the file is kept whole, or not at all.
    pub(super) async fn end(self) {
        if let Some(put) = self.0 {
            let _no_room = JsFuture::from(put).await;
        }
    }
}
