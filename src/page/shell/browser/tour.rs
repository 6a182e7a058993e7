//! A tour of one photo in five steps. The tour operates the page, so that each step shows the view that it explains.

use codee::string::FromToStringCodec;
use leptos::html::H2;
use leptos::prelude::*;
use leptos::web_sys::KeyboardEvent;
use leptos_use_storage::{UseStorageOptions, use_local_storage_with_options};

use crate::ablate::Ablation;
use crate::page::heads::contributions::Cell;
use crate::page::photo::browser::phrases::Scores;
use crate::page::photo::raster::{HeadMapKind, Layer};
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::help::Help;
use crate::page::shell::browser::samples;
use crate::page::shell::sample_photos::{SAMPLES, Sample};
use crate::page::shell::tour_steps::{self, STEPS, ShownValues, Step};
use crate::page::video::browser::state::Mode;

/// The photo of the tour, and its phrase.
const PHOTO: &str = "coffee";
const PHRASE: &str = "a photo of a cup of coffee";

/// A handle on the tour.
#[derive(Clone, Copy)]
pub struct Tour {
    features: Features,
    /// The step that is shown.
    step: RwSignal<Option<usize>>,
    /// Whether the person has taken or declined the tour.
    was_seen: Signal<bool>,
    set_was_seen: WriteSignal<bool>,
    /// The parts that were switched off before the tour.
    ablation: StoredValue<Ablation>,
}

impl Tour {
    pub fn new(features: Features) -> Self {
        let (was_seen, set_was_seen, _) = use_local_storage_with_options::<bool, FromToStringCodec>(
            "headlamp-tour-seen",
            UseStorageOptions::default().initial_value(false).listen_to_storage_changes(false),
        );
        let tour =
            Self { features, step: RwSignal::new(None), was_seen, set_was_seen, ablation: StoredValue::default() };
        // The strongest head is known once the phrase is scored. The step about the head then chooses this head.
        Effect::new(move || {
            let strongest = features.heads.strongest();
            if tour.step.get().is_some_and(|step| STEPS[step] == Step::Head) && strongest.is_some() {
                features.head_map.head.set(strongest);
            }
        });
        tour
    }

    pub fn start(self) {
        self.set_was_seen.set(true);
        // During a tour, the tour itself has switched parts off.
        if self.step.with_untracked(Option::is_none) {
            self.ablation.set_value(self.features.phrases.switched_off.get_untracked());
        }
        self.features.video.player.show(Mode::Photo);
        self.features.phrases.switched_off.set(Ablation::default());
        self.features.phrases.rather_than.set(None);
        self.features.heads.pinned.set(None);
        let is_open = |sample: &Sample| {
            self.features
                .photo
                .photo
                .with_untracked(|photo| photo.as_ref().is_some_and(|at| at.summary.name == sample.file))
        };
        if let Some(sample) = SAMPLES.iter().find(|sample| sample.name == PHOTO).filter(|sample| !is_open(sample))
        {
            samples::open(self.features, sample);
        }
        self.features.phrases.set_list.update(|phrases| {
            phrases.add(PHRASE);
        });
        self.features.phrases.choice.set(Some(PHRASE.to_owned()));
        self.go(0);
    }

    /// Goes to a step, and shows its subject on the page.
    fn go(self, index: usize) {
        let features = self.features;
        match STEPS[index] {
            Step::Contribution | Step::Segmentation => features.overlay.layer.set(Layer::Segmentation),
            Step::Head => {
                features.head_map.kind.set(HeadMapKind::Contribution);
                features.overlay.layer.set(Layer::Head);
            }
            Step::TextSpan | Step::Ablation => {}
        }
        // Without head statistics there are no means, and nothing can be switched off.
        if STEPS[index] == Step::Ablation && untrack(|| features.model.has_statistics()) {
            self.switch(true);
        } else if !features.phrases.switched_off.with_untracked(Ablation::is_none) {
            features.phrases.switched_off.set(Ablation::default());
        }
        self.step.set(Some(index));
    }

    /// Switches the chosen head off if `is_off`, and otherwise on.
    fn switch(self, is_off: bool) {
        let heads = self.features.head_map.head.get_untracked().into_iter().filter(|_| is_off).collect();
        self.features.phrases.switched_off.set(Ablation { heads, ..Ablation::default() });
    }

    fn end(self) {
        self.step.set(None);
        self.features.overlay.layer.set(Layer::Segmentation);
        self.features.phrases.switched_off.set(self.ablation.get_value());
    }

    fn next(self) {
        match self.step.get_untracked() {
            Some(step) if step + 1 < STEPS.len() => self.go(step + 1),
            Some(_) => self.end(),
            None => {}
        }
    }

    fn back(self) {
        if let Some(step) = self.step.get_untracked().and_then(|step| step.checked_sub(1)) {
            self.go(step);
        }
    }

