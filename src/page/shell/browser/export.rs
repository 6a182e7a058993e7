//! Saves the results for a photo: PNG, an SVG figure, JSON, and Markdown notes.

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use wasm_bindgen::JsCast as _;

use crate::geometry::Size;
use crate::page::common::browser::dom;
use crate::page::heads::contributions::Cell;
use crate::page::photo::raster::{HeadMapKind, Layer};
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::share;
use crate::page::shell::figure::{self, FigureOverlay, FigurePictures};
use crate::page::shell::findings::{
    Findings, HeadFinding, HeadMapFinding, ModelFinding, PhotoFinding, PhraseFinding, SegmentationFinding,
};
use crate::rle::Rle;
use crate::text::units;

const MADE_BY: &str = concat!("headlamp ", env!("CARGO_PKG_VERSION"));

/// The buttons that save the results.
#[component]
pub fn Exports() -> impl IntoView {
    let features = expect_context::<Features>();
    let is_none = move || features.photo.photo.with(Option::is_none) || features.model.pack.with(Option::is_none);
    let said = RwSignal::new("");
    let save = move |how: fn(Features)| {
        move |_| {
            said.set("");
            how(features);
        }
    };
    let copy = move |_| {
        let Some(markdown) = findings(features).map(|findings| findings.markdown()) else { return };
        spawn_local(async move {
            said.set(match share::write_to_clipboard(&markdown).await {
                true => "Copied.",
                false if !window().is_secure_context() => {
                    "Pages without HTTPS have no clipboard: save the JSON instead."
                }
                false => "The browser did not let the page copy: allow it the clipboard, and try again.",
            });
        });
    };
    view! {
        <div class="exports row" role="group" aria-label="Save the results">
            <button type="button" id="save-png" disabled=is_none on:click=save(save_png)
                title="The photo with its overlay">"PNG"</button>
            <button type="button" id="save-svg" disabled=is_none on:click=save(save_svg)
                title="A figure: photo, map, legend, phrases, heads and texts">"Figure (SVG)"</button>
            <button type="button" id="save-json" disabled=is_none on:click=save(save_json)
                title="Every number">"JSON"</button>
            <button type="button" id="copy-markdown" disabled=is_none on:click=copy
                title="Tables for your notes">"Copy as Markdown"</button>
            <p class="quiet hint" role="status">{said}</p>
        </div>
    }
}

fn save_png(features: Features) {
    let Some(photo) = canvas("photo") else { return };
    let Some(composed) = composed(&photo, features) else { return };
    if let Some(png) = dom::png_of(&composed) {
        dom::save(&format!("{}.png", stem(features)), &png);
    }
}

fn save_svg(features: Features) {
    if let Some((findings, pictures)) = untrack(|| findings(features).zip(pictures(features))) {
        save_text(features, "svg", "image/svg+xml", &figure::svg(&findings, &pictures));
    }
}

fn save_json(features: Features) {
    if let Some(Ok(json)) = findings(features).map(|findings| findings.json()) {
        save_text(features, "json", "application/json", &json);
    }
}

fn save_text(features: Features, ending: &str, kind: &str, text: &str) {
    dom::download(&format!("{}.{ending}", stem(features)), kind, &Uint8Array::from(text.as_bytes()));
}

fn stem(features: Features) -> String {
    let name = features.photo.photo.with_untracked(|photo| photo.as_ref().map(|photo| photo.summary.name.clone()));
    let chosen = features.phrases.chosen.get_untracked().unwrap_or_default();
    units::file_stem(&format!("headlamp {} {chosen}", name.unwrap_or_default()))
}

/// Returns all results for the photo on screen; `None` before there is a photo and a model.
fn findings(features: Features) -> Option<Findings> {
    untrack(|| {
        let photo = features.photo.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.clone()))?;
        let pack = features.model.pack.get()?;
        Some(Findings {
            made_by: MADE_BY.to_owned(),
            model: ModelFinding {
                name: pack.name,
                weights: pack.weights,
                device: pack.device.kind,
                layers: pack.layers,
                heads: pack.heads,
            },
            photo: PhotoFinding {
                name: photo.name,
                size: photo.photo,
                framing: photo.framing,
                crop_in_photo: photo.crop_in_photo,
                grid: photo.grid,
                residual: photo.residual,
            },
            phrases: phrases(features),
            subject: features.heads.subject(),
            contributions: features.heads.contributions.with(|all| all.as_ref().map(Into::into)),
            means: features.heads.means.with(|all| all.as_ref().map(Into::into)),
            shows_differences: features.heads.shows_differences(),
            ablation: features.phrases.ablation_in_use(),
            segmentation: segmentation(features),
            head: head(features),
            names: features.names.names.with(|names| names.as_ref().map(Into::into)),
        })
    })
}

