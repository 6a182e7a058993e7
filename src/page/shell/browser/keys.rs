//! Keys that work everywhere on the page.

use leptos::ev::keydown;
use leptos::prelude::*;
use leptos::web_sys::{Element, HtmlElement, KeyboardEvent};
use leptos_use_document::use_document;
use leptos_use_event_listener::use_event_listener;
use wasm_bindgen::JsCast as _;

use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::help::Help;
use crate::page::shell::shortcuts::{self, Action, Focus, Press};

/// Listens to the keys.
pub fn listen(features: Features, help: Help) {
    let _stop = use_event_listener(use_document(), keydown, move |event: KeyboardEvent| {
        // A view has handled the key, or a dialog is open.
        if event.default_prevented() || has_dialog() {
            return;
        }
        let key = event.key();
        let press = Press {
            key: &key,
            command: event.ctrl_key() || event.meta_key(),
            shift: event.shift_key(),
            alt: event.alt_key(),
        };
        let Some(action) = shortcuts::action(press, focus(&event)) else { return };
        match action {
            Action::Prompts => focus_prompts(),
            Action::Help => help.show(),
            Action::Undo => features.undo.undo(),
            Action::Redo => features.undo.redo(),
            Action::Play
                if features.video.player.is_video()
                    && features.video.player.loaded.with_untracked(Option::is_some) =>
            {
                features.video.player.is_playing.update(|is_playing| *is_playing = !*is_playing);
            }
            Action::Play => return,
        }
        event.prevent_default();
    });
}

fn has_dialog() -> bool {
    document().query_selector("dialog[open]").is_ok_and(|found| found.is_some())
}

fn focus(event: &KeyboardEvent) -> Focus {
    let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else {
        return Focus::Elsewhere;
    };
    // This fails only for invalid selectors.
    let is = |selector| target.closest(selector).ok().flatten().is_some();
    if is("textarea, [contenteditable], input:not([type=range], [type=radio], [type=checkbox], [type=file])") {
        Focus::Text
    } else if is("button, a, summary, label, input, select, [role=gridcell]") {
        Focus::Control
    } else {
        Focus::Elsewhere
    }
}

/// Moves the focus to the field for phrases of the visible view.
fn focus_prompts() {
    let found = document().query_selector("main:not(.off) input[name=phrase]").ok().flatten();
    if let Some(field) = found.and_then(|field| field.dyn_into::<HtmlElement>().ok()) {
        let _focused = field.focus();
    }
}
