//! The choice whether prototypes are refined (docs/PAPERS.md, 2.1, steps 2 and 3).

use serde::{Deserialize, Serialize};

use super::error::TrackError;
use super::features::Features;
use super::prototypes::{Prototypes, check_heads};
use super::tracks;

/// Whether prototypes are refined by Sinkhorn-Knopp (docs/PAPERS.md, 2.1, steps 2 and 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refinement {
    /// Refined only if refinement works for the model. Refinement compares tokens with queries, and then keys with
    /// tokens. Only DoRA's training makes these comparable. In other models the refined tracks lie at arbitrary
    /// places. Unrefined prototypes compare queries with keys, as attention itself does.
    #[default]
    Auto,
    /// Refined, as in the paper.
    Sinkhorn,
    Off,
}

/// [`Refinement::Auto`] refines when the mean correlation between the refined tracks and their heads' attention is
/// at least this. With version 1 of the default model, refined tracks reached at most 0.7, and even those were worse
/// than unrefined ones. Unrefined tracks reached 0.9.
const LEAST_CORRELATION: f64 = 0.75;

impl Prototypes {
    /// Computes the prototypes of a frame, one object for each of `heads`, refined or not as `refinement` says.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`].
    pub fn discover(features: &Features, heads: &[usize], refinement: Refinement) -> Result<Self, TrackError> {
        match refinement.in_frame(features, heads)? {
            Refinement::Off => Ok(Self::of_heads(features, heads)),
            _ => Self::refined_of(features, heads),
        }
    }
}

impl Refinement {
    /// Decides [`Refinement::Auto`] from a frame. Returns the other choices unchanged.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`].
    pub fn in_frame(self, features: &Features, heads: &[usize]) -> Result<Self, TrackError> {
        check_heads(heads, features.heads)?;
        if self != Self::Auto {
            return Ok(self);
        }
        let tracks = tracks::tracks(&Prototypes::refined_of(features, heads)?, features);
        let pairs = tracks.chunks(features.grid.len()).zip(heads);
        let sum = pairs.map(|(track, head)| correlation(track, features.attention(*head))).sum::<f64>();
        Ok(if sum >= LEAST_CORRELATION * heads.len() as f64 { Self::Sinkhorn } else { Self::Off })
    }
}

/// Returns Pearson's correlation. 0 when `a` or `b` is constant.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let mean = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - mean_a, f64::from(*b) - mean_b);
        both += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    let spread = (square_a * square_b).sqrt();
    if spread > 0.0 { both / spread } else { 0.0 }
}
