//! The tracks of objects in a frame, and their masks (docs/PAPERS.md, 2.1, steps 4 and 5).

use super::features::Features;
use super::prototypes::Prototypes;
use super::vectors::dot;
use crate::geometry::{CropFromPhoto, Size};

/// Returns the track of each object in a frame, `[object][patch]`: `softmax(P' K^T / sqrt(width))` over the
/// frame's patches. Each track sums to 1.
pub fn tracks(prototypes: &Prototypes, features: &Features) -> Vec<f32> {
    let scale = (features.width as f64).sqrt().recip();
    let track = |prototype: &[f32]| {
        let logits: Vec<f64> =
            features.keys.chunks(features.width).map(|key| f64::from(dot(key, prototype)) * scale).collect();
        softmax(&logits)
    };
    prototypes.iter().flat_map(track).collect()
}

/// Returns the foreground of a track: the patches above the track's mean.
pub fn mask(track: &[f32]) -> Vec<bool> {
    let mean = track.iter().map(|value| f64::from(*value)).sum::<f64>() / track.len().max(1) as f64;
    track.iter().map(|value| f64::from(*value) > mean).collect()
}

/// Converts a mask over patches to the photo's own pixels, row by row. Each pixel takes the value of the patch in
/// which it lies. Outside the crop there is no foreground.
pub fn mask_in_photo(mask: &[bool], frame: &CropFromPhoto) -> Vec<bool> {
    let (grid, Size { width, height }) = (frame.grid(), frame.photo);
    let place = |at: f64, length: usize| (at >= 0.0 && at < length as f64).then_some(at as usize);
    let columns: Vec<Option<usize>> =
        (0..width).map(|x| place(frame.grid_from_photo(x as f64 + 0.5, 0.0).0, grid.columns)).collect();
    let row = |y: usize| place(frame.grid_from_photo(0.0, y as f64 + 0.5).1, grid.rows);
    let of_row = |row: Option<usize>| {
        columns
            .iter()
            .map(move |column| row.zip(*column).is_some_and(|(row, column)| mask[row * grid.columns + column]))
    };
    (0..height).flat_map(|y| of_row(row(y))).collect()
}

fn softmax(logits: &[f64]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
}