/// Returns the phrases that have scores, in the user's order.
fn phrases(features: Features) -> Vec<PhraseFinding> {
    let list = features.phrases.list.with(|phrases| phrases.as_slice().to_vec());
    features.phrases.scores.with(|scores| {
        let Some(scores) = scores else { return Vec::new() };
        let finding = |phrase: String| {
            let (cosine, probability) = scores.of(&phrase)?;
            Some(PhraseFinding { cosine, probability, intact: scores.before(&phrase), phrase })
        };
        list.into_iter().filter_map(finding).collect()
    })
}

fn segmentation(features: Features) -> Option<SegmentationFinding> {
    let (found, threshold) = (features.segmentation.current()?, features.segmentation.threshold_in_use()?);
    let mask: Vec<bool> = found.map.iter().map(|value| !found.is_empty && *value > threshold).collect();
    let inside = mask.iter().filter(|pixel| **pixel).count();
    Some(SegmentationFinding {
        phrase: found.phrase,
        threshold,
        crop_in_photo: found.frame,
        foreground: inside as f64 / mask.len().max(1) as f64,
        mask: Rle::of(&mask, found.size),
    })
}

fn head(features: Features) -> Option<HeadFinding> {
    let (layer, head) = features.head_map.head.get()?;
    let cell = Cell::Head { layer, head };
    let texts = features.heads.texts.get().filter(|texts| texts.head == (layer, head));
    let map = features.head_map.current().filter(|map| map.heads == [(layer, head)]);
    let map = map.map(|map| HeadMapFinding {
        kind: match map.kind {
            HeadMapKind::Contribution => "contribution",
            HeadMapKind::Attention => "attention",
        },
        grid: map.grid,
        patches: map.map.to_vec(),
    });
    Some(HeadFinding {
        layer,
        head,
        contribution: features.heads.contributions.with(|all| all.as_ref()?.of(cell)),
        mean: features.heads.means.with(|all| all.as_ref()?.of(cell)),
        map,
        images: texts.as_ref().map_or(0, |texts| texts.images),
        labels: texts.map(|texts| texts.labels).unwrap_or_default(),
    })
}

/// Returns the pictures on the stage, for the figure.
fn pictures(features: Features) -> Option<FigurePictures> {
    let photo = canvas("photo")?;
    let size = Size { width: photo.width() as usize, height: photo.height() as usize };
    let over = match features.overlay.layer.get() {
        Layer::None => None,
        layer => canvas("overlay").and_then(|canvas| canvas.to_data_url().ok()).map(|picture| {
            let (says, scale) = match layer {
                Layer::Head => (head_caption(features), features.head_map.scale()),
                _ => (segmentation_caption(features), None),
            };
            FigureOverlay { picture, opacity: features.overlay.opacity.get(), says, scale }
        }),
    };
    // A PNG of a photograph would be ten times as large.
    let photo = photo.to_data_url_with_type_and_encoder_options("image/jpeg", &0.92.into()).ok()?;
    Some(FigurePictures { photo, size, is_grey: features.overlay.layer.get() == Layer::Head, over })
}

fn segmentation_caption(features: Features) -> String {
    let threshold = features.segmentation.threshold_in_use().unwrap_or_default();
    features
        .segmentation
        .current()
        .map_or_else(String::new, |found| format!("“{}”, above {threshold:.2}", found.phrase))
}

fn head_caption(features: Features) -> String {
    let Some(heads) = features.head_map.describe() else { return String::new() };
    match features.head_map.kind.get() {
        HeadMapKind::Attention => format!("Attention of {heads}"),
        HeadMapKind::Contribution => {
            format!("Contribution of {heads} to {}", features.heads.subject().unwrap_or_default())
        }
    }
}

/// Draws photo and overlay into one canvas of the photo's size.
fn composed(photo: &HtmlCanvasElement, features: Features) -> Option<HtmlCanvasElement> {
    let composed: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    composed.set_width(photo.width());
    composed.set_height(photo.height());
    let context: CanvasRenderingContext2d = composed.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_html_canvas_element(photo, 0.0, 0.0).ok()?;
    if let Some(overlay) = canvas("overlay").filter(|_| features.overlay.layer.get_untracked() != Layer::None) {
        context.set_global_alpha(features.overlay.opacity.get_untracked());
        context.draw_image_with_html_canvas_element(&overlay, 0.0, 0.0).ok()?;
    }
    Some(composed)
}

/// Returns one of the stage's canvases.
fn canvas(id: &str) -> Option<HtmlCanvasElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}
