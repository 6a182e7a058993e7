//! The files in which the browser stores a gallery: one folder per model, in the page's private file system.

use js_sys::Reflect;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageManager,
};

use super::progress::scope;
use crate::session::gallery::{FILES, GalleryFile, NoRoom};

/// The folder of all galleries.
const FOLDER: &str = "galleries";

/// A file that the browser stores, or a file in memory if the browser stores no files.
pub(super) enum BrowserFile {
    Stored(FileSystemSyncAccessHandle),
    Memory(Vec<u8>),
}

impl Drop for BrowserFile {
    fn drop(&mut self) {
        if let Self::Stored(handle) = self {
            handle.close();
        }
    }
}

impl GalleryFile for BrowserFile {
    fn len(&self) -> u64 {
        match self {
            Self::Stored(handle) => handle.get_size().map_or(0, |size| size as u64),
            Self::Memory(bytes) => GalleryFile::len(bytes),
        }
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        match self {
            Self::Stored(handle) => {
                let left = usize::try_from(GalleryFile::len(self).saturating_sub(at)).unwrap_or(usize::MAX);
                let mut bytes = vec![0; count.min(left)];
                let read = handle.read_with_u8_array_and_options(&mut bytes, &position(at));
                bytes.truncate(read.map_or(0, |read| read as usize));
                bytes
            }
            Self::Memory(bytes) => GalleryFile::read(bytes, at, count),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        match self {
            Self::Stored(handle) => {
                let end = handle.get_size().map_err(|_closed| NoRoom)?;
                let written = handle.write_with_u8_array_and_options(bytes, &position(end as u64));
                if written.is_ok_and(|written| written as usize == bytes.len()) {
                    return Ok(());
                }
                let _restored = handle.truncate_with_f64(end);
                Err(NoRoom)
            }
            Self::Memory(held) => GalleryFile::append(held, bytes),
        }
    }

    fn truncate(&mut self, len: u64) {
        match self {
            // `truncate` can also make a file longer. The file must only become shorter here, which needs no room.
            Self::Stored(handle) if handle.get_size().is_ok_and(|size| size as u64 > len) => {
                let _shorter = handle.truncate_with_f64(len as f64);
            }
            Self::Stored(_) => {}
            Self::Memory(bytes) => GalleryFile::truncate(bytes, len),
        }
    }
}

fn position(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at_f64(at as f64);
    options
}

/// Opens the gallery's files in the page's private file system; creates missing ones.
pub(super) async fn stored_files(name: &str) -> Result<[BrowserFile; 5], JsValue> {
    let storage: StorageManager = Reflect::get(&scope().navigator(), &"storage".into())?.dyn_into()?;
    let mut folder: FileSystemDirectoryHandle = JsFuture::from(storage.get_directory()).await?.dyn_into()?;
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    for name in [FOLDER, name] {
        let inner = folder.get_directory_handle_with_options(name, &options);
        folder = JsFuture::from(inner).await?.dyn_into()?;
    }
    let mut files = Vec::new();
    for name in FILES {
        files.push(stored_file(&folder, name).await?);
    }
    files.try_into().map_err(|_more| JsValue::UNDEFINED)
}

/// Opens one file; creates a missing one.
async fn stored_file(folder: &FileSystemDirectoryHandle, name: &str) -> Result<BrowserFile, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let file = JsFuture::from(folder.get_file_handle_with_options(name, &options)).await?;
    let file: FileSystemFileHandle = file.dyn_into()?;
    Ok(BrowserFile::Stored(JsFuture::from(file.create_sync_access_handle()).await?.dyn_into()?))
}

/// Returns the sentence for the person about why the gallery is not stored.
pub(super) fn why_not_stored(err: &JsValue) -> String {
    let name = Reflect::get(err, &"name".into()).ok().and_then(|name| name.as_string());
    match name.as_deref() {
        Some("NoModificationAllowedError") => {
            "Another tab has this model's gallery open; this tab's gallery is not stored."
        }
        _ => {
            "This browser stores no files for this page (some do not in private windows, none does without \
             HTTPS): the gallery goes when the page is closed."
        }
    }
    .to_owned()
}
