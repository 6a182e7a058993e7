//! Mask propagation: masks are carried from frame to frame by the similarity of patches (docs/PAPERS.md, 2.4).

use std::collections::VecDeque;

use super::affinity::{PatchMatch, best_matches};
use super::error::TrackError;
use super::features::Features;
use super::masks::SoftMasks;
use super::propagate_options::PropagateOptions;
use super::vectors::unit_tokens;
use crate::geometry::Grid;

/// Carries masks from seeds through frames, in the order in which the frames are pushed. To go backwards, use a
/// second propagator and push the frames in reverse.
///
/// The contexts are all seeds and the frames that were pushed last. A correction is a further seed. It adds to the
/// earlier seeds. The frames that were pushed before the correction are dropped, because they contain the error
/// that is corrected.
#[derive(Clone, Debug)]
pub struct Propagator {
    options: PropagateOptions,
    seeds: Vec<(usize, Context)>,
    recent: VecDeque<Context>,
}

/// A frame with known masks.
#[derive(Clone, Debug)]
struct Context {
    /// Unit tokens, `[patch][width]`.
    units: Vec<f32>,
    masks: SoftMasks,
}

impl Propagator {
    pub fn new(options: PropagateOptions) -> Self {
        Self { options, seeds: Vec::new(), recent: VecDeque::new() }
    }

    /// Sets the masks of a frame. A later seed of the same frame replaces the earlier one.
    ///
    /// # Errors
    /// [`TrackError::OtherGrid`] when the masks do not have the grid of the features. [`TrackError::OtherGrid`] or
    /// [`TrackError::OtherModel`] when earlier seeds have another grid or width.
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

    /// Returns the masks of the next frame, and keeps the frame as a context.
    ///
    /// # Errors
    /// [`TrackError::NoSeed`] before the first seed. [`TrackError::OtherGrid`] or [`TrackError::OtherModel`] when
    /// the frame does not have the grid or width of the seeds.
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
        let masks = carry_masks(&matches, &contexts, features.grid, self.options.temperature);
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

/// Returns the masks of each patch: the mean of the masks of its matches, weighted by affinity.
fn carry_masks(matches: &[Vec<PatchMatch>], contexts: &[&Context], grid: Grid, temperature: f32) -> SoftMasks {
    let channels = contexts.iter().map(|context| context.masks.channels).max().unwrap_or(1);
    let mut masks = SoftMasks { grid, channels, values: vec![0.0; channels * grid.len()] };
    for (patch, matches) in matches.iter().enumerate() {
        let Some(best) = matches.first() else { continue };
        // Affinities relative to the best one: the common factor cancels in the mean, and no temperature
        // overflows.
        let weight = |found: &PatchMatch| ((found.cosine - best.cosine) / temperature).exp();
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
