//! Agreement of video masks with labelled masks, as the DAVIS toolkit measures it (docs/PAPERS.md, 2.4). J is the
//! intersection over union of the region. F is the agreement of the boundaries. Both are computed for each object
//! and frame.

use serde::{Deserialize, Serialize};

use crate::geometry::Size;

/// The largest distance between matching boundaries, as a share of the frame's diagonal.
const BOUNDARY_TOLERANCE: f64 = 0.008;
/// The number of parts of a video. Decay compares the first part with the last.
const PARTS: usize = 4;

/// Computes J, the intersection over union of two masks without the pixels in `void`. 1 when both masks are empty.
pub fn region(found: &[bool], labelled: &[bool], void: &[bool]) -> f64 {
    let (mut both, mut either) = (0_u64, 0_u64);
    for ((found, labelled), void) in found.iter().zip(labelled).zip(void) {
        both += u64::from(*found && *labelled && !void);
        either += u64::from((*found || *labelled) && !void);
    }
    if either == 0 { 1.0 } else { both as f64 / either as f64 }
}

/// Computes F, the harmonic mean of precision and recall. Precision is the share of the found boundary that lies
/// near the labelled boundary. Recall is the share of the labelled boundary that lies near the found boundary.
///
/// Near means within a disk whose radius is 0.008 of the diagonal, rounded up. Pixels in `void` belong to neither
/// mask. Two masks without a boundary agree.
pub fn boundary(found: &[bool], labelled: &[bool], void: &[bool], size: Size) -> f64 {
    let without_void =
        |mask: &[bool]| -> Vec<bool> { mask.iter().zip(void).map(|(mask, void)| *mask && !void).collect() };
    let found = boundary_map(&without_void(found), size);
    let labelled = boundary_map(&without_void(labelled), size);
    let count = |map: &[bool]| map.iter().filter(|is_on| **is_on).count();
    let (found_count, labelled_count) = (count(&found), count(&labelled));
    match (found_count, labelled_count) {
        (0, 0) => return 1.0,
        (0, _) | (_, 0) => return 0.0,
        _ => {}
    }
    let radius = (BOUNDARY_TOLERANCE * (size.width as f64).hypot(size.height as f64)).ceil() as usize;
    let near = |map: &[bool], other: &[bool]| {
        let reach = dilated(other, size, radius);
        map.iter().zip(&reach).filter(|(is_on, reached)| **is_on && **reached).count()
    };
    let precision = near(&found, &labelled) as f64 / found_count as f64;
    let recall = near(&labelled, &found) as f64 / labelled_count as f64;
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// Returns the boundary of a mask, one pixel wide: pixels that differ from the pixel to the right, below, or to
/// the lower right.
fn boundary_map(mask: &[bool], size: Size) -> Vec<bool> {
    let Size { width, height } = size;
    let differs = |place: usize| {
        let (x, y) = (place % width, place / width);
        let at = |x: usize, y: usize| mask[y * width + x];
        let (has_right, has_below) = (x + 1 < width, y + 1 < height);
        (has_right && at(x + 1, y) != mask[place])
            || (has_below && at(x, y + 1) != mask[place])
            || (has_right && has_below && at(x + 1, y + 1) != mask[place])
    };
    (0..mask.len()).map(differs).collect()
}

/// Returns the pixels within `radius` of a pixel that is on.
fn dilated(map: &[bool], size: Size, radius: usize) -> Vec<bool> {
    let Size { width, height } = size;
    // The half-width of the disk in the row that is `down` rows away from its centre.
    let reach = |down: usize| (radius * radius - down * down).isqrt();
    let mut wide = vec![false; map.len()];
    for place in (0..map.len()).filter(|place| map[*place]) {
        let (x, y) = (place % width, place / width);
        for row in y.saturating_sub(radius)..(y + radius + 1).min(height) {
            let reach = reach(row.abs_diff(y));
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            wide[row * width + left..row * width + right].fill(true);
        }
    }
    wide
}

/// A measure, summarised over the frames of an object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureOverFrames {
    pub mean: f64,
    /// The share of frames with a value above 0.5.
    pub recall: f64,
    /// The mean over the first quarter of the frames minus the mean over the last quarter.
    pub decay: f64,
}

