//! Seeds of mask propagation: masks over patches from a point, a box or a phrase of the user.
//!
//! All rules use the cosines of unit tokens. They need neither the encoder nor training.

use super::features::Features;
use super::regions::connected;
use super::vectors::{dot, unit, unit_tokens, weighted_sum};
use crate::geometry::Grid;
use crate::segment::are_equal;

/// The largest number of refinement rounds. Regions settle within three or four.
const ROUNDS: usize = 5;
/// The largest number of clusters of patches. The object is compared with each cluster.
const CLUSTERS: usize = 8;
/// Tokens with at least this cosine belong to the same cluster.
const SAME_CLUSTER: f32 = 0.9;

/// A rectangle of patches. The ranges exclude their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchBox {
    pub rows: std::ops::Range<usize>,
    pub columns: std::ops::Range<usize>,
}

impl PatchBox {
    /// Returns the patches of the grid whose centres lie in a rectangle given in grid units (see
    /// `grid_from_photo`). Returns at least one patch.
    pub fn covering(grid: Grid, (left, top): (f64, f64), (right, bottom): (f64, f64)) -> Self {
        let range = |from: f64, to: f64, length: usize| {
            let (from, to) = (from.min(to), from.max(to));
            let first = (from.round().max(0.0) as usize).min(length.saturating_sub(1));
            let end = (to.round().max(0.0) as usize).clamp(first + 1, length.max(first + 1));
            first..end
        };
        Self { rows: range(top, bottom, grid.rows), columns: range(left, right, grid.columns) }
    }

    fn contains(&self, place: usize, grid: Grid) -> bool {
        self.rows.contains(&(place / grid.columns)) && self.columns.contains(&(place % grid.columns))
    }
}

/// Returns the object at a patch: the connected region whose patches are more similar to the mean of the object
/// than to any other cluster of the frame.
///
/// The clusters are those of all patch tokens after their mean is subtracted. The object starts as the cluster
/// that contains the patch. The object always contains the patch.
pub fn at_point(features: &Features, patch: usize) -> Vec<bool> {
    let (grid, width) = (features.grid, features.width);
    let patch = patch.min(grid.len() - 1);
    let units = centred(&unit_tokens(features), width);
    let mut clusters = clusters(&units, width, &vec![true; grid.len()], CLUSTERS);
    let (own, _cosine) = nearest(&clusters, &units[patch * width..][..width]);
    let mut object_mean = clusters.swap_remove(own);
    let other = best_cosines(&units, width, &clusters);
    let mut region = Vec::new();
    for _round in 0..ROUNDS {
        let mut belongs: Vec<bool> =
            units.chunks(width).zip(&other).map(|(token, other)| dot(token, &object_mean) > *other).collect();
        belongs[patch] = true;
        let found = connected(&belongs, grid, patch);
        if found == region {
            break;
        }
        object_mean = mean_of(&units, width, &found);
        region = found;
    }
    region
}

/// Returns the object in a box: the patches of the box that are more similar to the mean of the object than to any
/// background cluster.
///
/// The background clusters are those of the patches outside the box, or of the box's outermost patches when
/// nothing lies outside. The object starts as the whole box. If no patch would remain, the last object that had
/// patches is returned.
pub fn in_box(features: &Features, patch_box: &PatchBox) -> Vec<bool> {
    let (grid, width) = (features.grid, features.width);
    let units = unit_tokens(features);
    let inside: Vec<bool> = (0..grid.len()).map(|place| patch_box.contains(place, grid)).collect();
    let other =
        best_cosines(&units, width, &clusters(&units, width, &outside_or_rim(&inside, patch_box, grid), CLUSTERS));
    let mut object = inside.clone();
    for _round in 0..ROUNDS {
        let object_mean = mean_of(&units, width, &object);
        let belongs = units.chunks(width).zip(&other).map(|(token, other)| dot(token, &object_mean) > *other);
        let next: Vec<bool> = belongs.zip(&inside).map(|(belongs, inside)| belongs && *inside).collect();
        if next == object || !next.contains(&true) {
            break;
        }
        object = next;
    }
    object
}

/// Returns the object of a phrase from the patches' scores, with the contrast's mean already subtracted (the input
/// of [`crate::segment::soft_map`]): the patches whose score is positive and above the mean of the positive parts.
/// Empty when no score is positive.
pub fn of_scores(scores: &[f64]) -> Vec<bool> {
    let mean = scores.iter().map(|score| score.max(0.0)).sum::<f64>() / scores.len().max(1) as f64;
    let is_constant = scores.iter().all(|score| are_equal(*score, scores[0]));
    scores.iter().map(|score| *score > 0.0 && (*score > mean || is_constant)).collect()
}

