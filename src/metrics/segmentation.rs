//! Pixel accuracy, IoU and average precision of a segmentation (docs/PAPERS.md, 1.10).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Pixels counted by their values in a mask and in the labelled mask. The counts of pictures add up to the counts
/// of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelCounts {
    /// Foreground in both.
    pub both: u64,
    pub found_only: u64,
    pub labelled_only: u64,
    /// Background in both.
    pub neither: u64,
}

impl PixelCounts {
    /// Compares a mask with the labelled mask, pixel by pixel.
    pub fn of(found: impl IntoIterator<Item = bool>, labelled: &[bool]) -> Self {
        let mut counts = Self::default();
        for (found, labelled) in found.into_iter().zip(labelled) {
            let count = match (found, labelled) {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.found_only,
                (false, true) => &mut counts.labelled_only,
                (false, false) => &mut counts.neither,
            };
            *count += 1;
        }
        counts
    }

    /// Returns the share of pixels on which both masks agree.
    pub fn accuracy(&self) -> f64 {
        share(self.both + self.neither, self.both + self.neither + self.apart())
    }

    /// Returns the mean of the foreground's and the background's intersection over union.
    pub fn mean_iou(&self) -> f64 {
        let foreground = share(self.both, self.both + self.apart());
        let background = share(self.neither, self.neither + self.apart());
        (foreground + background) / 2.0
    }

    fn apart(&self) -> u64 {
        self.found_only + self.labelled_only
    }
}

impl AddAssign for PixelCounts {
    fn add_assign(&mut self, other: Self) {
        self.both += other.both;
        self.found_only += other.found_only;
        self.labelled_only += other.labelled_only;
        self.neither += other.neither;
    }
}

/// Returns part / whole, and 0 for 0 / 0 as in the reference implementation.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Returns the average precision of a soft map s against labelled pixels, over two channels: every pixel is ranked
/// once as foreground by s, and once as background by 1 - s. Pixels with the same score form one step, as in
/// scikit-learn.
pub fn average_precision(soft: &[f32], labelled: &[bool]) -> f64 {
    let pixels = soft.iter().zip(labelled);
    let mut ranked: Vec<(f32, bool)> =
        pixels.flat_map(|(soft, labelled)| [(1.0 - soft, !labelled), (*soft, *labelled)]).collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut right, mut sum) = (0_u64, 0_u64, 0.0);
    for equals in ranked.chunk_by(|a, b| a.0 == b.0) {
        let gained = equals.iter().filter(|(_score, right)| *right).count() as u64;
        seen += equals.len() as u64;
        right += gained;
        sum += gained as f64 * share(right, seen);
    }
    // Each pixel is correct in one of its two channels.
    if labelled.is_empty() { 0.0 } else { sum / labelled.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_mask_scores_one_and_its_inverse_zero() {
        let labelled = [true, false, false, true];
        let same = PixelCounts::of(labelled, &labelled);
        assert_eq!((same.accuracy(), same.mean_iou()), (1.0, 1.0));
        let opposite = PixelCounts::of(labelled.map(|pixel| !pixel), &labelled);
        assert_eq!((opposite.accuracy(), opposite.mean_iou()), (0.0, 0.0));
    }

    #[test]
    fn iou_is_the_mean_of_foreground_and_background() {
        let counts = PixelCounts { both: 2, found_only: 1, labelled_only: 1, neither: 4 };
        assert_eq!(counts.accuracy(), 6.0 / 8.0);
        assert_eq!(counts.mean_iou(), (2.0 / 4.0 + 4.0 / 6.0) / 2.0);
    }

    #[test]
    fn average_precision_of_good_constant_and_wrong_maps() {
        let labelled = [true, true, false, false];
        assert_eq!(average_precision(&[1.0, 0.9, 0.0, 0.1], &labelled), 1.0);
        // All scores are equal: there is one step, and half of it is correct.
        assert_eq!(average_precision(&[0.5; 4], &labelled), 0.5);
        // Ranks: four wrong pixels, then four correct ones. The precisions are 1/5, 2/6, 3/7, 4/8.
        let wrong = average_precision(&[0.1, 0.2, 0.9, 0.8], &labelled);
        assert!((wrong - (1.0 / 5.0 + 2.0 / 6.0 + 3.0 / 7.0 + 4.0 / 8.0) / 4.0).abs() < 1e-6, "{wrong}");
    }
}