impl MeasureOverFrames {
    /// Summarises the values of a measure, one for each frame. None when there is no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let last = values.len().checked_sub(1)?;
        // Neighbouring quarters share the frame at their border, as in the toolkit.
        let end =
            |part: usize| (last as f64 * part as f64 / PARTS as f64 + 1.0 + 1e-10).round_ties_even() as usize - 1;
        Some(Self {
            mean: mean(values),
            recall: values.iter().filter(|value| **value > 0.5).count() as f64 / values.len() as f64,
            decay: mean(&values[end(0)..=end(1)]) - mean(&values[end(PARTS - 1)..=end(PARTS)]),
        })
    }

    /// Returns the mean over several objects. None when there is no object.
    pub fn mean_of(objects: &[Self]) -> Option<Self> {
        let mean = |value: fn(&Self) -> f64| objects.iter().map(value).sum::<f64>() / objects.len() as f64;
        (!objects.is_empty()).then(|| Self {
            mean: mean(|object| object.mean),
            recall: mean(|object| object.recall),
            decay: mean(|object| object.decay),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 40, height: 30 };

    fn square(left: usize, top: usize, side: usize) -> Vec<bool> {
        let inside = |place: usize| {
            (left..left + side).contains(&(place % SIZE.width))
                && (top..top + side).contains(&(place / SIZE.width))
        };
        (0..SIZE.width * SIZE.height).map(inside).collect()
    }

    #[test]
    fn equal_masks_score_one_and_disjoint_masks_zero() {
        let none = vec![false; SIZE.width * SIZE.height];
        let mask = square(5, 5, 10);
        assert_eq!((region(&mask, &mask, &none), boundary(&mask, &mask, &none, SIZE)), (1.0, 1.0));
        assert_eq!((region(&none, &none, &none), boundary(&none, &none, &none, SIZE)), (1.0, 1.0));
        assert_eq!((region(&mask, &none, &none), boundary(&mask, &none, &none, SIZE)), (0.0, 0.0));
        let apart = square(25, 15, 10);
        assert_eq!((region(&mask, &apart, &none), boundary(&mask, &apart, &none, SIZE)), (0.0, 0.0));
        // A shift by one pixel is within the tolerance of the boundary.
        let shifted = square(6, 5, 10);
        assert_eq!(region(&mask, &shifted, &none), 90.0 / 110.0);
        assert_eq!(boundary(&mask, &shifted, &none, SIZE), 1.0);
    }

    #[test]
    fn void_pixels_do_not_count() {
        let (mask, void) = (square(5, 5, 10), square(20, 5, 10));
        let both: Vec<bool> = mask.iter().zip(&void).map(|(mask, void)| *mask || *void).collect();
        assert_eq!(region(&both, &mask, &void), 1.0);
        assert_eq!(boundary(&both, &mask, &void, SIZE), 1.0);
        assert!(region(&both, &mask, &vec![false; mask.len()]) < 0.6);
    }

    #[test]
    fn decay_is_first_quarter_minus_last() {
        let of = |values: &[f64]| MeasureOverFrames::of(values).unwrap();
        assert_eq!(of(&[1.0, 1.0, 1.0, 1.0, 0.5, 0.4, 0.0, 0.0, 0.0]).decay, 1.0);
        assert_eq!(of(&[0.7]), MeasureOverFrames { mean: 0.7, recall: 1.0, decay: 0.0 });
        assert_eq!(of(&[0.5, 0.6]).recall, 0.5);
        assert_eq!(MeasureOverFrames::of(&[]), None);
    }
}