/// Returns the patches outside the box. When nothing lies outside, returns the outermost patches of the box.
fn outside_or_rim(inside: &[bool], patch_box: &PatchBox, grid: Grid) -> Vec<bool> {
    if inside.contains(&false) {
        return inside.iter().map(|inside| !inside).collect();
    }
    let is_rim = |place: usize| {
        let (row, column) = (place / grid.columns, place % grid.columns);
        let ends = |range: &std::ops::Range<usize>, at: usize| at == range.start || at + 1 == range.end;
        ends(&patch_box.rows, row) || ends(&patch_box.columns, column)
    };
    (0..grid.len()).map(is_rim).collect()
}

/// Returns the unit means of at most `count` clusters of the chosen tokens, from spherical k-means. Each new start
/// is the token that is least similar to the starts so far, so the result is always the same.
fn clusters(units: &[f32], width: usize, chosen: &[bool], count: usize) -> Vec<Vec<f32>> {
    let chosen_tokens = units.chunks(width).zip(chosen).filter(|(_token, chosen)| **chosen);
    let tokens: Vec<&[f32]> = chosen_tokens.map(|(token, _chosen)| token).collect();
    let mut centres = vec![mean_of(units, width, chosen)];
    // Each token's cosine to its most similar centre.
    let mut cosines: Vec<f32> = tokens.iter().map(|token| dot(token, &centres[0])).collect();
    while centres.len() < count {
        let farthest = cosines.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let Some((place, _cosine)) = farthest.filter(|(_place, cosine)| **cosine < SAME_CLUSTER) else { break };
        let centre = tokens[place].to_vec();
        cosines.iter_mut().zip(&tokens).for_each(|(cosine, token)| *cosine = cosine.max(dot(token, &centre)));
        centres.push(centre);
    }
    for _round in 0..ROUNDS {
        let mut sums = vec![vec![0.0; width]; centres.len()];
        for token in &tokens {
            let sum = &mut sums[nearest(&centres, token).0];
            sum.iter_mut().zip(*token).for_each(|(sum, value)| *sum += value);
        }
        // A cluster that lost all its tokens keeps its centre.
        for (centre, sum) in centres.iter_mut().zip(&sums) {
            if sum.iter().any(|value| *value != 0.0) {
                *centre = unit(sum);
            }
        }
    }
    centres
}

/// Returns the centre that is most similar to a token, and their cosine. Among equals the first wins.
fn nearest(centres: &[Vec<f32>], token: &[f32]) -> (usize, f32) {
    let cosines = centres.iter().map(|centre| dot(token, centre)).enumerate();
    cosines.fold((0, f32::NEG_INFINITY), |best, found| if found.1 > best.1 { found } else { best })
}

/// Returns each token's cosine to its most similar centre.
fn best_cosines(units: &[f32], width: usize, centres: &[Vec<f32>]) -> Vec<f32> {
    units.chunks(width).map(|token| nearest(centres, token).1).collect()
}

/// Subtracts the mean token and normalises again. The part that all tokens of a frame share does not tell patches
/// apart.
fn centred(units: &[f32], width: usize) -> Vec<f32> {
    let patches = units.len() / width;
    let mean = weighted_sum((0..patches).map(|_patch| 1.0 / patches as f64), units, width);
    let without_mean =
        |token: &[f32]| token.iter().zip(&mean).map(|(value, mean)| value - *mean as f32).collect::<Vec<f32>>();
    units.chunks(width).flat_map(|token| unit(&without_mean(token))).collect()
}

/// Returns the mean of the chosen tokens, normalised.
fn mean_of(units: &[f32], width: usize, chosen: &[bool]) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (token, _chosen) in units.chunks(width).zip(chosen).filter(|(_token, chosen)| **chosen) {
        sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    unit(&sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_at_least_one_patch() {
        let grid = Grid { rows: 4, columns: 5 };
        let covering = |from, to| PatchBox::covering(grid, from, to);
        assert_eq!(covering((1.2, 0.6), (3.4, 2.4)), PatchBox { rows: 1..2, columns: 1..3 });
        assert_eq!(covering((3.4, 2.4), (1.2, 0.6)), PatchBox { rows: 1..2, columns: 1..3 });
        assert_eq!(covering((2.1, 2.1), (2.2, 2.2)), PatchBox { rows: 2..3, columns: 2..3 });
        assert_eq!(covering((-9.0, 9.0), (99.0, 99.0)), PatchBox { rows: 3..4, columns: 0..5 });
    }

    #[test]
    fn scores_without_a_positive_one_give_no_object() {
        assert_eq!(of_scores(&[-1.0, -0.5]), [false, false]);
        assert_eq!(of_scores(&[0.2, 0.2]), [true, true]);
        assert_eq!(of_scores(&[-1.0, 0.2, 0.9]), [false, false, true]);
        assert!(of_scores(&[]).is_empty());
    }
}
