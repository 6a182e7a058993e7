//! What the page does when a model has been opened.

use leptos::prelude::*;

use super::features::Features;
use super::pending_address::PendingAddress;
use super::precomputed_results;
use super::samples;
use crate::page::photo::browser::photo::Origin;
use crate::page::photo::raster::{HeadMapKind, Layer};
use crate::page::shell::sample_photos::{SAMPLES, Sample};
use crate::protocol::PackSummary;

/// Sets what the features do whenever a model was opened or refused, and how the worker is restarted.
pub fn follow(features: Features, pending: PendingAddress) {
    features.model.when_opened(move |pack, is_other| {
        if is_other {
            forget_results(features);
        }
        show(features, pending, pack);
    });
    features.model.when_refused(move || pending.drop_all());
    features.core.restart_with(move || {
        features.model.start();
        if let Some(sample) = first_sample(features, pending) {
            precomputed_results::show(features, sample);
        }
    });
}

/// Returns the sample that will be the first photo; `None` if the first photo is not a sample.
fn first_sample(features: Features, pending: PendingAddress) -> Option<&'static Sample> {
    match pending.photo() {
        None => SAMPLES.first().filter(|_| !features.is_embedded),
        Some(Origin::Url(url)) => SAMPLES.iter().find(|sample| sample.url() == url),
        Some(Origin::Machine(_)) => None,
    }
}

/// Drops all results of the previous model. The person's photo, phrases and other input stay.
fn forget_results(features: Features) {
    features.photo.traced.set(None);
    features.phrases.scores.set(None);
    features.segmentation.segmentation.set(None);
    features.heads.pinned.set(None);
    features.head_map.head.set(None);
    features.head_map.map.set(None);
    features.heads.texts.set(None);
    features.phrases.switched_off.set(Default::default());
    features.cues.forget_report();
}

fn show(features: Features, pending: PendingAddress, pack: PackSummary) {
    let model = features.model;
    if !features.is_embedded {
        features.gallery.open();
    }
    choose_views(features, &pack);
    let has_text = pack.has_text;
    model.label_sources.take_kept(pack.kept_labels);
    model.show(pack);
    features.video.reopen();
    model.label_sources.change();
    // An embedded page labels no heads of a model that has no texts, so it saves the visitor's battery.
    if has_text && !features.is_embedded {
        model.label_sources.bring_pool();
    }
    // Opens the last photo that the model has processed. At the start there is none: then opens a sample, unless the
    // person has opened a photo in the meantime.
    let is_awaited = features.photo.is_awaited();
    let is_photo_coming = pending.apply();
    // An embedded page gets its first photo from its host.
    if !is_photo_coming && !is_awaited && !features.photo.open_last() && !features.is_embedded {
        samples::open(features, &SAMPLES[0]);
    }
}

/// Shows the attention of a head if the model has no text tower. Shows the views for phrases again if it has one.
fn choose_views(features: Features, pack: &PackSummary) {
    let had_text = untrack(|| features.model.has_text());
    let head = features.head_map.head;
    if !pack.has_text {
        if had_text {
            features.overlay.layer.set(Layer::Head);
            features.head_map.kind.set(HeadMapKind::Attention);
        }
        // When the worker was restarted with the same model, the head that the person chose stays. A head from the
        // precomputed results of a sample was not chosen by the person.
        let is_first = features.model.pack.with_untracked(Option::is_none);
        if is_first || head.get_untracked().is_none() {
            head.set(pack.layers.checked_sub(1).map(|last| (last, 0)));
        }
    } else if !had_text {
        features.overlay.layer.set(Layer::default());
        features.head_map.kind.set(HeadMapKind::default());
        head.set(None);
    }
}
