//! The video, its overlay, and the marks that seed objects.

use std::rc::Rc;
use std::sync::Arc;

use leptos::html::{Canvas, Div, Video};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement, ImageBitmap, PointerEvent};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;

use super::state::{Media, Picture, PropagatedMasks, Tool, TracedFrame, VideoLayer, VideoState};
use super::{frame_clock, propagation};
use crate::geometry::{Grid, PhotoRect, Size};
use crate::page::common::browser::dom;
use crate::page::common::colour;
use crate::page::core::browser::core::Core;
use crate::page::photo::raster::{self, HeadMapKind};
use crate::page::video::time;
use crate::page::video::tracks;
use crate::protocol::video::{Seed, SeedKind};

/// The video at its own proportions.
#[component]
pub fn Stage() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let size = move || video.player.summary.with(|summary| summary.as_ref().map(|summary| summary.size));
    let ratio = move || size().map(|Size { width, height }| (width as f64 / height.max(1) as f64).to_string());
    view! {
        <div class="video-stage" style:--ratio=ratio>
            {move || video.player.loaded.get().map(|loaded| match loaded.media {
                Media::File { url, .. } => view! { <Playing url=url.as_str().to_owned()/> }.into_any(),
                Media::Pictures(pictures) => view! { <Pictures pictures=PictureList(pictures)/> }.into_any(),
            })}
            <Overlay/>
            <Marks/>
        </div>
    }
}

/// A player. Dropping the value removes the file from the player. Otherwise the browser would keep the file and the
/// decoder for an unknown time.
struct Player {
    element: HtmlVideoElement,
    _follower: Option<frame_clock::Follower>,
}

impl Drop for Player {
    fn drop(&mut self) {
        // Removing an attribute does not fail.
        let _removed = self.element.remove_attribute("src");
        self.element.load();
    }
}

/// A video file that the browser plays.
#[component]
fn Playing(url: String) -> impl IntoView {
    let (core, video) = (expect_context::<Core>(), expect_context::<VideoState>());
    let element = NodeRef::<Video>::new();
    let address = url.clone();
    Effect::new(move || {
        let Some(element) = element.get() else { return };
        // Some browsers ignore the attribute, so the property is set too.
        element.set_muted(true);
        // Leptos may reuse the element of the previous player, whose source was removed.
        if !element.has_attribute("src") {
            element.set_src(&address);
        }
        let follower = frame_clock::follow(element.clone(), video);
        let player = StoredValue::new_local(Some(Player { element, _follower: follower }));
        on_cleanup(move || {
            player.try_update_value(Option::take);
        });
    });
    Effect::new(move || {
        let Some(element) = element.get() else { return };
        if video.player.is_playing.get() {
            if let Ok(playing) = element.play() {
                spawn_local(async move {
                    if JsFuture::from(playing).await.is_err() {
                        video.player.is_playing.set(false);
                    }
                });
            }
        } else if !element.paused() {
            // This does not fail for a playing element.
            let _paused = element.pause();
        }
    });
    Effect::new(move || {
        if let Some((element, time)) = element.get().zip(video.player.seek_to.get()) {
            element.set_current_time(time);
        }
    });
    let name = move || {
        video.player.loaded.with(|loaded| loaded.as_ref().map(|loaded| loaded.name.clone())).unwrap_or_default()
    };
    let fail = move |_| {
        // The worker may still decode the file.
        let sentence = format!("The browser does not play {}; its tracks are still available.", name());
        core.complain(crate::protocol::TaskKind::Sampling, sentence);
    };
    view! {
        <video
            id="video"
            node_ref=element
            src=url
            playsinline
            preload="auto"
            on:play=move |_| video.player.is_playing.set(true)
            on:pause=move |_| video.player.is_playing.set(false)
            on:ended=move |_| video.player.is_playing.set(false)
            on:error=fail
        ></video>
    }
}

/// A sequence of pictures, in a type that a component accepts as a property.
#[derive(Clone)]
struct PictureList(Rc<[Picture]>);

/// A sequence of pictures, drawn one by one.
#[component]
fn Pictures(pictures: PictureList) -> impl IntoView {
    let video = expect_context::<VideoState>();
    let canvas = NodeRef::<Canvas>::new();
    let pictures = StoredValue::new_local(pictures.0);
    let times = pictures.with_value(|all| all.iter().map(|picture| picture.time).collect::<Vec<_>>());
    let shown = Memo::new(move |_| time::frame_at(&times, times.len(), video.player.time.get()));
    Effect::new(move || {
        let Some((canvas, index)) = canvas.get().zip(shown.get()) else { return };
        let Some(picture) = pictures.with_value(|all| all.get(index).cloned()) else { return };
        spawn_local(async move {
            let Some(bitmap) = bitmap_of(&picture).await else { return };
            // A later picture may have been decoded first.
            if shown.try_get_untracked().flatten() == Some(index) {
                draw(&canvas, &bitmap);
                let _set = canvas.set_attribute("data-picture", &index.to_string());
            }
            bitmap.close();
        });
    });
    Effect::new(move || {
        if let Some(canvas) = canvas.get() {
            frame_clock::play_pictures(video, move || canvas.is_connected());
        }
    });
    view! { <canvas id="pictures" node_ref=canvas role="img" aria-label="The video's current picture"></canvas> }
}

