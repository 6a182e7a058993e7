//! Ways to open a video: a file, pictures, the sample.

use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use super::camera;
use crate::page::common::browser::dom;
use crate::page::video::browser::state::VideoState;
use crate::page::video::time;
use crate::text::units;

/// The view's title, and ways to open another video.
#[component]
pub fn Heading() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let about = move || {
        video.player.summary.get().map(|summary| {
            let size = summary.size;
            format!(
                "{} · {} × {} · {} · {}",
                video
                    .player
                    .loaded
                    .with(|loaded| loaded.as_ref().map(|loaded| loaded.name.clone()))
                    .unwrap_or_default(),
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
            <Show when=move || video.player.loaded.with(Option::is_some)>
                <Openers/>
            </Show>
        </div>
    }
}

#[component]
fn Openers() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let files_of = |event: &Event| {
        let input: HtmlInputElement = event_target(event);
        let files = dom::files_of(input.files());
        // Clear the field, so that the same file can be chosen again.
        input.set_value("");
        files
    };
    let open_file = move |event: Event| {
        if let Some(file) = files_of(&event).into_iter().next() {
            video.open_file(file.name(), file.into());
        }
    };
    let open_frames = move |event: Event| video.open_pictures(files_of(&event));
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

/// The view before a video is open.
#[component]
pub fn Welcome() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let is_opening = move || video.player.opening.with(Option::is_some);
    view! {
        <div class="welcome">
            <p>
                "See which objects the model finds in a video, and follow them: each head of its last layer
                finds one. Type phrases and see when they fit. Point at something, and its mask is carried
                through all frames. The video stays on your machine."
            </p>
            <div class="row">
                <button
                    type="button"
                    class="strong"
                    id="sample-clip"
                    disabled=is_opening
                    on:click=move |_| video.open_sample_clip()
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

/// Returns the number in words: "3 frames", "1 frame".
pub fn frames(count: usize) -> String {
    units::plural(count as u64, "frame", "frames")
}
