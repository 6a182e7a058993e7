//! Multi-object prototypes: what each chosen head looks for (docs/PAPERS.md, 2.1, steps 1 to 3).

use serde::{Deserialize, Serialize};

use super::vectors::{dot, unit_tokens, weighted_sum};
use super::{TrackError, sinkhorn, tracks};
use crate::model::Features;

/// The grid and the number of heads that the paper's sharpness belongs to: 14 x 14 patches, 3 heads. Refined
/// prototypes of other grids and head counts are scaled to it, so that a track depends on neither.
const PATCHES_PER_HEAD: f64 = 196.0 / 3.0;

/// Whether prototypes are refined by Sinkhorn-Knopp (docs/PAPERS.md, 2.1, steps 2 and 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refinement {
    /// Where the model bears it. Refinement compares tokens with queries, and then keys with tokens: only training
    /// (DoRA's) makes these comparable. In other models the refined tracks lie anywhere; then they are left
    /// unrefined, which compares queries with keys as attention itself does.
    #[default]
    Auto,
    /// As in the paper.
    Sinkhorn,
    Off,
}

/// Refined tracks must follow their heads' attention this closely (mean correlation) for [`Refinement::Auto`]. With
/// the default model they reach 0.7 at the most and are worse than unrefined ones even there; unrefined ones reach
/// 0.9.
const FOLLOWS_FROM: f64 = 0.75;

/// One vector for each object.
#[derive(Clone, Debug, PartialEq)]
pub struct Prototypes {
    pub width: usize,
    /// `[object][width]`
    pub values: Vec<f32>,
}

impl Prototypes {
    /// The prototypes of a frame, an object for each of `heads`, as `refinement` says.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`].
    pub fn discover(features: &Features, heads: &[usize], refinement: Refinement) -> Result<Self, TrackError> {
        match refinement.in_frame(features, heads)? {
            Refinement::Off => Ok(Self::of_heads(features, heads)),
            _ => Self::refined_of(features, heads),
        }
    }

    /// P' of a frame, an object for each of `heads`: the patches' queries as each head attends to them, by
    /// Sinkhorn-Knopp made into a fair assignment of the patches, whose tokens then are the prototype. Scaled
    /// by (196/3)(objects / patches).
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`].
    pub fn refined_of(features: &Features, heads: &[usize]) -> Result<Self, TrackError> {
        check_heads(heads, features.heads)?;
        let units = unit_tokens(features);
        let first = Self::of_heads(features, heads);
        let assignment =
            sinkhorn::assign(&first.logits(&units), heads.len(), sinkhorn::TEMPERATURE, sinkhorn::ITERATIONS);
        Ok(Self::refined(&assignment, &units, features.width))
    }

    /// P: the queries of all patches, weighted by a head's CLS attention; heads side by side, whichever head
    /// attends.
    pub fn of_heads(features: &Features, heads: &[usize]) -> Self {
        let width = features.width;
        let of_head = |head: &usize| {
            let weights = features.attention(*head).iter().map(|weight| f64::from(*weight));
            weighted_sum(weights, &features.queries, width).into_iter().map(|value| value as f32)
        };
        Self { width, values: heads.iter().flat_map(of_head).collect() }
    }

    /// P' of an assignment `[object][patch]` and the unit tokens `[patch][width]`.
    pub fn refined(assignment: &[f64], units: &[f32], width: usize) -> Self {
        let patches = units.len() / width;
        let objects = assignment.len().checked_div(patches).unwrap_or(0);
        let scale = PATCHES_PER_HEAD * objects as f64 / patches as f64;
        let of_object = |row: &[f64]| {
            weighted_sum(row.iter().copied(), units, width).into_iter().map(move |value| (value * scale) as f32)
        };
        Self { width, values: assignment.chunks(patches.max(1)).flat_map(of_object).collect() }
    }

    /// Inner products with the unit tokens, `[object][patch]`.
    pub fn logits(&self, units: &[f32]) -> Vec<f64> {
        let of_object = |prototype| units.chunks(self.width).map(move |token| f64::from(dot(token, prototype)));
        self.iter().flat_map(of_object).collect()
    }

    /// Objects, each a vector of `width`.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl Refinement {
    /// What [`Refinement::Auto`] comes to in a frame; the others are themselves.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`].
    pub fn in_frame(self, features: &Features, heads: &[usize]) -> Result<Self, TrackError> {
        check_heads(heads, features.heads)?;
        if self != Self::Auto {
            return Ok(self);
        }
        let tracks = tracks::tracks(&Prototypes::refined_of(features, heads)?, features);
        let follows = tracks.chunks(features.grid.len()).zip(heads);
        let follows = follows.map(|(track, head)| correlation(track, features.attention(*head))).sum::<f64>();
        Ok(if follows >= FOLLOWS_FROM * heads.len() as f64 { Self::Sinkhorn } else { Self::Off })
    }
}

/// Pearson's; 0 where one of the two does not vary.
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

/// The `count` heads whose CLS attention is the most concentrated (least entropy over the patches), in their
/// own order: a head that looks at everything finds no object. Fewer where the model has fewer.
pub fn concentrated_heads(features: &Features, count: usize) -> Vec<usize> {
    let entropy = |head: usize| {
        let attention = features.attention(head);
        let sum = attention.iter().map(|value| f64::from(*value)).sum::<f64>().max(f64::MIN_POSITIVE);
        let shares = attention.iter().map(|value| f64::from(*value) / sum);
        shares.filter(|share| *share > 0.0).map(|share| -share * share.ln()).sum::<f64>()
    };
    let mut ranked: Vec<(f64, usize)> = (0..features.heads).map(|head| (entropy(head), head)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut heads: Vec<usize> = ranked.into_iter().take(count).map(|(_entropy, head)| head).collect();
    heads.sort_unstable();
    heads
}

/// # Errors
/// [`TrackError::NoHeads`], [`TrackError::NoHead`].
pub(super) fn check_heads(chosen: &[usize], heads: usize) -> Result<(), TrackError> {
    if chosen.is_empty() {
        return Err(TrackError::NoHeads);
    }
    match chosen.iter().find(|head| **head >= heads) {
        Some(head) => Err(TrackError::NoHead { head: *head, heads }),
        None => Ok(()),
    }
}
