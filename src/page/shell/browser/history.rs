//! Keeps the address bar and the page consistent: the view is written into the address, and Back and Forward restore
//! the view.
//!
//! Another photo, phrase, head or model adds an entry to the browser's history; everything else replaces the
//! current one. An embedded page never adds an entry: Back belongs to the page around it.

use std::time::Duration;

use leptos::ev::popstate;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos_use_event_listener::use_event_listener;
use leptos_use_window::use_window;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use crate::page::common::browser::dom;
use crate::page::photo::browser::photo::Origin;
use crate::page::photo::phrase_list::PhraseList;
use crate::page::shell::address::{Address, Off};
use crate::page::shell::browser::features::{Features, framing};
use crate::page::shell::browser::pending_address::PendingAddress;
use crate::page::video::browser::state::Mode;

/// The address is written after this pause without a change. Browsers refuse pages that write more often.
const REST: Duration = Duration::from_millis(300);

/// An entry of the browser's history.
#[derive(Clone, Debug, PartialEq)]
struct HistoryEntry {
    address: Address,
    photo: Option<Origin>,
}

impl HistoryEntry {
    fn now(features: Features, opened: &Address) -> Self {
        let photo = features.photo.photo.with(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
        Self { address: now(features, opened), photo }
    }

    /// Returns whether the person expects Back to lead from `next` to this entry.
    fn needs_entry_before(&self, next: &Self) -> bool {
        let (here, there) = (&self.address, &next.address);
        let has_changed = |has_both: bool, is_other: bool| has_both && is_other;
        has_changed(self.photo.is_some() && next.photo.is_some(), self.photo != next.photo)
            || has_changed(here.head.is_some() && there.head.is_some(), here.head != there.head)
            || here.phrase != there.phrase
            || here.model != there.model
    }
}

/// The data that headlamp stores beside the address in an entry of the browser's history. An entry without this data
/// was made by a link within the page.
#[derive(Serialize, Deserialize)]
struct EntryState {
    /// The number of a photo from the person's machine.
    photo: Option<u32>,
    /// Phrases that are too many for the address, one per line.
    texts: Option<String>,
}

impl EntryState {
    fn of(entry: &HistoryEntry) -> Self {
        let photo = match &entry.photo {
            Some(Origin::Machine(number)) => Some(*number),
            _ => None,
        };
        let texts = entry.address.texts.as_ref().filter(|_| !entry.address.carries_texts());
        Self { photo, texts: texts.map(PhraseList::to_string) }
    }

    fn read(entry: &JsValue) -> Option<Self> {
        serde_wasm_bindgen::from_value(entry.clone()).ok()
    }

    /// Returns the phrases, for an address that contains no phrases.
    fn phrases(&self) -> PhraseList {
        let Some(texts) = &self.texts else { return PhraseList::default() };
        let Ok(list) = texts.parse();
        list
    }
}

/// Returns the address of the view. Parameters that do not describe the view are taken from `opened`.
pub fn now(features: Features, opened: &Address) -> Address {
    let image = features.photo.photo.with(|photo| match photo.as_ref()?.origin.clone() {
        Origin::Url(url) => Some(url),
        Origin::Machine(_) => None,
    });
    let phrases = features.phrases.list.get();
    let is_there = |phrase: &String| phrases.contains(phrase);
    let extent = features.model.pack.with(|pack| pack.as_ref().map(|pack| (pack.layers, pack.heads)));
    let off = extent.map(|(layers, heads)| features.phrases.switched_off.with(|off| Off::of(off, layers, heads)));
    Address {
        model: features.model.address.get().unwrap_or_default(),
        image,
        phrase: features.phrases.choice.get().filter(is_there),
        rather_than: features.phrases.rather_than.get().filter(is_there),
        texts: (phrases != PhraseList::default()).then_some(phrases),
        head: features.head_map.head.get(),
        map: features.head_map.kind.get(),
        raw: features.heads.shows_raw.get(),
        layer: features.overlay.layer.get(),
        whole_photo: features.photo.framing.get() != framing(&Address::default()),
        threshold: features.segmentation.threshold.get(),
        opacity: features.overlay.opacity.get(),
        templates: features.phrases.templates.get(),
        against_others: features.segmentation.against_others.get(),
        background: features.segmentation.background.get(),
        as_model_sees: features.segmentation.as_model_sees.get(),
        off: off.unwrap_or_default(),
        compare: features.compare.address.get(),
        ..opened.clone()
    }
}

/// The last address that was written, and the timer of the next one.
struct WrittenAddress {
    written: Option<HistoryEntry>,
    /// The last query that was written or restored.
    query: String,
    timer: Option<TimeoutHandle>,
    /// Whether an address is being opened or restored. Until this is complete, changes of the view are not the
    /// person's changes.
    is_restoring: bool,
}

#[derive(Clone, Copy)]
struct History {
    features: Features,
    pending: PendingAddress,
    entry: Memo<HistoryEntry>,
    record: StoredValue<WrittenAddress, LocalStorage>,
}

/// Opens the view of the address, and keeps address and view consistent from then on.
pub fn follow(features: Features, pending: PendingAddress, opened: Address, complaints: Vec<String>) {
    pending.set(&opened, None);
    pending.set_complaints(complaints);
    let entry = Memo::new(move |_| HistoryEntry::now(features, &opened));
    let record = StoredValue::new_local(WrittenAddress {
        written: None,
        query: dom::query(),
        timer: None,
        is_restoring: true,
    });
    let history = History { features, pending, entry, record };
    Effect::new(move || {
        entry.track();
        let _phase = features.core.phase();
        history.write_soon();
    });
    let _stop = use_event_listener(use_window(), popstate, move |event| history.go_to(&event.state()));
}

impl History {
    fn write_soon(self) {
        let timer = set_timeout_with_handle(move || self.write(), REST).ok();
        self.record.update_value(|record| {
            if let Some(earlier) = std::mem::replace(&mut record.timer, timer) {
                earlier.clear();
            }
        });
    }

