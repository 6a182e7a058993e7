//! The store of packs in the browser: downloaded packs, which can then be opened without a network, and models that
//! were converted in this browser.
//!
//! Downloaded packs are stored under their own addresses. Converted models are stored in the folder [`CONVERTED`] next
//! to the page, each in a folder that is named by its hash. No server has these files.
//!
//! The store is a `Cache`. The page can also list and clear it. A browser may have no `Cache` (a private window, a
//! page without HTTPS), or no room left. Then nothing is stored, and everything else works as usual.

use std::collections::BTreeMap;

use js_sys::{Array, Date, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Cache, Request, Response, WorkerGlobalScope};

use super::download::Download;
use crate::checkpoint::{Manifest, Pack, PackFile, Quantisation, pack};

/// The cache's name. The page uses the same name (`page/model/browser/stored_packs.rs`).
const CACHE: &str = "headlamp-packs";

/// The folder of models that were converted in this browser.
const CONVERTED: &str = "converted-here/";

/// A large file is written in parts of this many bytes, so that memory never contains the file twice.
const PART: usize = 8 << 20;

/// Why a converted model, or what belongs to a model, was not stored.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("this browser stores nothing for this page (in a private window, or without HTTPS)")]
    Unavailable,
    #[error("the browser has no room left for it: remove another model, or make some room on the disk")]
    Full,
    #[error("the model itself is not stored on this machine")]
    ModelMissing,
}

/// Returns whether a folder belongs to a converted model.
pub(super) fn is_converted(folder: &str) -> bool {
    folder.starts_with(CONVERTED) || folder.contains(&format!("/{CONVERTED}"))
}

/// Returns the folder of a converted model. The same model always has the same folder.
fn converted(manifest: &Manifest) -> String {
    format!("{CONVERTED}{:.16}/", manifest.model_hash())
}

/// The files of the stored packs, by their addresses.
pub(super) struct PackStore(Option<Cache>);

impl PackStore {
    pub(super) async fn open() -> Self {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let Ok(caches) = scope.caches() else { return Self(None) };
        // On pages without HTTPS, `caches` is undefined, although the binding promises a value.
        if caches.is_undefined() {
            return Self(None);
        }
        let opened = JsFuture::from(caches.open(CACHE)).await;
        Self(opened.ok().map(JsCast::unchecked_into))
    }

    /// Returns the file that is stored under `url`.
    pub(super) async fn find(&self, url: &str) -> Option<Download> {
        let stored = JsFuture::from(self.0.as_ref()?.match_with_str(url)).await.ok()?;
        let response = stored.dyn_into().ok()?;
        Some(Download { file: url.to_owned(), response })
    }

    /// Starts to store the body of `response` while the caller reads it.
    pub(super) fn put_response(&self, url: &str, response: &Response) -> PendingWrite {
        let put = |cache: &Cache| Some(cache.put_with_str(url, &response.clone().ok()?));
        PendingWrite(self.0.as_ref().and_then(put))
    }

    /// Stores a file; does nothing if there is no room.
    pub(super) async fn put(&self, url: &str, bytes: &[u8]) {
        if let Some(cache) = &self.0 {
            let _no_room = put(cache, url, bytes).await;
        }
    }

    /// Stores a file, or says why the file could not be stored.
    pub(super) async fn try_put(&self, url: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let cache = self.0.as_ref().ok_or(StoreError::Unavailable)?;
        put(cache, url, bytes).await.map_err(|_full| StoreError::Full)
    }

    /// Stores a converted model and returns its folder. If this fails, no part of the model stays stored.
    pub(super) async fn put_converted(&self, pack: &Pack) -> Result<String, StoreError> {
        let folder = converted(&pack.manifest);
        self.put_pack(&folder, pack).await?;
        Ok(folder)
    }

    /// Stores a pack in a folder. If this fails, no part of the pack stays stored.
    pub(super) async fn put_pack(&self, folder: &str, pack: &Pack) -> Result<(), StoreError> {
        let cache = self.0.as_ref().ok_or(StoreError::Unavailable)?;
        let manifest = serde_json::to_vec(&pack.manifest).map_err(|_err| StoreError::Full)?;
        // The manifest is stored first, because the page lists models by their manifests.
        let listed = pack.manifest.files.iter().map(|file| (file.path.as_str(), pack.bytes(&file.path)));
        for (path, bytes) in std::iter::once((pack::MANIFEST, Some(&manifest[..]))).chain(listed) {
            let put = put(cache, &format!("{folder}{path}"), bytes.unwrap_or_default()).await;
            if put.is_err() {
                self.remove_pack(folder, &pack.manifest).await;
                return Err(StoreError::Full);
            }
        }
        Ok(())
    }

