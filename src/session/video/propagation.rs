//! Mask propagation from a person's seeds, one frame per step (docs/PAPERS.md, 2.4).

use std::collections::BTreeMap;

use half::f16;

use crate::geometry::CropFromPhoto;
use crate::protocol::video::{PropagationRun, Seed, SeedKind};
use crate::track::seeds::{self, PatchBox};
use crate::track::{Features, PropagateOptions, Propagator, SoftMasks, TrackError};

/// The memory that the stored tokens of all frames at one resolution may take, in bytes. Tokens of other resolutions are
/// not stored.
const MAX_BYTES: usize = 384 << 20;

/// The current run through the frames, and the masks of all runs so far.
#[derive(Default)]
pub struct MaskPropagation {
    run: Option<(u32, Propagator)>,
    /// The masks by sampled frame.
    pub masks: BTreeMap<usize, (CropFromPhoto, SoftMasks)>,
    tokens: FineTokens,
}

impl MaskPropagation {
    /// Continues a run by one frame. `scores` holds the patches' scores of each phrase seed.
    ///
    /// # Errors
    /// If the frame does not fit the frames before, nothing was seeded, or an object's number is invalid.
    pub fn step(
        &mut self,
        run: &PropagationRun,
        index: usize,
        (frame, features): (CropFromPhoto, &Features),
        scores: &BTreeMap<String, Vec<f64>>,
    ) -> Result<&SoftMasks, TrackError> {
        if let Some(seed) = run.seeds.iter().find(|seed| !(1..=u8::MAX.into()).contains(&seed.object)) {
            return Err(TrackError::NoObject(seed.object));
        }
        let mut propagator = match self.run.take() {
            Some((number, propagator)) if number == run.number => propagator,
            _ => Propagator::new(PropagateOptions::default()),
        };
        let here: Vec<&Seed> = run.seeds.iter().filter(|seed| seed.frame == index).collect();
        let masks = if here.is_empty() {
            propagator.push(features)?
        } else {
            // Propagated masks stay, except for the objects that are seeded on this frame.
            let before = propagator.push(features).or_else(|err| match err {
                TrackError::NoSeed => Ok(SoftMasks::one_hot(features.grid, &vec![0; features.grid.len()])),
                err => Err(err),
            })?;
            let masks = seeded(before, &here, frame, features, scores);
            propagator.seed(index, features, masks.clone())?;
            masks
        };
        self.run = Some((run.number, propagator));
        self.masks.insert(index, (frame, masks));
        self.masks.get(&index).map(|(_, masks)| masks).ok_or(TrackError::NoSeed)
    }

    /// Returns a frame's features that an earlier run stored. They contain only the tokens.
    pub fn stored_features(&self, short_side: usize, index: usize) -> Option<(CropFromPhoto, Features)> {
        self.tokens.get(short_side, index)
    }

    /// Stores a frame's tokens for the next run.
    pub fn store_features(&mut self, short_side: usize, index: usize, frame: CropFromPhoto, features: &Features) {
        self.tokens.insert(short_side, index, frame, features);
    }
}

/// Adds the objects that are seeded on a frame to its masks. An object's mask is the union of its seeds.
fn seeded(
    before: SoftMasks,
    here: &[&Seed],
    frame: CropFromPhoto,
    features: &Features,
    scores: &BTreeMap<String, Vec<f64>>,
) -> SoftMasks {
    let mut objects: BTreeMap<u32, Vec<bool>> = BTreeMap::new();
    for seed in here {
        let mask = mask_of(&seed.kind, frame, features, scores);
        let all = objects.entry(seed.object).or_insert_with(|| vec![false; features.grid.len()]);
        all.iter_mut().zip(mask).for_each(|(all, is_in)| *all |= is_in);
    }
    objects.into_iter().fold(before, |masks, (object, mask)| masks.with_object(object as usize, &mask))
}

/// Returns the patches of one seed.
fn mask_of(
    kind: &SeedKind,
    frame: CropFromPhoto,
    features: &Features,
    scores: &BTreeMap<String, Vec<f64>>,
) -> Vec<bool> {
    let grid = features.grid;
    match kind {
        SeedKind::Point { x, y } => {
            let (column, row) = frame.grid_from_photo(*x, *y);
            let place = |at: f64, length: usize| (at.max(0.0) as usize).min(length.saturating_sub(1));
            seeds::at_point(features, place(row, grid.rows) * grid.columns + place(column, grid.columns))
        }
        SeedKind::Box(rect) => {
            let from = frame.grid_from_photo(rect.left, rect.top);
            let to = frame.grid_from_photo(rect.left + rect.width, rect.top + rect.height);
            seeds::in_box(features, &PatchBox::covering(grid, from, to))
        }
        SeedKind::Phrase(phrase) => {
            scores.get(phrase).map_or_else(|| vec![false; grid.len()], |scores| seeds::of_scores(scores))
        }
    }
}

/// The tokens of frames at one resolution, in 16 bits.
#[derive(Default)]
struct FineTokens {
    short_side: usize,
    bytes: usize,
    frames: BTreeMap<usize, (CropFromPhoto, usize, Vec<f16>)>,
}

impl FineTokens {
    fn get(&self, short_side: usize, index: usize) -> Option<(CropFromPhoto, Features)> {
        let (frame, width, tokens) = self.frames.get(&index).filter(|_| self.short_side == short_side)?;
        let tokens = tokens.iter().map(|value| value.to_f32()).collect();
        Some((*frame, Features::of_tokens(frame.grid(), *width, tokens)))
    }

    fn insert(&mut self, short_side: usize, index: usize, frame: CropFromPhoto, features: &Features) {
        if self.short_side != short_side {
            *self = Self { short_side, ..Self::default() };
        }
        let bytes = features.tokens.len() * 2;
        if self.bytes + bytes <= MAX_BYTES {
            let tokens = features.tokens.iter().map(|value| f16::from_f32(*value)).collect();
            if self.frames.insert(index, (frame, features.width, tokens)).is_none() {
                self.bytes += bytes;
            }
        }
    }
}
