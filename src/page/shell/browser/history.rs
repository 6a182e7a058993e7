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

/// Faster changes are combined into one. Browsers refuse pages that write more often.
const REST: Duration = Duration::from_millis(300);

/// An entry of the browser's history.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    address: Address,
    photo: Option<Origin>,
}

impl Place {
    fn now(features: Features, opened: &Address) -> Self {
        let photo = features.photo.photo.with(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
        Self { address: now(features, opened), photo }
    }

    /// Whether the person expects Back to lead from `next` to here.
    fn is_left_by(&self, next: &Self) -> bool {
        let moved = |before: bool, is_other: bool| before && is_other;
        let (here, there) = (&self.address, &next.address);
        moved(self.photo.is_some() && next.photo.is_some(), self.photo != next.photo)
            || moved(here.head.is_some() && there.head.is_some(), here.head != there.head)
            || here.phrase != there.phrase
            || here.model != there.model
    }
}

/// The data beside the address in an entry of the browser's history. An entry without it is not headlamp's: a link
/// within the page leads to one.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The number of a photo of the person's machine.
    photo: Option<u32>,
    /// Phrases that are too many for the address, one per line.
    texts: Option<String>,
}

impl Kept {
    fn of(place: &Place) -> Self {
        let photo = match &place.photo {
            Some(Origin::Machine(number)) => Some(*number),
            _ => None,
        };
        let texts = place.address.texts.as_ref().filter(|_| !place.address.carries_texts());
        Self { photo, texts: texts.map(PhraseList::to_string) }
    }

    fn read(entry: &JsValue) -> Option<Self> {
        serde_wasm_bindgen::from_value(entry.clone()).ok()
    }

    /// Returns the phrases, for an address that names none.
    fn phrases(&self) -> PhraseList {
        let Some(texts) = &self.texts else { return PhraseList::default() };
        let Ok(list) = texts.parse();
        list
    }
}

/// Returns the view as an address. The parts that are not part of the view are as in `opened`.
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
        layer: features.overlay.layer.get(),
        whole_photo: features.photo.framing.get() != framing(&Address::default()),
        threshold: features.segmentation.threshold.get(),
        opacity: features.overlay.opacity.get(),
        templates: features.phrases.templates.get(),
        against_others: features.segmentation.against_others.get(),
        background: features.segmentation.background.get(),
        off: off.unwrap_or_default(),
        compare: features.compare.address.get(),
        ..opened.clone()
    }
}

/// The last address that was written, and the timer of the next one.
struct Ledger {
    written: Option<Place>,
    /// The last query that was written or restored.
    query: String,
    timer: Option<TimeoutHandle>,
    /// An address is being restored or opened: until everything of it is here, changes are not the person's.
    is_returning: bool,
}

#[derive(Clone, Copy)]
struct History {
    features: Features,
    pending: PendingAddress,
    place: Memo<Place>,
    ledger: StoredValue<Ledger, LocalStorage>,
}

/// Opens what the address asks for, and keeps address and view consistent from then on.
pub fn follow(features: Features, pending: PendingAddress, opened: Address, complaints: Vec<String>) {
    pending.set(&opened, None);
    pending.set_complaints(complaints);
    let place = Memo::new(move |_| Place::now(features, &opened));
    let ledger =
        StoredValue::new_local(Ledger { written: None, query: dom::query(), timer: None, is_returning: true });
    let history = History { features, pending, place, ledger };
    Effect::new(move || {
        place.track();
        let _phase = features.core.phase();
        history.write_soon();
    });
    let _stop = use_event_listener(use_window(), popstate, move |event| history.go_to(&event.state()));
}

impl History {
    fn write_soon(self) {
        let timer = set_timeout_with_handle(move || self.write(), REST).ok();
        self.ledger.update_value(|ledger| {
            if let Some(earlier) = std::mem::replace(&mut ledger.timer, timer) {
                earlier.clear();
            }
        });
    }

    fn write(self) {
        let is_returning = self.ledger.with_value(|ledger| ledger.is_returning);
        let is_at_rest = untrack(|| self.features.core.phase()) == "ready";
        if is_returning && !is_at_rest {
            return;
        }
        if is_at_rest {
            self.pending.finish();
        }
        // This may have changed the view.
        let here = self.place.get_untracked();
        let written = self.ledger.with_value(|ledger| ledger.written.clone());
        let is_new = !is_returning
            && !here.address.embed
            && written.as_ref().is_some_and(|written| written.is_left_by(&here));
        if written.as_ref() != Some(&here) {
            write(&here, is_new);
        }
        self.ledger.update_value(|ledger| {
            ledger.written = Some(here);
            // As the browser writes it.
            ledger.query = dom::query();
            ledger.is_returning = false;
        });
    }

    /// Restores the view of the address bar; `entry` is the data beside the address.
    fn go_to(self, entry: &JsValue) {
        let (query, kept) = (dom::query(), Kept::read(entry));
        let is_same_query = self.ledger.with_value(|ledger| ledger.query == query);
        // A link within the page: the view is as in the address already.
        if kept.is_none() && is_same_query {
            return;
        }
        let (address, complaints) = Address::parse(&query);
        self.ledger.update_value(|ledger| {
            ledger.is_returning = true;
            // Until something changes, the address is right.
            ledger.written = None;
            ledger.query = query;
        });
        self.pending.set_complaints(complaints);
        self.bring_back(&address, kept);
        self.write_soon();
    }

    /// Sets the page as an address has it.
    fn bring_back(self, address: &Address, kept: Option<Kept>) {
        let (features, pending) = (self.features, self.pending);
        features.video.player.show(Mode::Photo);
        // Where neither names any phrases, the phrases stay: the person's list may be kept nowhere else.
        if let Some(phrases) = address.texts.clone().or_else(|| kept.as_ref().map(Kept::phrases)) {
            features.phrases.set_list.set(phrases);
        }
        features.set_view(address);
        pending.set(address, kept.and_then(|kept| kept.photo).map(Origin::Machine));
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

/// Writes the address bar: as a new entry, or in place of the current one.
fn write(place: &Place, is_new: bool) {
    let (Ok(history), url) = (window().history(), format!("{}{}", dom::base(), place.address.query())) else {
        return;
    };
    // Numbers and texts always convert to JavaScript.
    let entry = serde_wasm_bindgen::to_value(&Kept::of(place)).unwrap_or_default();
    // A browser refuses to write too often; the next writing has everything.
    let _written = match is_new {
        true => history.push_state_with_url(&entry, "", Some(&url)),
        false => history.replace_state_with_url(&entry, "", Some(&url)),
    };
}
