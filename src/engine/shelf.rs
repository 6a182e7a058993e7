//! The shelf: fetched packs, kept by the browser so that they open again without a network.
//!
//! It is a `Cache`, which the page can list and clear too. A browser may have none (a private window, a page
//! without HTTPS) or no room left: then nothing is kept, and nothing else changes.

use js_sys::Promise;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, Response, WorkerGlobalScope};

use super::fetch::Download;

/// The cache's name. The page knows it too (`app/offline.rs`).
pub(crate) const SHELF: &str = "headlamp-packs";

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

    /// Lets go of what is kept under `url`.
    pub(super) async fn drop(&self, url: &str) {
        if let Some(cache) = &self.0 {
            let _was_there = JsFuture::from(cache.delete_with_str(url)).await;
        }
    }
}

/// A file on its way to the shelf.
#[must_use]
pub(super) struct Keeping(Option<Promise>);

impl Keeping {
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    /// Waits until the file is kept whole, or not at all.
    pub(super) async fn end(self) {
        if let Some(put) = self.0 {
            let _no_room = JsFuture::from(put).await;
        }
    }
}
