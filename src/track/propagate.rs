//! Masks carried from frame to frame by the likeness of patches (docs/PAPERS.md, 2.4).

use std::collections::VecDeque;

use super::affinity::{Match, best_matches};
use super::vectors::unit_tokens;
use super::{SoftMasks, TrackError};
use crate::geometry::Grid;
use crate::model::Features;

/// The protocol's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PropagateOptions {
    /// Affinity is exp(cosine / temperature).
    pub temperature: f32,
    /// How many of the last frames are contexts, besides all seeds.
    pub recent: usize,
    /// How far a patch may move, in patches: 12 is a neighbourhood of 25 x 25.
    pub radius: usize,
    /// How many matches count, over all contexts.
    pub top: usize,
}

impl Default for PropagateOptions {
    fn default() -> Self {
        Self { temperature: 0.1, recent: 7, radius: 12, top: 5 }
    }
}

/// Carries masks from seeds through frames, in whichever order these are pushed: for the way back a propagator
/// of its own gets the frames in reverse.
///
/// Contexts are all seeds and the last frames pushed. A correction is a further seed: it stands beside the
/// earlier ones, and the frames that were pushed before it no longer count, as they go with what was corrected.
#[derive(Clone, Debug)]
pub struct Propagator {
    options: PropagateOptions,
    seeds: Vec<(usize, Context)>,
    recent: VecDeque<Context>,
}

/// A frame whose masks are known.
#[derive(Clone, Debug)]
struct Context {
    /// `[patch][width]`
    units: Vec<f32>,
    masks: SoftMasks,
}

impl Propagator {
    pub fn new(options: PropagateOptions) -> Self {
        Self { options, seeds: Vec::new(), recent: VecDeque::new() }
    }

    /// Takes a frame's masks as given. A later seed of the same frame replaces the earlier.
    ///
    /// # Errors
    /// [`TrackError::OtherGrid`] where the masks are not of the features' grid; [`TrackError::OtherGrid`] and
    /// [`TrackError::OtherModel`] where earlier seeds were others.
    pub fn seed(&mut self, frame: usize, features: &Features, masks: SoftMasks) -> Result<(), TrackError> {
        self.check(features)?;
        if masks.grid != features.grid {
            return Err(TrackError::OtherGrid { found: masks.grid, expected: features.grid });
        }
        self.seeds.retain(|(seeded, _context)| *seeded != frame);
        self.seeds.push((frame, Context { units: unit_tokens(features), masks }));
        self.recent.clear();
        Ok(())
    }

    /// The masks of the next frame; it becomes a context.
    ///
    /// # Errors
    /// [`TrackError::NoSeed`] before the first seed; [`TrackError::OtherGrid`] and [`TrackError::OtherModel`] where
    /// the frame is not of the seeds' kind.
    pub fn push(&mut self, features: &Features) -> Result<SoftMasks, TrackError> {
        if self.seeds.is_empty() {
            return Err(TrackError::NoSeed);
        }
        self.check(features)?;
        let units = unit_tokens(features);
        let contexts: Vec<&Context> =
            self.seeds.iter().map(|(_frame, context)| context).chain(&self.recent).collect();
        let tokens: Vec<&[f32]> = contexts.iter().map(|context| &context.units[..]).collect();
        let matches = best_matches(&units, &tokens, features.grid, &self.options);
        let masks = carried(&matches, &contexts, features.grid, self.options.temperature);
        if self.options.recent > 0 {
            if self.recent.len() >= self.options.recent {
                self.recent.pop_front();
            }
            self.recent.push_back(Context { units, masks: masks.clone() });
        }
        Ok(masks)
    }

    fn check(&self, features: &Features) -> Result<(), TrackError> {
        let Some((_frame, first)) = self.seeds.first() else { return Ok(()) };
        if first.masks.grid != features.grid {
            return Err(TrackError::OtherGrid { found: features.grid, expected: first.masks.grid });
        }
        let width = first.units.len() / first.masks.grid.len();
        if width != features.width {
            return Err(TrackError::OtherModel { found: features.width, expected: width });
        }
        Ok(())
    }
}

/// Each patch's masks: the mean of its matches', weighted by affinity.
fn carried(matches: &[Vec<Match>], contexts: &[&Context], grid: Grid, temperature: f32) -> SoftMasks {
    let channels = contexts.iter().map(|context| context.masks.channels).max().unwrap_or(1);
    let mut masks = SoftMasks { grid, channels, values: vec![0.0; channels * grid.len()] };
    for (patch, matches) in matches.iter().enumerate() {
        let Some(best) = matches.first() else { continue };
        // Relative to the best, which cancels in the sum, so that no temperature overflows.
        let weight = |found: &Match| ((found.cosine - best.cosine) / temperature).exp();
        let sum: f32 = matches.iter().map(weight).sum();
        for found in matches {
            let share = weight(found) / sum;
            let from = &contexts[found.context].masks;
            for channel in 0..from.channels {
                masks.values[channel * grid.len() + patch] +=
                    share * from.values[channel * grid.len() + found.patch];
            }
        }
    }
    masks
}
