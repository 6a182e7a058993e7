//! What an address asks for, until it can be given: a photo, a head and parts to switch off need an open model, and
//! a threshold needs a segmentation.

use leptos::prelude::*;

use super::features::Features;
use crate::ablate::Ablation;
use crate::page::photo::browser::photo::Origin;
use crate::page::shell::address::{Address, Off};
use crate::protocol::Kind;

/// What an address asks for that needs an open model.
#[derive(Clone)]
struct WishesOfModel {
    photo: Option<Origin>,
    /// (layer, head)
    head: Option<(usize, usize)>,
    off: Off,
}

#[derive(Default)]
struct Inner {
    of_model: Option<WishesOfModel>,
    /// The threshold of the address, until everything else is here.
    threshold: Option<Option<f32>>,
    /// What of the address cannot be had, until everything else is here.
    complaints: Vec<String>,
}

/// What an address asks for, until it can be given.
#[derive(Clone, Copy)]
pub struct Wishes {
    features: Features,
    inner: StoredValue<Inner, LocalStorage>,
}

impl Wishes {
    pub fn new(features: Features) -> Self {
        Self { features, inner: StoredValue::new_local(Inner::default()) }
    }

    /// Sets what cannot be had of an address, in a sentence each.
    pub fn set_complaints(self, complaints: Vec<String>) {
        self.inner.update_value(|inner| inner.complaints = complaints);
    }

    /// Wishes for what only an open model can give of an address. `machine` is a photo of the person's machine.
    pub fn wish(self, address: &Address, machine: Option<Origin>) {
        let photo = machine.or_else(|| address.image.clone().map(Origin::Url));
        let wishes = WishesOfModel { photo, head: address.head, off: address.off.clone() };
        self.inner.update_value(|inner| {
            inner.of_model = Some(wishes);
            inner.threshold = Some(address.threshold);
        });
        self.features.segmentation.first_threshold.set_value(address.threshold);
    }

    /// The photo that the address asks for, until it is opened.
    pub fn photo(self) -> Option<Origin> {
        self.inner.with_value(|inner| inner.of_model.as_ref().and_then(|wishes| wishes.photo.clone()))
    }

    /// Drops the wish for a photo where it is the one on screen already, or there is none. Returns whether so.
    pub fn drop_photo_on_screen(self) -> bool {
        let photo = self.features.photo.photo;
        let shown = photo.with_untracked(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
        let is_shown = self.inner.with_value(|inner| {
            inner.of_model.as_ref().is_some_and(|wishes| wishes.photo.is_none() || wishes.photo == shown)
        });
        // Before a model is open, a photo on screen was computed beforehand, and is still to be opened.
        let is_shown = is_shown && self.features.model.pack.with_untracked(Option::is_some);
        if is_shown {
            self.inner.update_value(|inner| inner.of_model.iter_mut().for_each(|wishes| wishes.photo = None));
        }
        is_shown
    }

    /// Drops the wishes: the model that they are for does not open. A model that still waits keeps them.
    pub fn drop_all(self) {
        if !self.features.core.has(Kind::Pack) {
            self.inner.update_value(|inner| {
                inner.of_model = None;
                inner.threshold = None;
            });
            self.features.segmentation.first_threshold.set_value(None);
        }
    }

    /// Gives what was wished for, as far as the open model has it. Returns whether a photo is on its way.
    pub fn fulfil(self) -> bool {
        let features = self.features;
        // Until a model is open, the wishes wait.
        let Some((layers, heads)) = untrack(|| features.model.extent()) else { return false };
        let Some(wishes) = self.inner.try_update_value(|inner| inner.of_model.take()).flatten() else {
            return false;
        };
        match wishes.head {
            Some((layer, head)) if layer < layers && head < heads => features.head_map.head.set(wishes.head),
            Some((layer, head)) => self.complain_later(format!(
                "The address asks for head {layer}.{head}. This model has {layers} layers of {heads} heads, each \
                 counted from 0."
            )),
            None => {}
        }
        self.switch_off(&wishes.off, layers, heads);
        match wishes.photo {
            Some(Origin::Url(url)) => features.photo.open_address(url),
            Some(Origin::Machine(number)) => {
                if !features.photo.open_machine_photo(number) {
                    self.complain_later(
                        "The photo that was here came from your machine, and the page does not have it any more: open it \
                         again."
                            .to_owned(),
                    );
                }
            }
            None => return false,
        }
        true
    }

    fn switch_off(self, off: &Off, layers: usize, heads: usize) {
        let switched_off = self.features.phrases.switched_off;
        let has_means = untrack(|| self.features.model.has_statistics());
        match off.ablation(layers, heads) {
            Some(off) if off.is_none() || has_means => switched_off.set(off),
            found => {
                let why =
                    if found.is_some() { "has no means to replace them by" } else { "does not have those parts" };
                switched_off.set(Ablation::default());
                self.complain_later(format!("The address switches parts off, and this model {why}: all are on."));
            }
        }
    }

    /// Ends the wishes: all that an address asked for is here, or never will be.
    pub fn end(self) {
        let threshold = self.inner.try_update_value(|inner| inner.threshold.take()).flatten();
        self.features.segmentation.first_threshold.set_value(None);
        if let Some(threshold) = threshold {
            self.features.segmentation.threshold.set(threshold);
        }
        let complaints = self.inner.try_update_value(|inner| std::mem::take(&mut inner.complaints));
        if let Some(complaint) = complaints.unwrap_or_default().into_iter().next() {
            self.features.core.complain(Kind::Pack, complaint);
        }
    }

    fn complain_later(self, complaint: String) {
        self.inner.update_value(|inner| inner.complaints.push(complaint));
    }
}