async fn bitmap_of(picture: &Picture) -> Option<ImageBitmap> {
    let promise = window().create_image_bitmap_with_blob(&picture.blob).ok()?;
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}

fn draw(canvas: &HtmlCanvasElement, bitmap: &ImageBitmap) {
    if (canvas.width(), canvas.height()) != (bitmap.width(), bitmap.height()) {
        canvas.set_width(bitmap.width());
        canvas.set_height(bitmap.height());
    }
    let context = canvas.get_context("2d").ok().flatten();
    if let Some(context) = context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok()) {
        // This fails only for closed bitmaps.
        let _drawn = context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0);
    }
}

/// A layer over a frame: RGBA pixels over a part of the frame.
struct Painted {
    kind: &'static str,
    size: Size,
    rgba: Vec<u8>,
    crop_in_frame: PhotoRect,
    is_smooth: bool,
}

/// Draws the layer over the frame on screen.
#[component]
fn Overlay() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        let frame = video.player.summary.with(|summary| summary.as_ref().map(|summary| summary.size));
        let (painted, frame) = (paint(video), frame.unwrap_or(Size { width: 1, height: 1 }));
        let kind = painted.as_ref().map_or("none", |painted| painted.kind);
        // Setting attributes whose names are literals does not fail.
        let _set = canvas.set_attribute("data-layer-kind", kind);
        match painted {
            None => dom::paint(&canvas, Size { width: 1, height: 1 }, None, (0.0, 0.0)),
            Some(Painted { size, rgba, crop_in_frame, is_smooth, .. }) => {
                dom::paint(&canvas, size, dom::image_of_slice(&rgba, size).as_ref(), (0.0, 0.0));
                let _set = canvas.set_attribute("style", &place(crop_in_frame, frame));
                let _set = canvas.class_list().toggle_with_force("smooth", is_smooth);
            }
        }
        let here = video.frames.sampled_here().map(|index| index.to_string()).unwrap_or_default();
        let _set = canvas.set_attribute("data-frame", &here);
    });
    view! {
        <div class="over" style:opacity=move || video.overlay.opacity.get().to_string()>
            <canvas id="video-overlay" node_ref=canvas aria-hidden="true" width="1" height="1"></canvas>
        </div>
    }
}

/// Returns the CSS position of a part of the frame.
fn place(rect: PhotoRect, frame: Size) -> String {
    let (x, y) = (100.0 / frame.width.max(1) as f64, 100.0 / frame.height.max(1) as f64);
    format!(
        "left:{:.4}%;top:{:.4}%;width:{:.4}%;height:{:.4}%",
        rect.left * x,
        rect.top * y,
        rect.width * x,
        rect.height * y
    )
}

fn paint(video: VideoState) -> Option<Painted> {
    match video.overlay.layer.get() {
        VideoLayer::None => None,
        VideoLayer::Tracks => Some(paint_tracks(video, &*video.frames.traced_here()?)),
        VideoLayer::Attention => {
            let frame = video.frames.traced_here()?;
            let patches = frame.grid.len();
            let map = frame.attention.get(video.overlay.head.get() * patches..)?.get(..patches)?;
            let rgba = raster::paint_patches(HeadMapKind::Attention, map).concat();
            Some(Painted {
                kind: "attention",
                size: size_of(frame.grid),
                rgba,
                crop_in_frame: frame.crop_in_frame,
                is_smooth: video.overlay.is_smooth.get(),
            })
        }
        VideoLayer::Segmentation => {
            let found = video.overlay.segmentation.get()?;
            let is_here =
                Some(found.index) == video.frames.sampled_here() && video.phrases.chosen.get()? == found.phrase;
            let mask = found.map.iter().map(|value| !found.is_empty && *value > found.threshold);
            let mask: Vec<bool> = mask.collect();
            is_here.then(|| Painted {
                kind: "segmentation",
                size: found.size,
                rgba: raster::paint_mask(found.size, &mask),
                crop_in_frame: found.crop_in_frame,
                is_smooth: true,
            })
        }
        VideoLayer::Propagation => {
            let here = video.frames.sampled_here()?;
            let found = video.masks.propagated.with(|all| all.get(&here).cloned())?;
            Some(paint_propagated(&found, video.overlay.is_smooth.get()))
        }
    }
}

fn paint_tracks(video: VideoState, frame: &TracedFrame) -> Painted {
    let ids = &frame.objects.objects;
    let (shown, colours) = video.objects.looks.with(|looks| {
        let place = |id: &u32| looks.iter().position(|look| look.id == *id);
        let is_shown = |id: &u32| place(id).is_some_and(|at| looks[at].is_shown);
        let colour = |id: &u32| colour::series(place(id).unwrap_or_default());
        (ids.iter().map(is_shown).collect::<Vec<_>>(), ids.iter().map(colour).collect::<Vec<_>>())
    });
    let (patches, is_smooth) = (frame.grid.len(), video.overlay.is_smooth.get());
    let (size, rgba) = if is_smooth {
        (size_of(frame.grid), tracks::paint_soft(&frame.tracks, patches, &shown, &colours).concat())
    } else {
        let owners = tracks::owners(&frame.tracks, patches, &shown);
        (tracks::painted_size(frame.grid), tracks::paint_owners(frame.grid, &owners, &colours))
    };
    Painted { kind: "tracks", size, rgba, crop_in_frame: frame.crop_in_frame, is_smooth }
}

