//! Files dropped anywhere on the window, and pictures pasted.

use leptos::ev::paste;
use leptos::prelude::*;
use leptos::web_sys::{ClipboardEvent, DragEvent, Element, File};
use leptos_use::{
    UseDropZoneEvent, UseDropZoneOptions, UseDropZoneReturn, use_document, use_drop_zone_with_options,
    use_event_listener,
};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;

use crate::page::common::browser::dom;
use crate::page::core::browser::engine::Engine;
use crate::page::core::queue::Kind;
use crate::page::shell::browser::dropped_folders;
use crate::page::video::browser::open::take_videos;
use crate::page::video::browser::state::Mode;

/// The whole window takes files; it says so while one is over it.
#[component]
pub fn Intake() -> impl IntoView {
    let engine = expect_context::<Engine>();
    let UseDropZoneReturn { is_over_drop_zone, .. } = use_drop_zone_with_options(
        document().body(),
        UseDropZoneOptions::default().on_drop(move |UseDropZoneEvent { files, event }| {
            take_dropped(engine, files, &event);
        }),
    );
    let _stop = use_event_listener(use_document(), paste, move |event: ClipboardEvent| {
        let files = dom::files_of(event.clipboard_data().and_then(|data| data.files()));
        let Some(files) = take_videos(engine, files, false) else { return event.prevent_default() };
        if let Some(picture) = files.into_iter().find(|file| file.type_().starts_with("image/")) {
            event.prevent_default();
            engine.show_mode(Mode::Photo);
            engine.open_photo("pasted image".to_owned(), picture.into());
        }
    });
    view! {
        <div class="drop-hint" class:shown=is_over_drop_zone aria-hidden="true">
            <p>"Drop a photo or a video to open it"</p>
        </div>
    }
}

fn take_dropped(engine: Engine, files: Vec<File>, event: &DragEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let zone = target.and_then(|target| target.closest("[data-drop]").ok().flatten());
    let zone = zone.and_then(|zone| zone.get_attribute("data-drop"));
    let folders = dropped_folders::dropped(event);
    if !folders.is_empty() {
        let is_gallery = zone.as_deref() == Some("gallery");
        return engine.while_reading(async move {
            let files = dropped_folders::files_in(folders).await;
            if is_gallery { engine.add_to_gallery(files) } else { engine.open_frames(files) }
        });
    }
    // Several pictures are a video's frames where a video is looked at, or a gallery's elsewhere.
    let takes_pictures = zone.is_none() && engine.video().mode.get_untracked() == Mode::Video;
    let Some(files) = take_videos(engine, files, takes_pictures) else { return };
    match (zone.as_deref(), files.first()) {
        (_, None) => {
            let sentence = "What was dropped is not a file: save the picture, then drop the file.";
            engine.complain(Kind::Photo, sentence.to_owned());
        }
        (Some("gallery"), Some(_)) => engine.add_to_gallery(files),
        (Some("statistics"), Some(file)) => engine.use_statistics_file(file.clone()),
        (Some("pool"), Some(file)) => use_pool_file(engine, file.clone()),
        (_, Some(file)) if file.type_() == "text/plain" => use_pool_file(engine, file.clone()),
        (_, Some(file)) => {
            engine.show_mode(Mode::Photo);
            engine.open_photo(file.name(), file.clone().into());
        }
    }
}

/// Labels heads from the lines of a text file.
pub fn use_pool_file(engine: Engine, file: File) {
    spawn_local(async move {
        match dom::bytes_of(&file.name(), &file).await {
            Ok(bytes) => engine.use_pool(&String::from_utf8_lossy(&bytes.to_vec())),
            Err(err) => engine.complain(Kind::Pool, err.to_string()),
        }
    });
}
