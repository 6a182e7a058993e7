//! The tracks of objects in a frame (docs/PAPERS.md, 2.1, step 4).

use super::features::Features;
use super::prototypes::Prototypes;
use super::vectors::dot;

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

fn softmax(logits: &[f64]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
}
