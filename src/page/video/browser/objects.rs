//! The list of objects: colour, name, descriptions, and a switch for each.

use leptos::prelude::*;

use super::state::{ObjectLook, TracingState};
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::colour;
use crate::page::common::formulas::Topic;
use crate::page::model::browser::state::ModelState;
use crate::page::video::browser::state::VideoState;
use crate::page::video::tracks;
use crate::text::units;

#[component]
pub fn Objects() -> impl IntoView {
    let video = expect_context::<VideoState>();
    let ids =
        Memo::new(move |_| video.objects.looks.with(|looks| looks.iter().map(|look| look.id).collect::<Vec<_>>()));
    let is_working = move || video.frames.work.get() == TracingState::Running;
    let has_frames = move || !video.frames.traced.with(Vec::is_empty);
    view! {
        <section class="objects" aria-labelledby="objects-title">
            <div class="heading">
                <h2 id="objects-title">"Objects"</h2>
                <button type="button" class="quiet-button" id="name-objects"
                    disabled=move || is_working() || !has_frames() || !video.can_describe()
                    title="Texts that fit an object's patches better than the rest of the frame"
                    on:click=move |_| video.label_tracks()>
                    "Describe"
                </button>
            </div>
            <ul class="object-list">
                {move || ids.get().into_iter().enumerate().map(|(place, id)| object(video, place, id)).collect_view()}
            </ul>
            <Show when=move || !has_frames()>
                <p class="quiet hint">"Objects appear with the first frame."</p>
            </Show>
            <Heads/>
            <div class="row">
                <button type="button" class="quiet-button" id="use-video-statistics" disabled=move || !has_frames()
                    on:click=move |_| video.use_as_statistics()>
                    "Label heads from this video"
                </button>
                <p class="quiet hint">"The head texts in the photo view then describe these frames."</p>
            </div>
            <HowComputed about=Topic::Tracks/>
        </section>
    }
}

fn object(video: VideoState, place: usize, id: u32) -> impl IntoView {
    let look =
        Memo::new(move |_| video.objects.looks.with(|looks| looks.iter().find(|look| look.id == id).cloned()));
    let change = move |change: &dyn Fn(&mut ObjectLook)| {
        video.objects.looks.update(|looks| {
            if let Some(look) = looks.iter_mut().find(|look| look.id == id) {
                change(look);
            }
        });
    };
    let area = move || {
        let frame = video.frames.traced_here()?;
        let at = frame.objects.objects.iter().position(|object| *object == id)?;
        let patches = frame.grid.len();
        let track = frame.tracks.get(at * patches..(at + 1) * patches)?;
        Some(units::percent(tracks::area(track)))
    };
    let labels = move || {
        look.get().map(|look| look.labels.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" · "))
    };
    view! {
        <li data-object=id.to_string() data-labels=labels>
            <input
                type="checkbox"
                aria-label="Show this object"
                prop:checked=move || look.get().is_some_and(|look| look.is_shown)
                on:change=move |event| {
                    let is_shown = event_target_checked(&event);
                    change(&|look| look.is_shown = is_shown);
                }
            />
            <i class="swatch" style=format!("background:{}", colour::css(colour::series(place)))></i>
            <input
                type="text"
                class="object-name"
                aria-label="The object's name"
                prop:value=move || look.get().map(|look| look.name).unwrap_or_default()
                on:change=move |event| {
                    let name = event_target_value(&event);
                    change(&|look| look.name.clone_from(&name));
                }
            />
            <span class="quiet area" title="Share of the frame on screen">{area}</span>
            <span class="quiet labels-line">{labels}</span>
        </li>
    }
}

/// Chooses the heads whose objects are tracked.
#[component]
fn Heads() -> impl IntoView {
    let (model, video) = (expect_context::<ModelState>(), expect_context::<VideoState>());
    let all = move || model.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.heads));
    let head = move |head: usize| {
        let is_on = move || video.objects.heads.with(|heads| heads.contains(&head));
        let toggle = move |_| {
            let mut heads = video.objects.heads.get_untracked();
            if is_on() {
                heads.retain(|other| *other != head);
            } else {
                heads.push(head);
                heads.sort_unstable();
            }
            video.retrack(heads);
        };
        view! {
            <button type="button" class="track-head" data-head=head.to_string()
                aria-pressed=move || is_on().to_string()
                disabled=move || video.frames.work.get() == TracingState::Running
                on:click=toggle>
                {head}
            </button>
        }
    };
    view! {
        <div class="row heads-row" role="group" aria-label="Heads of the last layer whose objects are followed">
            <span class="quiet hint">"One object for each of these heads of the last layer:"</span>
            <div class="chips">{move || (0..all()).map(head).collect_view()}</div>
        </div>
    }
}
