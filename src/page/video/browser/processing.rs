//! Chooses the frames for the model, shows the progress, and pauses and continues the work.

use leptos::prelude::*;
use leptos::web_sys::Event;

use super::open::frames;
use super::state::{TracingState, VideoState};
use crate::geometry::Framing;
use crate::protocol::sampling::{self, ModelSize, Sampling};
use crate::protocol::video::FrameSeconds;
use crate::text::units;

/// The rates to choose from, in frames per second, and the lengths, in seconds.
const RATES: [f64; 6] = [0.5, 1.0, 2.0, 5.0, 10.0, 25.0];
const LENGTHS: [f64; 6] = [5.0, 15.0, 30.0, 60.0, 120.0, 600.0];

#[component]
pub fn Processing() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let total = move || video.frames.times().len();
    let share = move || video.frames.next.get() as f64 / total().max(1) as f64;
    let is_done = move || total() > 0 && video.frames.next.get() >= total();
    // The chosen sampling, if it differs from the sampling of the current frames.
    let wanted = Memo::new(move |_| {
        let sampling = video.frames.sampling.get();
        video.frames.sampled.with(|at| at.as_ref().is_some_and(|at| at.sampling != sampling)).then_some(sampling)
    });
    let plan = Memo::new(move |_| plan(video, video.frames.sampling.get()));
    view! {
        <section class="processing" aria-labelledby="processing-title">
            <div class="heading">
                <h2 id="processing-title">"Frames"</h2>
                <p class="quiet name" id="video-progress" aria-live="polite">{move || progress(video)}</p>
            </div>
            <div class="progress" class:shown={move || total() > 0} role="progressbar" aria-label="Frames done"
                aria-valuemin="0" aria-valuemax="100"
                aria-valuenow=move || (share() * 100.0).round().to_string()>
                <span style:transform=move || format!("scaleX({:.4})", share())></span>
            </div>
            <div class="row">
                <Show when=move || wanted.get().is_none()>
                    <Show
                        when=move || video.frames.work.get() == TracingState::Running
                        fallback=move || view! {
                            <button type="button" class="strong" id="look" disabled=is_done
                                on:click=move |_| video.go_on()>
                                {move || match (is_done(), video.frames.next.get()) {
                                    (true, _) => "All frames are done".to_owned(),
                                    (false, 0) => format!("Find objects in {}", frames(total())),
                                    (false, done) => format!("Continue with {}", frames(total() - done)),
                                }}
                            </button>
                        }
                    >
                        <button type="button" id="pause-looking" on:click=move |_| video.pause()>
                            "Pause"
                        </button>
                    </Show>
                </Show>
                {move || wanted.get().map(|sampling| view! {
                    <button type="button" class="strong" id="resample"
                        disabled=move || plan.with(|plan| plan.refusal.is_some())
                        on:click=move |_| video.sample(sampling)>
                        {move || format!("Use {} instead", frames(plan.with(|plan| plan.frames)))}
                    </button>
                })}
            </div>
            <div class="settings">
                <Pick label="Frames per second" name="rate" options=&RATES value=move || video.frames.sampling.get().rate
                    on_pick=move |rate| video.frames.sampling.update(|sampling| sampling.rate = rate)/>
                <Pick label="Seconds" name="length" options=&LENGTHS value=move || video.frames.sampling.get().length
                    on_pick=move |length| video.frames.sampling.update(|sampling| sampling.length = length)/>
                <label class="inline">
                    "From"
                    <button type="button" class="quiet-button" id="from-here"
                        title="Begin at the frame on screen"
                        on:click=move |_| {
                            let time = video.player.time.get_untracked();
                            video.frames.sampling.update(|sampling| sampling.start = time);
                        }>
                        {move || crate::page::video::time::clock(video.frames.sampling.get().start)}
                    </button>
                </label>
                <label class="check" title="Fewer patches and faster; the sides of a wide frame are left out">
                    <input type="checkbox" name="centre"
                        prop:checked=move || video.frames.sampling.get().framing == Framing::CentreCrop
                        on:change=move |event| {
                            let is_centre = event_target_checked(&event);
                            let framing = if is_centre { Framing::CentreCrop } else { Framing::WholePhoto };
                            video.frames.sampling.update(|sampling| sampling.framing = framing);
                        }/>
                    <span>"Centre square only"</span>
                </label>
            </div>
            <p class="quiet hint" id="video-plan">{move || plan.get().words}</p>
            <p class="quiet hint" id="video-seconds">{move || video.frames.seconds.get().map(shares)}</p>
        </section>
    }
}

