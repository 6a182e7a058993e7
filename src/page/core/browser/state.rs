//! The page's state: one place, all signals. Views read and set them; [`super::engine`] asks for what they
//! call for, and fills in the answers.

use std::sync::Arc;

use leptos::prelude::*;
use web_sys::ImageData;

use crate::ablate::Ablation;
use crate::geometry::{Framing, Grid, PhotoRect, Size};
use crate::page::core::queue::Kind;
use crate::page::gallery::browser::state::GalleryState;
use crate::page::heads::contributions::{Cell, Contributions};
use crate::page::photo::browser::stored_phrases;
use crate::page::photo::phrase_list::PhraseList;
use crate::page::photo::raster::{HeadMapKind, Placement};
use crate::page::shell::address::{Address, ModelAddress};
use crate::page::video::browser::state::VideoState;
use crate::protocol::completeness::Completeness;
use crate::protocol::{Attribution, HeadLabel, PackSummary, PhotoSummary, Progress};

pub use crate::page::photo::raster::Layer;

/// Whether the worker has an open pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineState {
    #[default]
    Opening,
    Open,
    Failed,
}

/// A failure, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The kind of work that failed; a success of the same kind takes the notice away. None: it stays until it is
    /// dismissed.
    pub about: Option<Kind>,
    pub sentence: String,
    /// A new worker is what helps.
    pub offers_restart: bool,
}

/// Where a photo came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address, the samples' among them.
    Url(String),
    /// The person's machine; the number tells one such photo from the next.
    Machine(u32),
}

/// The current photo. `number` tells one trace from the next.
#[derive(Clone, Debug)]
pub struct Photo {
    pub number: u32,
    pub origin: Origin,
    pub summary: PhotoSummary,
    /// RGBA of `summary.preview` size.
    pub pixels: ImageData,
}

impl Photo {
    /// Where a map of `map` pixels that covers `frame` lies on this photo.
    pub fn placement(&self, frame: PhotoRect, map: Size) -> Placement {
        Placement { photo: self.summary.photo, preview: self.summary.preview, frame, map }
    }
}

/// The attribution on screen, and of which photo.
#[derive(Clone, Debug)]
pub struct Scores {
    pub stamp: u32,
    pub photo_number: u32,
    pub photo_name: String,
    pub attribution: Arc<Attribution>,
}

impl Scores {
    fn index(&self, phrase: &str) -> Option<usize> {
        self.attribution.texts.iter().position(|text| text == phrase)
    }

    /// Cosine and probability of a phrase.
    pub fn of(&self, phrase: &str) -> Option<(f32, f32)> {
        let index = self.index(phrase)?;
        Some((*self.attribution.scores.get(index)?, *self.attribution.probabilities.get(index)?))
    }

    /// A phrase's cosine with everything switched on; none where nothing is off.
    pub fn before(&self, phrase: &str) -> Option<f32> {
        self.attribution.intact.as_ref()?.get(self.index(phrase)?).copied()
    }

    /// The phrase with the highest score with everything switched on; none where nothing is off.
    pub fn top_before(&self) -> Option<&str> {
        let pairs = self.attribution.texts.iter().zip(self.attribution.intact.as_ref()?);
        pairs.max_by(|a, b| a.1.total_cmp(b.1)).map(|(text, _)| text.as_str())
    }

    /// The phrase with the highest score.
    pub fn top(&self) -> Option<&str> {
        let pairs = self.attribution.texts.iter().zip(&self.attribution.scores);
        pairs.max_by(|a, b| a.1.total_cmp(b.1)).map(|(text, _)| text.as_str())
    }

    /// Every component's part in a phrase's score.
    pub fn contributions(&self, phrase: &str) -> Option<Contributions> {
        let index = self.index(phrase)?;
        let of = |texts: &Vec<f32>| texts.get(index).copied().unwrap_or_default();
        Some(Contributions {
            heads: self.attribution.heads.iter().map(|layer| layer.iter().map(of).collect()).collect(),
            mlps: self.attribution.mlps.iter().map(of).collect(),
            embedding: of(&self.attribution.embedding),
        })
    }
}

/// The segmentation of one phrase on one photo.
#[derive(Clone, Debug)]
pub struct Segmentation {
    pub stamp: u32,
    pub photo_number: u32,
    pub phrase: String,
    pub size: Size,
    pub frame: PhotoRect,
    /// The map's own mean.
    pub threshold: f32,
    pub is_empty: bool,
    pub map: Arc<Vec<f32>>,
}

/// One head's map on one photo.
#[derive(Clone, Debug)]
pub struct HeadMap {
    pub photo_number: u32,
    pub head: (usize, usize),
    pub kind: HeadMapKind,
    pub grid: Grid,
    pub frame: PhotoRect,
    pub map: Arc<Vec<f32>>,
}

/// One head's texts.
#[derive(Clone, Debug)]
pub struct HeadTexts {
    pub head: (usize, usize),
    pub labels: Vec<HeadLabel>,
    /// Images behind them.
    pub images: u64,
}

