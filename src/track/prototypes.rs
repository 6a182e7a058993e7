//! Multi-object prototypes: one vector for the object of each chosen head (docs/PAPERS.md, 2.1, steps 1 to 3).

use super::error::TrackError;
use super::features::Features;
use super::sinkhorn;
use super::vectors::{dot, unit_tokens, weighted_sum};

/// Patches per head in the paper: 14 x 14 patches, 3 heads. Refined prototypes of other grids and head counts are
/// scaled to this ratio, so that the sharpness of a track depends on neither (docs/PAPERS.md, 2.1, step 3).
const PATCHES_PER_HEAD: f64 = 196.0 / 3.0;

/// One prototype vector for each object.
#[derive(Clone, Debug, PartialEq)]
pub struct Prototypes {
    pub width: usize,
    /// `[object][width]`
    pub values: Vec<f32>,
}

impl Prototypes {
    /// Computes P', the refined prototypes of a frame, one object for each of `heads`.
    ///
    /// P is refined in two steps: Sinkhorn-Knopp assigns the patches to the prototypes evenly, and the assigned
    /// tokens are summed. P' is scaled by (196/3)(objects / patches).
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

    /// Computes P: the sum of the queries of all patches, weighted by a head's CLS attention. The queries have all
    /// heads concatenated, whichever head gives the weights.
    pub fn of_heads(features: &Features, heads: &[usize]) -> Self {
        let width = features.width;
        let of_head = |head: &usize| {
            let weights = features.attention(*head).iter().map(|weight| f64::from(*weight));
            weighted_sum(weights, &features.queries, width).into_iter().map(|value| value as f32)
        };
        Self { width, values: heads.iter().flat_map(of_head).collect() }
    }

    /// Computes P' from an assignment `[object][patch]` and the unit tokens `[patch][width]`.
    pub fn refined(assignment: &[f64], units: &[f32], width: usize) -> Self {
        let patches = units.len() / width;
        let objects = assignment.len().checked_div(patches).unwrap_or(0);
        let scale = PATCHES_PER_HEAD * objects as f64 / patches as f64;
        let of_object = |row: &[f64]| {
            weighted_sum(row.iter().copied(), units, width).into_iter().map(move |value| (value * scale) as f32)
        };
        Self { width, values: assignment.chunks(patches.max(1)).flat_map(of_object).collect() }
    }

    /// Returns the inner products with the unit tokens, `[object][patch]`.
    pub fn logits(&self, units: &[f32]) -> Vec<f64> {
        let of_object = |prototype| units.chunks(self.width).map(move |token| f64::from(dot(token, prototype)));
        self.iter().flat_map(of_object).collect()
    }

    /// Iterates over the objects' prototypes, each `[width]`.
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

/// Returns the `count` heads with the most concentrated CLS attention (lowest entropy over the patches), in
/// ascending order. A head that attends to everything finds no object. Returns fewer when the model has fewer
/// heads.
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

/// Checks that at least one head is chosen, and that every chosen head exists.
///
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
