//! Where a video is cut, and which objects of the new scene were there before.

use super::Prototypes;
use super::vectors::{dots, unit, unit_tokens};
use crate::model::Features;

/// Patches of a frame that are looked for in the frame before it.
const SAMPLE: usize = 64;
/// So many of them at a time.
const TOGETHER: usize = 4;
/// Below this likeness two frames are of different scenes.
pub const CUT_BELOW: f32 = 0.5;
/// Objects are the same from this cosine of their signatures on.
pub const SAME_FROM: f32 = 0.5;

/// How alike two frames are: patches of the later one, spread evenly over it, are looked for anywhere in the
/// earlier one; the mean of their best cosines, 1 for the same frame. Objects that move, and the camera's own
/// way, change little of it.
///
/// `earlier` and `later` are unit tokens, `[patch][width]`.
pub fn likeness(earlier: &[f32], later: &[f32], width: usize) -> f32 {
    let patches = later.len() / width;
    let sample: Vec<&[f32]> = later.chunks(width).step_by(patches.div_ceil(SAMPLE).max(1)).collect();
    let mut best = vec![-1.0_f32; sample.len()];
    for (tokens, best) in sample.chunks(TOGETHER).zip(best.chunks_mut(TOGETHER)) {
        let together: [&[f32]; TOGETHER] = std::array::from_fn(|place| tokens[place.min(tokens.len() - 1)]);
        for other in earlier.chunks(width) {
            best.iter_mut().zip(dots(together, other)).for_each(|(best, cosine)| *best = best.max(cosine));
        }
    }
    best.iter().sum::<f32>() / best.len().max(1) as f32
}

/// What an object is known by in another scene: its prototype less what all of its frame's patches have in
/// common, made unit. `[object][width]`
pub fn signatures(prototypes: &Prototypes, features: &Features) -> Vec<Vec<f32>> {
    let units = unit_tokens(features);
    let mut mean = vec![0.0; features.width];
    for token in units.chunks(features.width) {
        mean.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    let mean = unit(&mean);
    let signature = |prototype: &[f32]| {
        let prototype = unit(prototype);
        unit(&prototype.iter().zip(&mean).map(|(value, mean)| value - mean).collect::<Vec<_>>())
    };
    prototypes.iter().map(signature).collect()
}

/// Pairs `found` with `known` objects, the most alike first, each at most once, while their cosine is
/// `same_from` or more: for each of `found` the known one's place.
pub fn matched(found: &[Vec<f32>], known: &[&[f32]], same_from: f32) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (place, signature) in found.iter().enumerate() {
        let cosines = known.iter().enumerate().map(|(other, known)| (dots([known], signature)[0], place, other));
        pairs.extend(cosines.filter(|(cosine, ..)| *cosine >= same_from));
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut matches = vec![None; found.len()];
    let mut is_taken = vec![false; known.len()];
    for (_cosine, place, other) in pairs {
        if matches[place].is_none() && !is_taken[other] {
            matches[place] = Some(other);
            is_taken[other] = true;
        }
    }
    matches
}
