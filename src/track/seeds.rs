//! What a person points at, as a mask over patches: where propagation starts.
//!
//! All rules work on the cosines of unit tokens, so that they need no encoder and no training.

use super::regions::connected;
use super::vectors::{dot, unit, unit_tokens};
use crate::geometry::Grid;
use crate::model::Features;

/// Rounds of refinement; regions settle within three or four.
const ROUNDS: usize = 5;
/// Kinds of background that a box is told apart from.
const BACKGROUNDS: usize = 6;

/// A rectangle of patches: rows and columns, ends left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchBox {
    pub rows: std::ops::Range<usize>,
    pub columns: std::ops::Range<usize>,
}

impl PatchBox {
    /// The patches that a rectangle in grid units (as `grid_from_photo` gives them) covers by their middle, at
    /// least one, inside the grid.
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

/// The object at a patch: all that is connected to it and more like it than Otsu's threshold on the cosines of all
/// patches of the frame. Then again with the mean of what was found in place of the one patch, as long as that
/// changes something. It always holds the patch itself.
pub fn at_point(features: &Features, patch: usize) -> Vec<bool> {
    let (grid, width) = (features.grid, features.width);
    let units = unit_tokens(features);
    let patch = patch.min(grid.len() - 1);
    let mut like = units[patch * width..][..width].to_vec();
    let mut region = Vec::new();
    for _round in 0..ROUNDS {
        let cosines: Vec<f32> = units.chunks(width).map(|token| dot(token, &like)).collect();
        let threshold = otsu(&cosines).min(cosines[patch]);
        let alike: Vec<bool> = cosines.iter().map(|cosine| *cosine >= threshold).collect();
        let found = connected(&alike, grid, patch);
        if found == region {
            break;
        }
        like = mean_of(&units, width, &found);
        region = found;
    }
    region
}

/// The object in a box: of the box's patches those that are more like the mean of the object than like any kind of
/// background. The kinds are clusters of what lies outside the box (of the box's rim where nothing does); the
/// object begins as the whole box. Nothing left: the whole box.
pub fn in_box(features: &Features, patch_box: &PatchBox) -> Vec<bool> {
    let (grid, width) = (features.grid, features.width);
    let units = unit_tokens(features);
    let inside: Vec<bool> = (0..grid.len()).map(|place| patch_box.contains(place, grid)).collect();
    let backgrounds = kinds(&units, width, &around(&inside, patch_box, grid));
    let likest = |token: &[f32]| {
        backgrounds.iter().map(|background| dot(token, background)).fold(f32::NEG_INFINITY, f32::max)
    };
    let against: Vec<f32> = units.chunks(width).map(likest).collect();
    let mut object = inside.clone();
    for _round in 0..ROUNDS {
        let like = mean_of(&units, width, &object);
        let belongs = units.chunks(width).zip(&against).map(|(token, against)| dot(token, &like) > *against);
        let next: Vec<bool> = belongs.zip(&inside).map(|(belongs, inside)| belongs && *inside).collect();
        if next == object || !next.contains(&true) {
            break;
        }
        object = next;
    }
    object
}

/// The object that a phrase speaks of, by the patches' scores against a contrast (as
/// [`crate::segment::soft_map`] takes them): what is positive and above the mean of the positive parts. Nothing
/// where nothing speaks for the phrase.
pub fn of_scores(scores: &[f64]) -> Vec<bool> {
    let mean = scores.iter().map(|score| score.max(0.0)).sum::<f64>() / scores.len().max(1) as f64;
    let is_even = scores.iter().all(|score| *score == scores[0]);
    scores.iter().map(|score| *score > 0.0 && (*score > mean || is_even)).collect()
}

/// What lies outside the box; where nothing does, its outermost patches.
fn around(inside: &[bool], patch_box: &PatchBox, grid: Grid) -> Vec<bool> {
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

/// Unit means of clusters of the chosen tokens: spherical k-means, begun with the tokens that are least like those
/// chosen before, so that it is the same each time.
fn kinds(units: &[f32], width: usize, chosen: &[bool]) -> Vec<Vec<f32>> {
    let tokens: Vec<&[f32]> = units
        .chunks(width)
        .zip(chosen)
        .filter(|(_token, chosen)| **chosen)
        .map(|(token, _chosen)| token)
        .collect();
    let mut centres = vec![mean_of(units, width, chosen)];
    let nearest = |centres: &[Vec<f32>], token: &[f32]| {
        let cosines = centres.iter().map(|centre| dot(token, centre)).enumerate();
        cosines.fold(
            (0, f32::NEG_INFINITY),
            |best, (place, cosine)| if cosine > best.1 { (place, cosine) } else { best },
        )
    };
    while centres.len() < BACKGROUNDS.min(tokens.len()) {
        let farthest = tokens.iter().min_by(|a, b| nearest(&centres, a).1.total_cmp(&nearest(&centres, b).1));
        let Some(farthest) = farthest else { break };
        centres.push(farthest.to_vec());
    }
    for _round in 0..ROUNDS {
        let mut sums = vec![vec![0.0; width]; centres.len()];
        for token in &tokens {
            let sum = &mut sums[nearest(&centres, token).0];
            sum.iter_mut().zip(*token).for_each(|(sum, value)| *sum += value);
        }
        centres = sums.iter().map(|sum| unit(sum)).collect();
    }
    centres
}

/// The mean of the chosen tokens, made unit.
fn mean_of(units: &[f32], width: usize, chosen: &[bool]) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (token, _chosen) in units.chunks(width).zip(chosen).filter(|(_token, chosen)| **chosen) {
        sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    unit(&sum)
}

/// Otsu's threshold: the split of the values into two classes that lie farthest apart for their sizes.
fn otsu(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let total: f64 = sorted.iter().map(|value| f64::from(*value)).sum();
    let count = sorted.len() as f64;
    let (mut below, mut best, mut threshold) = (0.0, f64::NEG_INFINITY, sorted.first().copied().unwrap_or(0.0));
    for (index, pair) in sorted.windows(2).enumerate() {
        below += f64::from(pair[0]);
        let size = index as f64 + 1.0;
        let apart = below / size - (total - below) / (count - size);
        let between = size * (count - size) * apart * apart;
        if pair[1] > pair[0] && between > best {
            (best, threshold) = (between, pair[1]);
        }
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_splits_two_heaps() {
        assert_eq!(otsu(&[0.1, 0.9, 0.2, 0.15, 0.8, 0.85]), 0.8);
        assert_eq!(otsu(&[0.5; 4]), 0.5);
    }

    #[test]
    fn a_box_has_a_patch_at_least() {
        let grid = Grid { rows: 4, columns: 5 };
        let covering = |from, to| PatchBox::covering(grid, from, to);
        assert_eq!(covering((1.2, 0.6), (3.4, 2.4)), PatchBox { rows: 1..2, columns: 1..3 });
        assert_eq!(covering((3.4, 2.4), (1.2, 0.6)), PatchBox { rows: 1..2, columns: 1..3 });
        assert_eq!(covering((2.1, 2.1), (2.2, 2.2)), PatchBox { rows: 2..3, columns: 2..3 });
        assert_eq!(covering((-9.0, 9.0), (99.0, 99.0)), PatchBox { rows: 3..4, columns: 0..5 });
    }

    #[test]
    fn nothing_speaks_for_nothing() {
        assert_eq!(of_scores(&[-1.0, -0.5]), [false, false]);
        assert_eq!(of_scores(&[0.2, 0.2]), [true, true]);
        assert_eq!(of_scores(&[-1.0, 0.2, 0.9]), [false, false, true]);
        assert!(of_scores(&[]).is_empty());
    }
}
