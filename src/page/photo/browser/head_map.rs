//! The chosen head, and the map over the photo: of this head, or of several heads together.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::photo::PhotoState;
use super::phrases::PhrasesState;
use crate::geometry::{Grid, PhotoRect};
use crate::page::common::colour::Ramp;
use crate::page::core::browser::core::{Core, exactly_floats};
use crate::page::photo::raster::HeadMapKind;
use crate::protocol::{HeadMap, MapHeads, TaskKind, UnexpectedAnswer};
use crate::text::units;

/// The map of one head, or of several heads together, on one photo.
#[derive(Clone, Debug)]
pub struct OpenHeadMap {
    pub photo_number: u32,
    /// The (layer, head) pairs.
    pub heads: Vec<(usize, usize)>,
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
    /// The heads that the map shows together. Empty: the map shows the chosen head.
    pub group: RwSignal<Vec<(usize, usize)>>,
    pub kind: RwSignal<HeadMapKind>,
    pub map: RwSignal<Option<OpenHeadMap>>,
}

impl HeadMapState {
    pub fn new(core: Core, photo: PhotoState, phrases: PhrasesState) -> Self {
        let (head, kind, map) = (RwSignal::default(), RwSignal::default(), RwSignal::default());
        let group = RwSignal::<Vec<(usize, usize)>>::default();
        // When a head is chosen, the map shows this head.
        Effect::new(move || {
            let _chosen: Option<(usize, usize)> = head.get();
            if !group.with_untracked(Vec::is_empty) {
                group.set(Vec::new());
            }
        });
        let state = Self { core, photo, phrases, head, group, kind, map };
        state.ask_for_map();
        state
    }

    /// Returns the heads that the map shows: the group, or else the chosen head.
    pub fn heads(self) -> Vec<(usize, usize)> {
        let group = self.group.get();
        if group.is_empty() { self.head.get().into_iter().collect() } else { group }
    }

    /// Returns the map, if it belongs to the current photo and to the heads of [`Self::heads`].
    pub fn current(self) -> Option<OpenHeadMap> {
        let (number, heads, kind) = (self.photo.number(), self.heads(), self.kind.get());
        self.map.get().filter(|map| Some(map.photo_number) == number && map.heads == heads && map.kind == kind)
    }

    /// Describes the heads that the map shows: "layer 11, head 3" or "6 heads together"; `None` without heads.
    pub fn describe(self) -> Option<String> {
        Some(match self.heads()[..] {
            [] => return None,
            [(layer, head)] => format!("layer {layer}, head {head}"),
            ref heads => format!("{} together", units::plural(heads.len() as u64, "head", "heads")),
        })
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
            let heads = self.heads();
            let task = self.photo.traced.get().filter(|_| !heads.is_empty()).and_then(|_| self.task(heads));
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

    fn task(self, heads: Vec<(usize, usize)>) -> Option<MapHeads> {
        Some(match self.kind.get() {
            HeadMapKind::Attention => MapHeads { heads, phrase: None, rather_than: None, templates: false },
            HeadMapKind::Contribution => {
                let (phrase, rather_than) = (Some(self.phrases.chosen.get()?), self.phrases.rival.get());
                MapHeads { heads, phrase, rather_than, templates: self.phrases.templates.get() }
            }
        })
    }

    fn take(self, asked: MapHeads, answer: HeadMap, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        let MapHeads { heads, phrase, .. } = asked;
        // Another phrase was chosen in the meantime.
        if phrase.as_ref().is_some_and(|phrase| !self.phrases.is_chosen(phrase)) {
            return Ok(());
        }
        let HeadMap { grid, crop_in_photo } = answer;
        self.map.set(Some(OpenHeadMap {
            photo_number: self.photo.traced.get_untracked().ok_or(UnexpectedAnswer)?,
            map: Arc::new(exactly_floats(buffers, grid.len())?),
            heads,
            kind: if phrase.is_some() { HeadMapKind::Contribution } else { HeadMapKind::Attention },
            grid,
            frame: crop_in_photo,
        }));
        Ok(())
    }
}