/// A photo's attribution, kept to hold others against.
#[derive(Clone, Debug)]
pub struct Pinned {
    pub photo_name: String,
    pub scores: Scores,
}

/// Whose images the head statistics are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatisticsOf {
    #[default]
    Pack,
    /// So many images of a file's, of the gallery's, of the video's.
    File(u64),
    Gallery(u64),
    Video(u64),
}

#[derive(Clone, Copy)]
pub struct State {
    pub engine: RwSignal<EngineState>,
    /// What the engine does or will do next.
    pub busy_with: RwSignal<Option<(Kind, &'static str)>>,
    /// Files that the page is fetching or reading.
    pub reading: RwSignal<u32>,
    pub progress: RwSignal<Option<Progress>>,
    pub notice: RwSignal<Option<Notice>>,

    /// The page is in somebody else's.
    pub is_embedded: bool,
    pub pack: RwSignal<Option<PackSummary>>,
    /// Where the open model came from; none where it is a file's.
    pub model: RwSignal<Option<ModelAddress>>,
    pub photo: RwSignal<Option<Photo>, LocalStorage>,
    /// Whether what is shown was computed beforehand, and not on this machine.
    pub is_beforehand: RwSignal<bool>,
    /// The number of the photo that the worker holds; none in a fresh worker.
    pub traced: RwSignal<Option<u32>>,
    /// How much of the photo the user wants explained.
    pub framing: RwSignal<Framing>,

    pub phrases: Signal<PhraseList>,
    pub set_phrases: WriteSignal<PhraseList>,
    pub templates: RwSignal<bool>,
    pub scores: RwSignal<Option<Scores>>,
    /// The phrase that the user has chosen; none: whichever scores highest.
    pub choice: RwSignal<Option<String>>,
    /// The phrase that everything else is about.
    pub chosen: Memo<Option<String>>,
    /// The phrase that the chosen one is held against, as the user picked it.
    pub rather_than: RwSignal<Option<String>>,
    /// The same, where it is still there and another than the chosen one.
    pub rival: Memo<Option<String>>,
    /// The photo that the current one is held against.
    pub pinned: RwSignal<Option<Pinned>>,
    /// What is switched off.
    pub ablation: RwSignal<Ablation>,
    /// Every component's part in what is chosen: a phrase's score, or the difference of two phrases or photos.
    pub contributions: Memo<Option<Contributions>>,

    pub layer: RwSignal<Layer>,
    pub against_others: RwSignal<bool>,
    pub background: RwSignal<bool>,
    pub segmentation: RwSignal<Option<Segmentation>>,
    /// The user's threshold; none: the map's own.
    pub threshold: RwSignal<Option<f32>>,
    pub opacity: RwSignal<f64>,

    pub head: RwSignal<Option<(usize, usize)>>,
    pub map_kind: RwSignal<HeadMapKind>,
    pub head_map: RwSignal<Option<HeadMap>>,
    pub head_texts: RwSignal<Option<HeadTexts>>,
    /// The cell of the grid that the pointer or the keyboard is on.
    pub pointed: RwSignal<Option<Cell>>,

    /// Lines of the user's own pool; none: the pack's.
    pub own_pool: RwSignal<Option<usize>>,
    pub statistics_of: RwSignal<StatisticsOf>,
    pub gallery: GalleryState,
    /// How much the heads' texts keep, once it is measured.
    pub completeness: RwSignal<Option<Completeness>>,
    /// Grows whenever labels would come out differently.
    pub label_source: RwSignal<u32>,

    pub video: VideoState,
}

impl State {
    /// The page as its address has it.
    pub fn new(address: &Address) -> Self {
        let (phrases, set_phrases) = stored_phrases::phrases(address);
        let scores = RwSignal::new(None::<Scores>);
        let choice = RwSignal::new(address.phrase.clone());
        let chosen = Memo::new(move |_| {
            let is_known = |phrase: &String| phrases.with(|phrases| phrases.contains(phrase));
            let top = || scores.with(|scores| scores.as_ref()?.top().map(str::to_owned));
            choice.get().filter(is_known).or_else(|| top().filter(is_known))
        });
        let rather_than = RwSignal::new(address.rather_than.clone());
        let rival = Memo::new(move |_| {
            let is_other = |phrase: &String| {
                phrases.with(|phrases| phrases.contains(phrase))
                    && chosen.with(|chosen| chosen.as_ref() != Some(phrase))
            };
            rather_than.get().filter(is_other)
        });
        let pinned = RwSignal::new(None::<Pinned>);
        let contributions = Memo::new(move |_| {
            let (chosen, rival) = (chosen.get()?, rival.get());
            let of = |scores: &Scores| {
                let all = scores.contributions(&chosen)?;
                match &rival {
                    Some(rival) => all.minus(&scores.contributions(rival)?),
                    None => Some(all),
                }
            };
            let here = scores.with(|scores| scores.as_ref().and_then(of))?;
            match pinned.with(|pinned| pinned.as_ref().map(|pinned| of(&pinned.scores))) {
                Some(there) => here.minus(&there?),
                None => Some(here),
            }
        });
        Self {
            engine: RwSignal::default(),
            busy_with: RwSignal::default(),
            reading: RwSignal::default(),
            progress: RwSignal::default(),
            notice: RwSignal::default(),
            is_embedded: address.embed,
            pack: RwSignal::default(),
            model: RwSignal::new(Some(address.model.clone())),
            photo: RwSignal::new_local(None),
            is_beforehand: RwSignal::default(),
            traced: RwSignal::default(),
            framing: RwSignal::new(framing(address)),
            phrases,
            set_phrases,
            templates: RwSignal::new(address.templates),
            scores,
            choice,
            chosen,
            rather_than,
            rival,
            pinned,
            ablation: RwSignal::default(),
            contributions,
            layer: RwSignal::new(address.layer),
            against_others: RwSignal::new(address.against_others),
            background: RwSignal::new(address.background),
            segmentation: RwSignal::default(),
            threshold: RwSignal::default(),
            opacity: RwSignal::new(address.opacity),
            head: RwSignal::default(),
            map_kind: RwSignal::new(address.map),
            head_map: RwSignal::default(),
            head_texts: RwSignal::default(),
            pointed: RwSignal::default(),
            own_pool: RwSignal::default(),
            statistics_of: RwSignal::default(),
            gallery: GalleryState::new(),
            completeness: RwSignal::default(),
            label_source: RwSignal::default(),
            video: VideoState::new(),
        }
    }

