//! The contribution of each head to the score, and the texts that describe the chosen head.

use leptos::prelude::*;

use crate::page::core::browser::core::Core;
use crate::page::heads::contributions::{Cell, Contributions, GridValues};
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::{PhrasesState, Scores};
use crate::protocol::{HeadLabel, LabelHead, MeanAttribution, TaskKind};

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
    /// The mean of every contribution over the images of the head statistics. `None` without statistics. `None` also
    /// while two photos are compared: the difference of two photos does not depend on the means.
    pub means: Memo<Option<Contributions>>,
    /// Whether the grid shows the contributions even if there are means to subtract.
    pub shows_raw: RwSignal<bool>,
    /// The values of the grid: the contributions, or their differences from the means.
    pub values: Memo<Option<GridValues>>,
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
        let means = Memo::new(move |_| {
            let (chosen, rival) = (phrases.chosen.get()?, phrases.rival.get());
            if pinned.with(Option::is_some) {
                return None;
            }
            phrases.scores.with(|scores| {
                let scores = scores.as_ref()?;
                let all = mean_contributions(scores, &chosen)?;
                match rival {
                    Some(rival) => all.minus(&mean_contributions(scores, &rival)?),
                    None => Some(all),
                }
            })
        });
        let shows_raw = RwSignal::new(false);
        let values = Memo::new(move |_| {
            let contributions = contributions.get()?;
            let means = means.get().filter(|_| !shows_raw.get());
            let differences = means.and_then(|means| GridValues::differences(&contributions, &means));
            Some(differences.unwrap_or_else(|| GridValues::raw(contributions)))
        });
        let state = Self {
            core,
            model,
            phrases,
            head_map,
            pinned,
            contributions,
            means,
            shows_raw,
            values,
            texts: RwSignal::default(),
            pointed: RwSignal::default(),
        };
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

    /// Returns the head with the largest value in the grid.
    pub fn strongest(self) -> Option<(usize, usize)> {
        self.values.with(|values| values.as_ref()?.parts.strongest_head())
    }

    /// Returns the value of a cell of the grid.
    pub fn value(self, cell: Cell) -> Option<f32> {
        self.values.with(|values| values.as_ref()?.parts.of(cell))
    }

    /// Returns whether the grid shows differences from an average picture.
    pub fn shows_differences(self) -> bool {
        self.values.with(|values| values.as_ref().is_some_and(|values| values.average.is_some()))
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
    let all = &scores.attribution;
    Some(of_text(&all.heads, &all.mlps, &all.embedding, scores.index(phrase)?))
}

/// Returns the mean of every component's part in a phrase's score; `None` if the phrase was not scored, or if there
/// are no statistics.
pub fn mean_contributions(scores: &Scores, phrase: &str) -> Option<Contributions> {
    let MeanAttribution { heads, mlps, embedding } = scores.attribution.means.as_ref()?;
    Some(of_text(heads, mlps, embedding, scores.index(phrase)?))
}

/// Returns the parts of one text: `heads` is `[layer][head][text]`, `mlps` is `[layer][text]`.
fn of_text(heads: &[Vec<Vec<f32>>], mlps: &[Vec<f32>], embedding: &[f32], index: usize) -> Contributions {
    let of = |texts: &[f32]| texts.get(index).copied().unwrap_or_default();
    Contributions {
        heads: heads.iter().map(|layer| layer.iter().map(|texts| of(texts)).collect()).collect(),
        mlps: mlps.iter().map(|texts| of(texts)).collect(),
        embedding: of(embedding),
    }
}
