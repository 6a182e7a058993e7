//! What the page knows of the gallery.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::prelude::*;

use super::cues::CueState;
use crate::protocol::GalleryEntry;

/// What the gallery is ordered by, as the user chooses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    AsAdded,
    /// Likeness to the current photo.
    Photo,
    /// Score of the chosen phrase.
    Phrase,
}

/// Which of the model's parts count for the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Through {
    #[default]
    Whole,
    /// The head that is open.
    Head,
    /// Those in [`GalleryState::heads`].
    Heads,
}

/// How far the pictures that were chosen have come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Run {
    pub done: usize,
    pub total: usize,
    /// When it began, in milliseconds of the page's clock.
    pub start: f64,
    pub is_going: bool,
}

#[derive(Clone, Copy)]
pub struct GalleryState {
    pub pictures: RwSignal<Arc<Vec<GalleryEntry>>>,
    /// Why a later visit will not find the gallery.
    pub not_kept: RwSignal<Option<String>>,
    pub run: RwSignal<Run>,
    /// What was left out of the last run, and why.
    pub left_out: RwSignal<Vec<String>>,
    pub by: RwSignal<Order>,
    pub through: RwSignal<Through>,
    pub heads: RwSignal<BTreeSet<(usize, usize)>>,
    /// Pictures and their scores, best first; none: as added.
    pub order: RwSignal<Option<Vec<(usize, f32)>>>,
    /// Grows whenever thumbnails have come.
    pub thumbnails: RwSignal<u32>,
    pub cues: CueState,
}

impl GalleryState {
    pub fn new() -> Self {
        Self {
            pictures: RwSignal::default(),
            not_kept: RwSignal::default(),
            run: RwSignal::default(),
            left_out: RwSignal::default(),
            by: RwSignal::default(),
            through: RwSignal::default(),
            heads: RwSignal::default(),
            order: RwSignal::default(),
            thumbnails: RwSignal::default(),
            cues: CueState::new(),
        }
    }
}