    fn write(self) {
        let is_restoring = self.record.with_value(|record| record.is_restoring);
        let is_at_rest = untrack(|| self.features.core.phase()) == "ready";
        if is_restoring && !is_at_rest {
            return;
        }
        if is_at_rest {
            self.pending.finish();
        }
        // `finish` may have changed the view.
        let here = self.entry.get_untracked();
        let written = self.record.with_value(|record| record.written.clone());
        let is_new = !is_restoring
            && !here.address.embed
            && written.as_ref().is_some_and(|written| written.needs_entry_before(&here));
        if written.as_ref() != Some(&here) {
            write(&here, is_new);
        }
        self.record.update_value(|record| {
            record.written = Some(here);
            // The browser may write a character in another way than the page.
            record.query = dom::query();
            record.is_restoring = false;
        });
    }

    /// Restores the view of the address bar. `entry` is the data beside the address.
    fn go_to(self, entry: &JsValue) {
        let (query, state) = (dom::query(), EntryState::read(entry));
        let is_same_query = self.record.with_value(|record| record.query == query);
        // A link within the page leads here. The view is that of the address already.
        if state.is_none() && is_same_query {
            return;
        }
        let (address, complaints) = Address::parse(&query);
        self.record.update_value(|record| {
            record.is_restoring = true;
            // The address is correct until the view changes.
            record.written = None;
            record.query = query;
        });
        self.pending.set_complaints(complaints);
        self.restore(&address, state);
        self.write_soon();
    }

    /// Sets the view to that of an address.
    fn restore(self, address: &Address, state: Option<EntryState>) {
        let (features, pending) = (self.features, self.pending);
        features.video.player.show(Mode::Photo);
        // If neither the address nor the state contains phrases, the page's phrases stay: the person's list may be
        // stored nowhere else.
        if let Some(phrases) = address.texts.clone().or_else(|| state.as_ref().map(EntryState::phrases)) {
            features.phrases.set_list.set(phrases);
        }
        features.set_view(address);
        pending.set(address, state.and_then(|state| state.photo).map(Origin::Machine));
        let framing = framing(address);
        if features.model.address.get_untracked().unwrap_or_default() != address.model {
            features.photo.framing.set(framing);
            return features.model.open(address.model.clone());
        }
        if pending.drop_photo_on_screen() && features.photo.framing.get_untracked() != framing {
            features.photo.frame(framing);
        }
        features.photo.framing.set(framing);
        pending.apply();
    }
}

/// Writes the address bar, as a new entry of the history or over the current entry.
fn write(entry: &HistoryEntry, is_new: bool) {
    let (Ok(history), url) = (window().history(), format!("{}{}", dom::base(), entry.address.query())) else {
        return;
    };
    // Numbers and texts always convert to JavaScript.
    let state = serde_wasm_bindgen::to_value(&EntryState::of(entry)).unwrap_or_default();
    // The browser refuses a page that writes too often. The next write then contains all changes.
    let _written = match is_new {
        true => history.push_state_with_url(&state, "", Some(&url)),
        false => history.replace_state_with_url(&state, "", Some(&url)),
    };
}
