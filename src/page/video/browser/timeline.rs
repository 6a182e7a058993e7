//! The timeline: the current time, the frames that are done, the cuts, and a strip per object.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::web_sys::Event;

use super::state::TracedFrame;
use crate::page::common::chart::{WIDTH, x_at};
use crate::page::common::colour;
use crate::page::video::browser::state::VideoState;
use crate::page::video::time;
use crate::page::video::tracks;

#[component]
pub fn Timeline() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let duration = Memo::new(move |_| video.player.duration().max(1e-3));
    let scrub = move |event: Event| {
        if let Ok(time) = event_target_value(&event).parse::<f64>() {
            video.player.is_playing.set(false);
            video.player.seek(time);
        }
    };
    let percent = move |time: f64| x_at(time, duration.get()) / WIDTH * 100.0;
    // The band reaches from the first sampled frame to the end of the last frame that is done.
    let band = move || {
        let (times, next) = (video.frames.times(), video.frames.next.get());
        let (first, last) = (times.first().copied()?, next.checked_sub(1)?);
        let end = times.get(last + 1).copied().unwrap_or_else(|| end_of(&times, duration.get()));
        Some(format!("left:{:.3}%;width:{:.3}%", percent(first), percent(end) - percent(first)))
    };
    let cuts = move || {
        let frames = video.frames.traced.get();
        let cuts = frames.into_iter().filter(|frame| frame.objects.is_cut && frame.index > 0);
        cuts.map(|frame| {
            let style = format!("left:{:.3}%", percent(frame.time));
            view! { <span class="cut" style=style title="The scene changes here"></span> }
        })
        .collect_view()
    };
    let says = move || format!("{} / {}", time::clock(video.player.time.get()), time::clock(duration.get()));
    view! {
        <div class="timeline">
            <button
                type="button"
                id="play"
                class="play"
                aria-label=move || if video.player.is_playing.get() { "Pause" } else { "Play" }
                title="Space"
                on:click=move |_| video.player.is_playing.update(|is_playing| *is_playing = !*is_playing)
            >
                {move || if video.player.is_playing.get() { "❚❚" } else { "▶" }}
            </button>
            <div class="track">
                <span class="band" id="processed" style=band></span>
                {cuts}
                <input
                    type="range"
                    id="scrubber"
                    name="time"
                    min="0"
                    max=move || duration.get().to_string()
                    step="0.001"
                    aria-label="Time; arrow keys go from frame to frame"
                    aria-valuetext=says
                    prop:value=move || video.player.time.get().to_string()
                    on:input=scrub
                />
            </div>
            <output class="clock">{says}</output>
        </div>
        <Strips/>
    }
}

/// Returns the end of the last sampled frame. This frame is taken to be as long as the frame before it.
fn end_of(times: &[f64], duration: f64) -> f64 {
    let apart = match times {
        [.., before, last] => last - before,
        _ => duration,
    };
    (times.last().copied().unwrap_or_default() + apart).min(duration)
}

/// Draws a strip for each object. The strip is more opaque at times when the object's track is more concentrated.
#[component]
fn Strips() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let duration = move || video.player.duration().max(1e-3);
    let ids = Memo::new(move |_| {
        video
            .objects
            .looks
            .with(|looks| looks.iter().filter(|look| look.is_shown).map(|look| look.id).collect::<Vec<_>>())
    });
    let strip = move |id: u32| {
        let place =
            move || video.objects.looks.with(|looks| looks.iter().position(|look| look.id == id)).unwrap_or(0);
        let concentration = move |frame: &TracedFrame| {
            let at = frame.objects.objects.iter().position(|object| *object == id)?;
            let patches = frame.grid.len();
            Some(tracks::concentration(frame.tracks.get(at * patches..(at + 1) * patches)?))
        };
        let bars = move || {
            let (frames, times) = (video.frames.traced.get(), video.frames.times());
            let found = frames.iter().filter_map(|frame| concentration(frame));
            let strongest = found.fold(1.0 + f32::EPSILON, f32::max);
            let bar = |frame: &Arc<TracedFrame>| {
                // A concentration of 1 is an even spread, so there is no object.
                let strength = (concentration(frame)? - 1.0) / (strongest - 1.0);
                let end = times.get(frame.index + 1).copied().unwrap_or_else(|| end_of(&times, duration()));
                let (x, to) = (x_at(frame.time, duration()), x_at(end, duration()));
                Some(view! {
                    <rect x=format!("{x:.1}") y="0" width=format!("{:.1}", (to - x).max(1.0)) height="10"
                        fill-opacity=format!("{:.2}", strength.clamp(0.08, 1.0))></rect>
                })
            };
            frames.iter().filter_map(bar).collect_view()
        };
        view! {
            <svg
                class="strip"
                viewBox="0 0 1000 10"
                preserveAspectRatio="none"
                aria-hidden="true"
                style:color=move || colour::css(colour::series(place()))
                fill="currentColor"
            >
                {bars}
            </svg>
        }
    };
    view! { <div class="strips">{move || ids.get().into_iter().map(strip).collect_view()}</div> }
}