    /// Returns the pack that is stored in a folder, if it is complete and undamaged and has the files of
    /// the `expected` manifest.
    pub(super) async fn pack(
        &self,
        folder: &str,
        expected: Option<&Manifest>,
        mut progress: impl FnMut(u64, u64),
    ) -> Option<Pack> {
        let (stored, _bytes) = self.find(&format!("{folder}{}", pack::MANIFEST)).await?.manifest().await.ok()?;
        let manifest = match expected {
            Some(expected) if expected.files != stored.files => return None,
            Some(expected) => expected.clone(),
            None => stored,
        };
        let (total, mut before) = (manifest.bytes(), 0);
        let mut files = BTreeMap::new();
        for PackFile { path, bytes, .. } in &manifest.files {
            let stored = self.find(&format!("{folder}{path}")).await?;
            let body = stored.bytes(Some(*bytes), *bytes, |done| progress(before + done, total)).await.ok()?;
            before += bytes;
            files.insert(path.clone(), body);
        }
        Pack::new(manifest, files).ok()
    }

    /// Returns the folder of the model that was converted in this browser from `source`, with this quantisation and
    /// without settings given by the person.
    pub(super) async fn converted_from(&self, source: &str, quantisation: Quantisation) -> Option<String> {
        let requests: Array = JsFuture::from(self.0.as_ref()?.keys()).await.ok()?.unchecked_into();
        for request in requests.iter().map(JsCast::unchecked_into::<Request>) {
            let url = request.url();
            let Some(folder) = url.strip_suffix(pack::MANIFEST).filter(|folder| is_converted(folder)) else {
                continue;
            };
            let manifest = self.find(&url).await?.manifest().await;
            let is_it = |manifest: &Manifest| {
                manifest.source.as_deref() == Some(source)
                    && manifest.quantisation == quantisation
                    && !manifest.settings_given
            };
            if manifest.is_ok_and(|(manifest, _bytes)| is_it(&manifest)) {
                return Some(folder.to_owned());
            }
        }
        None
    }

    /// Removes a converted model.
    pub(super) async fn remove_converted(&self, manifest: &Manifest) {
        self.remove_pack(&converted(manifest), manifest).await;
    }

    async fn remove_pack(&self, folder: &str, manifest: &Manifest) {
        let listed = manifest.files.iter().map(|file| file.path.as_str());
        for path in listed.chain([pack::MANIFEST]) {
            self.remove(&format!("{folder}{path}")).await;
        }
    }

    /// Removes the file that is stored under `url`.
    pub(super) async fn remove(&self, url: &str) {
        if let Some(cache) = &self.0 {
            let _was_there = JsFuture::from(cache.delete_with_str(url)).await;
        }
    }
}

/// Makes a file of bytes.
pub(super) fn blob_of(bytes: &[u8]) -> Result<Blob, JsValue> {
    let part = |bytes: &[u8]| Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)));
    let parts: Array = bytes.chunks(PART).map(part).collect::<Result<Vec<Blob>, _>>()?.into_iter().collect();
    Blob::new_with_blob_sequence(&parts)
}

/// Stores bytes under `url`, with today's date.
async fn put(cache: &Cache, url: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let response = Response::new_with_opt_blob(Some(&blob_of(bytes)?))?;
    let today = String::from(Date::new_0().to_utc_string());
    response.headers().set("date", &today)?;
    JsFuture::from(cache.put_with_str(url, &response)).await.map(|_undefined| ())
}

/// A file that is being written to the store.
#[must_use]
pub(super) struct PendingWrite(Option<Promise>);

impl PendingWrite {
    /// Waits until the browser has stored the file, or has failed to store it.
    pub(super) async fn end(self) {
        if let Some(put) = self.0 {
            let _no_room = JsFuture::from(put).await;
        }
    }
}
