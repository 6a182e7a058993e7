//! The segmentation of the photo by the chosen phrase.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::photo::PhotoState;
use super::phrases::PhrasesState;
use crate::geometry::{PhotoRect, Size};
use crate::page::common::browser::dom;
use crate::page::core::browser::core::{Core, exactly_floats};
use crate::page::model::browser::state::ModelState;
use crate::page::photo::raster;
use crate::protocol::{ExportMask, Segment, Segmented, TaskKind, UnexpectedAnswer};
use crate::text::units;

/// A soft map over a part of a photo or frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedMap {
    pub size: Size,
    /// The part that the map covers, in pixels of the photo.
    pub frame: PhotoRect,
    /// Values in [0, 1], rows first.
    pub map: Arc<Vec<f32>>,
}

/// The segmentation of one phrase on one photo.
#[derive(Clone, Debug)]
pub struct Segmentation {
    pub stamp: u32,
    pub photo_number: u32,
    pub phrase: String,
    /// The soft map as the model sees it.
    pub as_model_sees: PlacedMap,
    /// The soft map with the edges of the photo (docs/PAPERS.md, 1.16).
    pub refined: PlacedMap,
    /// The mean of the map as the model sees it.
    pub threshold: f32,
    /// Whether no patch scored positive, so that there is no foreground.
    pub is_empty: bool,
}

/// The segmentation, and its contrast.
#[derive(Clone, Copy)]
pub struct SegmentationState {
    core: Core,
    model: ModelState,
    photo: PhotoState,
    phrases: PhrasesState,
    pub against_others: RwSignal<bool>,
    pub background: RwSignal<bool>,
    /// Whether masks of photos and videos are shown and saved as the model sees them, without the photo's edges.
    pub as_model_sees: RwSignal<bool>,
    pub segmentation: RwSignal<Option<Segmentation>>,
    /// The user's threshold; `None`: the mean of the map.
    pub threshold: RwSignal<Option<f32>>,
    /// The threshold that a new segmentation starts with.
    pub first_threshold: StoredValue<Option<f32>>,
}

impl SegmentationState {
    pub fn new(core: Core, model: ModelState, photo: PhotoState, phrases: PhrasesState) -> Self {
        let state = Self {
            core,
            model,
            photo,
            phrases,
            against_others: RwSignal::new(true),
            background: RwSignal::new(true),
            as_model_sees: RwSignal::default(),
            segmentation: RwSignal::default(),
            threshold: RwSignal::default(),
            first_threshold: StoredValue::default(),
        };
        // A threshold is valid for one photo's map only.
        Effect::new(move || {
            if photo.traced.get().is_some() {
                state.threshold.set(None);
            }
        });
        state.ask_for_segmentation();
        state
    }

    /// Returns the segmentation, if it belongs to the current photo.
    pub fn current(self) -> Option<Segmentation> {
        let number = self.photo.number();
        self.segmentation.get().filter(|segmentation| Some(segmentation.photo_number) == number)
    }

    /// Returns the soft map in use, of the current photo.
    pub fn map_in_use(self) -> Option<PlacedMap> {
        let Segmentation { as_model_sees, refined, .. } = self.current()?;
        Some(if self.as_model_sees.get() { as_model_sees } else { refined })
    }

    /// Returns the threshold in use: the user's threshold, or else the mean of the map.
    pub fn threshold_in_use(self) -> Option<f32> {
        self.threshold.get().or_else(|| self.segmentation.with(|at| at.as_ref().map(|at| at.threshold)))
    }

    /// Returns the phrases to segment `phrase` against, and whether the list of common backgrounds is added. If there
    /// is a rival, returns only the rival; otherwise, what the user has chosen.
    pub fn against(self, phrase: &str) -> (Vec<String>, bool) {
        if let Some(rival) = self.phrases.rival.get() {
            return (vec![rival], false);
        }
        let others = match self.against_others.get() {
            true => self.phrases.list.with(|list| list.others(phrase)),
            false => Vec::new(),
        };
        (others, self.background.get())
    }

