//! The top of the page: title, status line, sharing, colours and help.

use codee::string::FromToStringCodec;
use leptos::prelude::*;
use leptos_use_storage::{UseStorageOptions, use_local_storage_with_options};

use crate::page::common::browser::controls::Choice;
use crate::page::common::progress_line::progress_line;
use crate::page::core::browser::core::WorkerState;
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::help::HelpButton;
use crate::page::shell::browser::share::Share;
use crate::page::video::browser::state::Mode;
use crate::protocol::TaskProgress;

#[component]
pub fn Masthead() -> impl IntoView {
    view! {
        <header class="masthead">
            <div class="title">
                <h1>"headlamp"</h1>
                <p>"Opens up a vision transformer: where each head looks, and which texts describe the head."</p>
            </div>
            <Subject/>
            <Status/>
            <Share/>
            <Theme/>
            <HelpButton/>
        </header>
    }
}

/// Chooses the photo or the video view.
#[component]
fn Subject() -> impl IntoView {
    let features = expect_context::<Features>();
    view! {
        <Choice
            legend="View"
            name="mode"
            options=vec![(Mode::Photo, "Photo"), (Mode::Video, "Video")]
            value=features.video.player.mode
            on_change=move |mode| features.video.player.show(mode)
        />
    }
}

/// Shows the worker's current work, and its progress.
#[component]
pub fn Status() -> impl IntoView {
    let features = expect_context::<Features>();
    let share = move || features.core.progress.with(|progress| progress.as_ref().and_then(share));
    view! {
        <div class="status">
            <p role="status" aria-live="polite">{move || line(features)}</p>
            <div
                class="progress"
                class:shown=move || share().is_some()
                role="progressbar"
                aria-label="Progress"
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || share().map(|share| (share * 100.0).round().to_string())
            >
                <span style:transform=move || format!("scaleX({})", share().unwrap_or(0.0))></span>
            </div>
        </div>
    }
}

fn share(progress: &TaskProgress) -> Option<f64> {
    let (done, total) = match progress {
        TaskProgress::Bytes { done, total, .. } => (*done as f64, *total as f64),
        TaskProgress::Items { done, total, .. } => (*done as f64, *total as f64),
        TaskProgress::Phase { .. } => return None,
    };
    (total > 0.0).then(|| (done / total).clamp(0.0, 1.0))
}

fn line(features: Features) -> String {
    if let Some(progress) = features.core.progress.get() {
        return progress_line(&progress);
    }
    let text = match (features.core.worker.get(), features.core.busy_with.get()) {
        (WorkerState::Failed, _) => "The worker is not running",
        (WorkerState::Opening, _) => "Starting the worker…",
        (WorkerState::Open, _) if features.core.reading.get() > 0 => "Reading the file…",
        (WorkerState::Open, None) => return ready(features),
        (WorkerState::Open, Some(busy)) => busy.status,
    };
    text.to_owned()
}

fn ready(features: Features) -> String {
    let pack = features.model.pack.get();
    pack.map_or_else(|| "Ready".to_owned(), |pack| format!("Ready: {} on the {}", pack.name, pack.device.kind))
}

/// Chooses light colours, dark colours, or the colours of the system. The browser stores the choice.
#[component]
fn Theme() -> impl IntoView {
    const CHOICES: [(&str, &str); 3] = [("auto", "System"), ("light", "Light"), ("dark", "Dark")];
    let (kept, keep, _) = use_local_storage_with_options::<String, FromToStringCodec>(
        "headlamp-theme",
        UseStorageOptions::default().initial_value(CHOICES[0].0.to_owned()),
    );
    Effect::new(move || {
        let Some(root) = document().document_element() else { return };
        // Setting an attribute whose name is a literal does not fail. The style sheet has rules for "light" and
        // "dark".
        let _done = kept.with(|theme| root.set_attribute("data-theme", theme));
    });
    let chosen = move || kept.with(|theme| CHOICES.iter().position(|(name, _)| theme == name).unwrap_or_default());
    view! {
        <Choice
            legend="Colours"
            name="theme"
            options=CHOICES.iter().enumerate().map(|(index, (_, label))| (index, *label)).collect()
            value=Signal::derive(chosen)
            on_change=move |index: usize| keep.set(CHOICES[index].0.to_owned())
        />
    }
}
