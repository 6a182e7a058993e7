//! The top of the page: what this is, what the engine is doing, and the colour mode.

use leptos::prelude::*;
use leptos_use::{ColorMode, UseColorModeOptions, UseColorModeReturn, use_color_mode_with_options};

use crate::app::controls::Choice;
use crate::app::engine::Engine;
use crate::app::help::HelpButton;
use crate::app::share::Share;
use crate::app::state::{EngineState, State};
use crate::app::video::state::Mode;
use crate::engine::message::Progress;
use crate::view::queue::Kind;
use crate::view::units;

#[component]
pub fn Masthead() -> impl IntoView {
    view! {
        <header class="masthead">
            <div class="title">
                <h1>"headlamp"</h1>
                <p>"Opens up a vision transformer: what each head looks at, and what it stands for in words."</p>
            </div>
            <Subject/>
            <Status/>
            <Share/>
            <Theme/>
            <HelpButton/>
        </header>
    }
}

/// Whether the page is about a photo or a video.
#[component]
fn Subject() -> impl IntoView {
    let (state, engine) = (expect_context::<State>(), expect_context::<Engine>());
    view! {
        <Choice
            legend="What to look at"
            name="mode"
            options=vec![(Mode::Photo, "Photo"), (Mode::Video, "Video")]
            value=state.video.mode
            on_change=move |mode| engine.show_mode(mode)
        />
    }
}

/// What the engine is doing, and how far it has come.
#[component]
pub fn Status() -> impl IntoView {
    let state = expect_context::<State>();
    let share = move || state.progress.with(|progress| progress.as_ref().and_then(share));
    view! {
        <div class="status">
            <p role="status" aria-live="polite">{move || line(state)}</p>
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

fn share(progress: &Progress) -> Option<f64> {
    let (done, total) = match progress {
        Progress::Bytes { done, total, .. } => (*done as f64, *total as f64),
        Progress::Items { done, total, .. } => (*done as f64, *total as f64),
        Progress::Phase { .. } => return None,
    };
    (total > 0.0).then(|| (done / total).clamp(0.0, 1.0))
}

fn line(state: State) -> String {
    if let Some(progress) = state.progress.get() {
        return match progress {
            Progress::Bytes { what, done, total: 0 } => format!("{what}: {}", units::bytes(done)),
            Progress::Bytes { what, done, total } => {
                format!("{what}: {} of {}", units::bytes(done), units::bytes(total))
            }
            Progress::Phase { what } => format!("{what}…"),
            Progress::Items { what, done, total } => {
                format!("{what}: {} of {}", units::count(done as u64), units::count(total as u64))
            }
        };
    }
    let text = match (state.engine.get(), state.busy_with.get()) {
        (EngineState::Failed, _) => "The engine is not running",
        (EngineState::Opening, _) => "Starting the engine…",
        (EngineState::Open, _) if state.reading.get() > 0 => "Reading the file…",
        (EngineState::Open, None) => return ready(state),
        (EngineState::Open, Some(kind)) => match kind {
            Kind::Pack => "Opening the model…",
            Kind::Photo => "Running the model on the photo…",
            Kind::Mask => "Writing the mask…",
            Kind::Scores => "Scoring the phrases…",
            Kind::Segmentation => "Segmenting…",
            Kind::HeadMap => "Mapping the head…",
            Kind::Pool => "Reading the texts…",
            Kind::Statistics => "Reading the images…",
            Kind::Labels => "Labelling the head…",
            Kind::AllLabels => "Labelling every head…",
            Kind::Cues => "Looking for heads that follow the nuisance…",
            Kind::Completeness => "Putting heads together from texts…",
            Kind::Ranking => "Looking through the gallery…",
            Kind::Gallery | Kind::Thumbnails => "Opening the gallery…",
            Kind::GalleryPicture => "Looking at the gallery's pictures…",
            Kind::Video | Kind::Sampling => "Opening the video…",
            Kind::Frame => "Running the model on the video's frames…",
            Kind::Retrack => "Following the objects…",
            Kind::FrameScores | Kind::SplitScores => "Scoring the frames…",
            Kind::FrameSegmentation => "Segmenting the frame…",
            Kind::Propagation => "Propagating the masks…",
            Kind::TrackLabels => "Naming the objects…",
            Kind::VideoExport => "Writing the file…",
        },
    };
    text.to_owned()
}

fn ready(state: State) -> String {
    let pack = state.pack.get();
    pack.map_or_else(|| "Ready".to_owned(), |pack| format!("Ready: {} on the {}", pack.name, pack.device.kind))
}

#[component]
fn Theme() -> impl IntoView {
    let UseColorModeReturn { mode, set_mode, .. } = use_color_mode_with_options(
        UseColorModeOptions::default()
            .attribute("data-theme")
            .storage_key("headlamp-theme")
            .emit_auto(true)
            // It would switch transitions off by a style element, which the page's policy forbids.
            .transition_enabled(true),
    );
    // On the first run the crate has not found the element yet, and a remembered choice would not show.
    Effect::new(move || {
        let mode = mode.get();
        if let Some(root) = document().document_element().filter(|_| mode != ColorMode::Auto) {
            // Setting an attribute whose name is a literal does not fail.
            let _set = root.set_attribute("data-theme", &mode.to_string());
        }
    });
    // ColorMode is not Copy: a choice among indices.
    const MODES: [ColorMode; 3] = [ColorMode::Auto, ColorMode::Light, ColorMode::Dark];
    let value = Signal::derive(move || MODES.iter().position(|known| *known == mode.get()).unwrap_or_default());
    view! {
        <Choice
            legend="Colours"
            name="theme"
            options=vec![(0, "System"), (1, "Light"), (2, "Dark")]
            value=value
            on_change=move |index: usize| set_mode.set(MODES[index].clone())
        />
    }
}