    /// Asks for the segmentation whenever it would change.
    fn ask_for_segmentation(self) {
        Effect::new(move || {
            let chosen = self.phrases.chosen.get().filter(|_| self.model.has_text());
            if chosen.is_none() {
                self.segmentation.set(None);
            }
            let Some((_, phrase)) = self.photo.traced.get().zip(chosen) else {
                return self.core.withdraw(TaskKind::Segmentation);
            };
            let (against, background) = self.against(&phrase);
            let ablation = self.phrases.ablation_in_use();
            let task = Segment { phrase: phrase.clone(), against, background, ablation };
            self.core.ask(task, move |answer, buffers| self.take(phrase, answer, buffers));
        });
    }

    fn take(self, phrase: String, answer: Segmented, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        // Another phrase was chosen in the meantime.
        if !self.phrases.is_chosen(&phrase) {
            return Ok(());
        }
        let Segmented { size, crop_in_photo, refined, refined_in_photo, threshold, empty } = answer;
        let map = |buffer, size: Size, frame| {
            let map = exactly_floats(buffers, buffer, size.width * size.height)?;
            Ok::<_, UnexpectedAnswer>(PlacedMap { size, frame, map: Arc::new(map) })
        };
        self.threshold.set(self.first_threshold.get_value());
        self.segmentation.set(Some(Segmentation {
            photo_number: self.photo.traced.get_untracked().ok_or(UnexpectedAnswer)?,
            stamp: self.core.next_number(),
            phrase,
            as_model_sees: map(0, size, crop_in_photo)?,
            refined: map(1, refined, refined_in_photo)?,
            threshold,
            is_empty: empty,
        }));
        Ok(())
    }

    /// Returns the mask above the threshold, painted at the size of the photo's preview: the segmentation's stamp, and
    /// RGBA pixels. Exactly the foreground's pixels are not transparent.
    pub fn painted(self) -> Option<(u32, Vec<u8>)> {
        let threshold = self.threshold_in_use()?;
        let PlacedMap { size, frame, map } = self.map_in_use()?;
        let segmentation = self.current()?;
        let (place, size) = self.photo.photo.with(|photo| {
            let photo = photo.as_ref()?;
            Some((photo.placement(frame, size), photo.summary.preview))
        })?;
        // An empty segmentation has no foreground at any threshold.
        let mask = if segmentation.is_empty {
            vec![false; size.width * size.height]
        } else {
            raster::foreground(&place, &map, threshold)
        };
        Some((segmentation.stamp, raster::paint_mask(size, &mask)))
    }

    /// Saves the mask on screen as a PNG of the photo's own size.
    pub fn save_mask(self) {
        self.ask_for_mask(move |phrase, png| {
            let name = untrack(|| self.photo.name()).unwrap_or_default();
            let stem = units::file_stem(&format!("{name} {phrase}"));
            dom::download(&format!("{stem}.mask.png"), "image/png", png);
        });
    }

    /// Asks for the mask on screen as a PNG of the photo's own size; `take` receives the phrase and the file.
    pub fn ask_for_mask(self, take: impl FnOnce(&str, &Uint8Array) + 'static) {
        let (chosen, threshold) = (self.phrases.chosen.get_untracked(), untrack(|| self.threshold_in_use()));
        let Some((phrase, threshold)) = chosen.zip(threshold) else { return };
        let (against, background) = untrack(|| self.against(&phrase));
        let ablation = untrack(|| self.phrases.ablation_in_use());
        let refined = !self.as_model_sees.get_untracked();
        let task = ExportMask { phrase: phrase.clone(), against, background, ablation, threshold, refined };
        self.core.ask(task, move |_mask, buffers| {
            take(&phrase, buffers.first().ok_or(UnexpectedAnswer)?);
            Ok(())
        });
    }
}
