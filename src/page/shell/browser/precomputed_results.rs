//! Shows the precomputed results of a sample while the model loads. These results are stored like live results, and
//! the live results replace them.

use std::sync::Arc;

use js_sys::{JSON, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap, ImageData};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::geometry::{Framing, PhotoRect, Size};
use crate::page::common::browser::dom;
use crate::page::core::browser::core::WorkerState;
use crate::page::heads::browser::heads::HeadTexts;
use crate::page::model::address::{DEFAULT_PACK, ModelAddress};
use crate::page::photo::browser::photo::{OpenPhoto, Origin};
use crate::page::photo::browser::phrases::Scores;
use crate::page::photo::browser::segmentation::Segmentation;
use crate::page::shell::browser::features::Features;
use crate::page::shell::computed_sample::Computed;
use crate::page::shell::sample_photos::Sample;
use crate::protocol::{PhotoSummary, TraceSeconds};

/// A sample's photo and results.
struct PrecomputedSample {
    computed: Computed,
    photo: ImageData,
    /// The soft map in the photo's own pixels, in [0, 1], rows first.
    map: Vec<f32>,
}

/// Shows a sample's results, if the default model is loading. Results that cannot be fetched are skipped, because the
/// live results follow.
pub fn show(features: Features, sample: &'static Sample) {
    if !is_awaited(features) {
        return;
    }
    spawn_local(async move {
        let Some(found) = fetch(sample).await else { return };
        if is_awaited(features) {
            put(features, sample, found);
        }
    });
}

fn is_awaited(features: Features) -> bool {
    let is_default = features
        .model
        .address
        .with_untracked(|model| model.as_ref().is_some_and(|model| *model == ModelAddress::default()));
    // The results were computed with these settings.
    let is_as_computed = !features.phrases.templates.get_untracked()
        && features.photo.framing.get_untracked() == Framing::CentreCrop;
    let has_live =
        features.photo.photo.with_untracked(Option::is_some) && !features.photo.is_precomputed.get_untracked();
    is_default && is_as_computed && !has_live && features.core.worker.get_untracked() == WorkerState::Opening
}

async fn fetch(sample: &'static Sample) -> Option<PrecomputedSample> {
    let at = |ending: &str| format!("samples/computed/{}.{ending}", sample.name);
    let json = JsFuture::from(dom::fetch("results", &at("json")).await.ok()?.text()).await.ok()?.as_string()?;
    let computed: Computed = serde_wasm_bindgen::from_value(JSON::parse(&json).ok()?).ok()?;
    let photo = pixels_of(&dom::fetch(sample.file, &sample.url()).await.ok()?).await?;
    let map = pixels_of(&dom::fetch("map", &at("png")).await.ok()?).await?;
    if served_model().await? != computed.pack {
        return None;
    }
    // In a grey picture all channels are equal.
    let map = map.data().0.chunks_exact(4).map(|pixel| f32::from(pixel[0]) / 255.0).collect();
    Some(PrecomputedSample { computed, photo, map })
}

/// Returns the name of the model that is served as the default. Its host may have chosen another one than the model that
/// the results were computed with.
async fn served_model() -> Option<String> {
    let manifest = dom::fetch("pack.json", &format!("{DEFAULT_PACK}pack.json")).await.ok()?;
    let manifest = JSON::parse(&JsFuture::from(manifest.text()).await.ok()?.as_string()?).ok()?;
    Reflect::get(&manifest, &"name".into()).ok()?.as_string()
}

/// Returns the pixels of a picture's file.
async fn pixels_of(blob: &Blob) -> Option<ImageData> {
    let promise = window().create_image_bitmap_with_blob(blob).ok()?;
    let bitmap: ImageBitmap = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(bitmap.width());
    canvas.set_height(bitmap.height());
    let options = js_sys::Object::new();
    Reflect::set(&options, &"willReadFrequently".into(), &JsValue::TRUE).ok()?;
    let context = canvas.get_context_with_context_options("2d", &options).ok()??;
    let context: CanvasRenderingContext2d = context.dyn_into().ok()?;
    context.draw_image_with_image_bitmap(&bitmap, 0.0, 0.0).ok()?;
    context.get_image_data(0.0, 0.0, f64::from(bitmap.width()), f64::from(bitmap.height())).ok()
}

fn put(features: Features, sample: &'static Sample, found: PrecomputedSample) {
    let PrecomputedSample { computed, photo: pixels, map } = found;
    let size = Size { width: pixels.width() as usize, height: pixels.height() as usize };
    if map.len() != size.width * size.height {
        return;
    }
    let frame = computed.frame(size);
    let number = features.core.next_number();
    let summary = PhotoSummary {
        name: sample.file.to_owned(),
        photo: size,
        preview: size,
        framing: Framing::CentreCrop,
        crop_in_photo: frame.crop_in_photo(),
        grid: frame.grid(),
        residual: computed.residual,
        seconds: TraceSeconds::default(),
    };
    features.photo.is_precomputed.set(true);
    features.photo.photo.set(Some(OpenPhoto { number, origin: Origin::Url(sample.url()), summary, pixels }));
    features.phrases.scores.set(Some(Scores {
        stamp: features.core.next_number(),
        photo_number: number,
        photo_name: sample.file.to_owned(),
        attribution: Arc::new(computed.attribution),
    }));
    features.segmentation.segmentation.set(Some(Segmentation {
        stamp: features.core.next_number(),
        photo_number: number,
        phrase: computed.phrase,
        size,
        frame: PhotoRect { left: 0.0, top: 0.0, width: size.width as f64, height: size.height as f64 },
        threshold: computed.threshold,
        is_empty: computed.is_empty,
        map: Arc::new(map),
    }));
    let head = (computed.layer, computed.head);
    features.head_map.head.set(Some(head));
    features.heads.texts.set(Some(HeadTexts { head, labels: computed.labels, images: computed.images }));
}