/// The number of frames of a sampling, with its memory and time in words.
#[derive(Clone, Default, PartialEq)]
struct Plan {
    frames: usize,
    words: String,
    refusal: Option<String>,
}

fn plan(video: VideoState, wanted: Sampling) -> Plan {
    let model = video.model.pack.with(|pack| pack.as_ref().map(ModelSize::from));
    let summary = video.player.summary.get();
    let Some((model, summary)) = model.zip(summary) else { return Plan::default() };
    let moments = wanted.moments(summary.duration).len();
    // The browser's player takes a picture at every moment.
    let is_taken =
        video.player.loaded.with(|loaded| loaded.as_ref().is_some_and(|loaded| loaded.taken().is_some()));
    let count = if is_taken { moments } else { moments.min(summary.frames.max(1)) };
    let grid = model.grid(summary.size, wanted.framing);
    match sampling::memory(model, grid, count) {
        Err(refusal) => {
            let words = crate::protocol::sentence(&refusal.to_string());
            Plan { frames: count, refusal: Some(words.clone()), words }
        }
        Ok(bytes) => {
            let time = video
                .frames
                .pace
                .get()
                .remaining(count)
                .map(|time| format!(", {time} of work"))
                .unwrap_or_default();
            let (rows, columns) = (grid.rows, grid.columns);
            let words = format!(
                "{} of {columns} × {rows} patches take {} of memory{time}.",
                frames(count),
                units::bytes(bytes)
            );
            Plan { frames: count, words, refusal: None }
        }
    }
}

/// Describes how a frame's time was spent.
fn shares(FrameSeconds { decode, encode, track }: FrameSeconds) -> String {
    format!(
        "The last frame took {}: decoding {}, the model {}, tracking {}.",
        units::seconds(decode + encode + track),
        units::seconds(decode),
        units::seconds(encode),
        units::seconds(track)
    )
}

/// Describes the progress: "12 of 240 · about 3 min left".
fn progress(video: VideoState) -> String {
    let (done, total) = (video.frames.next.get(), video.frames.times().len());
    match video.frames.work.get() {
        _ if total == 0 => String::new(),
        TracingState::Running => {
            let left = video.frames.pace.get().remaining(total - done.min(total));
            let left = left.map(|left| format!(" · {left} left")).unwrap_or_default();
            format!("{done} of {}{left}", frames(total))
        }
        TracingState::Paused => format!("{done} of {} · paused", frames(total)),
        TracingState::Idle => format!("{done} of {}", frames(total)),
    }
}

/// Chooses one of a few numbers. A current value that is not one of them is also listed.
#[component]
fn Pick(
    label: &'static str,
    name: &'static str,
    options: &'static [f64],
    #[prop(into)] value: Signal<f64>,
    on_pick: impl Fn(f64) + 'static,
) -> impl IntoView {
    let all = move || {
        let mut all = options.to_vec();
        if !all.contains(&value.get()) {
            all.push(value.get());
            all.sort_by(f64::total_cmp);
        }
        all
    };
    let option = move |number: f64| {
        let is_chosen = move || value.get() == number;
        let words = format!("{}", (number * 100.0).round() / 100.0);
        view! { <option value=number.to_string() selected=is_chosen>{words}</option> }
    };
    view! {
        <label class="inline">
            {label}
            <select
                name=name
                on:change=move |event: Event| {
                    if let Ok(number) = event_target_value(&event).parse() {
                        on_pick(number);
                    }
                }
            >
                {move || all().into_iter().map(option).collect_view()}
            </select>
        </label>
    }
}
