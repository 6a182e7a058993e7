//! The address bar and the state, each true to the other: what is on screen is written into the address, and Back
//! and Forward bring it back.
//!
//! Another photo, phrase, head or model is another entry of the browser's history; everything else replaces the
//! current one. An embedded page never adds an entry: Back belongs to the page around it.

use std::time::Duration;

use leptos::ev::popstate;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos_use::{use_event_listener, use_window};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use crate::ablate::Ablation;
use crate::page::common::browser::dom;
use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::{self, Origin, State};
use crate::page::core::queue::Kind;
use crate::page::photo::phrase_list::PhraseList;
use crate::page::shell::address::{Address, ModelAddress, Off};
use crate::page::video::browser::state::Mode;

/// Changes that follow one another faster than this are one. Browsers refuse pages that write more often.
const REST: Duration = Duration::from_millis(300);

/// Photos of the person's machine that Back leads to; of older ones only the address is left.
const MACHINE_PHOTOS: usize = 12;

/// What an address asks for that only an open model can give.
pub(in crate::page) struct Wishes {
    photo: Option<Origin>,
    head: Option<(usize, usize)>,
    off: Off,
}

/// An entry of the browser's history.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    address: Address,
    photo: Option<Origin>,
}

impl Place {
    fn now(state: State, opened: &Address) -> Self {
        let photo = state.photo.with(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
        Self { address: now(state, opened), photo }
    }

    /// Whether somebody who goes Back from `next` expects to be here again.
    fn is_left_by(&self, next: &Self) -> bool {
        let moved = |before: bool, is_other: bool| before && is_other;
        let (here, there) = (&self.address, &next.address);
        moved(self.photo.is_some() && next.photo.is_some(), self.photo != next.photo)
            || moved(here.head.is_some() && there.head.is_some(), here.head != there.head)
            || here.phrase != there.phrase
            || here.model != there.model
    }
}

/// What an entry of the browser's history keeps beside its address. An entry without it is not of our making: a link
/// within the page leads to one.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The photo's number, where it is of the person's machine.
    photo: Option<u32>,
    /// Phrases that are too many for the address, one a line.
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

    /// The phrases where the address names none.
    fn phrases(&self) -> PhraseList {
        let Some(texts) = &self.texts else { return PhraseList::default() };
        let Ok(list) = texts.parse();
        list
    }
}

/// The state as an address; what the state does not know is as the page was opened.
pub fn now(state: State, opened: &Address) -> Address {
    let image = state.photo.with(|photo| match photo.as_ref()?.origin.clone() {
        Origin::Url(url) => Some(url),
        Origin::Machine(_) => None,
    });
    let phrases = state.phrases.get();
    let is_there = |phrase: &String| phrases.contains(phrase);
    let extent = state.pack.with(|pack| pack.as_ref().map(|pack| (pack.layers, pack.heads)));
    let off = extent.map(|(layers, heads)| state.ablation.with(|off| Off::of(off, layers, heads)));
    Address {
        model: state.model.get().unwrap_or_default(),
        image,
        phrase: state.choice.get().filter(is_there),
        rather_than: state.rather_than.get().filter(is_there),
        texts: (phrases != PhraseList::default()).then_some(phrases),
        head: state.head.get(),
        map: state.map_kind.get(),
        layer: state.layer.get(),
        whole_photo: state.framing.get() != state::framing(&Address::default()),
        threshold: state.threshold.get(),
        opacity: state.opacity.get(),
        templates: state.templates.get(),
        against_others: state.against_others.get(),
        background: state.background.get(),
        off: off.unwrap_or_default(),
        ..opened.clone()
    }
}

/// What is written, and when the next writing is due.
struct Ledger {
    written: Option<Place>,
    /// The query in the address bar, as it was written or brought back last.
    query: String,
    timer: Option<TimeoutHandle>,
    /// An address is being brought back, or opened for the first time: until all of it is there the state is on
    /// its way, and nobody's doing.
    is_returning: bool,
}

#[derive(Clone, Copy)]
struct History {
    engine: Engine,
    place: Memo<Place>,
    ledger: StoredValue<Ledger, LocalStorage>,
}