fn paint_propagated(found: &Arc<PropagatedMasks>, is_smooth: bool) -> Painted {
    let patches = found.grid.len();
    let shown = vec![true; found.objects.len()];
    let colours: Vec<[u8; 3]> = found.objects.iter().map(|object| propagation::colour_of(*object)).collect();
    let (size, rgba) = if is_smooth {
        let masks = found.masks.get(patches..).unwrap_or_default();
        (size_of(found.grid), tracks::paint_soft(masks, patches, &shown, &colours).concat())
    } else {
        let owners = tracks::winners(&found.masks, patches, &shown);
        (tracks::painted_size(found.grid), tracks::paint_owners(found.grid, &owners, &colours))
    };
    Painted { kind: "propagation", size, rgba, crop_in_frame: found.crop_in_frame, is_smooth }
}

fn size_of(grid: Grid) -> Size {
    Size { width: grid.columns, height: grid.rows }
}

/// Handles clicks on the frame while a tool is chosen, and shows the seeds of this frame.
#[component]
fn Marks() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let board = NodeRef::<Div>::new();
    let pressed = RwSignal::new(None::<(f64, f64)>);
    let drawn = RwSignal::new(None::<PhotoRect>);
    let frame = move || {
        video.player.summary.with(|summary| summary.as_ref().map_or(Size { width: 1, height: 1 }, |at| at.size))
    };
    let point = move |event: &PointerEvent| {
        let around = board.get_untracked()?.get_bounding_client_rect();
        let Size { width, height } = frame();
        let x = (f64::from(event.client_x()) - around.left()) / around.width().max(1.0);
        let y = (f64::from(event.client_y()) - around.top()) / around.height().max(1.0);
        Some((x.clamp(0.0, 1.0) * width as f64, y.clamp(0.0, 1.0) * height as f64))
    };
    let between = |(x, y): (f64, f64), (a, b): (f64, f64)| PhotoRect {
        left: x.min(a),
        top: y.min(b),
        width: (x - a).abs(),
        height: (y - b).abs(),
    };
    let down = move |event: PointerEvent| {
        if video.masks.tool.get_untracked() != Tool::None {
            event.prevent_default();
            video.player.is_playing.set(false);
            pressed.set(point(&event));
            if let Some(board) = board.get_untracked() {
                // This fails if the pointer is already gone.
                let _captured = board.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let drag = move |event: PointerEvent| {
        if video.masks.tool.get_untracked() == Tool::Box
            && let Some((from, to)) = pressed.get_untracked().zip(point(&event))
        {
            drawn.set(Some(between(from, to)));
        }
    };
    let up = move |event: PointerEvent| {
        let Some((from, to)) = pressed.get_untracked().zip(point(&event)) else { return };
        pressed.set(None);
        drawn.set(None);
        let rect = between(from, to);
        let kind = match video.masks.tool.get_untracked() {
            Tool::None => return,
            Tool::Point => SeedKind::Point { x: to.0, y: to.1 },
            // A very small box is a mistake.
            Tool::Box if rect.width < 3.0 || rect.height < 3.0 => return,
            Tool::Box => SeedKind::Box(rect),
        };
        if let Some(frame) = video.frames.sampled_here() {
            video.seed(Seed { frame, object: video.masks.target.get_untracked(), kind });
        }
    };
    let seeds = move || {
        let here = video.frames.sampled_here();
        let is_shown = video.overlay.layer.get() == VideoLayer::Propagation;
        let seeds = video.masks.seeds.get().into_iter().filter(move |seed| is_shown && Some(seed.frame) == here);
        seeds.map(|seed| mark(&seed, frame())).collect_view()
    };
    view! {
        <div
            class="marks"
            class:armed=move || video.masks.tool.get() != Tool::None
            node_ref=board
            on:pointerdown=down
            on:pointermove=drag
            on:pointerup=up
        >
            {seeds}
            {move || drawn.get().map(|rect| view! { <span class="box" style=place(rect, frame())></span> })}
        </div>
    }
}

fn mark(seed: &Seed, frame: Size) -> Option<AnyView> {
    let colour = colour::css(propagation::colour_of(seed.object));
    match &seed.kind {
        SeedKind::Point { x, y } => {
            let at = PhotoRect { left: *x, top: *y, width: 0.0, height: 0.0 };
            let style = format!("{};--colour:{colour}", place(at, frame));
            Some(view! { <span class="point" style=style></span> }.into_any())
        }
        SeedKind::Box(rect) => {
            let style = format!("{};--colour:{colour}", place(*rect, frame));
            Some(view! { <span class="box" style=style></span> }.into_any())
        }
        SeedKind::Phrase(_) => None,
    }
}
