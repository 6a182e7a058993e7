//! Controls for masks that follow the objects that the user points at: tools, objects, direction, resolution.

use leptos::html::Input;
use leptos::prelude::*;
use leptos::web_sys::{Event, SubmitEvent};

use super::open::frames;
use super::state::{Tool, VideoState};
use crate::geometry::Framing;
use crate::page::common::browser::controls::Choice;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::colour;
use crate::page::common::formulas::Topic;
use crate::page::model::browser::state::ModelState;
use crate::page::video::time;
use crate::protocol::sampling::ModelSize;
use crate::protocol::video::{Seed, SeedKind};

/// The short sides to choose from, in pixels. The last one is the short side of the DAVIS protocol.
const SHORT_SIDES: [usize; 4] = [224, 336, 420, 480];

/// Returns the colour of a seeded object. The objects are numbered from 1.
pub fn colour_of(object: u32) -> [u8; 3] {
    // The colours differ from the colours of the tracks, which the person may have seen before.
    colour::series((object as usize).saturating_sub(1) + 1)
}

#[component]
pub fn Propagation() -> impl IntoView {
    let (model, video) = (expect_context::<ModelState>(), expect_context::<VideoState>());
    let has_seeds = move || !video.masks.seeds.with(Vec::is_empty);
    let is_running = move || !video.masks.steps.with(|steps| steps.is_empty());
    let go = move |label: &'static str, id: &'static str, forward: bool, backward: bool| {
        view! {
            <button type="button" id=id disabled=move || !has_seeds() || is_running()
                on:click=move |_| video.propagate(forward, backward)>
                {label}
            </button>
        }
    };
    view! {
        <section
            class="propagation"
            aria-labelledby="propagation-title"
            data-masks=move || video.masks.propagated.with(|all| all.len()).to_string()
            data-running=move || is_running().to_string()
        >
            <div class="heading">
                <h2 id="propagation-title">"Follow a mask"</h2>
                <button type="button" class="quiet-button" disabled=move || !has_seeds()
                    on:click=move |_| video.forget_masks()>
                    "Start over"
                </button>
            </div>
            <div class="row">
                <Choice
                    legend="A click on the frame"
                    name="tool"
                    options=vec![(Tool::None, "Off"), (Tool::Point, "Point"), (Tool::Box, "Box")]
                    value=video.masks.tool
                    on_change=move |tool| video.masks.tool.set(tool)
                />
                <Target/>
            </div>
            <Show when=move || model.has_text()>
                <PhraseSeed/>
            </Show>
            <div class="row">
                {go("◀ Back", "propagate-back", false, true)}
                {go("Both ways", "propagate-both", true, true)}
                {go("Forward ▶", "propagate-on", true, false)}
                <Show when=is_running>
                    <button type="button" id="stop-propagating" on:click=move |_| video.stop_propagating()>
                        "Stop"
                    </button>
                </Show>
            </div>
            <Resolution/>
            <p class="quiet hint" id="propagation-says">{move || status_line(video)}</p>
            <HowComputed about=Topic::Propagation/>
        </section>
    }
}

/// Chooses the object to seed.
#[component]
fn Target() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let count = move || video.masks.seeds.with(|seeds| seeds.iter().map(|seed| seed.object).max().unwrap_or(0));
    let object = move |object: u32| {
        view! {
            <button type="button" class="target" aria-pressed=move || (video.masks.target.get() == object).to_string()
                aria-label=format!("Object {object}")
                style=format!("--colour:{}", colour::css(colour_of(object)))
                on:click=move |_| video.masks.target.set(object)>
                {object}
            </button>
        }
    };
    view! {
        <div class="chips" role="group" aria-label="The object that is pointed at">
            {move || (1..=(count() + 1).min(8)).map(object).collect_view()}
        </div>
    }
}

#[component]
fn PhraseSeed() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let input = NodeRef::<Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(input) = input.get() else { return };
        let phrase = input.value().trim().to_owned();
        if let Some(frame) = video.frames.sampled_here().filter(|_| !phrase.is_empty()) {
            video.player.is_playing.set(false);
            video.seed(Seed { frame, object: video.masks.target.get_untracked(), kind: SeedKind::Phrase(phrase) });
            input.set_value("");
        }
    };
    view! {
        <form class="add-phrase" id="seed-phrase" on:submit=submit>
            <input type="text" name="seed-phrase" node_ref=input autocomplete="off"
                aria-label="Seed the object by a phrase" placeholder="Or say what it is"/>
            <button type="submit">"Find"</button>
        </form>
    }
}

#[component]
fn Resolution() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let choose = move |event: Event| {
        if let Ok(side) = event_target_value(&event).parse() {
            video.masks.short_side.set(side);
            // The pace changes with the grid.
            video.masks.pace.set(Default::default());
        }
    };
    view! {
        <label class="inline">
            "Short side"
            <select name="short-side" on:change=choose>
                {SHORT_SIDES
                    .into_iter()
                    .map(|side| view! {
                        <option value=side.to_string() selected=move || video.masks.short_side.get() == side>
                            {format!("{side} px")}
                        </option>
                    })
                    .collect_view()}
            </select>
        </label>
    }
}

fn status_line(video: VideoState) -> String {
    let waiting = video.masks.steps.with(|steps| steps.len());
    let pace = pace(video);
    if waiting > 0 {
        let left = pace.remaining(waiting).map(|left| format!(", {left}")).unwrap_or_default();
        return format!("{} left{left}.", frames(waiting));
    }
    if video.masks.seeds.with(Vec::is_empty) {
        return "Choose Point or Box, then click on the frame: the patches that are similar to that place become the \
         mask. A larger short side makes the mask finer and takes longer; the DAVIS protocol uses 480 px."
            .to_owned();
    }
    let all = video.frames.times().len();
    let time = pace.remaining(all).map(|time| format!("; all frames take {time}")).unwrap_or_default();
    format!("Is a mask wrong? Go to that frame, point again, and continue from there{time}.")
}

/// Returns the time per frame: the measured time, or else an estimate from the number of patches.
fn pace(video: VideoState) -> time::Pace {
    let measured = video.masks.pace.get();
    if measured.per_frame.is_some() {
        return measured;
    }
    let estimate = || {
        let model = video.model.pack.with(|pack| pack.as_ref().map(ModelSize::from))?;
        let size = video.player.summary.with(|summary| summary.as_ref().map(|summary| summary.size))?;
        let known = video.frames.sampled.with(|sampled| sampled.as_ref().map(|sampled| sampled.grid))?;
        let grid = model.grid(size, Framing::Frame { short_side: video.masks.short_side.get() });
        let times = grid.len() as f64 / known.len().max(1) as f64;
        // The time of the attention is proportional to the square of the number of patches; the time of everything
        // else is proportional to the number of patches.
        video.frames.pace.get().per_frame.map(|each| each * times * (0.75 + 0.25 * times))
    };
    time::Pace { per_frame: estimate() }
}