/// Opens what the address asks for, and keeps address and state together from then on.
pub fn follow(engine: Engine, opened: Address, complaints: Vec<String>) {
    let state = engine.state;
    engine.wish(&opened, None);
    engine.inner.update_value(|inner| inner.unheard = complaints);
    let place = Memo::new(move |_| Place::now(state, &opened));
    let ledger =
        StoredValue::new_local(Ledger { written: None, query: dom::query(), timer: None, is_returning: true });
    let history = History { engine, place, ledger };
    Effect::new(move || {
        place.track();
        let _phase = state.phase();
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
        let is_at_rest = untrack(|| self.engine.state.phase()) == "ready";
        if is_returning && !is_at_rest {
            return;
        }
        if is_at_rest {
            self.engine.end_wishes();
        }
        // The end of the wishes may have changed it.
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
            // As the browser spells it.
            ledger.query = dom::query();
            ledger.is_returning = false;
        });
    }

    /// Brings back what the address bar has again; `entry` is what was kept beside it.
    fn go_to(self, entry: &JsValue) {
        let (query, kept) = (dom::query(), Kept::read(entry));
        let is_same_query = self.ledger.with_value(|ledger| ledger.query == query);
        // A link within the page: the state is as the address has it.
        if kept.is_none() && is_same_query {
            return;
        }
        let (address, complaints) = Address::parse(&query);
        self.ledger.update_value(|ledger| {
            ledger.is_returning = true;
            // Until something changes, the address is the truth.
            ledger.written = None;
            ledger.query = query;
        });
        self.engine.inner.update_value(|inner| inner.unheard = complaints);
        self.engine.bring_back(&address, kept);
        self.write_soon();
    }
}

/// Puts a place into the address bar: as a new entry, or in place of the current one.
fn write(place: &Place, is_new: bool) {
    let (Ok(history), url) = (window().history(), format!("{}{}", dom::base(), place.address.query())) else {
        return;
    };
    // A number and a text always have a form in JavaScript.
    let entry = serde_wasm_bindgen::to_value(&Kept::of(place)).unwrap_or_default();
    // A browser that finds it too often refuses; the next writing says it all again.
    let _written = match is_new {
        true => history.push_state_with_url(&entry, "", Some(&url)),
        false => history.replace_state_with_url(&entry, "", Some(&url)),
    };
}

impl Engine {
    /// The photo that the address asks for, until it is opened.
    pub(in crate::page) fn wished_photo(self) -> Option<Origin> {
        self.inner.with_value(|inner| inner.wishes.as_ref().and_then(|wishes| wishes.photo.clone()))
    }

    /// Wishes for what only an open model can give of an address.
    fn wish(self, address: &Address, machine: Option<Origin>) {
        let photo = machine.or_else(|| address.image.clone().map(Origin::Url));
        let wishes = Wishes { photo, head: address.head, off: address.off.clone() };
        self.inner.update_value(|inner| {
            inner.wishes = Some(wishes);
            inner.wished_threshold = Some(address.threshold);
        });
    }

