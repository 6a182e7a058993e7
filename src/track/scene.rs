//! Where a video is cut, and which objects of the new scene were there before.

use super::vectors::{dots, unit, weighted_sum};

/// Patches of a frame that are looked for in another.
const SAMPLE: usize = 64;
/// So many of them at a time.
const TOGETHER: usize = 4;
/// Two frames are of different scenes when their likeness is below this,
const CUT_BELOW: f32 = 0.65;
/// or below this share of what it has been in the scene. Measured on videos at two frames a second: 0.81 at the
/// least within a scene (0.85 of its mean), 0.73 at the most across different ones.
const CUT_BELOW_USUAL: f32 = 0.8;
/// How much the last likeness counts in what is usual.
const NEWEST: f32 = 0.25;
/// Objects are the same from this cosine of their signatures on.
pub const SAME_FROM: f32 = 0.75;

/// Hears the likeness of each frame to the one before it, and says where the video is cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct CutDetector {
    /// The likeness in this scene so far, the newest counting most.
    usual: Option<f32>,
}

impl CutDetector {
    /// Whether a frame of this likeness to the one before begins a scene.
    pub fn is_cut(&mut self, likeness: f32) -> bool {
        if likeness < CUT_BELOW || self.usual.is_some_and(|usual| likeness < CUT_BELOW_USUAL * usual) {
            self.usual = None;
            return true;
        }
        self.usual = Some(self.usual.map_or(likeness, |usual| usual + NEWEST * (likeness - usual)));
        false
    }
}

/// How alike two frames are: patches of each, spread evenly over it, are looked for anywhere in the other; the mean
/// of their best cosines, 1 for the same frame, from whichever side it is larger. What moves changes little of
/// it, and what comes into view or leaves it only the one side.
///
/// `earlier` and `later` are unit tokens, `[patch][width]`.
pub fn likeness(earlier: &[f32], later: &[f32], width: usize) -> f32 {
    found_in(earlier, later, width).max(found_in(later, earlier, width))
}

/// The mean best cosine of a sample of `wanted` among all of `tokens`.
fn found_in(tokens: &[f32], wanted: &[f32], width: usize) -> f32 {
    let patches = wanted.len() / width;
    let sample: Vec<&[f32]> = wanted.chunks(width).step_by(patches.div_ceil(SAMPLE).max(1)).collect();
    let mut best = vec![-1.0_f32; sample.len()];
    for (wanted, best) in sample.chunks(TOGETHER).zip(best.chunks_mut(TOGETHER)) {
        let together: [&[f32]; TOGETHER] = std::array::from_fn(|place| wanted[place.min(wanted.len() - 1)]);
        for token in tokens.chunks(width) {
            best.iter_mut().zip(dots(together, token)).for_each(|(best, cosine)| *best = best.max(cosine));
        }
    }
    best.iter().sum::<f32>() / best.len().max(1) as f32
}

/// What each object is known by in another scene: the mean unit token where its track lies (`[object][patch]`), less
/// the frame's own mean, made unit.
pub fn signatures(tracks: &[f32], units: &[f32], width: usize) -> Vec<Vec<f32>> {
    let patches = (units.len() / width).max(1);
    let mean = weighted_sum((0..patches).map(|_patch| 1.0 / patches as f64), units, width);
    let signature = |track: &[f32]| {
        let seen = weighted_sum(track.iter().map(|share| f64::from(*share)), units, width);
        unit(&seen.iter().zip(&mean).map(|(seen, mean)| (seen - mean) as f32).collect::<Vec<_>>())
    };
    tracks.chunks(patches).map(signature).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::random_model::RandomWeights;

    #[test]
    fn a_frame_is_like_itself_moved_and_unlike_another() {
        let (width, patches) = (32, 100);
        let tokens = |seed| -> Vec<f32> {
            let mut random = RandomWeights::new(seed);
            let mut token = || unit(&(0..width).map(|_| random.next()).collect::<Vec<_>>());
            (0..patches).flat_map(|_| token()).collect()
        };
        let frame = tokens(1);
        let moved = [&frame[7 * width..], &frame[..7 * width]].concat();
        assert!((likeness(&frame, &moved, width) - 1.0).abs() < 1e-5);
        // Half of the later frame is new; all of the earlier one is still there.
        let entered = [&frame[..], &tokens(2)[..]].concat();
        assert!((likeness(&frame, &entered, width) - 1.0).abs() < 1e-5);
        assert!(likeness(&frame, &tokens(3), width) < CUT_BELOW);
    }

    #[test]
    fn a_cut_is_a_fall_below_what_is_usual() {
        let mut detector = CutDetector::default();
        let cuts = [0.95, 0.9, 0.85, 0.72, 0.7, 0.69, 0.9, 0.6].map(|likeness| detector.is_cut(likeness));
        assert_eq!(cuts, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn the_most_alike_are_paired_first() {
        let (east, north) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let between = unit(&[2.0, 1.0]);
        let known = [&east[..], &north[..]];
        assert_eq!(matched(&[between.clone(), east.clone()], &known, 0.3), [Some(1), Some(0)]);
        assert_eq!(matched(&[between, east.clone()], &known, 0.75), [None, Some(0)]);
        assert_eq!(matched(&[east.clone(), east], &[], 0.75), [None, None]);
    }
}
