//! The gallery's state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use leptos::prelude::*;
use leptos::web_sys::File;

use crate::page::common::browser::dom::ObjectUrl;
use crate::page::core::browser::core::Core;
use crate::page::heads::browser::names::HeadNamesState;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::protocol::GalleryEntry;

/// The order of the gallery, as the user chooses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GalleryOrder {
    #[default]
    AsAdded,
    /// Similarity to the current photo.
    Photo,
    /// Score of the chosen phrase.
    Phrase,
}

/// The parts of the model that count for the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBasis {
    #[default]
    Whole,
    /// The chosen head.
    Head,
    /// The heads in [`GalleryState::heads`].
    Heads,
}

/// The progress of the model with the pictures that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GalleryRun {
    pub done: usize,
    pub total: usize,
    /// When the run began, in milliseconds of the page's clock.
    pub start: f64,
    pub is_going: bool,
}

/// The files of the gallery's pictures, and the thumbnails.
#[derive(Default)]
pub(super) struct GalleryFiles {
    /// The pictures that wait for the model.
    pub to_do: VecDeque<(GalleryEntry, File)>,
    /// The files that were added in this visit, so that a picture can be opened.
    pub files: BTreeMap<GalleryEntry, File>,
    pub thumbnails: BTreeMap<usize, ObjectUrl>,
    /// The pictures whose tiles are visible.
    pub in_sight: BTreeSet<usize>,
    /// The pictures that another view shows.
    pub in_other_view: BTreeSet<usize>,
}

/// The gallery: its pictures, their order, and the model's run over the added pictures.
#[derive(Clone, Copy)]
pub struct GalleryState {
    pub(super) core: Core,
    pub(super) model: ModelState,
    pub(super) photo: PhotoState,
    pub(super) phrases: PhrasesState,
    pub(super) head_map: HeadMapState,
    /// The names of the heads, and the chosen property.
    pub(super) names: HeadNamesState,
    pub pictures: RwSignal<Arc<Vec<GalleryEntry>>>,
    /// The reason why a later visit will not find the gallery.
    pub not_stored: RwSignal<Option<String>>,
    pub run: RwSignal<GalleryRun>,
    /// The pictures that the last run left out, with the reasons.
    pub left_out: RwSignal<Vec<String>>,
    pub by: RwSignal<GalleryOrder>,
    pub through: RwSignal<OrderBasis>,
    pub heads: RwSignal<BTreeSet<(usize, usize)>>,
    /// Pictures and their scores, the best first. `None`: the order in which they were added.
    pub order: RwSignal<Option<Vec<(usize, f32)>>>,
    /// The pictures in which the heads of the chosen property differ most from their mean, with the lengths of the
    /// differences. `None` without a chosen property.
    pub outlying: RwSignal<Option<Vec<(usize, f32)>>>,
    /// Increases whenever thumbnails arrive.
    pub thumbnails: RwSignal<u32>,
    pub(super) files: StoredValue<GalleryFiles, LocalStorage>,
}

impl GalleryState {
    pub fn new(
        core: Core,
        model: ModelState,
        photo: PhotoState,
        phrases: PhrasesState,
        head_map: HeadMapState,
        names: HeadNamesState,
    ) -> Self {
        let state = Self {
            core,
            model,
            photo,
            phrases,
            head_map,
            names,
            pictures: RwSignal::default(),
            not_stored: RwSignal::default(),
            run: RwSignal::default(),
            left_out: RwSignal::default(),
            by: RwSignal::default(),
            through: RwSignal::default(),
            heads: RwSignal::default(),
            order: RwSignal::default(),
            outlying: RwSignal::default(),
            thumbnails: RwSignal::default(),
            files: StoredValue::new_local(GalleryFiles::default()),
        };
        state.ask_for_order();
        state.ask_for_outlying_pictures();
        state
    }
}
