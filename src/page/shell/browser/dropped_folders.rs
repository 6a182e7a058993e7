//! Reads the files in dropped folders.

use js_sys::{Array, Function, Promise};
use leptos::web_sys::{
    DragEvent, File, FileSystemDirectoryEntry, FileSystemDirectoryReader, FileSystemEntry, FileSystemFileEntry,
};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;

/// The largest number of files that are read.
const MOST: usize = 20_000;

/// Returns the dropped folders. The browser reveals them only while the event is handled.
pub fn dropped(event: &DragEvent) -> Vec<FileSystemEntry> {
    let Some(items) = event.data_transfer().map(|data| data.items()) else { return Vec::new() };
    let entries = (0..items.length()).filter_map(|index| items.get(index)?.webkit_get_as_entry().ok().flatten());
    entries.filter(FileSystemEntry::is_directory).collect()
}

/// Returns the files in folders and in their subfolders. Files that cannot be read are left out.
pub async fn files_in(mut entries: Vec<FileSystemEntry>) -> Vec<File> {
    let mut files = Vec::new();
    while let Some(entry) = entries.pop() {
        if files.len() >= MOST {
            break;
        }
        if entry.is_directory() {
            entries.extend(children(entry.unchecked_into()).await);
        } else {
            files.extend(file(&entry.unchecked_into()).await);
        }
    }
    files
}

async fn children(folder: FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
    let reader: FileSystemDirectoryReader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        let promise = Promise::new(&mut |resolve: Function, reject: Function| {
            // An error reaches `reject`.
            let _asked = reader.read_entries_with_callback_and_callback(&resolve, &reject);
        });
        // Each call returns some entries. At the end, a call returns none.
        let Ok(some) = JsFuture::from(promise).await else { return all };
        let some: Array = some.unchecked_into();
        if some.length() == 0 {
            return all;
        }
        all.extend(some.iter().map(FileSystemEntry::from));
    }
}

async fn file(entry: &FileSystemFileEntry) -> Option<File> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        entry.file_with_callback_and_callback(&resolve, &reject);
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}