    /// Puts the state as an address has it.
    fn bring_back(self, address: &Address, kept: Option<Kept>) {
        let state = self.state;
        self.show_mode(Mode::Photo);
        // Where neither says anything of the phrases, they stay: the person's list may be kept nowhere else.
        if let Some(phrases) = address.texts.clone().or_else(|| kept.as_ref().map(Kept::phrases)) {
            state.set_phrases.set(phrases);
        }
        state.choice.set(address.phrase.clone());
        state.rather_than.set(address.rather_than.clone());
        state.map_kind.set(address.map);
        state.layer.set(address.layer);
        state.opacity.set(address.opacity);
        state.templates.set(address.templates);
        state.against_others.set(address.against_others);
        state.background.set(address.background);
        self.wish(address, kept.and_then(|kept| kept.photo).map(Origin::Machine));
        let framing = state::framing(address);
        if state.model.get_untracked().unwrap_or_default() != address.model {
            state.framing.set(framing);
            return self.open_model(address.model.clone());
        }
        let is_same_photo = self.inner.with_value(|inner| {
            let shown = state.photo.with_untracked(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
            inner.wishes.as_ref().is_some_and(|wishes| wishes.photo.is_none() || wishes.photo == shown)
        });
        // Before a model is open, a photo on screen was computed beforehand, and is still to be opened.
        if is_same_photo && state.pack.with_untracked(Option::is_some) {
            self.inner.update_value(|inner| inner.wishes.iter_mut().for_each(|wishes| wishes.photo = None));
            if state.framing.get_untracked() != framing {
                self.frame(framing);
            }
        }
        state.framing.set(framing);
        self.fulfil_wishes();
    }

    /// The model that was wished for does not open, and no other one is to be given the wishes.
    pub(in crate::page) fn drop_wishes(self) {
        self.inner.update_value(|inner| {
            // A model that still waits is the one that they are for.
            if !inner.queue.has(Kind::Pack) {
                inner.wishes = None;
                inner.wished_threshold = None;
            }
        });
    }

    /// Gives what was wished for, as far as the open model has it. Says whether a photo is on its way.
    pub(in crate::page) fn fulfil_wishes(self) -> bool {
        let extent = self.state.pack.with_untracked(|pack| pack.as_ref().map(|pack| (pack.layers, pack.heads)));
        // Until a model is open, the wishes wait.
        let Some((layers, heads)) = extent else { return false };
        let Some(wishes) = self.inner.try_update_value(|inner| inner.wishes.take()).flatten() else {
            return false;
        };
        match wishes.head {
            Some((layer, head)) if layer < layers && head < heads => self.state.head.set(wishes.head),
            Some((layer, head)) => self.leave_unheard(format!(
                "The address asks for head {layer}.{head}, and this model has {layers} layers of {heads} heads, each \
                 counted from 0."
            )),
            None => {}
        }
        let has_means = untrack(|| self.state.has_statistics());
        match wishes.off.ablation(layers, heads) {
            Some(off) if off.is_none() || has_means => self.state.ablation.set(off),
            found => {
                let why = if found.is_some() { "has no means to put in their place" } else { "has no such parts" };
                self.state.ablation.set(Ablation::default());
                self.leave_unheard(format!("The address switches parts off, and this model {why}: all are on."));
            }
        }
        match wishes.photo {
            Some(Origin::Url(url)) => self.open_address(url),
            Some(Origin::Machine(number)) => self.open_machine_photo(number),
            None => return false,
        }
        true
    }

    /// The threshold to begin a new segmentation with; none: its own.
    pub(in crate::page) fn wished_threshold(self) -> Option<f32> {
        self.inner.with_value(|inner| inner.wished_threshold).flatten()
    }

    /// All that an address asked for is there, or never will be.
    fn end_wishes(self) {
        let threshold = self.inner.try_update_value(|inner| inner.wished_threshold.take()).flatten();
        if let Some(threshold) = threshold {
            self.state.threshold.set(threshold);
        }
        let unheard = self.inner.try_update_value(|inner| std::mem::take(&mut inner.unheard)).unwrap_or_default();
        if let Some(complaint) = unheard.into_iter().next() {
            self.complain(Kind::Pack, complaint);
        }
    }

    fn leave_unheard(self, complaint: String) {
        self.inner.update_value(|inner| inner.unheard.push(complaint));
    }

    /// Keeps the current photo for Back, where it has no address.
    pub(in crate::page) fn remember_machine_photo(self) {
        self.inner.update_value(|inner| {
            let Some(source) = inner.last_source.clone() else { return };
            let is_known = inner.machine_photos.iter().any(|known| known.origin == source.origin);
            if is_known || !matches!(source.origin, Origin::Machine(_)) {
                return;
            }
            inner.machine_photos.push_back(source);
            if inner.machine_photos.len() > MACHINE_PHOTOS {
                inner.machine_photos.pop_front();
            }
        });
    }

    fn open_machine_photo(self, number: u32) {
        let wanted = Origin::Machine(number);
        let known = |inner: &crate::page::core::browser::engine::Inner| {
            inner.machine_photos.iter().find(|source| source.origin == wanted).cloned()
        };
        match self.inner.with_value(known) {
            Some(source) => self.open_source(source),
            None => self.leave_unheard(
                "The photo that was here came from your machine, and the page does not have it any more: open it again."
                    .to_owned(),
            ),
        }
    }
}

/// Whether a model's address is of use on this machine only.
pub fn is_kept_here_only(model: &ModelAddress) -> bool {
    matches!(model, ModelAddress::Folder(folder) if is_converted_here(folder))
}

/// Whether a folder is of a model that was converted on this machine.
pub fn is_converted_here(folder: &str) -> bool {
    folder.contains("converted-here/")
}
