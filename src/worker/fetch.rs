//! Fetching a pack's files from the [`PackStore`] or the server, with checks of size and hash.

use std::collections::BTreeMap;

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::archive;
use super::download::{self, Download, DownloadError};
use super::pack_store::{self, PackStore};
use crate::checkpoint::{CheckpointError, Manifest, Pack, PackFile, pack};
use crate::protocol::is_archive;
use crate::session::memory;

/// Fetches the pack in the folder `url` and stores it. Does not download files that are stored already. Without a
/// network, opens the stored pack. `progress` receives the bytes done and the bytes in total.
///
/// # Errors
/// [`DownloadError::NoRoom`], before any weights are read, if the model needs more memory than `room` bytes.
pub(super) async fn pack(
    url: &str,
    room: Option<u64>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Pack, DownloadError> {
    let folder = folder(url);
    let store = PackStore::open().await;
    if is_archive(url) {
        return archive::download(&folder, &store, room, progress).await;
    }
    let (manifest, newer) = manifest(&folder, &store).await?;
    memory::check(manifest.bytes(), manifest.parameters(), room)?;
    let (bodies, some_were_stored) = files(&folder, &manifest, &store, Trust::Size, &mut progress).await?;
    let pack = match Pack::new(manifest.clone(), bodies) {
        // A stored file is damaged, or belongs to another pack than the manifest.
        Err(_mismatch) if some_were_stored => {
            let (bodies, _) = files(&folder, &manifest, &store, Trust::Hash, &mut progress).await?;
            Pack::new(manifest, bodies)?
        }
        pack => pack?,
    };
    if let Some(newer) = newer {
        store.put(&format!("{folder}{}", pack::MANIFEST), &newer).await;
    }
    Ok(pack)
}

/// Fetches one file of a pack's folder and stores the file. A stored file is not downloaded again.
pub(super) async fn one_file(folder: &str, file: &str) -> Result<Vec<u8>, DownloadError> {
    let (store, url) = (PackStore::open().await, format!("{folder}{file}"));
    if let Some(stored) = store.find(&url).await {
        return stored.bytes(None, download::LARGEST_SMALL_FILE, |_bytes| {}).await;
    }
    let bytes = download::small(&url).await?;
    store.put(&url, &bytes).await;
    Ok(bytes)
}

/// The check that decides whether a stored file belongs to the manifest. [`Pack::new`] checks all hashes at the end.
/// To check them before as well takes long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Size,
    Hash,
}

/// Returns a pack's folder with one slash at the end.
pub(super) fn folder(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// Returns a file of a pack's folder without its bytes: they stay where the browser stores them.
pub(super) async fn blob(folder: &str, file: &PackFile) -> Result<Blob, DownloadError> {
    let url = format!("{folder}{}", file.path);
    let found = match PackStore::open().await.find(&url).await {
        Some(stored) => stored,
        None => start(folder, &file.path).await?,
    };
    let unreachable = |_err| DownloadError::Unreachable { url: url.clone() };
    let blob = JsFuture::from(found.response.blob().map_err(unreachable)?).await.map_err(unreachable)?;
    let blob: Blob = blob.unchecked_into();
    if blob.size() as u64 != file.bytes {
        let (file, expected, found) = (file.path.clone(), file.bytes, blob.size() as u64);
        return Err(CheckpointError::Size { file, expected, found }.into());
    }
    Ok(blob)
}

/// Returns a stored file of a pack's folder, or `None` if it is not stored or has another hash.
pub(super) async fn stored(folder: &str, file: &PackFile) -> Option<Vec<u8>> {
    let stored = PackStore::open().await.find(&format!("{folder}{}", file.path)).await?;
    let bytes = stored.bytes(Some(file.bytes), file.bytes, |_bytes| {}).await.ok()?;
    file.verify(&bytes).is_ok().then_some(bytes)
}

/// Returns the server's manifest. Falls back to the stored manifest if the server cannot be reached, or if this
/// program cannot read the server's manifest. Also returns the bytes of a newer manifest. Store them only when all its
/// files have arrived, so that the stored pack stays complete.
async fn manifest(folder: &str, store: &PackStore) -> Result<(Manifest, Option<Vec<u8>>), DownloadError> {
    let url = format!("{folder}{}", pack::MANIFEST);
    let stored = store.find(&url).await;
    let downloaded = match start(folder, pack::MANIFEST).await {
        Ok(download) => download.manifest().await,
        Err(err) => Err(err),
    };
    match (downloaded, stored) {
        (Ok((manifest, bytes)), Some(_stored)) => Ok((manifest, Some(bytes))),
        (Ok((manifest, bytes)), None) => {
            store.put(&url, &bytes).await;
            Ok((manifest, None))
        }
        (
            Err(DownloadError::Unreachable { .. } | DownloadError::NotKept | DownloadError::Pack(_)),
            Some(stored),
        ) => Ok((stored.manifest().await?.0, None)),
        (Err(err), _) => Err(err),
    }
}

/// Returns the bytes of all files of a pack, and whether any of them was stored.
async fn files(
    folder: &str,
    manifest: &Manifest,
    store: &PackStore,
    trust: Trust,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(BTreeMap<String, Vec<u8>>, bool), DownloadError> {
    let total = manifest.bytes();
    let (mut files, mut some_were_stored) = (BTreeMap::new(), false);
    let mut before = 0;
    for file in &manifest.files {
        let PackFile { path, bytes, .. } = file;
        let mut read = |done| progress(before + done, total);
        let stored = match store.find(&format!("{folder}{path}")).await {
            // A file that is larger than the manifest says belongs to an older pack.
            Some(stored) => stored.bytes(Some(*bytes), *bytes, &mut read).await.ok(),
            None => None,
        };
        let stored = stored.filter(|body| trust == Trust::Size || file.verify(body).is_ok());
        some_were_stored |= stored.is_some();
        let body = match stored {
            Some(body) => body,
            None => downloaded(folder, file, store, &mut read).await?,
        };
        before += bytes;
        files.insert(path.clone(), body);
    }
    Ok((files, some_were_stored))
}

/// Downloads a file of a pack and stores it.
async fn downloaded(
    folder: &str,
    PackFile { path, bytes, .. }: &PackFile,
    store: &PackStore,
    read: &mut impl FnMut(u64),
) -> Result<Vec<u8>, DownloadError> {
    let url = format!("{folder}{path}");
    let download = start(folder, path).await?;
    let storing = store.put_response(&url, &download.response);
    let (mut body, cut_off) = download.bytes_to_the_cut(*bytes, read).await?;
    storing.end().await;
    if let Some(err) = cut_off {
        // A server that supports ranges sends the rest. The store now has no file, or a part of one.
        let rest = download::part(&url, body.len() as u64..*bytes).await.map_err(|_gone| err)?;
        body.extend(rest);
        store.put(&url, &body).await;
    }
    Ok(body)
}

/// Starts the download of a file. Fails for a model that was converted in this browser, and for a pack in one file: no
/// server has their files.
async fn start(folder: &str, file: &str) -> Result<Download, DownloadError> {
    if pack_store::is_converted(folder) || is_archive(folder) {
        return Err(DownloadError::NotKept);
    }
    Download::start(folder, file).await
}
