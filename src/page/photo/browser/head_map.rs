//! The chosen head, and its map over the photo.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::photo::PhotoState;
use super::phrases::PhrasesState;
use crate::geometry::{Grid, PhotoRect};
use crate::page::common::colour::Ramp;
use crate::page::core::browser::core::{Core, exactly_floats};
use crate::page::photo::raster::HeadMapKind;
use crate::protocol::{HeadMap, MapHead, TaskKind, UnexpectedAnswer};
use crate::text::units;

/// One head's map on one photo.
#[derive(Clone, Debug)]
pub struct OpenHeadMap {
    pub photo_number: u32,
    /// (layer, head)
    pub head: (usize, usize),
    pub kind: HeadMapKind,
    pub grid: Grid,
    pub frame: PhotoRect,
    /// A value for each patch, rows first.
    pub map: Arc<Vec<f32>>,
}

/// The chosen head and its map.
#[derive(Clone, Copy)]
pub struct HeadMapState {
    core: Core,
    photo: PhotoState,
    phrases: PhrasesState,
    /// The chosen head: (layer, head).
    pub head: RwSignal<Option<(usize, usize)>>,
    pub kind: RwSignal<HeadMapKind>,
    pub map: RwSignal<Option<OpenHeadMap>>,
}

impl HeadMapState {
    pub fn new(core: Core, photo: PhotoState, phrases: PhrasesState) -> Self {
        let (head, kind, map) = (RwSignal::default(), RwSignal::default(), RwSignal::default());
        let state = Self { core, photo, phrases, head, kind, map };
        state.ask_for_map();
        state
    }

    /// Returns the chosen head's map, if the map belongs to the current photo.
    pub fn current(self) -> Option<OpenHeadMap> {
        let (number, head, kind) = (self.photo.number(), self.head.get(), self.kind.get());
        self.map.get().filter(|map| Some(map.photo_number) == number && Some(map.head) == head && map.kind == kind)
    }

    /// Returns the colour scale of the map, with the values at its ends.
    pub fn scale(self) -> Option<(Ramp, String, String)> {
        let map = self.current()?;
        let strongest = map.map.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        Some(match map.kind {
            HeadMapKind::Contribution => {
                (Ramp::Diverging, units::signed(-strongest, 5), units::signed(strongest, 5))
            }
            HeadMapKind::Attention => (Ramp::Sequential, "0".to_owned(), units::percent(strongest)),
        })
    }

    /// Asks for the map whenever it would change.
    fn ask_for_map(self) {
        Effect::new(move || {
            let task = self.photo.traced.get().zip(self.head.get()).and_then(|(_, head)| self.task(head));
            match task {
                Some(task) => {
                    let asked = task.clone();
                    self.core.ask(task, move |answer, buffers| self.take(asked, answer, buffers));
                }
                None => {
                    // Without a traced photo the map stays on screen: a new worker will compute it again.
                    if self.photo.traced.with_untracked(Option::is_some) {
                        self.map.set(None);
                    }
                    self.core.withdraw(TaskKind::HeadMap);
                }
            }
        });
    }

    fn task(self, (layer, head): (usize, usize)) -> Option<MapHead> {
        Some(match self.kind.get() {
            HeadMapKind::Attention => MapHead { layer, head, phrase: None, rather_than: None, templates: false },
            HeadMapKind::Contribution => {
                let (phrase, rather_than) = (Some(self.phrases.chosen.get()?), self.phrases.rival.get());
                MapHead { layer, head, phrase, rather_than, templates: self.phrases.templates.get() }
            }
        })
    }

    fn take(self, asked: MapHead, answer: HeadMap, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        let MapHead { layer, head, phrase, .. } = asked;
        // Another phrase was chosen in the meantime.
        if phrase.as_ref().is_some_and(|phrase| !self.phrases.is_chosen(phrase)) {
            return Ok(());
        }
        let HeadMap { grid, crop_in_photo } = answer;
        self.map.set(Some(OpenHeadMap {
            photo_number: self.photo.traced.get_untracked().ok_or(UnexpectedAnswer)?,
            map: Arc::new(exactly_floats(buffers, grid.len())?),
            head: (layer, head),
            kind: if phrase.is_some() { HeadMapKind::Contribution } else { HeadMapKind::Attention },
            grid,
            frame: crop_in_photo,
        }));
        Ok(())
    }
}
