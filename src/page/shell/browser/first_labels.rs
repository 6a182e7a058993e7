//! The first labels of a model without head statistics: where the pictures come from, and how far the labels are.

use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use super::features::Features;
use crate::page::common::browser::dom;
use crate::page::gallery::browser::panel;
use crate::page::heads::browser::settling::SettlingState;
use crate::page::heads::browser::sources::PoolProgress;
use crate::page::heads::settling;
use crate::page::model::browser::label_sources::StatisticsOf;
use crate::protocol::StatisticsSource;
use crate::text::units;

/// The number of pictures of the estimate.
const EXAMPLE: usize = 200;

/// Offers pictures for a model without head statistics, and shows how far the labels are.
#[component]
pub fn FirstLabels() -> impl IntoView {
    let features = expect_context::<Features>();
    let model = features.model;
    let not_stored = move || {
        let reason = model.label_sources.not_stored.get();
        reason.map(|reason| format!("The next visit must compute the heads' texts again: {reason}."))
    };
    view! {
        <Show when=move || model.has_text()>
            <div class="first-labels">
                <PictureSources/>
                <PoolProgress/>
                <p class="quiet hint" data-names="progress">{move || pictures(features)}</p>
                <Steadiness/>
                <p class="quiet hint">{not_stored}</p>
            </div>
        </Show>
    }
}

/// Offers the sources of pictures, if the open model has no head statistics.
#[component]
pub fn PictureSources() -> impl IntoView {
    let features = expect_context::<Features>();
    let Features { model, gallery, video, photo, .. } = features;
    let is_missing = move || model.pack.with(Option::is_some) && model.has_text() && !model.has_statistics();
    let held = move || gallery.pictures.with(|pictures| pictures.len());
    let frames = move || video.frames.traced.with(Vec::len);
    // Statistics need two images.
    let (has_gallery, has_frames) = (move || held() >= 2, move || frames() >= 2);
    let seconds = move || {
        let seconds = photo.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.seconds));
        seconds.filter(|_| !photo.is_precomputed.get()).map(|seconds| seconds.decode + seconds.encode)
    };
    let estimate = move || {
        seconds().map(|seconds| {
            let all = units::time_left(seconds * EXAMPLE as f64);
            let one = units::seconds(seconds);
            format!("Estimated time here for {EXAMPLE} pictures: {all} ({one} for each).")
        })
    };
    let of_gallery = move || format!("Use my gallery ({})", units::plural(held() as u64, "picture", "pictures"));
    let of_video = move || format!("Use the video ({})", units::plural(frames() as u64, "frame", "frames"));
    view! {
        <Show when=is_missing>
            <div class="picture-sources">
                <p>
                    "This model has no head statistics yet, so its heads have no texts. Choose pictures: headlamp
                    computes the texts from them. A few hundred pictures of many kinds give stable texts. The
                    pictures stay on this machine."
                </p>
                <p class="quiet hint">{estimate}</p>
                <div class="row">
                    <AddPictures label="Choose a folder" name="labels-folder" is_folder=true/>
                    <AddPictures label="Choose pictures" name="labels-pictures" is_folder=false/>
                    <Show when=has_gallery>
                        <button
                            type="button"
                            class="labels-gallery"
                            on:click=move |_| model.label_sources.use_statistics(StatisticsSource::Gallery)
                        >
                            {of_gallery}
                        </button>
                    </Show>
                    <Show when=has_frames>
                        <button type="button" class="labels-video" on:click=move |_| video.use_as_statistics()>
                            {of_video}
                        </button>
                    </Show>
                </div>
            </div>
        </Show>
    }
}

/// Adds pictures to the gallery, from which the labels are computed then.
#[component]
fn AddPictures(label: &'static str, name: &'static str, is_folder: bool) -> impl IntoView {
    let gallery = expect_context::<Features>().gallery;
    let add = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        gallery.add_for_labels(dom::files_of(input.files()));
        input.set_value("");
    };
    view! {
        <label class="button">
            {label}
            <input
                class="unseen"
                type="file"
                name=name
                accept="image/*,.heic,.heif,.avif"
                multiple
                prop:webkitdirectory=is_folder
                on:change=add
            />
        </label>
    }
}

/// Describes the pictures that the model still has to look at, if the labels are computed from them.
fn pictures(features: Features) -> Option<String> {
    let Features { model, gallery, .. } = features;
    let is_from_gallery = matches!(model.label_sources.statistics_of.get(), StatisticsOf::Gallery(_));
    if !gallery.run.with(|run| run.is_going) || !is_from_gallery && model.has_statistics() {
        return None;
    }
    let held = gallery.pictures.with(|pictures| pictures.len());
    let left = gallery.run.with(|run| run.total - run.done);
    let next = settling::next_checkpoint(held);
    let when = match held + left >= next {
        true => format!("at {next} pictures"),
        false => "after the last picture".to_owned(),
    };
    let which = if is_from_gallery { "The texts are computed again" } else { "The first texts appear" };
    Some(format!("{} {which} {when}.", panel::progress_words(gallery)))
}

/// Shows how many heads kept their name when the number of pictures doubled.
#[component]
fn Steadiness() -> impl IntoView {
    let settling = expect_context::<SettlingState>().settling;
    let last = move || settling.with(settling::Settling::last_doubling);
    let says = move || {
        last().map(|(before, after, share)| {
            format!(
                "Names from {}: {} of the heads kept their name from {before} to {after} pictures.",
                units::plural(after, "picture", "pictures"),
                units::percent(share)
            )
        })
    };
    view! {
        <p class="quiet hint" data-names="steadiness" data-share=move || last().map(|(.., share)| share.to_string())>
            {says}
        </p>
    }
}
