//! The phrases and their scores for the photo.

use std::sync::Arc;

use leptos::prelude::*;

use super::photo::PhotoState;
use crate::ablate::Ablation;
use crate::page::core::browser::core::Core;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::phrase_list::PhraseList;
use crate::protocol::{Attribute, Attribution, TaskKind, UnexpectedAnswer};

/// The scores on screen, and their photo.
#[derive(Clone, Debug)]
pub struct Scores {
    pub stamp: u32,
    pub photo_number: u32,
    pub photo_name: String,
    pub attribution: Arc<Attribution>,
}

impl Scores {
    /// Returns the index of a phrase in the attribution.
    pub fn index(&self, phrase: &str) -> Option<usize> {
        self.attribution.texts.iter().position(|text| text == phrase)
    }

    /// Returns the cosine and the probability of a phrase.
    pub fn of(&self, phrase: &str) -> Option<(f32, f32)> {
        let index = self.index(phrase)?;
        Some((*self.attribution.scores.get(index)?, *self.attribution.probabilities.get(index)?))
    }

    /// Returns a phrase's cosine with everything switched on; `None` if nothing is switched off.
    pub fn before(&self, phrase: &str) -> Option<f32> {
        self.attribution.intact.as_ref()?.get(self.index(phrase)?).copied()
    }

    /// Returns the phrase with the highest score with everything switched on; `None` if nothing is switched off.
    pub fn top_before(&self) -> Option<&str> {
        let pairs = self.attribution.texts.iter().zip(self.attribution.intact.as_ref()?);
        pairs.max_by(|a, b| a.1.total_cmp(b.1)).map(|(text, _)| text.as_str())
    }

    /// Returns the phrase with the highest score.
    pub fn top(&self) -> Option<&str> {
        let pairs = self.attribution.texts.iter().zip(&self.attribution.scores);
        pairs.max_by(|a, b| a.1.total_cmp(b.1)).map(|(text, _)| text.as_str())
    }
}

/// The phrases, the chosen one among them, and their scores.
#[derive(Clone, Copy)]
pub struct PhrasesState {
    core: Core,
    model: ModelState,
    photo: PhotoState,
    pub list: Signal<PhraseList>,
    pub set_list: WriteSignal<PhraseList>,
    /// Whether each phrase is averaged over prompt templates.
    pub templates: RwSignal<bool>,
    pub scores: RwSignal<Option<Scores>>,
    /// The phrase that the user has chosen; `None`: the phrase with the highest score is chosen.
    pub choice: RwSignal<Option<String>>,
    /// The chosen phrase, which the other views are about.
    pub chosen: Memo<Option<String>>,
    /// The phrase that the chosen one is compared with, as the user picked it.
    pub rather_than: RwSignal<Option<String>>,
    /// `rather_than`, if that phrase is still in the list and is not the chosen one.
    pub rival: Memo<Option<String>>,
    /// Parts of the model that are switched off for scores and segmentation.
    pub switched_off: RwSignal<Ablation>,
}

impl PhrasesState {
    pub fn new(
        core: Core,
        model: ModelState,
        photo: PhotoState,
        (list, set_list): (Signal<PhraseList>, WriteSignal<PhraseList>),
    ) -> Self {
        let scores = RwSignal::new(None::<Scores>);
        let choice = RwSignal::new(None);
        let chosen = Memo::new(move |_| {
            let is_known = |phrase: &String| list.with(|list| list.contains(phrase));
            let top = || scores.with(|scores| scores.as_ref()?.top().map(str::to_owned));
            choice.get().filter(is_known).or_else(|| top().filter(is_known))
        });
        let rather_than = RwSignal::new(None);
        let rival = Memo::new(move |_| {
            let is_other = |phrase: &String| {
                list.with(|list| list.contains(phrase)) && chosen.with(|chosen| chosen.as_ref() != Some(phrase))
            };
            rather_than.get().filter(is_other)
        });
        let state = Self {
            core,
            model,
            photo,
            list,
            set_list,
            templates: RwSignal::default(),
            scores,
            choice,
            chosen,
            rather_than,
            rival,
            switched_off: RwSignal::default(),
        };
        state.ask_for_scores();
        state
    }

    /// Returns whether a phrase is the chosen one.
    pub fn is_chosen(self, phrase: &str) -> bool {
        self.chosen.with_untracked(|chosen| chosen.as_deref() == Some(phrase))
    }

    /// Returns the parts that are switched off, if there are statistics whose means replace them. The means change
    /// with the statistics.
    pub fn ablation_in_use(self) -> Ablation {
        let off = self.switched_off.get();
        if off.is_none() || !self.model.has_statistics() { Ablation::default() } else { off }
    }

    /// Asks for scores whenever they would change.
    fn ask_for_scores(self) {
        Effect::new(move || {
            let (phrases, templates) = (self.list.get().as_slice().to_vec(), self.templates.get());
            if phrases.is_empty() {
                self.scores.set(None);
            }
            let is_wanted = self.photo.traced.get().is_some() && !phrases.is_empty() && self.model.has_text();
            // The means of the contributions change with the statistics.
            self.model.label_sources.version.track();
            let ablation = self.ablation_in_use();
            match is_wanted {
                true => self.core.ask(Attribute { phrases, templates, ablation }, move |attribution, _buffers| {
                    self.take(attribution)
                }),
                false => self.core.withdraw(TaskKind::Scores),
            }
        });
    }

    fn take(self, attribution: Attribution) -> Result<(), UnexpectedAnswer> {
        // The phrases were removed in the meantime.
        if self.list.with_untracked(|list| list.as_slice().is_empty()) {
            return Ok(());
        }
        let photo_number = self.photo.traced.get_untracked().ok_or(UnexpectedAnswer)?;
        self.scores.set(Some(Scores {
            stamp: self.core.next_number(),
            photo_number,
            photo_name: untrack(|| self.photo.name()).unwrap_or_default(),
            attribution: Arc::new(attribution),
        }));
        Ok(())
    }
}
