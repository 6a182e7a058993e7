//! The photo with the segmentation of one of the two models.

use leptos::html::Canvas;
use leptos::prelude::*;

use super::state::CompareState;
use crate::geometry::Size;
use crate::page::common::browser::dom;
use crate::page::compare::pairs::Side;
use crate::page::photo::browser::overlay::OverlayState;

#[component]
pub fn SegmentedPhoto(side: Side) -> impl IntoView {
    let overlay = expect_context::<OverlayState>();
    let compared = expect_context::<CompareState>().side(side);
    let (photo, segmentation) = (compared.photo, compared.segmentation);
    let (backdrop, mask) = (NodeRef::<Canvas>::new(), NodeRef::<Canvas>::new());
    let size = move || photo.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.preview));
    Effect::new(move || {
        let Some(canvas) = backdrop.get() else { return };
        photo.photo.with(|photo| {
            let size = photo.as_ref().map_or(Size { width: 1, height: 1 }, |photo| photo.summary.preview);
            dom::paint(&canvas, size, photo.as_ref().map(|photo| &photo.pixels), (0.0, 0.0));
        });
    });
    Effect::new(move || {
        let (Some(canvas), Some(size)) = (mask.get(), size()) else { return };
        let painted = segmentation.painted();
        let image = painted.and_then(|(_stamp, pixels)| dom::image_of_slice(&pixels, size));
        dom::paint(&canvas, size, image.as_ref(), (0.0, 0.0));
    });
    let name = move || compared.model.pack.with(|pack| pack.as_ref().map(|pack| pack.name.clone()));
    let device =
        move || compared.model.pack.with(|pack| pack.as_ref().map(|pack| format!("on the {}", pack.device.kind)));
    let ratio = move || size().map(|Size { width, height }| (width as f64 / height.max(1) as f64).to_string());
    let says = move || match segmentation.current() {
        Some(found) if found.is_empty => format!("Nothing fits “{}”.", found.phrase),
        Some(found) => {
            let threshold = segmentation.threshold_in_use().unwrap_or_default();
            format!("“{}”, above {threshold:.2}", found.phrase)
        }
        None if !compared.model.has_text() => "This model scores no phrases.".to_owned(),
        None => "No segmentation yet.".to_owned(),
    };
    let described = move || format!("The photo with the segmentation of model {}: {}", side.letter(), says());
    view! {
        <figure class="segmented-photo" data-side=side.name()>
            <figcaption>
                <b>{side.letter()}</b>
                <span class="name">{name}</span>
                <span class="quiet hint">{device}</span>
            </figcaption>
            <div class="stage" style:--ratio=ratio>
                <canvas node_ref=backdrop role="img" aria-label=described width="1" height="1"></canvas>
                <canvas
                    class="mask"
                    node_ref=mask
                    aria-hidden="true"
                    width="1"
                    height="1"
                    data-stamp=move || segmentation.current().map(|found| found.stamp.to_string())
                    style:opacity=move || overlay.opacity.get().to_string()
                ></canvas>
            </div>
            <p class="quiet hint">{says}</p>
        </figure>
    }
}
