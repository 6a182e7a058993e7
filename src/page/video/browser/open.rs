//! Ways to open a video: a file, pictures, the sample.

use leptos::prelude::*;
use leptos::web_sys::{Event, File, HtmlInputElement};

use super::camera;
use crate::page::common::browser::dom;
use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::State;
use crate::page::video::time;
use crate::text::units;

/// Opens what was dropped, pasted or chosen, if it is a video or a row of pictures; else hands it back.
pub fn take_videos(engine: Engine, files: Vec<File>, takes_pictures: bool) -> Option<Vec<File>> {
    let is_video = |file: &File| {
        let name = file.name().to_lowercase();
        let has_ending = [".mp4", ".m4v", ".mov", ".webm", ".mkv"].iter().any(|ending| name.ends_with(ending));
        file.type_().starts_with("video/") || has_ending
    };
    if let Some(file) = files.iter().find(|file| is_video(file)) {
        engine.open_video(file.name(), file.clone().into());
        return None;
    }
    let pictures = files.iter().filter(|file| file.type_().starts_with("image/")).count();
    if takes_pictures && pictures > 1 {
        engine.open_frames(files);
        return None;
    }
    Some(files)
}

/// The view's title, and ways to open another video.
#[component]
pub fn Heading() -> impl IntoView {
    let video = expect_context::<State>().video;
    let about = move || {
        video.summary.get().map(|summary| {
            let size = summary.size;
            format!(
                "{} · {} × {} · {} · {}",
                video.reel.with(|reel| reel.as_ref().map(|reel| reel.name.clone())).unwrap_or_default(),
                size.width,
                size.height,
                time::clock(summary.duration),
                summary.coding
            )
        })
    };
    view! {
        <div class="heading">
            <h2 id="video-title">"Video"</h2>
            <p class="quiet name">{about}</p>
            <Show when=move || video.reel.with(Option::is_some)>
                <Openers/>
            </Show>
        </div>
    }
}

#[component]
fn Openers() -> impl IntoView {
    let engine = expect_context::<Engine>();
    let files_of = |event: &Event| {
        let input: HtmlInputElement = event_target(event);
        let files = dom::files_of(input.files());
        // So that the same file can be chosen again.
        input.set_value("");
        files
    };
    let open_file = move |event: Event| {
        if let Some(file) = files_of(&event).into_iter().next() {
            engine.open_video(file.name(), file.into());
        }
    };
    let open_frames = move |event: Event| engine.open_frames(files_of(&event));
    view! {
        <label class="button" title="Or drop a video anywhere">
            "Open a video"
            <input class="unseen" type="file" name="video" accept="video/*,.mkv" on:change=open_file/>
        </label>
        <label class="button" title="Pictures, in the order of the numbers in their names">
            "Open frames"
            <input class="unseen" type="file" name="frames" accept="image/*" multiple on:change=open_frames/>
        </label>
    }
}

/// What is there before any video.
#[component]
pub fn Welcome() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    let is_opening = move || state.video.opening.with(Option::is_some);
    view! {
        <div class="welcome">
            <p>
                "See what the model takes for objects in a video, and follow them: each head of its last layer
                finds one. Type phrases and see when they come true; point at something and have its mask
                carried through all frames. The video stays on your machine."
            </p>
            <div class="row">
                <button
                    type="button"
                    class="strong"
                    id="sample-clip"
                    disabled=is_opening
                    on:click=move |_| engine.open_sample_clip()
                >
                    {move || if is_opening() { "Opening…" } else { "Try a sample clip" }}
                </button>
                <Openers/>
                <camera::Camera/>
            </div>
            <p class="quiet hint">
                "Or drop a video (MP4, WebM) anywhere. The sample: five seconds of Big Buck Bunny,
                © Blender Foundation, CC BY 3.0."
            </p>
        </div>
    }
}

/// "3 frames", "1 frame".
pub fn frames(count: usize) -> String {
    units::plural(count as u64, "frame", "frames")
}
