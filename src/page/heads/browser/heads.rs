//! The contribution of each head to the score, and the texts that describe the chosen head.

use leptos::prelude::*;

use crate::page::core::browser::core::Core;
use crate::page::heads::contributions::{Cell, Contributions};
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::{PhrasesState, Scores};
use crate::protocol::{HeadLabel, LabelHead, TaskKind};

/// The number of texts to ask for per head.
const LABELS: usize = 10;

/// One head's texts.
#[derive(Clone, Debug)]
pub struct HeadTexts {
    /// (layer, head)
    pub head: (usize, usize),
    pub labels: Vec<HeadLabel>,
    /// The number of images that the texts were computed from.
    pub images: u64,
}

/// The scores of a photo that the current one is compared with.
#[derive(Clone, Debug)]
pub struct Pinned {
    pub photo_name: String,
    pub scores: Scores,
}

/// The contributions of the heads, and the chosen head's texts.
#[derive(Clone, Copy)]
pub struct HeadsState {
    core: Core,
    model: ModelState,
    phrases: PhrasesState,
    head_map: HeadMapState,
    /// The photo that the current one is compared with.
    pub pinned: RwSignal<Option<Pinned>>,
    /// The part of every component in the chosen value: the score of a phrase, or the difference of two phrases or
    /// photos.
    pub contributions: Memo<Option<Contributions>>,
    pub texts: RwSignal<Option<HeadTexts>>,
    /// The cell of the grid that the pointer or the keyboard is on.
    pub pointed: RwSignal<Option<Cell>>,
}

impl HeadsState {
    pub fn new(core: Core, model: ModelState, phrases: PhrasesState, head_map: HeadMapState) -> Self {
        let pinned = RwSignal::new(None::<Pinned>);
        let contributions = Memo::new(move |_| {
            let (chosen, rival) = (phrases.chosen.get()?, phrases.rival.get());
            let of = |scores: &Scores| {
                let all = contributions(scores, &chosen)?;
                match &rival {
                    Some(rival) => all.minus(&contributions(scores, rival)?),
                    None => Some(all),
                }
            };
            let here = phrases.scores.with(|scores| scores.as_ref().and_then(of))?;
            match pinned.with(|pinned| pinned.as_ref().map(|pinned| of(&pinned.scores))) {
                Some(there) => here.minus(&there?),
                None => Some(here),
            }
        });
        let (texts, pointed) = (RwSignal::default(), RwSignal::default());
        let state = Self { core, model, phrases, head_map, pinned, contributions, texts, pointed };
        state.choose_first_head();
        state.ask_for_texts();
        state
    }

    /// Describes the value that the contributions belong to.
    pub fn subject(self) -> Option<String> {
        let mut subject = format!("“{}”", self.phrases.chosen.get()?);
        if let Some(rival) = self.phrases.rival.get() {
            subject.push_str(&format!(" rather than “{rival}”"));
        }
        if let Some(name) = self.pinned.with(|pinned| pinned.as_ref().map(|pinned| pinned.photo_name.clone())) {
            subject.push_str(&format!(", compared with {name}"));
        }
        Some(subject)
    }

    /// Returns the head that adds most to the chosen value.
    pub fn strongest(self) -> Option<(usize, usize)> {
        self.contributions.with(|all| all.as_ref().and_then(Contributions::strongest_head))
    }

    /// Returns the chosen head's texts, if they have arrived.
    pub fn texts_of_chosen(self) -> Option<HeadTexts> {
        let head = self.head_map.head.get();
        self.texts.get().filter(|texts| Some(texts.head) == head)
    }

    /// Chooses the strongest head as soon as there are scores, if the person has chosen no head.
    fn choose_first_head(self) {
        let head = self.head_map.head;
        Effect::new(move || {
            let has_scores = self.phrases.scores.with(Option::is_some);
            if has_scores && head.with_untracked(Option::is_none) {
                head.set(untrack(|| self.strongest()));
            }
        });
    }

    /// Asks for the chosen head's texts whenever they would change.
    fn ask_for_texts(self) {
        Effect::new(move || {
            self.model.label_sources.version.track();
            let head = self.head_map.head.get();
            match head.filter(|_| self.model.can_label_heads()) {
                Some((layer, head)) => {
                    self.core.ask(LabelHead { layer, head, count: LABELS }, move |found, _buffers| {
                        let (labels, images) = (found.labels, found.images);
                        self.texts.set(Some(HeadTexts { head: (layer, head), labels, images }));
                        Ok(())
                    });
                }
                None => self.core.withdraw(TaskKind::Labels),
            }
        });
    }
}

/// Returns every component's part in a phrase's score; `None` if the phrase was not scored.
pub fn contributions(scores: &Scores, phrase: &str) -> Option<Contributions> {
    let index = scores.index(phrase)?;
    let of = |texts: &Vec<f32>| texts.get(index).copied().unwrap_or_default();
    let attribution = &scores.attribution;
    Some(Contributions {
        heads: attribution.heads.iter().map(|layer| layer.iter().map(of).collect()).collect(),
        mlps: attribution.mlps.iter().map(of).collect(),
        embedding: of(&attribution.embedding),
    })
}
