//! Opens files that are dropped anywhere on the window, and pasted pictures.

use leptos::ev::paste;
use leptos::prelude::*;
use leptos::web_sys::{ClipboardEvent, DragEvent, Element, File};
use leptos_use_document::use_document;
use leptos_use_drop_zone::{UseDropZoneEvent, UseDropZoneOptions, UseDropZoneReturn, use_drop_zone_with_options};
use leptos_use_event_listener::use_event_listener;
use wasm_bindgen::JsCast as _;

use crate::page::common::browser::dom;
use crate::page::shell::browser::dropped_folders;
use crate::page::shell::browser::features::Features;
use crate::page::video::browser::state::Mode;
use crate::protocol::{TaskKind, is_archive};

/// Takes files that are dropped on the window, and shows a hint while a file is over the window.
#[component]
pub fn DropAndPaste() -> impl IntoView {
    let features = expect_context::<Features>();
    let UseDropZoneReturn { is_over_drop_zone, .. } = use_drop_zone_with_options(
        document().body(),
        UseDropZoneOptions::default().on_drop(move |UseDropZoneEvent { files, event }| {
            take_dropped(features, files, &event);
        }),
    );
    let _stop = use_event_listener(use_document(), paste, move |event: ClipboardEvent| {
        let files = dom::files_of(event.clipboard_data().and_then(|data| data.files()));
        let Some(files) = features.video.take_files(files, false) else { return event.prevent_default() };
        if let Some(picture) = files.into_iter().find(|file| file.type_().starts_with("image/")) {
            event.prevent_default();
            features.video.player.show(Mode::Photo);
            features.photo.open_file("pasted image".to_owned(), picture.into());
        }
    });
    view! {
        <div class="drop-hint" class:shown=is_over_drop_zone aria-hidden="true">
            <p>"Drop a photo, a video or a saved model to open it"</p>
        </div>
    }
}

fn take_dropped(features: Features, files: Vec<File>, event: &DragEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let zone = target.and_then(|target| target.closest("[data-drop]").ok().flatten());
    let zone = zone.and_then(|zone| zone.get_attribute("data-drop"));
    let folders = dropped_folders::dropped(event);
    if !folders.is_empty() {
        let is_gallery = zone.as_deref() == Some("gallery");
        return features.core.while_reading(async move {
            let files = dropped_folders::files_in(folders).await;
            if is_gallery { features.gallery.add(files) } else { features.video.open_pictures(files) }
        });
    }
    if let Some(model) = files.iter().find(|file| is_archive(&file.name())) {
        return features.model.open_archive(model.clone());
    }
    // In the video view, several pictures are the frames of a video.
    let takes_pictures = zone.is_none() && features.video.player.mode.get_untracked() == Mode::Video;
    let Some(files) = features.video.take_files(files, takes_pictures) else { return };
    match (zone.as_deref(), files.first()) {
        (_, None) => {
            let sentence = "This is not a file: save the picture, then drop the file.";
            features.core.complain(TaskKind::Photo, sentence.to_owned());
        }
        (Some("gallery"), Some(_)) => features.gallery.add(files),
        (Some("statistics"), Some(file)) => features.model.label_sources.use_statistics_file(file.clone()),
        (Some("pool"), Some(file)) => features.model.label_sources.use_pool_file(file.clone()),
        (_, Some(file)) if file.type_() == "text/plain" => {
            features.model.label_sources.use_pool_file(file.clone())
        }
        (_, Some(file)) => {
            features.video.player.show(Mode::Photo);
            features.photo.open_file(file.name(), file.clone().into());
        }
    }
}
