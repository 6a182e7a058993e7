//! The photo with the overlay and the crop frame.

use leptos::html::Canvas;
use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use crate::geometry::{Framing, Size};
use crate::page::common::browser::dom;
use crate::page::photo::browser::camera::PhotoCamera;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::overlay::OverlayState;
use crate::page::photo::browser::overlay_controls::OverlayControls;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::segmentation::SegmentationState;
use crate::page::photo::browser::zoomable::Zoomable;
use crate::page::photo::raster::{self, Layer};

/// The photo with its controls. `samples` come before the photo, `children` at the end.
#[component]
pub fn PhotoPanel(#[prop(into)] samples: ViewFn, children: Children) -> impl IntoView {
    let photo = expect_context::<PhotoState>();
    let name = move || photo.name();
    view! {
        <section class="photo-panel" aria-labelledby="photo-title">
            <div class="heading">
                <h2 id="photo-title">"Photo"</h2>
                <p class="quiet name">{name}</p>
                <OpenButton/>
                <PhotoCamera/>
            </div>
            {samples.run()}
            <Stage/>
            <OverlayControls/>
            {children()}
        </section>
    }
}

#[component]
fn OpenButton() -> impl IntoView {
    let photo = expect_context::<PhotoState>();
    let open = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = dom::files_of(input.files()).into_iter().next() {
            photo.open_file(file.name(), file.into());
        }
        // Clear the field, so that the same file can be chosen again.
        input.set_value("");
    };
    view! {
        <label class="button" title="Or drop a photo anywhere, or paste one">
            "Open a photo"
            <input class="unseen" type="file" name="photo" accept="image/*,.heic,.heif,.avif" on:change=open/>
        </label>
    }
}

/// The photo at its preview's size, with the overlay and the crop frame.
#[component]
pub fn Stage() -> impl IntoView {
    let (photo, overlay) = (expect_context::<PhotoState>(), expect_context::<OverlayState>());
    let (segmentation, head_map) = (expect_context::<SegmentationState>(), expect_context::<HeadMapState>());
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        photo.photo.with(|photo| {
            if let Some(photo) = photo {
                dom::paint(&canvas, photo.summary.preview, Some(&photo.pixels), (0.0, 0.0));
            }
        });
    });
    let ratio = move || {
        photo.photo.with(|photo| {
            let Size { width, height } = photo.as_ref()?.summary.preview;
            Some((width as f64 / height.max(1) as f64).to_string())
        })
    };
    let frame = move || {
        photo.photo.with(|photo| {
            let summary = &photo.as_ref()?.summary;
            let (frame, size) = (summary.crop_in_photo, summary.photo);
            let (width, height) = (size.width as f64 / 100.0, size.height as f64 / 100.0);
            Some(format!(
                "left:{:.3}%;top:{:.3}%;width:{:.3}%;height:{:.3}%",
                frame.left / width,
                frame.top / height,
                frame.width / width,
                frame.height / height
            ))
        })
    };
    let subject = Signal::derive(move || photo.name().unwrap_or_default());
    let described =
        move || format!("The photo {}, with {}", subject.get(), describe_layer(overlay, segmentation, head_map));
    let is_whole = move || photo.framing.get() == Framing::WholePhoto;
    let reframe = move |_| {
        photo.frame(if is_whole() { Framing::CentreCrop } else { Framing::WholePhoto });
    };
    view! {
        <div
            class="stage"
            class:empty=move || photo.photo.with(Option::is_none)
            class:grey=move || overlay.layer.get() == Layer::Head
            style:--ratio=ratio
        >
            <Zoomable subject=subject>
                <canvas id="photo" node_ref=canvas role="img" aria-label=described width="1" height="1"></canvas>
                <Overlay/>
                <div id="crop-frame" style=frame></div>
            </Zoomable>
            <Beforehand/>
            <p class="placeholder">"Drop a photo here, paste one, or pick a sample."</p>
        </div>
        <div class="row">
            <button type="button" id="whole-photo" aria-pressed=move || is_whole().to_string() on:click=reframe>
                "Whole photo"
            </button>
            <p class="quiet hint">
                {move || if is_whole() {
                    "The model sees the whole photo, on more patches than in its training."
                } else {
                    "The model sees the framed part only, as in its training."
                }}
            </p>
        </div>
    }
}

/// Describes the layer over the photo for screen readers.
fn describe_layer(overlay: OverlayState, segmentation: SegmentationState, head_map: HeadMapState) -> String {
    match (overlay.layer.get(), segmentation.current(), head_map.describe()) {
        (Layer::Segmentation, Some(found), _) if found.is_empty => format!("nothing found for {}", found.phrase),
        (Layer::Segmentation, Some(found), _) => format!("the segmentation of {}", found.phrase),
        (Layer::Head, _, Some(heads)) => format!("the map of {heads}"),
        _ => "nothing over it".to_owned(),
    }
}

/// Draws the chosen layer at the preview's size. Every pixel that is not transparent belongs to the layer; for a
/// segmentation, these pixels are the foreground.
#[component]
fn Overlay() -> impl IntoView {
    let (photo, overlay) = (expect_context::<PhotoState>(), expect_context::<OverlayState>());
    let (segmentation, head_map) = (expect_context::<SegmentationState>(), expect_context::<HeadMapState>());
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        let Some(size) = photo.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.preview)) else {
            return;
        };
        let (kind, stamp, rgba) =
            painted_layer(photo, overlay, segmentation, head_map).unwrap_or(("none", None, Vec::new()));
        let image = dom::image_of_slice(&rgba, size);
        dom::paint(&canvas, size, image.as_ref(), (0.0, 0.0));
        // Setting attributes whose names are literals does not fail.
        let _set = canvas.set_attribute("data-layer-kind", kind);
        if let Some(stamp) = stamp {
            let _set = canvas.set_attribute("data-stamp", &stamp.to_string());
        }
    });
    view! {
        <canvas
            id="overlay"
            node_ref=canvas
            aria-hidden="true"
            width="1"
            height="1"
            data-layer-kind="none"
            data-stamp="0"
            style:opacity=move || overlay.opacity.get().to_string()
        ></canvas>
    }
}

/// Returns the layer to draw: its kind, the stamp of a segmentation, and its RGBA pixels.
fn painted_layer(
    photo: PhotoState,
    overlay: OverlayState,
    segmentation: SegmentationState,
    head_map: HeadMapState,
) -> Option<(&'static str, Option<u32>, Vec<u8>)> {
    match overlay.layer.get() {
        Layer::None => None,
        Layer::Segmentation => segmentation.painted().map(|(stamp, pixels)| ("segmentation", Some(stamp), pixels)),
        Layer::Head => {
            let map = head_map.current()?;
            let size = Size { width: map.grid.columns, height: map.grid.rows };
            let place = photo.photo.with(|photo| photo.as_ref().map(|photo| photo.placement(map.frame, size)))?;
            let colours = raster::paint_patches(map.kind, &map.map);
            Some(("head", None, raster::spread(&place, &colours)))
        }
    }
}

/// Says that the results on screen were precomputed, while they are shown.
#[component]
fn Beforehand() -> impl IntoView {
    let photo = expect_context::<PhotoState>();
    view! {
        <Show when=move || photo.is_precomputed.get()>
            <p id="beforehand" class="beforehand" role="status">
                "Computed beforehand, while the model loads"
            </p>
        </Show>
    }
}