    /// Returns the values on the page that the text of a step mentions.
    fn seen(self) -> ShownValues {
        let features = self.features;
        let head = features.head_map.head.get();
        let of_scores = |pick: fn(&Scores) -> Option<f32>| {
            features.phrases.scores.with(|scores| scores.as_ref().and_then(pick))
        };
        let labels = features.heads.texts.with(|texts| {
            let texts = texts.as_ref().filter(|texts| Some(texts.head) == head);
            texts.map(|texts| texts.labels.iter().take(2).map(|label| label.text.clone()).collect())
        });
        ShownValues {
            phrase: PHRASE.to_owned(),
            score: of_scores(|scores| scores.of(PHRASE).map(|(score, _)| score)),
            intact: of_scores(|scores| scores.before(PHRASE)),
            head,
            part: head.and_then(|(layer, head)| features.heads.value(Cell::Head { layer, head })),
            is_difference: features.heads.shows_differences(),
            labels: labels.unwrap_or_default(),
            can_switch_off: features.model.has_statistics(),
        }
    }
}

/// Offers the tour on a first visit, but not in an embedded page.
#[component]
pub fn TourOffer() -> impl IntoView {
    let tour = expect_context::<Tour>();
    let is_shown = move || {
        !tour.features.is_embedded
            && !tour.was_seen.get()
            && tour.step.get().is_none()
            && tour.features.model.has_text()
    };
    view! {
        <Show when=is_shown>
            <aside class="offer" aria-label="Tour">
                <p>"New here? Five steps on one photo explain contributions, heads and their texts."</p>
                <button type="button" id="start-tour" class="strong" on:click=move |_| tour.start()>"Take the tour"</button>
                <button type="button" id="decline-tour" on:click=move |_| tour.set_was_seen.set(true)>"No, thanks"</button>
            </aside>
        </Show>
    }
}

/// The button in the help dialog that starts the tour.
#[component]
pub fn TourButton() -> impl IntoView {
    let (tour, help) = (expect_context::<Tour>(), expect_context::<Help>());
    let start = move |_| {
        help.close();
        tour.start();
    };
    view! {
        <Show when=move || tour.features.model.has_text()>
            <div class="row">
                <button type="button" id="tour-again" on:click=start>"Take the tour"</button>
                <p class="quiet hint">"Five steps on one photo."</p>
            </div>
        </Show>
    }
}

/// Shows the current step in a card over the page.
#[component]
pub fn TourCard() -> impl IntoView {
    let tour = expect_context::<Tour>();
    let title = NodeRef::<H2>::new();
    Effect::new(move || {
        let step = tour.step.get();
        point_at(step.map(|step| STEPS[step].target()));
        if let Some(title) = title.get().filter(|_| step.is_some()) {
            let _focused = title.focus();
        }
    });
    let press = move |event: KeyboardEvent| {
        match event.key().as_str() {
            "ArrowRight" => tour.next(),
            "ArrowLeft" => tour.back(),
            "Escape" => tour.end(),
            _ => return,
        }
        event.prevent_default();
    };
    let index = move || tour.step.get().unwrap_or(0);
    let is_last = move || index() + 1 == STEPS.len();
    let is_ablation = move || STEPS[index()] == Step::Ablation && tour.features.model.has_statistics();
    let is_off = move || tour.features.phrases.switched_off.with(|now| !now.is_none());
    view! {
        <Show when=move || tour.step.with(Option::is_some)>
            <div
                class="tour"
                id="tour"
                role="dialog"
                aria-labelledby="tour-title"
                aria-describedby="tour-says"
                class:left=move || STEPS[index()].is_on_the_right()
                data-step=move || (index() + 1).to_string()
                on:keydown=press
            >
                <p class="quiet hint">{move || format!("Step {} of {}", index() + 1, STEPS.len())}</p>
                <h2 id="tour-title" tabindex="-1" node_ref=title>{move || STEPS[index()].title()}</h2>
                <p id="tour-says" aria-live="polite">{move || tour_steps::step_text(STEPS[index()], &tour.seen())}</p>
                <div class="row">
                    <button type="button" id="tour-back" disabled=move || index() == 0 on:click=move |_| tour.back()>
                        "Back"
                    </button>
                    <button type="button" id="tour-next" class="strong" on:click=move |_| tour.next()>
                        {move || if is_last() { "Done" } else { "Next" }}
                    </button>
                    <Show when=is_ablation>
                        <button
                            type="button"
                            id="tour-switch"
                            aria-pressed=move || is_off().to_string()
                            on:click=move |_| tour.switch(!tour.features.phrases.switched_off.with_untracked(|now| !now.is_none()))
                        >
                            {move || if is_off() { "Switch it on again" } else { "Switch it off" }}
                        </button>
                    </Show>
                    <button type="button" id="tour-end" class="quiet-button" on:click=move |_| tour.end()>
                        "Leave the tour"
                    </button>
                </div>
            </div>
        </Show>
    }
}

/// Outlines a view and scrolls to it; `None` removes the outline.
fn point_at(target: Option<&'static str>) {
    let document = document();
    while let Some(last) = document.query_selector(".toured").ok().flatten() {
        // This fails only for invalid names.
        let _removed = last.class_list().remove_1("toured");
    }
    if let Some(found) = target.and_then(|target| document.query_selector(target).ok().flatten()) {
        let _added = found.class_list().add_1("toured");
        found.scroll_into_view_with_bool(true);
    }
}