    /// The engine's state in one word: opening, ready, busy or failed.
    pub fn phase(self) -> &'static str {
        match self.engine.get() {
            EngineState::Opening => "opening",
            EngineState::Failed => "failed",
            EngineState::Open
                if self.busy_with.get().is_some_and(|(kind, _)| !kind.is_background())
                    || self.reading.get() > 0 =>
            {
                "busy"
            }
            EngineState::Open => "ready",
        }
    }

    /// What the contributions are to, in words.
    pub fn subject(self) -> Option<String> {
        let mut subject = format!("“{}”", self.chosen.get()?);
        if let Some(rival) = self.rival.get() {
            subject.push_str(&format!(" rather than “{rival}”"));
        }
        if let Some(name) = self.pinned.with(|pinned| pinned.as_ref().map(|pinned| pinned.photo_name.clone())) {
            subject.push_str(&format!(", beyond {name}"));
        }
        Some(subject)
    }

    /// The current photo's number.
    pub fn photo_number(self) -> Option<u32> {
        self.photo.with(|photo| photo.as_ref().map(|photo| photo.number))
    }

    /// The segmentation, where it is of the current photo.
    pub fn current_segmentation(self) -> Option<Segmentation> {
        let number = self.photo_number();
        self.segmentation.get().filter(|segmentation| Some(segmentation.photo_number) == number)
    }

    /// The chosen head's map, where it is of the current photo.
    pub fn current_head_map(self) -> Option<HeadMap> {
        let (number, head, kind) = (self.photo_number(), self.head.get(), self.map_kind.get());
        self.head_map
            .get()
            .filter(|map| Some(map.photo_number) == number && Some(map.head) == head && map.kind == kind)
    }

    /// The threshold in use: the user's, else the segmentation's own.
    pub fn threshold_in_use(self) -> Option<f32> {
        self.threshold.get().or_else(|| self.segmentation.with(|at| at.as_ref().map(|at| at.threshold)))
    }

    /// Images behind the head statistics in use.
    pub fn statistics_images(self) -> u64 {
        match self.statistics_of.get() {
            StatisticsOf::File(images) | StatisticsOf::Gallery(images) | StatisticsOf::Video(images) => images,
            StatisticsOf::Pack => self.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.statistics_images)),
        }
    }

    /// Whether the model has a measure for phrases; a self-supervised one has not.
    pub fn has_text(self) -> bool {
        self.pack.with(|pack| pack.as_ref().is_none_or(|pack| pack.has_text))
    }

    /// Whether there are statistics to label heads from.
    pub fn has_statistics(self) -> bool {
        let own = self.statistics_of.get() != StatisticsOf::Pack;
        own || self.pack.with(|pack| pack.as_ref().is_some_and(|pack| pack.statistics_images > 0))
    }

    /// What is switched off, where there are means to put in its place. Other statistics are other means.
    pub fn ablation_in_use(self) -> Ablation {
        let off = self.ablation.get();
        if off.is_none() || !self.has_statistics() { Ablation::default() } else { off }
    }
}

/// How much of the photo an address wants explained.
pub fn framing(address: &Address) -> Framing {
    if address.whole_photo { Framing::WholePhoto } else { Framing::CentreCrop }
}
