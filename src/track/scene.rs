//! Detects cuts in a video, and recognises the objects of an earlier scene.

use super::vectors::{dots, unit, weighted_sum};

/// Patches of a frame that are searched for in the other frame.
const SAMPLE: usize = 64;
/// Patches that are compared together.
const GROUP: usize = 4;
/// Two frames belong to different scenes when their similarity is below this value.
const CUT_BELOW: f32 = 0.65;
/// Two frames also belong to different scenes when their similarity is below this share of the scene's usual
/// similarity. Measured on videos at two frames per second: at least 0.81 within a scene (0.85 of the scene's
/// mean), at most 0.73 between scenes.
const CUT_BELOW_USUAL: f32 = 0.8;
/// The weight of the newest similarity in the running mean.
const NEWEST_WEIGHT: f32 = 0.25;
/// Two objects are the same when the cosine of their signatures is at least this.
pub const SAME_FROM: f32 = 0.75;

/// Detects cuts from the similarity of each frame to the previous frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct CutDetector {
    /// The running mean of the similarities in this scene. The newest has the largest weight.
    usual: Option<f32>,
}

impl CutDetector {
    /// Returns whether a frame with this similarity to the previous frame begins a new scene.
    pub fn is_cut(&mut self, similarity: f32) -> bool {
        if similarity < CUT_BELOW || self.usual.is_some_and(|usual| similarity < CUT_BELOW_USUAL * usual) {
            self.usual = None;
            return true;
        }
        self.usual = Some(self.usual.map_or(similarity, |usual| usual + NEWEST_WEIGHT * (similarity - usual)));
        false
    }
}

/// Returns the similarity of two frames, 1 for equal frames.
///
/// A sample of patches, spread evenly over one frame, is searched for anywhere in the other frame. The result is
/// the mean of the best cosines. Both directions are computed, and the larger one counts. A moving object changes
/// the similarity little. Something that enters or leaves the view changes only one direction.
///
/// `earlier` and `later` are unit tokens, `[patch][width]`.
pub fn similarity(earlier: &[f32], later: &[f32], width: usize) -> f32 {
    mean_best_cosine(earlier, later, width).max(mean_best_cosine(later, earlier, width))
}

/// Returns the mean best cosine of a sample of `wanted` among all of `tokens`.
fn mean_best_cosine(tokens: &[f32], wanted: &[f32], width: usize) -> f32 {
    let patches = wanted.len() / width;
    let sample: Vec<&[f32]> = wanted.chunks(width).step_by(patches.div_ceil(SAMPLE).max(1)).collect();
    let mut best = vec![-1.0_f32; sample.len()];
    for (wanted, best) in sample.chunks(GROUP).zip(best.chunks_mut(GROUP)) {
        let together: [&[f32]; GROUP] = std::array::from_fn(|place| wanted[place.min(wanted.len() - 1)]);
        for token in tokens.chunks(width) {
            best.iter_mut().zip(dots(together, token)).for_each(|(best, cosine)| *best = best.max(cosine));
        }
    }
    best.iter().sum::<f32>() / best.len().max(1) as f32
}

/// Returns the signature of each object, by which another scene recognises the object: the mean of the unit tokens
/// weighted by the object's track (`[object][patch]`), minus the mean of all unit tokens of the frame, normalised.
pub fn signatures(tracks: &[f32], units: &[f32], width: usize) -> Vec<Vec<f32>> {
    let patches = (units.len() / width).max(1);
    let mean = weighted_sum((0..patches).map(|_patch| 1.0 / patches as f64), units, width);
    let signature = |track: &[f32]| {
        let seen = weighted_sum(track.iter().map(|share| f64::from(*share)), units, width);
        unit(&seen.iter().zip(&mean).map(|(seen, mean)| (seen - mean) as f32).collect::<Vec<_>>())
    };
    tracks.chunks(patches).map(signature).collect()
}

/// Pairs the objects `found` with `known` objects by the cosine of their signatures, highest first. Each object is
/// paired at most once, and only when the cosine is at least `same_from`. Returns the index of the known object
/// for each of `found`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::random_numbers::RandomNumbers;

    #[test]
    fn a_moved_frame_is_similar_and_another_is_not() {
        let (width, patches) = (32, 100);
        let tokens = |seed| -> Vec<f32> {
            let mut random = RandomNumbers::new(seed);
            let mut token = || unit(&(0..width).map(|_| random.next()).collect::<Vec<_>>());
            (0..patches).flat_map(|_| token()).collect()
        };
        let frame = tokens(1);
        let moved = [&frame[7 * width..], &frame[..7 * width]].concat();
        assert!((similarity(&frame, &moved, width) - 1.0).abs() < 1e-5);
        // Half of the later frame is new, but all of the earlier frame is still visible.
        let entered = [&frame[..], &tokens(2)[..]].concat();
        assert!((similarity(&frame, &entered, width) - 1.0).abs() < 1e-5);
        assert!(similarity(&frame, &tokens(3), width) < CUT_BELOW);
    }

    #[test]
    fn a_cut_is_a_drop_below_the_usual_similarity() {
        let mut detector = CutDetector::default();
        let cuts = [0.95, 0.9, 0.85, 0.72, 0.7, 0.69, 0.9, 0.6].map(|similarity| detector.is_cut(similarity));
        assert_eq!(cuts, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn the_most_similar_objects_are_paired_first() {
        let (east, north) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let between = unit(&[2.0, 1.0]);
        let known = [&east[..], &north[..]];
        assert_eq!(matched(&[between.clone(), east.clone()], &known, 0.3), [Some(1), Some(0)]);
        assert_eq!(matched(&[between, east.clone()], &known, 0.75), [None, Some(0)]);
        assert_eq!(matched(&[east.clone(), east], &[], 0.75), [None, None]);
    }
}
