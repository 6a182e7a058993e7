//! The second model: its worker, its photo and its phrases, which follow those of the first model.

use js_sys::Reflect;
use leptos::prelude::*;

use crate::page::compare::memory;
use crate::page::compare::pairs::Side;
use crate::page::core::browser::core::{Core, WorkerState};
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::model::address::ModelAddress;
use crate::page::model::browser::state::{ModelState, Opening};
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::browser::segmentation::SegmentationState;
use crate::protocol::{DevicePreference, PackSummary};

/// The element that shows the comparison.
const COMPARISON: &str = "comparison";

/// The features of one model that are compared.
#[derive(Clone, Copy)]
pub struct ComparedModel {
    pub core: Core,
    pub model: ModelState,
    pub photo: PhotoState,
    pub phrases: PhrasesState,
    pub segmentation: SegmentationState,
    pub names: HeadNamesState,
}

impl ComparedModel {
    /// Makes the features of a second model, which has no worker yet. It has the same list of phrases as `first`.
    fn beside(first: Self, device: DevicePreference) -> Self {
        // The first model's helper workers may need all other cores.
        let core = Core::new(false);
        let model = ModelState::new(core, None, device);
        let photo = PhotoState::new(core, first.photo.framing.get_untracked());
        let phrases = PhrasesState::new(core, model, photo, (first.phrases.list, first.phrases.set_list));
        let segmentation = SegmentationState::new(core, model, photo, phrases);
        let names = HeadNamesState::new(core, model, HeadMapState::new(core, photo, phrases));
        Self { core, model, photo, phrases, segmentation, names }
    }

    /// Shows a model that has been opened. Its head labels of an earlier visit are in use.
    fn show(self, pack: PackSummary) {
        let (labels, has_text) = (self.model.label_sources, pack.has_text);
        labels.take_kept(pack.kept_labels);
        self.model.show(pack);
        labels.change();
        // Without statistics, the heads have no texts: a pool would keep the processor busy for nothing.
        if has_text && untrack(|| labels.has_statistics()) {
            labels.bring_pool();
        }
    }

    /// Forgets the model and its results.
    fn forget(self) {
        self.model.pack.set(None);
        self.model.address.set(None);
        self.photo.forget();
        self.phrases.scores.set(None);
        self.segmentation.segmentation.set(None);
        self.names.names.set(None);
    }
}

/// The comparison of the open model with a second one.
#[derive(Clone, Copy)]
pub struct CompareState {
    pub first: ComparedModel,
    pub second: ComparedModel,
    pub is_open: RwSignal<bool>,
    /// The address of the second model; `None` without a second model, and for files from the person's own disk.
    pub address: RwSignal<Option<ModelAddress>>,
    /// Why the comparison was closed, unless the person closed it.
    pub why_closed: RwSignal<Option<String>>,
    /// The request that opens the second model.
    opening: StoredValue<Option<Opening>, LocalStorage>,
}

impl CompareState {
    pub fn new(first: ComparedModel, device: DevicePreference) -> Self {
        let state = Self {
            first,
            second: ComparedModel::beside(first, device),
            is_open: RwSignal::default(),
            address: RwSignal::default(),
            why_closed: RwSignal::default(),
            opening: StoredValue::new_local(None),
        };
        first.model.open_beside_with(move |opening| {
            state.open(opening);
            show_comparison();
        });
        state.second.model.when_opened(move |pack, _is_other| state.second.show(pack));
        // After its device was lost, another worker opens the same model.
        state.second.core.restart_with(move || state.start());
        state.start_after_first();
        state.close_after_failure();
        state.follow_phrases();
        state.follow_photo();
        state
    }

    /// Returns one of the two models.
    pub fn side(self, side: Side) -> ComparedModel {
        match side {
            Side::First => self.first,
            Side::Second => self.second,
        }
    }

    /// Opens the model at an address beside the first, or closes the second model if there is no address.
    pub fn open_address(self, address: Option<ModelAddress>) {
        match address {
            Some(address) if self.address.get_untracked().as_ref() == Some(&address) => {}
            Some(address) => self.open(Opening::of_address(address)),
            // A second model from the person's disk has no address; the page's address says nothing about it.
            None if self.address.get_untracked().is_none() => {}
            None => self.close(),
        }
    }

