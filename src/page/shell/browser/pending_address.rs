//! The parts of an address that must wait: a photo, a head and parts to switch off need an open model, and a threshold
//! needs a segmentation.

use leptos::prelude::*;

use super::features::Features;
use crate::ablate::Ablation;
use crate::page::photo::browser::photo::Origin;
use crate::page::shell::address::{Address, Off};
use crate::protocol::TaskKind;

/// The parts of an address that need an open model.
#[derive(Clone)]
struct PendingOfModel {
    photo: Option<Origin>,
    /// (layer, head)
    head: Option<(usize, usize)>,
    off: Off,
}

#[derive(Default)]
struct Inner {
    of_model: Option<PendingOfModel>,
    /// The threshold of the address, until everything else is here.
    threshold: Option<Option<f32>>,
    /// Sentences about the parts that cannot be applied. They are shown when everything else is here.
    complaints: Vec<String>,
}

/// The parts of an address that wait.
#[derive(Clone, Copy)]
pub struct PendingAddress {
    features: Features,
    inner: StoredValue<Inner, LocalStorage>,
}

impl PendingAddress {
    pub fn new(features: Features) -> Self {
        Self { features, inner: StoredValue::new_local(Inner::default()) }
    }

    /// Sets the sentences about invalid values of an address.
    pub fn set_complaints(self, complaints: Vec<String>) {
        self.inner.update_value(|inner| inner.complaints = complaints);
    }

    /// Sets the parts of an address that must wait. `machine` is a photo of the person's machine, in place of the
    /// address's.
    pub fn set(self, address: &Address, machine: Option<Origin>) {
        let photo = machine.or_else(|| address.image.clone().map(Origin::Url));
        let pending = PendingOfModel { photo, head: address.head, off: address.off.clone() };
        self.inner.update_value(|inner| {
            inner.of_model = Some(pending);
            inner.threshold = Some(address.threshold);
        });
        self.features.segmentation.first_threshold.set_value(address.threshold);
    }

    /// Returns the photo that the address asks for, until it is opened.
    pub fn photo(self) -> Option<Origin> {
        self.inner.with_value(|inner| inner.of_model.as_ref().and_then(|pending| pending.photo.clone()))
    }

    /// Drops the request for a photo that is on screen already, and returns whether the photo on screen is right: also
    /// where the address asks for none.
    pub fn drop_photo_on_screen(self) -> bool {
        let photo = self.features.photo.photo;
        let shown = photo.with_untracked(|photo| photo.as_ref().map(|photo| photo.origin.clone()));
        let is_shown = self.inner.with_value(|inner| {
            inner.of_model.as_ref().is_some_and(|pending| pending.photo.is_none() || pending.photo == shown)
        });
        // Before a model is open, a photo on screen was computed beforehand, and is still to be opened.
        let is_shown = is_shown && self.features.model.pack.with_untracked(Option::is_some);
        if is_shown {
            self.inner.update_value(|inner| inner.of_model.iter_mut().for_each(|pending| pending.photo = None));
        }
        is_shown
    }

    /// Drops the requests, because the model that they are for does not open. A model that still waits keeps them.
    pub fn drop_all(self) {
        if !self.features.core.has(TaskKind::Pack) {
            self.inner.update_value(|inner| {
                inner.of_model = None;
                inner.threshold = None;
            });
            self.features.segmentation.first_threshold.set_value(None);
        }
    }

    /// Applies the head, the ablation and the photo, as far as the open model has them. Returns whether a photo is on
    /// its way.
    pub fn apply(self) -> bool {
        let features = self.features;
        // Without an open model the requests wait.
        let Some((layers, heads)) = untrack(|| features.model.extent()) else { return false };
        let Some(pending) = self.inner.try_update_value(|inner| inner.of_model.take()).flatten() else {
            return false;
        };
        match pending.head {
            Some((layer, head)) if layer < layers && head < heads => features.head_map.head.set(pending.head),
            Some((layer, head)) => self.complain_later(format!(
                "The address asks for head {layer}.{head}. This model has {layers} layers of {heads} heads, each \
                 counted from 0."
            )),
            None => {}
        }
        self.switch_off(&pending.off, layers, heads);
        match pending.photo {
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

    /// Ends the requests: everything that the address asked for is here, or never will be.
    pub fn finish(self) {
        let threshold = self.inner.try_update_value(|inner| inner.threshold.take()).flatten();
        self.features.segmentation.first_threshold.set_value(None);
        if let Some(threshold) = threshold {
            self.features.segmentation.threshold.set(threshold);
        }
        let complaints = self.inner.try_update_value(|inner| std::mem::take(&mut inner.complaints));
        if let Some(complaint) = complaints.unwrap_or_default().into_iter().next() {
            self.features.core.complain(TaskKind::Pack, complaint);
        }
    }

    fn complain_later(self, complaint: String) {
        self.inner.update_value(|inner| inner.complaints.push(complaint));
    }
}