    /// Opens a model beside the first, as soon as the first is open.
    pub fn open(self, opening: Opening) {
        self.why_closed.set(None);
        self.address.set(opening.address());
        self.opening.set_value(Some(opening));
        self.is_open.set(true);
        if self.first.core.worker.get_untracked() == WorkerState::Open {
            self.start();
        }
    }

    /// Opens the second model that was closed after a failure once more.
    pub fn open_again(self) {
        if let Some(opening) = self.opening.get_value() {
            self.open(opening);
        }
    }

    /// Closes the second model: ends its worker, which frees its memory.
    pub fn close(self) {
        self.second.core.close();
        self.second.forget();
        self.address.set(None);
        self.is_open.set(false);
    }

    /// Starts a worker for the second model, if its model fits beside the first.
    fn start(self) {
        let Some(opening) = self.opening.get_value() else { return };
        self.second.forget();
        if let Some(sentence) = opening.refusal() {
            return self.close_because(sentence);
        }
        let room = self.first.model.pack.with_untracked(|pack| {
            let first = pack.as_ref()?;
            Some(memory::room(machine_memory(), first.memory, first.device.kind == "GPU"))
        });
        // The loader fetches no pack ahead: the worker first compares the size of the model with the memory.
        if self.second.core.start(None) {
            self.second.model.ask_to_open(opening.within(room));
        }
    }

    fn close_because(self, sentence: String) {
        self.close();
        self.why_closed.set(Some(sentence));
    }

    /// Starts the second model of a link when the first model is open.
    fn start_after_first(self) {
        Effect::new(move || {
            let is_first_open = self.first.core.worker.get() == WorkerState::Open;
            let has_started = self.second.core.is_running();
            if is_first_open && self.is_open.get() && !has_started {
                self.start();
            }
        });
    }

    /// Closes the comparison when the second worker has stopped, or when the second model does not open.
    fn close_after_failure(self) {
        Effect::new(move || {
            if self.second.core.worker.get() == WorkerState::Failed {
                let notice = self.second.core.notice.get_untracked();
                let was_open = self.second.model.pack.with_untracked(Option::is_some);
                let why = notice.map(|notice| notice.sentence).unwrap_or_default();
                self.close_because(match was_open {
                    true => format!("The second model was closed. {why}"),
                    false => why,
                });
            }
        });
    }

    /// Lets the second model have the first one's phrases, templates and contrast, and the same edges of masks.
    fn follow_phrases(self) {
        let (first, second) = (self.first, self.second);
        Effect::new(move || second.phrases.choice.set(first.phrases.chosen.get()));
        Effect::new(move || second.phrases.rather_than.set(first.phrases.rather_than.get()));
        Effect::new(move || second.phrases.templates.set(first.phrases.templates.get()));
        Effect::new(move || second.segmentation.against_others.set(first.segmentation.against_others.get()));
        Effect::new(move || second.segmentation.background.set(first.segmentation.background.get()));
        Effect::new(move || second.segmentation.as_model_sees.set(first.segmentation.as_model_sees.get()));
        Effect::new(move || second.segmentation.as_model_sees.set(first.segmentation.as_model_sees.get()));
    }

    /// Opens each photo of the first model in the second model.
    fn follow_photo(self) {
        Effect::new(move || {
            let is_open = self.second.model.pack.with(Option::is_some);
            if self.first.photo.traced.get().is_some() && is_open {
                untrack(|| self.second.photo.follow(self.first.photo));
            }
        });
    }
}

/// Returns the machine's memory in GB, if the browser tells it.
fn machine_memory() -> Option<f64> {
    Reflect::get(&window().navigator(), &"deviceMemory".into()).ok()?.as_f64()
}

/// Scrolls to the comparison when it is on the page.
fn show_comparison() {
    request_animation_frame(|| {
        if let Some(comparison) = document().get_element_by_id(COMPARISON) {
            comparison.scroll_into_view();
        }
    });
}
